import { NotFoundError } from '@gateway/common/errors.ts'
import { graphKey } from '../../graph/name.ts'
import { guardQuery } from '../../graph/guard.ts'
import { defineTool } from '../tool.ts'
import { runQuery } from './run.ts'
import { querySpec } from './spec.ts'

/** Clauses that write; CALL, which mostly reads, is not among them. */
const looksLikeWrite = /\b(?:create|merge|set|delete|remove|foreach|drop)\b/i

/** falkordb_query: reads, and writes where the caller may. */
export const query = defineTool({
  name: 'falkordb_query',
  spec: querySpec,

  async needs ({ graphName, query, parameters, timeoutMs }, { caller, config, database, signal }) {
    if (caller.scopes.includes('graph:write') || !guardQuery(query, parameters).mayWrite) return undefined
    const { key } = graphKey(caller.tenantId, graphName, config.ENABLE_MULTI_TENANCY)
    try {
      return await database.writes({ tenant: caller.tenantId, key, query, parameters, timeoutMs: timeoutMs ?? config.QUERY_TIMEOUT_MS, signal }) ? 'graph:write' : undefined
    } catch (error) {
      // No graph, so no plan to ask for: what looks like a write would create the graph. This decides only between 403 and 404.
      if (error instanceof NotFoundError) return looksLikeWrite.test(query) ? 'graph:write' : undefined
      throw error
    }
  },

  handle (args, context) {
    // A plain read runs read-only for writers too: so a misspelt graph name is an error, not a new empty graph.
    return runQuery(args, context, { modeOf: mayWrite => mayWrite && context.caller.scopes.includes('graph:write') ? 'write' : 'read' })
  }
})
