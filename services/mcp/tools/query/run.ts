import { graphKey } from '../../graph/name.ts'
import { guardQuery } from '../../graph/guard.ts'
import { forgetSchema } from '../../graph/schema/schema.ts'
import { queryAnswer } from '../../results.ts'
import type { CallContext, ToolAnswer } from '../tool.ts'
import { readCursor, writeCursor } from './cursor.ts'
import { adviceOnSlow } from './slow.ts'

export interface QueryArguments {
  graphName: string
  query: string
  parameters?: object
  limit?: number
  timeoutMs?: number
  cursor?: string
}

export interface RunOptions {
  /** How to run a query that may, or cannot, write. */
  modeOf: (mayWrite: boolean) => 'read' | 'write'
  /** Whether the answer may name a cursor; only for a tool that never writes, as a cursor runs the query again. */
  paged?: boolean
}

/**
 * Runs one query of a caller on its own tenant's graph, once.
 * @throws ValidationError for the name, the parameters or the cursor, QueryError for the Cypher, NotFoundError, TimeoutError, RateLimitError, DatabaseError
 */
export async function runQuery (args: QueryArguments, context: CallContext, { modeOf, paged = false }: RunOptions): Promise<ToolAnswer> {
  const { caller, config, database, signal, signers } = context
  const { query, parameters } = args
  const { graphName, key } = graphKey(caller.tenantId, args.graphName, config.ENABLE_MULTI_TENANCY)
  const { mayWrite } = guardQuery(query, parameters)
  const reach = config.MAX_ROWS
  const binding = { tenant: caller.tenantId, key, query, parameters }
  const skip = args.cursor === undefined ? 0 : readCursor(signers.cursors, args.cursor, binding, reach)
  const mode = modeOf(mayWrite)
  const target = { ...binding, timeoutMs: args.timeoutMs ?? config.QUERY_TIMEOUT_MS, signal }
  const result = await database.query({ ...target, mode, maxRows: Math.min(args.limit ?? reach, reach - skip), ...(skip > 0 && { skipRows: skip }) })
    // A write that failed may have written: its outcome can be unknown.
    .finally(() => { if (mode === 'write') forgetSchema(database, target) })
  const notes = result.created === true ? [`Created the graph ${graphName}: it did not exist before.`] : []
  if (mode === 'read') notes.push(...await adviceOnSlow(target, result, context))
  return queryAnswer(result, { tenant: caller.tenantId, graphName, resolvedGraphName: key }, {
    maxBytes: config.MAX_RESULT_BYTES,
    notes,
    ...(paged && { paging: { skip, reach, cursorAfter: rows => writeCursor(signers.cursors, binding, rows) } })
  })
}
