/** Traefik's ForwardAuth asks here about every call: 200 with the caller's identity in headers, or the error that goes to the client. */
import type { FastifyPluginAsync } from 'fastify'
import { createIdentityWriter } from '@gateway/common/identity.ts'
import { pathOf } from '@gateway/common/service.ts'
import { clientAddress } from '../client-address.ts'

export const decisionRoute: FastifyPluginAsync<{ secrets: readonly string[] }> = async (app, { secrets }) => {
  const identityHeaders = createIdentityWriter(secrets)
  // Traefik asks with GET, or with the client's own method where it is told to.
  app.all('/decision', async (request, reply) => {
    // Traefik writes these itself and drops a client's (trustForwardHeader: false).
    const { 'x-forwarded-method': method = request.method, 'x-forwarded-uri': uri, 'x-forwarded-host': host, origin } = request.headers as Record<string, string | undefined>
    request.pathForErrors = pathOf(uri ?? '/')
    const { identity } = await app.judge(request, { method, uri: uri ?? '/', host, origin, address: clientAddress(request) })
    return reply.headers(identityHeaders(identity)).send()
  })
}
