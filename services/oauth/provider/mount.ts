/** oidc-provider behind Fastify's routes: by hijack, with its hooks, limits, log lines and metrics still around it. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Provider } from 'oidc-provider'
import type { Limits } from '../limits/limits.ts'
import { clientAddress } from '@gateway/common/client-address.ts'
import { routes } from './provider.ts'
import { rewriteScope } from './scopes.ts'

type Kind = Parameters<Limits['ofAddress']>[0]

/** Each endpoint with its methods, and how its requests are counted; undefined: they cost nothing worth counting. */
const endpoints: ReadonlyArray<readonly [path: string, methods: string[], kind: Kind | undefined]> = [
  ['/.well-known/oauth-authorization-server', ['GET', 'OPTIONS'], undefined],
  ['/.well-known/openid-configuration', ['GET', 'OPTIONS'], undefined],
  [routes.jwks, ['GET', 'OPTIONS'], undefined],
  [routes.authorization, ['GET'], 'sign-in'],
  [`${routes.authorization}/:uid`, ['GET'], 'page'],
  [routes.token, ['POST', 'OPTIONS'], 'token'],
  [routes.revocation, ['POST', 'OPTIONS'], 'token'],
  [routes.introspection, ['POST', 'OPTIONS'], 'token'],
  [routes.registration, ['POST'], 'registration'],
  [`${routes.registration}/:clientId`, ['GET', 'PUT', 'DELETE'], 'registration']
]

export interface MountOptions {
  /** The provider with the keys of now. */
  current: () => Provider
  limits: Limits
}

/** Who answers, for a raw request: pages want its id. */
const requests = new WeakMap<object, FastifyRequest>()
export const requestOf = (raw: object): FastifyRequest | undefined => requests.get(raw)

export async function mountProvider (app: FastifyInstance, { current, limits }: MountOptions): Promise<void> {
  // The provider reads bodies itself; parsed here, they would be gone.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))
  for (const [url, methods, kind] of endpoints) {
    app.route({
      method: methods as never,
      url,
      config: { public: true },
      onRequest: async request => { if (kind !== undefined) await limits.ofAddress(kind, clientAddress(request)) },
      handler: (request, reply) => {
        const { raw } = request
        requests.set(raw, request)
        if (url === routes.authorization) raw.url = rewriteScope(raw.url ?? '')
        reply.hijack()
        // What Fastify would have sent itself.
        for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) reply.raw.setHeader(name, value as string)
        current().callback()(raw, reply.raw)
      }
    })
  }
}
