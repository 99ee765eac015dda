import { Type } from 'typebox'
import type { ToolSpec } from '../tool.ts'

export const serverInfoSpec = () => ({
  name: 'falkordb_server_info',
  title: 'About this server',
  description: 'Versions, your tenant and scopes, and the limits on queries and results. Takes no arguments: {}',
  scope: 'graph:read',
  hints: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  input: Type.Object({}, { additionalProperties: false }),
  output: Type.Object({
    success: Type.Literal(true),
    gateway: Type.Object({ name: Type.String(), version: Type.String() }),
    falkordb: Type.Object({ version: Type.String(), server: Type.String() }),
    tenant: Type.String(),
    scopes: Type.Array(Type.String()),
    limits: Type.Record(Type.String(), Type.Integer()),
    warnings: Type.Array(Type.String())
  }, { additionalProperties: false })
} as const satisfies ToolSpec)
