import { Type } from 'typebox'
import type { Config } from '../../settings.ts'
import type { ToolSpec } from '../tool.ts'

export const listGraphsSpec = (config: Config) => ({
  name: 'falkordb_list_graphs',
  title: 'List graphs',
  description: 'Names the graphs that you can query, in alphabetical order. Call it first. Where nextCursor is present, call again with cursor set to it. Example: {"limit":50}',
  scope: 'graph:read',
  hints: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  input: Type.Object({
    cursor: Type.Optional(Type.String({ maxLength: 4096, description: 'nextCursor of the answer before.' })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: config.MAX_ROWS, default: config.MAX_ROWS, description: 'Most names.' }))
  }, { additionalProperties: false }),
  output: Type.Object({
    success: Type.Literal(true),
    graphs: Type.Array(Type.String()),
    tenant: Type.String(),
    truncated: Type.Boolean(),
    nextCursor: Type.Optional(Type.String())
  }, { additionalProperties: false })
} as const satisfies ToolSpec)
