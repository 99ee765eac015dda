/** What every service process has: logger, metrics, contract errors, health, and a stop that drains. */
import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Http2SecureServer, ServerHttp2Session } from 'node:http2'
import closeWithGrace from 'close-with-grace'
import Fastify, { LogController, type FastifyInstance, type FastifyReply, type FastifyRequest, type FastifyServerOptions } from 'fastify'
import { pino, stdTimeFunctions, type Logger, type LoggerOptions } from 'pino'
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import { AuthenticationError, errorBody, NotFoundError, oauthErrorBody, toGatewayError, ValidationError, type GatewayError } from './errors.ts'
import { requestIdHeader } from './identity.ts'
import { describeError, withoutSecrets } from './redact.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The caller's tenant once it is known; goes into the error body. */
    tenantForErrors: string | undefined
    /** performance.now() at its arrival; 0 once it has been counted. */
    startedAt: number
    /** The path that the client asked for, where the request is another's question about it. */
    pathForErrors: string | undefined
    /** A line of its own tells of this request: the one of HTTP is for debugging only. */
    told: boolean
  }
  interface FastifyContextConfig {
    /** A route that anybody may call says so here; nothing else exempts it from an app's authentication. */
    public?: boolean
    /** The route tells each call where it wants it told: its lines here are for debugging only. */
    audited?: boolean
  }
}

export interface Observability {
  service: string
  logger: Logger
  registry: Registry
}

/**
 * The logger and the metrics registry of one process.
 * @param destination where log lines go, for tests; standard output where absent
 */
export function createObservability (service: string, level: string, destination?: { write (line: string): void }): Observability {
  const options: LoggerOptions = {
    // pino's own base adds the host's name, which no line may hold (contract, "Errors").
    base: { name: service },
    level,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { log: withoutSecrets },
    serializers: { err: describeError }
  }
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  return { service, logger: pino(options, destination ?? standardOutput()), registry }
}

/** What a TLS port shows, and asks for; all in PEM. */
export interface ServerTls {
  cert: string
  key: string
  /** Authority of the client certificates that are then demanded; nobody is asked for one where it is undefined. */
  clientCa?: string | undefined
}

/** Below this nothing is spoken: both ends are ours. */
const minVersion = 'TLSv1.3'
const contextOf = ({ cert, key, clientCa }: ServerTls) => ({ cert, key, minVersion, ...(clientCa !== undefined && { ca: clientCa }) } as const)

/** Shows another certificate to those who connect from now on; connections that are there go on. */
export function renewTls (app: FastifyInstance, tls: ServerTls): void {
  (app.server as unknown as Http2SecureServer).setSecureContext(contextOf(tls))
}

/** Lines are gathered for a moment: under load a write for each one would cost more than the work that it tells of. What is gathered is written at the end as well. */
const standardOutput = () => pino.destination({ dest: 1, sync: false, minLength: 4096, periodicFlush: 100 })

export interface AppOptions {
  /** Value of WWW-Authenticate for an error, where it wants one. */
  challenge?: (error: GatewayError) => string | undefined
  /** The app then serves HTTP/2 over TLS, and nothing else. */
  tls?: ServerTls | undefined
  /** Largest request body in bytes. */
  bodyLimit?: number
  /** Further options of Fastify. */
  fastify?: FastifyServerOptions
}

/** Fastify's own request lines hold the whole URL, and so a query string: ours take their place. */
const quiet = () => new LogController({ disableRequestLogging: true })

const plainRequestId = /^[\w-]{8,64}$/

/** A Fastify app with the contract's errors, one log line a request (never its query string), and HTTP metrics. */
export function createApp ({ logger, registry }: Observability, options: AppOptions = {}): FastifyInstance {
  const base: FastifyServerOptions = {
    loggerInstance: logger,
    logController: quiet(),
    genReqId: raw => {
      const sent = raw.headers[requestIdHeader]
      return typeof sent === 'string' && plainRequestId.test(sent) ? sent : randomUUID()
    },
    // Wait for requests in flight, close what idles: a stop must neither cut nor hang.
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    // A path that no router can read comes here, past all hooks. The error's message is left behind: it quotes the URL, query string and all.
    frameworkErrors: ({ code, statusCode }, request, reply) => sendError(toGatewayError({ code, statusCode }), request as FastifyRequest, (reply as FastifyReply).header(requestIdHeader, request.id), options.challenge),
    ...(options.tls === undefined && { clientErrorHandler: answerUnreadable }),
    ...(options.bodyLimit !== undefined && { bodyLimit: options.bodyLimit }),
    ...options.fastify
  }
  const app = (options.tls
    ? Fastify({ ...base, http2: true, https: { allowHTTP1: false, requestCert: options.tls.clientCa !== undefined, rejectUnauthorized: true, ...contextOf(options.tls) } } as FastifyServerOptions)
    : Fastify(base)) as unknown as FastifyInstance
  if (options.tls) drainSessions(app)

  app.decorateRequest('tenantForErrors', undefined)
  app.decorateRequest('pathForErrors', undefined)
  app.decorateRequest('told', false)
  measure(app, registry)
  app.addHook('onRequest', (request, reply, done) => {
    reply.header(requestIdHeader, request.id)
    done()
  })
  app.addHook('onSend', (_request, reply, payload, done) => {
    // Fastify closes the connection under a body that is too large; with bytes still on the way that is a reset, of which a proxy
    // makes a 502. Kept open, Node reads the rest away; Traefik's readTimeout bounds how long.
    if (reply.statusCode === 413) reply.removeHeader('connection')
    done(null, payload)
  })
  app.setNotFoundHandler((_request, _reply) => {
    throw new NotFoundError('route_not_found', 'There is nothing at this path.')
  })
  app.setErrorHandler((thrown, request, reply) => sendError(toGatewayError(thrown), request, reply, options.challenge))
  return app
}

