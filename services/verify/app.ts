/** The verify service as Fastify apps: tests and benchmarks build them without opening a port. */
import { randomUUID } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { createChallenge } from '@gateway/common/challenge.ts'
import { trustProxies } from '@gateway/common/client-address.ts'
import { ValidationError } from '@gateway/common/errors.ts'
import { createApp, pathOf, type AppOptions, type Observability } from '@gateway/common/service.ts'
import type { Gate } from './attempt.ts'
import type { Audit } from './audit.ts'
import type { Config } from './config.ts'
import { bearer } from './credentials/bearer.ts'
import { judging } from './judging.ts'
import { decisionRoute } from './routes/decision.ts'
import { documentRoutes } from './routes/documents.ts'
import { healthRoute } from './routes/health.ts'
import { protectedResourceRoutes } from './routes/protected-resource.ts'
import { tooManyRequestsRoute } from './routes/too-many-requests.ts'
import { verifyRoute } from './routes/verify.ts'

export interface VerifyAppOptions {
  config: Config
  gate: Gate
  audit: Audit
  observability: Observability
}

/** The internal app: only Traefik's ForwardAuth may reach it, for its answers hold identity headers. */
export function buildDecisionApp (options: VerifyAppOptions): FastifyInstance {
  const app = buildApp(options)
  app.register(decisionRoute, { secrets: options.config.secrets })
  app.register(tooManyRequestsRoute, { gate: options.gate, secrets: options.config.secrets, registry: options.observability.registry })
  return app
}

/** The app behind public routes: whatever it answers may be read by anybody. */
export function buildPublicApp (options: VerifyAppOptions): FastifyInstance {
  const app = buildApp(options)
  answerOtherMethods(app)
  app.register(protectedResourceRoutes, { config: options.config })
  app.register(documentRoutes, { config: options.config })
  app.register(verifyRoute)
  app.register(healthRoute)
  return app
}

function buildApp ({ config, gate, audit, observability }: VerifyAppOptions): FastifyInstance {
  const app = createApp(observability, {
    challenge: createChallenge(config.PUBLIC_URL, config.CHALLENGE_SCOPES),
    tls: config.tls,
    // Only verify names a request, whatever the client sent.
    fastify: { genReqId: () => randomUUID(), trustProxy: trustProxies(config.TRUSTED_PROXIES) } satisfies AppOptions['fastify']
  })
  ignoreBodies(app)
  app.addHook('onRequest', (_request, reply, done) => {
    reply.header('cache-control', 'no-store')
    done()
  })
  app.register(bearer)
  app.register(judging, { gate, audit, registry: observability.registry })
  return app
}

/** No route here has a use for a body: none is read, and none can be at fault. */
function ignoreBodies (app: FastifyInstance) {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))
}

/** A path that exists is 405 under another method, not 404 (RFC 9110 section 15.5.6). */
function answerOtherMethods (app: FastifyInstance) {
  const paths = new Set<string>()
  app.addHook('onRoute', ({ url }) => { paths.add(url) })
  app.addHook('onRequest', (request, reply, done) => {
    if (!request.is404 || !paths.has(pathOf(request.url))) return done()
    reply.header('allow', 'GET, HEAD')
    done(new ValidationError('method_not_allowed', 'This path answers GET only.', { status: 405 }))
  })
}
