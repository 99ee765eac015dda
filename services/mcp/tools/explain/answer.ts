/** A plan as an answer, for falkordb_explain and falkordb_profile. */
import type { QueryTarget } from '../../graph/database.ts'
import { guardQuery } from '../../graph/guard.ts'
import { indexAdvice, scansWithFilter } from '../../graph/schema/index-advice.ts'
import { readIndexes, type Reader } from '../../graph/schema/indexes.ts'
import { graphKey } from '../../graph/name.ts'
import type { Place } from '../../results.ts'
import { fenced, jsonBytes, visible } from '../../text.ts'
import type { CallContext, ToolAnswer } from '../tool.ts'
import { planOperations } from './plan.ts'

export interface PlanArguments { graphName: string, query: string, parameters?: object }

/** What is asked of FalkorDB, once the guard has passed the query. @throws ValidationError invalid_graph_name, QueryError */
export function planTarget ({ graphName, query, parameters }: PlanArguments, { caller, config, signal }: CallContext): { target: QueryTarget, place: Place } {
  const { graphName: name, key } = graphKey(caller.tenantId, graphName, config.ENABLE_MULTI_TENANCY)
  guardQuery(query, parameters)
  return {
    target: { tenant: caller.tenantId, key, query, parameters, timeoutMs: config.QUERY_TIMEOUT_MS, signal },
    place: { tenant: caller.tenantId, graphName: name, resolvedGraphName: key }
  }
}

/** Notes on the indexes that a plan lacks. @throws as GraphDatabase.query */
export async function missingIndexes (plan: readonly string[], { key, query, signal }: QueryTarget, reader: Reader): Promise<string[]> {
  return scansWithFilter(plan) ? indexAdvice({ plan, query, indexes: await readIndexes(reader, key, signal) }) : []
}

/** Bytes kept for all that is no line of the plan. */
const frameBytes = 2_048

/** Structured content and text, as they travel in JSON, stay together below `maxBytes`: a plan of thousands of operations is cut at its end. */
export function planAnswer (plan: readonly string[], notes: readonly string[], place: Place, maxBytes: number): ToolAnswer {
  const operations = planOperations(plan)
  let left = maxBytes - frameBytes - notes.reduce((sum, note) => sum + 3 * jsonBytes(visible(note)), 0)
  const end = plan.findIndex((line, index) => (left -= jsonBytes(line) + jsonBytes(visible(line)) + jsonBytes(operations[index]) + ',,'.length) < 0)
  const kept = end < 0 ? plan.length : end
  const truncated = kept < plan.length
  return {
    structured: { success: true, plan: plan.slice(0, kept), operations: operations.slice(0, kept), ...place, truncated, ...(notes.length > 0 && { notes }) },
    // A label or variable may hold anything, so the plan is data too.
    text: fenced(`${plan.length} ${plan.length === 1 ? 'operation' : 'operations'} on the graph ${place.graphName}, the last to run first.`, plan.slice(0, kept), [
      ...(truncated ? [`Truncated after ${kept} operations.`] : []),
      ...notes.map(note => `Note: ${note}`)
    ])
  }
}
