/** Traefik's ForwardAuth asks here about every call: 200 with the caller's identity in headers, or the error that goes to the client. */
import type { FastifyPluginAsync } from 'fastify'
import { clientAddress } from '@gateway/common/client-address.ts'
import { createIdentityWriter, type Identity } from '@gateway/common/identity.ts'
import { pathOf } from '@gateway/common/service.ts'

/** An assertion lives for 30 s and may go out again while it is younger than this, in milliseconds: signing one costs a third of a decision. */
const reuseMs = 10_000

export const decisionRoute: FastifyPluginAsync<{ secrets: readonly string[] }> = async (app, { secrets }) => {
  const identityHeaders = rewriting(createIdentityWriter(secrets))
  // Traefik asks with GET, or with the client's own method where it is told to.
  app.all('/decision', { config: { audited: true } }, async (request, reply) => {
    // Traefik writes these itself; a client's are removed at the door (remove-identity).
    const { 'x-forwarded-method': method = request.method, 'x-forwarded-uri': uri = '/', 'x-forwarded-host': host, origin } = request.headers as Record<string, string | undefined>
    request.pathForErrors = pathOf(uri)
    const { identity } = await app.judge(request, { method, uri, host, origin, address: clientAddress(request) })
    return reply.headers(identityHeaders(identity)).send()
  })
}

/** Writes the headers of an identity anew when those that were written last are too old. A remembered token keeps its identity object. */
function rewriting (write: (identity: Identity) => Record<string, string>): typeof write {
  const written = new WeakMap<Identity, { headers: Record<string, string>, until: number }>()
  return identity => {
    const last = written.get(identity)
    const now = performance.now()
    if (last !== undefined && now < last.until) return last.headers
    const headers = write(identity)
    written.set(identity, { headers, until: now + reuseMs })
    return headers
  }
}
