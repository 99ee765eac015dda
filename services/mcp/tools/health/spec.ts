import { Type } from 'typebox'
import type { ToolSpec } from '../tool.ts'

export const healthSpec = () => ({
  name: 'falkordb_health',
  title: 'Check health',
  description: 'Asks FalkorDB whether it answers, and how fast one PING is. A DatabaseError means that it does not. Example: {}',
  scope: 'graph:read',
  hints: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  input: Type.Object({}, { additionalProperties: false }),
  output: Type.Object({
    success: Type.Literal(true),
    status: Type.Literal('ok'),
    latencyMs: Type.Number()
  }, { additionalProperties: false })
} as const satisfies ToolSpec)
