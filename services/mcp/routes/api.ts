/** The REST twin: the same tools, arguments, results and scopes in plain JSON over HTTP. openapi/ describes it. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { toGatewayError, ValidationError, type GatewayError } from '@gateway/common/errors.ts'
import { answerError } from '@gateway/common/service.ts'
import type { Toolbox } from '../toolbox.ts'
import type { ToolSpec } from '../tools/tool.ts'
import { clientGone } from './client-gone.ts'
import { only } from './only.ts'

export interface ApiRouteOptions {
  toolbox: Toolbox
  /** WWW-Authenticate for an error. */
  challenge: (error: GatewayError) => string | undefined
}

/** Ways to a tool beside `POST /tools/{name}`: the same arguments, as a body or, with GET, in the query string. */
export const shortcuts = [
  { method: 'POST', url: '/api/mcp/context', tool: 'falkordb_query' },
  { method: 'GET', url: '/api/mcp/graphs', tool: 'falkordb_list_graphs' },
  { method: 'GET', url: '/api/mcp/metadata', tool: 'falkordb_server_info' }
] as const

/** A tool's contract as `GET /tools` tells it: as MCP's tools/list does, and its scope. */
export const contractOf = ({ name, title, description, scope, hints, input, output }: ToolSpec) =>
  ({ name, title, description, scope, annotations: { title, ...hints }, inputSchema: input, outputSchema: output })

/** Adds `/tools`, `/tools/{name}` and the shortcuts. */
export async function apiRoutes (app: FastifyInstance, { toolbox, challenge }: ApiRouteOptions) {
  async function run (name: string, args: unknown, request: FastifyRequest, reply: FastifyReply) {
    const call = { caller: request.caller, log: request.log, signal: clientGone(reply), progress: async () => {} }
    try {
      const refusal = await toolbox.refusal(name, args, call)
      if (refusal !== undefined) return answerError(refusal, request, reply, challenge)
      return (await toolbox.run(name, args, call)).structured
    } catch (thrown) {
      // The toolbox has told the log.
      return answerError(toGatewayError(thrown), request, reply, challenge)
    }
  }

  for (const { method, url, tool } of shortcuts) {
    app.route({ method, url, handler: (request, reply) => run(tool, method === 'GET' ? withNumbers(request.query) : argumentsOf(request), request, reply) })
    only(app, method, url)
  }
  app.post<{ Params: { name: string } }>('/tools/:name', (request, reply) => run(request.params.name, argumentsOf(request), request, reply))
  only(app, 'POST', '/tools/:name')

  const contracts = { tools: toolbox.specs.map(contractOf) }
  app.get('/tools', request => {
    const [unknown] = Object.keys(request.query as object)
    if (unknown !== undefined) throw new ValidationError('invalid_arguments', `Unknown argument ${JSON.stringify(unknown.slice(0, 60))}. This path takes none.`)
    return contracts
  })
  only(app, 'GET', '/tools')
}

/** The body; a request without any calls a tool without arguments. JSON's null is a body, and no arguments. */
function argumentsOf ({ body }: FastifyRequest): unknown {
  if (body === null) throw new ValidationError('invalid_arguments', 'The arguments must be object, not null. A tool without arguments takes {}.')
  return body ?? {}
}

/** A query string knows only text: `limit=10` is the number 10, and whatever is no number is left for the schema to refuse. */
function withNumbers (query: unknown): unknown {
  const { limit, ...rest } = query as Record<string, unknown>
  if (limit === undefined) return rest
  return { ...rest, limit: typeof limit === 'string' && /^\d{1,9}$/.test(limit) ? Number(limit) : limit }
}
