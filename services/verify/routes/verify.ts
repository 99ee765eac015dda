/** A client may ask what its own credential is worth. The same checks as for every call; no identity headers come of it. */
import type { FastifyPluginAsync } from 'fastify'
import { Type } from 'typebox'

const answer = Type.Object({
  tenant: Type.String(),
  user: Type.String(),
  client: Type.String(),
  scopes: Type.Array(Type.String()),
  issuer: Type.String(),
  expires_at: Type.Union([Type.String({ description: 'ISO 8601' }), Type.Null({ description: 'an API key does not expire' })])
})

export const verifyRoute: FastifyPluginAsync = async app => {
  app.get('/verify', { schema: { response: { 200: answer } } }, async request => {
    const { ':authority': authority, host, origin } = request.headers as Record<string, string | undefined>
    const { identity, caller } = await app.judge(request, { uri: request.url, host: authority ?? host, origin })
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

/** An expiry beyond what a Date can say is told as the last one that it can (ECMA-262, "Time Values and Time Range"). */
const isoTime = (seconds: number) => new Date(Math.min(seconds * 1000, 8.64e15)).toISOString()
