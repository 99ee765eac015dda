/** oidc-provider behind Fastify's routes: by hijack, with its hooks, limits, log lines and metrics still around it. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Provider } from 'oidc-provider'
import { clientAddress } from '@gateway/common/client-address.ts'
import { toGatewayError, ValidationError } from '@gateway/common/errors.ts'
import type { AddressKind, Limits } from '../limits/limits.ts'
import { sendFault } from '../pages-plugin.ts'
import { routes } from './provider.ts'
import { rewriteScope } from './scopes.ts'

/** Each endpoint with its methods, and how its requests are counted; undefined: they cost nothing worth counting. */
const endpoints: ReadonlyArray<readonly [path: string, methods: string[], kind: AddressKind | undefined]> = [
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

const methodsOfHttp = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/** Where a person looks at the answer; all others answer programs. */
const isForPeople = (url: string | undefined) => url?.startsWith(routes.authorization) ?? false

export interface MountOptions {
  /** The provider with the keys of now. */
  current: () => Provider
  limits: Limits
}

/** Who answers, for a raw request: pages want its id. */
const requests = new WeakMap<object, FastifyRequest>()
export const requestOf = (raw: object): FastifyRequest | undefined => requests.get(raw)

type Handler = ReturnType<Provider['callback']>
/** Koa puts its middleware together anew at each call: once for each provider is enough. */
const handlers = new WeakMap<Provider, Handler>()

function handlerOf (provider: Provider): Handler {
  let handler = handlers.get(provider)
  if (handler === undefined) handlers.set(provider, handler = provider.callback())
  return handler
}

export async function mountProvider (app: FastifyInstance, { current, limits }: MountOptions): Promise<void> {
  // The provider reads bodies itself; parsed here, they would be gone.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))
  app.setErrorHandler((thrown, request, reply) => refuse(thrown, request, reply))
  for (const [url, methods, kind] of endpoints) {
    app.route({
      method: methods as never,
      url,
      config: { public: true },
      onRequest: async request => { if (kind !== undefined) await limits.ofAddress(kind, clientAddress(request)) },
      handler: (request, reply) => {
        const { raw } = request
        requests.set(raw, request)
        // Koa would take the first address that a client has written there itself.
        raw.headers['x-forwarded-for'] = clientAddress(request)
        if (url === routes.authorization) raw.url = rewriteScope(raw.url ?? '')
        // RFC 6749 section 5.2, RFC 7591 section 3.2.2: JSON, whatever a program's HTTP library accepts by itself.
        if (!isForPeople(url)) raw.headers.accept = 'application/json'
        reply.hijack()
        if (kind !== undefined) reply.header('cache-control', 'no-store')
        // What Fastify would have sent itself.
        for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) reply.raw.setHeader(name, value as string)
        handlerOf(current())(raw, reply.raw)
      }
    })
    app.route({
      method: methodsOfHttp.filter(method => !methods.includes(method)) as never,
      url,
      config: { public: true },
      handler: (_request, reply) => {
        reply.header('allow', methods.join(', '))
        throw new ValidationError('method_not_allowed', `Use ${methods.join(' or ')} here.`, { status: 405 })
      }
    })
  }
}

/** What is refused before oidc-provider is asked, in the words of its endpoint (RFC 6749 section 5.2). */
function refuse (thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const error = toGatewayError(thrown)
  if (isForPeople(request.routeOptions.url)) return sendFault(error, request, reply)
  request.log[error.status >= 500 ? 'error' : 'info']({ err: error.status >= 500 ? error.cause ?? error : undefined, code: error.code, reason: error.reason }, 'refused')
  if (error.retryAfter !== undefined) reply.header('retry-after', error.retryAfter)
  return reply.code(error.status).header('cache-control', 'no-store').send({ error: codeOf(error.status), error_description: error.message })
}

const codeOf = (status: number) => status === 429 || status === 503 ? 'temporarily_unavailable' : status >= 500 ? 'server_error' : 'invalid_request'
