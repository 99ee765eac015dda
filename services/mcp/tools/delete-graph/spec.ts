import { Type } from 'typebox'
import type { ToolSpec } from '../tool.ts'

export const deleteGraphSpec = () => ({
  name: 'falkordb_delete_graph',
  title: 'Delete a graph',
  description: 'Deletes a graph with all that is in it, for good. The person is asked first; where your client cannot ask, put the name into confirm once the person has agreed. ' +
    'Example: {"graphName":"old-movies","confirm":"old-movies"}',
  scope: 'graph:admin',
  hints: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: false },
  input: Type.Object({
    graphName: Type.String(),
    confirm: Type.Optional(Type.String({ description: 'graphName once more.' }))
  }, { additionalProperties: false }),
  output: Type.Object({
    success: Type.Literal(true),
    deleted: Type.Boolean({ description: 'false: the person said no.' }),
    nodes: Type.Integer(),
    edges: Type.Integer(),
    tenant: Type.String(),
    graphName: Type.String(),
    resolvedGraphName: Type.String()
  }, { additionalProperties: false })
} as const satisfies ToolSpec)
