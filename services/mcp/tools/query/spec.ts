import { Type } from 'typebox'
import type { Config } from '../../config.ts'
import type { ToolSpec } from '../tool.ts'

/** Arguments of both query tools. */
export const queryInput = (config: Config) => Type.Object({
  graphName: Type.String({ description: 'Name of the graph: letters, digits and _.:- in any script, 1 to 128 characters. falkordb_list_graphs shows those that exist.' }),
  query: Type.String({ description: 'One openCypher query. Put values into parameters, not into the text.' }),
  parameters: Type.Optional(Type.Object({}, {
    additionalProperties: true,
    description: 'Values for $name in the query, e.g. {"name":"Ada"}. What JSON cannot carry is typed: {"$int64":"9007199254740993"}, {"$date":"2026-11-20"}, {"$datetime":"…"}, {"$time":"…"}, {"$duration":"…"}, {"$float":"NaN"}, {"$vecf32":[0.1,0.2]}.'
  })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: config.MAX_ROWS, default: config.MAX_ROWS, description: 'Most rows to return.' })),
  timeoutMs: Type.Optional(Type.Integer({ minimum: 1, maximum: config.QUERY_TIMEOUT_MAX_MS, default: config.QUERY_TIMEOUT_MS, description: 'Time for the query in milliseconds.' }))
}, { additionalProperties: false })

/** Result of both query tools (contract, section "Tools"). */
export const queryOutput = Type.Object({
  success: Type.Literal(true),
  data: Type.Array(Type.Record(Type.String(), Type.Unknown()), { description: 'Rows: column name to value. Nodes are {identity, labels, properties}, edges {identity, type, source, target, properties}, paths {nodes, edges}, points {latitude, longitude}.' }),
  columns: Type.Array(Type.String()),
  statistics: Type.Record(Type.String(), Type.Unknown(), { description: 'What the query changed, and its time in FalkorDB.' }),
  tenant: Type.String(),
  graphName: Type.String(),
  resolvedGraphName: Type.String({ description: 'Key of the graph in FalkorDB.' }),
  truncated: Type.Boolean({ description: 'true where there were more rows than these.' }),
  advice: Type.Optional(Type.String({ description: 'How to get the rest of a truncated result.' }))
}, { additionalProperties: false })

export const querySpec = (config: Config) => ({
  name: 'falkordb_query',
  title: 'Query or change a graph',
  description: 'Runs one openCypher query on a graph and returns its rows. It may read and, with the scope graph:write, change data; a write to a graph that does not exist creates it. ' +
    'Use falkordb_read_query where nothing should change. ' +
    'Example: {"graphName":"movies","query":"MERGE (a:Actor {name: $name}) RETURN a.name AS name","parameters":{"name":"Ada"}}',
  scope: 'graph:read',
  hints: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: false },
  input: queryInput(config),
  output: queryOutput
} as const satisfies ToolSpec)
