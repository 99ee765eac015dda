import { graphKey } from '../../graph/name.ts'
import { guardQuery } from '../../graph/guard.ts'
import { queryAnswer } from '../../results.ts'
import type { CallContext, ToolAnswer } from '../tool.ts'

export interface QueryArguments {
  graphName: string
  query: string
  parameters?: object
  limit?: number
  timeoutMs?: number
}

/**
 * Runs one query of a caller on its own tenant's graph.
 * @param modeOf how to run a query that may, or cannot, write
 * @throws ValidationError for the name or the parameters, QueryError for the Cypher, NotFoundError, TimeoutError, RateLimitError, DatabaseError
 */
export async function runQuery (args: QueryArguments, { caller, config, database, signal }: CallContext, modeOf: (mayWrite: boolean) => 'read' | 'write'): Promise<ToolAnswer> {
  const { graphName, key } = graphKey(caller.tenantId, args.graphName, config.ENABLE_MULTI_TENANCY)
  const { mayWrite } = guardQuery(args.query)
  const result = await database.query({
    key,
    query: args.query,
    parameters: args.parameters,
    mode: modeOf(mayWrite),
    timeoutMs: args.timeoutMs ?? config.QUERY_TIMEOUT_MS,
    maxRows: args.limit ?? config.MAX_ROWS,
    tenant: caller.tenantId,
    signal
  })
  return queryAnswer(result, { tenant: caller.tenantId, graphName, resolvedGraphName: key }, config.MAX_RESULT_BYTES)
}