/** What Node could not read as HTTP never becomes a request; it is answered in the contract's words all the same, and the connection ends. */
function answerUnreadable (error: Error & { code?: string }, socket: Socket) {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const [status, name, fault] = error.code === 'HPE_HEADER_OVERFLOW'
    ? [431, 'Request Header Fields Too Large', new ValidationError('headers_too_large', 'The headers of the request are larger than this service reads.')] as const
    : [400, 'Bad Request', new ValidationError('invalid_request', 'The request could not be read.')] as const
  const body = JSON.stringify(errorBody(fault, { path: '', requestId: randomUUID() }))
  socket.end(`HTTP/1.1 ${status} ${name}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n${body}`)
}

/** Answers as `answerError` does, and writes the private cause to the log. */
export function sendError (error: GatewayError, request: FastifyRequest, reply: FastifyReply, challenge?: AppOptions['challenge']): FastifyReply {
  if (error.status >= 500) request.log.error({ err: error.cause ?? error, code: error.code, reason: error.reason }, error.message)
  // What is said of a query or of arguments may quote them, which no log may do.
  else if (error.type === 'QueryError' || error.type === 'ValidationError') request.log[levelOf(request)]({ code: error.code, reason: error.reason }, error.type)
  else request.log[levelOf(request)]({ code: error.code, reason: error.reason, cause: error.cause instanceof Error ? error.cause.message : undefined }, error.message)
  return answerError(error, request, reply, challenge)
}

/** Answers with the contract's body, Retry-After and WWW-Authenticate; for an error that the log has already. */
export function answerError (error: GatewayError, request: FastifyRequest, reply: FastifyReply, challenge?: AppOptions['challenge']): FastifyReply {
  const wwwAuthenticate = challenge?.(error)
  if (wwwAuthenticate !== undefined) reply.header('www-authenticate', wwwAuthenticate)
  if (error.retryAfter !== undefined) reply.header('retry-after', error.retryAfter)
  reply.header('cache-control', 'no-store').type('application/json; charset=utf-8').code(error.status)
  return reply.send(error instanceof AuthenticationError
    ? oauthErrorBody(error)
    : errorBody(error, { path: request.pathForErrors ?? pathOf(request.url), tenant: request.tenantForErrors, requestId: request.id }))
}

const levelOf = ({ routeOptions, told }: FastifyRequest) => told || routeOptions.config?.audited === true ? 'debug' : 'info'

/** The path of a request target, without its query string. */
export function pathOf (url: string): string {
  const end = url.indexOf('?')
  return end < 0 ? url : url.slice(0, end)
}

function measure (app: FastifyInstance, registry: Registry) {
  const labelNames = ['method', 'route', 'status'] as const
  const requests = metric(registry, 'http_requests_total', () => new Counter({ name: 'http_requests_total', help: 'HTTP requests answered', labelNames, registers: [registry] }))
  const duration = metric(registry, 'http_request_duration_seconds', () => new Histogram({
    name: 'http_request_duration_seconds', help: 'Time from request to answer', labelNames: ['route'], buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 120], registers: [registry]
  }))
  const inProgress = metric(registry, 'http_requests_in_progress', () => new Gauge({ name: 'http_requests_in_progress', help: 'HTTP requests not answered yet', registers: [registry] }))
  // prom-client looks a set of labels up by sorting and joining them: once is enough.
  const counted = remembering((method: string, route: string, status: number) => requests.labels({ method, route, status }))
  const timed = remembering((route: string) => duration.labels({ route }))
  app.decorateRequest('startedAt', 0)
  app.addHook('onRequest', (request, _reply, done) => {
    request.startedAt = performance.now()
    inProgress.inc()
    done()
  })
  const finish = (request: FastifyRequest, status: number) => {
    if (request.startedAt === 0) return
    const elapsed = performance.now() - request.startedAt
    request.startedAt = 0
    const route = request.routeOptions.url ?? 'none'
    inProgress.dec()
    counted(knownMethods.has(request.method) ? request.method : 'other', route, status).inc()
    timed(route).observe(elapsed / 1000)
    request.log[levelOf(request)]({ method: request.method, route, status, ms: Math.round(elapsed * 1000) / 1000 }, 'answered')
  }
  app.addHook('onResponse', (request, reply, done) => {
    finish(request, reply.statusCode)
    done()
  })
  // 499 as nginx has it: the client went away before the answer.
  app.addHook('onRequestAbort', (request, done) => {
    finish(request, 499)
    done()
  })
}

