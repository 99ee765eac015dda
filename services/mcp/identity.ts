/** Who is calling: every route wants the identity that verify signed, but those that say `public: true` in their own options. */
import plugin from 'fastify-plugin'
import { createIdentityReader, type Identity } from '@gateway/common/identity.ts'
import { parseSecrets } from '@gateway/common/secrets.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The caller that verify vouches for. Set on every route that is not public. */
    caller: Identity
  }
}

export interface IdentityOptions {
  /** GATEWAY_SECRET: `new` or `new,old`. */
  secret: string
}

/** Refuses with 401 whatever lacks a good assertion, unknown paths and methods as well. */
export const identity = plugin<IdentityOptions>(async (app, { secret }) => {
  const readIdentity = createIdentityReader(parseSecrets(secret).secrets)
  app.decorateRequest('caller', null as unknown as Identity)
  app.addHook('onRequest', (request, reply, done) => {
    if (request.routeOptions.config?.public === true) return done()
    // What one caller may see must not come out of a cache for another.
    reply.header('cache-control', 'no-store')
    request.caller = readIdentity(request.headers)
    request.tenantForErrors = request.caller.tenantId
    done()
  })
}, { name: 'identity' })
