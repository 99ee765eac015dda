/** The REST twin: the same tools, arguments, results and scopes in plain JSON over HTTP. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Toolbox } from '../toolbox.ts'
import { clientGone } from './client-gone.ts'
import { only } from './only.ts'

export interface ApiRouteOptions { toolbox: Toolbox }

/** Adds `/api/mcp/context`, `/api/mcp/graphs`, `/api/mcp/metadata`, `/tools` and `/tools/{name}`. */
export async function apiRoutes (app: FastifyInstance, { toolbox }: ApiRouteOptions) {
  async function run (name: string, args: unknown, request: FastifyRequest, reply: FastifyReply) {
    const call = { caller: request.caller, log: request.log, signal: clientGone(reply), progress: async () => {} }
    const refusal = await toolbox.refusal(name, args, call)
    if (refusal !== undefined) throw refusal
    return (await toolbox.run(name, args, call)).structured
  }
  const contracts = {
    tools: toolbox.specs.map(({ name, title, description, scope, hints, input, output }) =>
      ({ name, title, description, scope, annotations: { title, ...hints }, inputSchema: input, outputSchema: output }))
  }

  app.post('/api/mcp/context', (request, reply) => run('falkordb_query', request.body ?? {}, request, reply))
  app.get('/api/mcp/graphs', (request, reply) => run('falkordb_list_graphs', withNumbers(request.query), request, reply))
  app.get('/api/mcp/metadata', (request, reply) => run('falkordb_server_info', request.query, request, reply))
  app.get('/tools', () => contracts)
  app.post<{ Params: { name: string } }>('/tools/:name', (request, reply) => run(request.params.name, request.body ?? {}, request, reply))

  for (const url of ['/api/mcp/context', '/tools/:name']) only(app, 'POST', url)
  for (const url of ['/api/mcp/graphs', '/api/mcp/metadata', '/tools']) only(app, 'GET', url)
}

/** A query string knows only text: `limit=10` is the number 10, and whatever is no number is left for the schema to refuse. */
function withNumbers (query: unknown): unknown {
  const { limit, ...rest } = query as Record<string, unknown>
  if (limit === undefined) return rest
  return { ...rest, limit: typeof limit === 'string' && /^\d{1,9}$/.test(limit) ? Number(limit) : limit }
}
