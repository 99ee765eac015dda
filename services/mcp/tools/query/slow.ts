/** What a caller is told of a query that took long. */
import { GatewayError } from '@gateway/common/errors.ts'
import type { GraphResult, QueryTarget } from '../../graph/database.ts'
import { indexAdvice, scansWithFilter } from '../../graph/schema/index-advice.ts'
import { readIndexes } from '../../graph/schema/indexes.ts'
import type { CallContext } from '../tool.ts'

/** Time inside FalkorDB in milliseconds above which a query's plan is looked at. */
const slowMs = 100
/** The answer is ready: each question for advice may hold it up by so much, in milliseconds. */
const patienceMs = 1_000

/** Notes on a slow read, such as which index it lacks; none where the advice itself cannot be had. Nothing is run again. */
export async function adviceOnSlow (call: QueryTarget, { statistics }: GraphResult, context: CallContext): Promise<string[]> {
  if (!(Number(statistics.executionTimeMs) > slowMs)) return []
  try {
    const plan = await context.database.explain({ ...call, timeoutMs: patienceMs })
    if (!scansWithFilter(plan)) return []
    const hasty = { ...context, config: { ...context.config, QUERY_TIMEOUT_MS: patienceMs } }
    return indexAdvice({ plan, query: call.query, indexes: await readIndexes(hasty, call.key, call.signal) })
  } catch (error) {
    // The rows are worth more than the advice.
    if (error instanceof GatewayError) return []
    throw error
  }
}
