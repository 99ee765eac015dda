import { Type } from 'typebox'
import type { ToolSpec } from '../tool.ts'

export const healthSpec = () => ({
  name: 'falkordb_health',
  title: 'Check health',
  description: 'Asks FalkorDB whether it answers, and how fast. A DatabaseError means that it does not. Takes no arguments: {}',
  scope: 'graph:read',
  hints: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  input: Type.Object({}, { additionalProperties: false }),
  output: Type.Object({
    success: Type.Literal(true),
    status: Type.Literal('ok'),
    latencyMs: Type.Number({ description: 'Time of one PING to FalkorDB.' })
  }, { additionalProperties: false })
} as const satisfies ToolSpec)
