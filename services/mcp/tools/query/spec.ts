import { Type } from 'typebox'
import type { Config } from '../../settings.ts'
import { openObject } from '../open-object.ts'
import type { ToolSpec } from '../tool.ts'

/** Arguments of both query tools. */
export const queryInput = (config: Config) => Type.Object({
  graphName: Type.String({ description: 'Letters, digits and _.:- in any script, 1 to 128 characters.' }),
  query: Type.String({ description: 'One openCypher query; values go into parameters.' }),
  parameters: Type.Optional(Type.Object({}, {
    additionalProperties: true,
    description: 'Values for $name. What JSON cannot carry is typed: {"$int64":"9007199254740993"}, {"$date":"2026-11-20"}, $datetime, $time, {"$duration":"P1D"}, {"$float":"NaN"}, {"$vecf32":[0.1,0.2]}.'
  })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: config.MAX_ROWS, default: config.MAX_ROWS, description: 'Most rows.' })),
  timeoutMs: Type.Optional(Type.Integer({ minimum: 1, maximum: config.QUERY_TIMEOUT_MAX_MS, default: config.QUERY_TIMEOUT_MS }))
}, { additionalProperties: false })

/** Result of both query tools (contract, section "Tools"). */
export const queryOutput = Type.Object({
  success: Type.Literal(true),
  data: Type.Array(openObject(), { description: 'Rows: column to value. Nodes {identity, labels, properties}, edges {identity, type, source, target, properties}, paths {nodes, edges}, points {latitude, longitude}.' }),
  columns: Type.Array(Type.String()),
  statistics: openObject(),
  tenant: Type.String(),
  graphName: Type.String(),
  resolvedGraphName: Type.String(),
  truncated: Type.Boolean(),
  advice: Type.Optional(Type.String()),
  nextCursor: Type.Optional(Type.String()),
  notes: Type.Optional(Type.Array(Type.String()))
}, { additionalProperties: false })

export const querySpec = (config: Config) => ({
  name: 'falkordb_query',
  title: 'Query or change a graph',
  description: 'Runs one openCypher query on a graph and returns its rows. With the scope graph:write it may change data; a write to a graph that does not exist creates it. ' +
    'Use falkordb_read_query where nothing should change. ' +
    'Example: {"graphName":"movies","query":"MERGE (a:Actor {name: $name}) RETURN a.name AS name","parameters":{"name":"Ada"}}',
  scope: 'graph:read',
  hints: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: false },
  input: queryInput(config),
  output: queryOutput
} as const satisfies ToolSpec)
