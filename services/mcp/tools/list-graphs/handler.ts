import { ValidationError } from '@gateway/common/errors.ts'
import { normalizeGraphName, tenantPrefix } from '@gateway/common/tenants.ts'
import { graphNameOf } from '../../graph/name.ts'
import { fenced, jsonBytes } from '../../text.ts'
import { defineTool } from '../tool.ts'
import { listGraphsSpec } from './spec.ts'

/** falkordb_list_graphs: the caller's own graphs; FalkorDB's list has everybody's, so it is filtered here. */
export const listGraphs = defineTool({
  name: 'falkordb_list_graphs',
  spec: listGraphsSpec,
  async handle ({ cursor, limit }, { caller, config, database }) {
    const after = cursor === undefined ? undefined : nameOfCursor(cursor)
    const keys = await database.keys(caller.tenantId, config.ENABLE_MULTI_TENANCY ? tenantPrefix(caller.tenantId) : '')
    const names = keys
      .map(key => graphNameOf(caller.tenantId, key, config.ENABLE_MULTI_TENANCY))
      .filter(name => name !== undefined && (after === undefined || name > after))
      .sort(byCodeUnits) as string[]
    const graphs = fitting(names.slice(0, limit ?? config.MAX_ROWS), config.MAX_RESULT_BYTES)
    const truncated = graphs.length < names.length
    const nextCursor = truncated ? Buffer.from(graphs.at(-1) ?? '').toString('base64url') : undefined
    return {
      structured: { success: true, graphs, tenant: caller.tenantId, truncated, ...(truncated && { nextCursor }) },
      text: fenced(`${graphs.length} ${graphs.length === 1 ? 'graph' : 'graphs'}.`, graphs, truncated ? [`There are more: call again with cursor ${nextCursor}`] : [])
    }
  }
})

/** The name after which a page begins. It only filters the caller's own list, so it needs no signature. */
function nameOfCursor (cursor: string): string {
  const name = normalizeGraphName(Buffer.from(cursor, 'base64url').toString())
  if (name === undefined) throw new ValidationError('invalid_cursor', 'The cursor is not one of this tool; leave it out to begin at the first graph.')
  return name
}

// The order must not depend on a locale: it decides where the next page begins.
const byCodeUnits = (a = '', b = '') => a < b ? -1 : a > b ? 1 : 0

/** Bytes kept for all that is not a name. */
const frameBytes = 2_048

/** The first names that fit into a result, each counted in the structured content and in the text. */
function fitting (names: string[], maxBytes: number): string[] {
  let left = maxBytes - frameBytes
  const end = names.findIndex(name => (left -= 2 * jsonBytes(name)) < 0)
  return end < 0 ? names : names.slice(0, Math.max(end, 1))
}
