/** `/mcp`: the MCP endpoint for both protocol eras, 2026-07-28 and the 2025 `initialize` clients. Nothing outlives a request. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { createMcpHandler, isLegacyRequest, PROTOCOL_VERSION_META_KEY, ProtocolError, SERVER_INFO_META_KEY, WebStandardStreamableHTTPServerTransport, type AuthInfo } from '@modelcontextprotocol/server'
import { resourceMetadataUrl, resourceUrl } from '@gateway/common/challenge.ts'
import { AuthenticationError, toGatewayError, ValidationError, type GatewayError } from '@gateway/common/errors.ts'
import { sendError } from '@gateway/common/service.ts'
import { createServerFactory, serverInfo, toolResult, type Extend } from '../mcp-server.ts'
import type { Extra } from '../request-context.ts'
import type { Toolbox } from '../toolbox.ts'
import { clientGone } from './client-gone.ts'
import { only } from './only.ts'
import { plainCall, type PlainCall } from './plain-call.ts'

export interface McpRouteOptions {
  toolbox: Toolbox
  publicUrl: string
  /** WWW-Authenticate for an error. */
  challenge: (error: GatewayError) => string | undefined
  /** See createServerFactory. */
  extend?: Extend
}

/** Headers that the protocol reads; no other one, and no credential, gets past this point. */
const protocolHeaders = ['accept', 'content-type', 'mcp-protocol-version', 'mcp-method', 'mcp-name'] as const

/** Adds `/mcp` and `/mcp/`, which are the same and never redirect: redirects drop Authorization. */
export async function mcpRoutes (app: FastifyInstance, { toolbox, publicUrl, challenge, extend }: McpRouteOptions) {
  const createServer = createServerFactory(toolbox, extend)
  const modern = createMcpHandler(createServer, {
    legacy: 'reject',
    onerror: error => {
      // What was refused quotes the client, so only its name is logged; the answer says the rest to the client.
      if (error instanceof ProtocolError || /^(?:Rejected|Unsupported)/.test(error.message)) app.log.debug({ error: error.name }, 'the protocol layer refused a request')
      else app.log.error({ err: error }, 'the protocol layer failed')
    }
  })
  app.addHook('onClose', () => modern.close())

  /** Era 2025: one server and one transport a request, JSON unless the client wants to see progress. */
  async function serveLegacy (request: Request, body: unknown, authInfo: AuthInfo, reply: FastifyReply): Promise<Response> {
    const server = createServer({ authInfo })
    const transport = new WebStandardStreamableHTTPServerTransport({ sessionIdGenerator: undefined, enableJsonResponse: !wantsProgress(body) })
    await server.connect(transport)
    const over = Promise.withResolvers<Response>()
    reply.raw.once('close', () => {
      server.close().then(() => over.resolve(new Response(null, { status: clientClosedRequest })), over.reject)
    })
    // A client that leaves gets no answer, and the transport would wait for it for ever.
    return await Promise.race([over.promise, transport.handleRequest(request, { authInfo, parsedBody: body })])
  }

  async function answerPlainly ({ id, name, args, modern }: PlainCall, request: FastifyRequest, reply: FastifyReply) {
    // By the tool's own line, in which nothing is missing.
    request.told = true
    const result = await toolResult(toolbox, name, args, { caller: request.caller, log: request.log, signal: clientGone(reply), progress: async () => {} })
    reply.type('application/json')
    return { jsonrpc: '2.0', id, result: modern ? { ...result, resultType: 'complete', _meta: { [SERVER_INFO_META_KEY]: serverInfo } } : result }
  }

  async function answer (request: FastifyRequest, reply: FastifyReply) {
    const call = plainCall(request)
    if (call !== undefined && toolbox.certain(call.name, request.caller)) return await answerPlainly(call, request, reply)
    const body = withoutCancellations(request.body)
    if (body === undefined) throw new ValidationError('invalid_json', 'The body is empty; send a JSON-RPC message.')
    // The SDK refuses it too, but each message has told the log by then.
    if (Array.isArray(body) && body.length > maxBatch) throw new ValidationError('batch_too_long', `A batch has ${maxBatch} messages at most; send them in several requests.`)
    for (const { method, params } of messagesOf(body)) if (method === 'tools/call') toolbox.countUnknown(params?.name, request.log)
    const authInfo = authInfoOf(request, publicUrl)
    const web = new Request(resourceUrl(publicUrl), { method: 'POST', headers: pickHeaders(request), signal: clientGone(reply) })
    const response = !claimsModern(body) && await isLegacyRequest(web, body)
      ? await serveLegacy(web, body, authInfo, reply)
      : await modern.fetch(web, { authInfo, parsedBody: body })
    if (isStream(response)) return reply.send(response)
    // A text has a Content-Length; a web stream would be sent in chunks.
    for (const [name, value] of response.headers) reply.header(name, value)
    return reply.code(response.status).send(response.body === null ? undefined : await response.text())
  }

  app.setErrorHandler((thrown, request, reply) => {
    const error = toGatewayError(thrown)
    return error instanceof AuthenticationError ? sendError(error, request, reply, challenge) : sendRpcError(error, request, reply)
  })
  for (const url of ['/mcp', '/mcp/']) {
    app.post(url, answer)
    only(app, 'POST', url)
  }
}

