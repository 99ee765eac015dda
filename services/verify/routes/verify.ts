/** A client may ask what its own credential is worth. The same checks as for every call; no identity headers come of it. */
import type { FastifyPluginAsync } from 'fastify'
import { Type } from 'typebox'
import { clientAddress } from '@gateway/common/client-address.ts'

const answer = Type.Object({
  tenant: Type.String(),
  user: Type.String(),
  client: Type.String(),
  scopes: Type.Array(Type.String()),
  issuer: Type.String(),
  expires_at: Type.Union([Type.String({ description: 'ISO 8601' }), Type.Null({ description: 'MCP_API_KEY, and keys that were made so, do not expire' })])
})

export const verifyRoute: FastifyPluginAsync = async app => {
  app.get('/verify', { config: { audited: true }, schema: { response: { 200: answer } } }, async request => {
    const { ':authority': authority, host, origin } = request.headers as Record<string, string | undefined>
    const { identity, caller } = await app.judge(request, { method: request.method, uri: request.url, host: authority ?? host, origin, address: clientAddress(request) })
    return {
      tenant: identity.tenantId,
      user: identity.userId,
      client: identity.clientId,
      scopes: identity.scopes,
      issuer: identity.issuer,
      expires_at: caller.expiresAt === undefined ? null : isoTime(caller.expiresAt)
    }
  })
}

const isoTime = (seconds: number) => new Date(seconds * 1000).toISOString()
