import { Type } from 'typebox'
import { openObject } from '../open-object.ts'
import type { ToolSpec } from '../tool.ts'

export const serverInfoSpec = () => ({
  name: 'falkordb_server_info',
  title: 'About this server',
  description: 'Versions, your tenant and scopes, and the limits on queries and results. Example: {}',
  scope: 'graph:read',
  hints: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  input: Type.Object({}, { additionalProperties: false }),
  output: Type.Object({
    success: Type.Literal(true),
    gateway: openObject('{name, version}'),
    falkordb: openObject('{version, server}'),
    tenant: Type.String(),
    scopes: Type.Array(Type.String()),
    limits: openObject(),
    warnings: Type.Array(Type.String())
  }, { additionalProperties: false })
} as const satisfies ToolSpec)
