import { Type } from 'typebox'
import { openObject } from '../open-object.ts'
import type { ToolSpec } from '../tool.ts'

export const schemaSpec = () => ({
  name: 'falkordb_schema',
  title: 'Show a graph\'s schema',
  description: 'Labels, relationship patterns, properties with types and sample values, indexes and constraints of a graph. Call it before writing a query. Counts of labels and types are exact, the rest is sampled. ' +
    'Example: {"graphName":"movies","labels":["Actor"]}',
  scope: 'graph:read',
  hints: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  input: Type.Object({
    graphName: Type.String(),
    labels: Type.Optional(Type.Array(Type.String(), { minItems: 1, maxItems: 100, description: 'Only these labels or relationship types, in more detail.' }))
  }, { additionalProperties: false }),
  output: Type.Object({
    success: Type.Literal(true),
    nodes: Type.Integer(),
    relationships: Type.Integer(),
    labels: Type.Array(openObject(), { description: '{label, count, properties?: {name: type}, values?: {name: list}}' }),
    relationshipTypes: Type.Array(openObject(), { description: '{type, count, estimated?, properties?, values?, patterns: [{from, to, count}]}' }),
    indexes: Type.Array(openObject(), { description: '{kind, on, label, properties, dimension?, similarity?}' }),
    constraints: Type.Array(openObject()),
    sampled: Type.Boolean(),
    tenant: Type.String(),
    graphName: Type.String(),
    resolvedGraphName: Type.String(),
    truncated: Type.Boolean(),
    advice: Type.Optional(Type.String())
  }, { additionalProperties: false })
} as const satisfies ToolSpec)
