import { runQuery } from '../query/run.ts'
import { defineTool } from '../tool.ts'
import { readQuerySpec } from './spec.ts'

/** falkordb_read_query: FalkorDB itself refuses every change, whatever scopes the caller has. */
export const readQuery = defineTool({
  name: 'falkordb_read_query',
  spec: readQuerySpec,
  handle: (args, context) => runQuery(args, context, { modeOf: () => 'read', paged: true })
})