/** The same function, which makes its value once for the same arguments; for a few of them. */
function remembering<A extends Array<string | number>, T> (make: (...key: A) => T): (...key: A) => T {
  const made = new Map<string, T>()
  return (...key) => {
    const name = key.join(' ')
    let value = made.get(name)
    if (value === undefined) made.set(name, value = make(...key))
    return value
  }
}

const knownMethods = new Set(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'])

/** The registry's metric of this name, made at the first call: several apps of one process share it. */
export function metric<T> (registry: Registry, name: string, make: () => T): T {
  return (registry.getSingleMetric(name) as T | undefined) ?? make()
}

function drainSessions (app: FastifyInstance) {
  const sessions = new Set<ServerHttp2Session>()
  const server = app.server as unknown as Http2SecureServer
  server.on('session', session => {
    sessions.add(session)
    session.once('close', () => sessions.delete(session))
  })
  // GOAWAY: the peer ends its streams and opens a new connection elsewhere.
  app.addHook('preClose', done => {
    for (const session of sessions) session.close()
    done()
  })
}

/** What a dependency says of itself: `ok`, or what is wrong in a few public words. */
export type Checks = Record<string, string>

/** True for a dependency that is good enough: all is well, or there is a warning. */
export const serves = (said: string) => said === 'ok' || said.startsWith('warning:')

export class Health {
  #stopping = false
  readonly #check: () => Promise<Checks>

  /** @param check asks each dependency; must settle within a second or two */
  constructor (check: () => Promise<Checks>) { this.#check = check }

  /** From here on the balancer is told to look elsewhere. */
  stop () { this.#stopping = true }

  /** Whether the process may be sent requests; asks no dependency. */
  get live (): boolean { return !this.#stopping }

  /** Whether the process and all that it needs would answer. */
  async ready (): Promise<{ ready: boolean, checks: Checks }> {
    if (this.#stopping) return { ready: false, checks: { process: 'stopping' } }
    const checks = await this.#check()
    return { ready: Object.values(checks).every(serves), checks }
  }
}

/** Adds `/live` and `/ready` to an app that no public router reaches at these paths. Asked each second, their lines are for debugging. */
export function addHealthRoutes (app: FastifyInstance, health: Health) {
  app.get('/live', { config: { public: true, audited: true } }, (_request, reply) => reply.code(health.live ? 200 : 503).send({ live: health.live }))
  app.get('/ready', { config: { public: true, audited: true } }, async (_request, reply) => {
    const answer = await health.ready()
    return reply.code(answer.ready ? 200 : 503).send(answer)
  })
}

/** The internal app: Prometheus metrics and health in plain HTTP, for a port that nobody publishes. */
export function createInternalApp ({ logger, registry }: Observability, health: Health): FastifyInstance {
  const app = Fastify({ loggerInstance: logger, logController: quiet() }) as unknown as FastifyInstance
  app.get('/metrics', async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()))
  addHealthRoutes(app, health)
  return app
}

export interface Listener {
  app: FastifyInstance
  host: string
  port: number
  name: string
  /**
   * So long at most, in milliseconds, it takes requests as before once the balancer was told to look elsewhere: a proxy that sends one on a
   * connection that is being closed does not know whether it was read, and may not send it again. Nobody connected: not at all.
   */
  leadMs?: number
}

/**
 * Opens all listeners and arranges the stop: on SIGTERM, SIGINT or a fault the balancer is told, requests in flight end, then `onStop` runs.
 * @param health told first, so that `/live` and `/ready` answer 503 while the rest drains
 * @returns the URL of each listener by name
 */
export async function serve ({ service, logger }: Observability, health: Health, listeners: readonly Listener[], onStop: () => Promise<void> = async () => {}): Promise<Record<string, string>> {
  closeWithGrace({ delay: 20_000, logger }, async ({ signal, err }) => {
    if (err) logger.fatal({ err }, `${service} stops after a fault`)
    else logger.info({ signal }, `${service} stops`)
    health.stop()
    await Promise.all(listeners.map(async ({ app, leadMs = 0 }) => {
      await untilLeft(app, leadMs)
      await app.close()
    }))
    await onStop()
  })
  const urls: Record<string, string> = {}
  for (const { app, host, port, name } of listeners) urls[name] = await app.listen({ host, port, listenTextResolver: address => `${service} ${name} at ${address}` })
  logger.info({ urls }, `${service} ready`)
  return urls
}

/** Returns when nobody is connected, or the time is over. */
async function untilLeft ({ server }: FastifyInstance, longestMs: number): Promise<void> {
  const connections = () => new Promise<number>((resolve, reject) => server.getConnections((error, count) => error ? reject(error) : resolve(count)))
  for (const end = performance.now() + longestMs; performance.now() < end && await connections() > 0;) await delay(50)
}
