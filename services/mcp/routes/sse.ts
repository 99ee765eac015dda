/**
 * `/sse` and `/messages`: the HTTP+SSE transport of MCP 2024-11-05, for configurations that still point there. The client holds a stream
 * on one replica and posts its messages to any, each with its own credential; the answers come over the stream.
 */
import { finished } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/server'
import { resourceUrl } from '@gateway/common/challenge.ts'
import { NotFoundError, ValidationError } from '@gateway/common/errors.ts'
import type { Exchange, Run } from '../legacy-sse/exchange.ts'
import { createServerFactory, type Extend } from '../mcp-server.ts'
import type { Toolbox } from '../toolbox.ts'
import { authInfoOf, isStream } from './mcp.ts'
import { only } from './only.ts'

export interface SseRouteOptions {
  toolbox: Toolbox
  publicUrl: string
  /** Absent where there is no Valkey: an answer could not find its stream. */
  exchange: Exchange | undefined
  extend?: Extend
}

export async function sseRoutes (app: FastifyInstance, { toolbox, publicUrl, exchange, extend }: SseRouteOptions) {
  const createServer = createServerFactory(toolbox, extend)

  function served (): Exchange {
    if (exchange !== undefined) return exchange
    throw new NotFoundError('sse_not_served', `The HTTP+SSE transport of 2024-11-05 is not served here. Point your client at ${resourceUrl(publicUrl)}.`)
  }

  async function open (request: FastifyRequest, reply: FastifyReply) {
    const exchange = served()
    const stream = await exchange.open(request.caller, request.log)
    finished(reply.raw, () => { exchange.closed(stream).catch((err: unknown) => request.log.error({ err }, 'a stream could not be forgotten')) })
    return reply
      .type('text/event-stream')
      .header('cache-control', 'no-store, no-transform')
      .header('x-accel-buffering', 'no')
      // The connection would idle when the stream has ended, and a stop would wait for it.
      .header('connection', 'close')
      .send(stream.body)
  }

  async function accept (request: FastifyRequest<{ Querystring: { sessionId?: unknown } }>, reply: FastifyReply) {
    const exchange = served()
    const { query: { sessionId }, body } = request
    if (body === undefined) throw new ValidationError('invalid_json', 'The body is empty; send a JSON-RPC message.')
    // 2024-11-05 posts each message by itself.
    if (Array.isArray(body)) throw new ValidationError('invalid_request', 'Send one JSON-RPC message in each request.')
    const run = await exchange.begin(typeof sessionId === 'string' ? sessionId : '', request.caller, request.log)
    try {
      return await work(request, reply, run)
    } catch (error) {
      await run.done()
      throw error
    }
  }

  /** Refusals are the answer to the request, as on /mcp; all else comes over the stream. */
  async function work (request: FastifyRequest, reply: FastifyReply, run: Run) {
    const { method, params } = (request.body ?? {}) as { method?: unknown, params?: { name?: unknown } | null }
    if (method === 'tools/call') toolbox.countUnknown(params?.name, request.log)
    const authInfo = authInfoOf(request, publicUrl)
    const server = createServer({ authInfo })
    const transport = new WebStandardStreamableHTTPServerTransport({ sessionIdGenerator: undefined, keepAliveMs: 0 })
    await server.connect(transport)
    const close = () => { server.close().catch((err: unknown) => request.log.error({ err }, 'the protocol layer failed')) }
    run.signal.addEventListener('abort', close, { once: true })
    const version = request.headers['mcp-protocol-version']
    const web = new Request(resourceUrl(publicUrl), {
      method: 'POST',
      headers: { accept: 'application/json, text/event-stream', 'content-type': 'application/json', ...(typeof version === 'string' && { 'mcp-protocol-version': version }) }
    })
    const response = await transport.handleRequest(web, { authInfo, parsedBody: request.body })
    if (isStream(response) && response.body !== null) {
      run.pass(response.body).then(close, close)
      return reply.code(202).type('text/plain').send('Accepted')
    }
    const text = await response.text()
    close()
    await run.done()
    for (const [name, value] of response.headers) reply.header(name, value)
    return reply.code(response.status).send(text === '' ? undefined : text)
  }

  // Not HEAD, which would open a stream as well.
  app.route({ method: 'GET', url: '/sse', exposeHeadRoute: false, handler: open })
  only(app, 'GET', '/sse')
  app.post('/messages', accept)
  only(app, 'POST', '/messages')
  app.addHook('preClose', async () => exchange?.stop())
  app.addHook('onClose', () => exchange?.settled() ?? Promise.resolve())
}