/** Messages in one request. */
const maxBatch = 100

/** As nginx has it, and as the SDK answers in the other era; nobody is there to read it. */
const clientClosedRequest = 499

export const isStream = (response: Response) => response.headers.get('content-type')?.startsWith('text/event-stream') === true

function pickHeaders ({ headers }: FastifyRequest): Record<string, string> {
  const picked: Record<string, string> = {}
  for (const name of protocolHeaders) {
    const value = headers[name]
    if (typeof value === 'string') picked[name] = value
  }
  return picked
}

/** The SDK passes this on to every handler; it derives no identity from headers. */
export function authInfoOf (request: FastifyRequest, publicUrl: string): AuthInfo {
  const { caller } = request
  return {
    token: '',
    clientId: caller.clientId,
    scopes: [...caller.scopes],
    resourceMetadataUrl: resourceMetadataUrl(publicUrl),
    extra: { caller, log: request.log, methods: messagesOf(request.body).map(({ method }) => method) } satisfies Extra
  }
}

interface Message { method?: unknown, params?: { name?: unknown, _meta?: Record<string, unknown> } | null }

/** The messages of a body that nobody has checked yet: one, or a batch of the 2025-03-26 revision. */
function messagesOf (body: unknown): Message[] {
  return (Array.isArray(body) ? body : [body]).filter(message => message !== null && typeof message === 'object')
}

/** A cancellation in the batch of its own request would leave that request without an answer and the batch open for ever; servers may ignore it. */
function withoutCancellations (body: unknown): unknown {
  if (!Array.isArray(body)) return body
  const kept = body.filter((message: Message | null) => message?.method !== 'notifications/cancelled')
  return kept.length > 0 ? kept : body
}

/** A message that names its revision in its envelope is never a legacy one; saves the SDK's full look at it. */
const claimsModern = (body: unknown) => !Array.isArray(body) && messagesOf(body).some(({ params }) => params?._meta?.[PROTOCOL_VERSION_META_KEY] !== undefined)

/** True where a message carries a progress token: only then does the answer need to be a stream. */
const wantsProgress = (body: unknown) => messagesOf(body).some(({ params }) => params?._meta?.progressToken !== undefined)

/** JSON-RPC 2.0 section 5.1: what no JSON is, is a parse error; the rest is the transport's, in the range for servers. */
const parseError = -32700
const internalError = -32603
const transportError = -32000

/** Errors in front of the protocol in its own form, with the HTTP status of the contract; a 401 keeps the form of OAuth. */
function sendRpcError (error: GatewayError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (error.status >= 500) request.log.error({ err: error.cause ?? error, code: error.code }, error.message)
  else request.log.info({ code: error.code }, error.type)
  const code = error.code === 'invalid_json' ? parseError : error.status >= 500 ? internalError : transportError
  return reply.code(error.status).type('application/json; charset=utf-8')
    .send({ jsonrpc: '2.0', id: null, error: { code, message: error.message, data: { type: error.type, code: error.code, requestId: request.id } } })
}
