import { Type } from 'typebox'
import { openObject } from '../open-object.ts'
import type { ToolSpec } from '../tool.ts'

/** Arguments of falkordb_explain and falkordb_profile. */
export const planInput = Type.Object({
  graphName: Type.String(),
  query: Type.String(),
  parameters: Type.Optional(openObject())
}, { additionalProperties: false })

export const planOutput = Type.Object({
  success: Type.Literal(true),
  plan: Type.Array(Type.String()),
  operations: Type.Array(openObject(), { description: '{operation, depth, on?, rows?, ms?}' }),
  tenant: Type.String(),
  graphName: Type.String(),
  resolvedGraphName: Type.String(),
  truncated: Type.Boolean(),
  notes: Type.Optional(Type.Array(Type.String()))
}, { additionalProperties: false })

export const explainSpec = () => ({
  name: 'falkordb_explain',
  title: 'Explain a query',
  description: 'Shows how FalkorDB would run a query, without running it, and which index it lacks. Use it for a slow query. ' +
    'Example: {"graphName":"movies","query":"MATCH (a:Actor {name: $name}) RETURN a","parameters":{"name":"Ada"}}',
  scope: 'graph:read',
  hints: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  input: planInput,
  output: planOutput
} as const satisfies ToolSpec)
