import { Type } from 'typebox'
import type { Config } from '../../settings.ts'
import { queryInput, queryOutput } from '../query/spec.ts'
import type { ToolSpec } from '../tool.ts'

export const readQuerySpec = (config: Config) => ({
  name: 'falkordb_read_query',
  title: 'Read a graph',
  description: 'Runs one openCypher query that only reads (FalkorDB itself refuses every change) and returns its rows. ' +
    'Ask for single properties and use LIMIT: large results are cut. ' +
    'Example: {"graphName":"movies","query":"MATCH (a:Actor)-[:ACTED_IN]->(m:Movie {title: $title}) RETURN a.name AS name LIMIT 25","parameters":{"title":"Alien"}}',
  scope: 'graph:read',
  hints: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  input: Type.Object({
    ...queryInput(config).properties,
    cursor: Type.Optional(Type.String({ maxLength: 2048, description: 'nextCursor of the answer before, with all else the same.' }))
  }, { additionalProperties: false }),
  output: queryOutput
} as const satisfies ToolSpec)
