import { planInput, planOutput } from '../explain/spec.ts'
import type { ToolSpec } from '../tool.ts'

export const profileSpec = () => ({
  name: 'falkordb_profile',
  title: 'Profile a query',
  description: 'Runs a query, changing what it changes, and shows rows and time of each operation in place of its result. falkordb_explain runs nothing. ' +
    'Example: {"graphName":"movies","query":"MATCH (a:Actor)-[:ACTED_IN]->(m) RETURN count(m)"}',
  scope: 'graph:write',
  hints: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: false },
  input: planInput,
  output: planOutput
} as const satisfies ToolSpec)
