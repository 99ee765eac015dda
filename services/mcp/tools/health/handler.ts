import { defineTool } from '../tool.ts'
import { healthSpec } from './spec.ts'

/** falkordb_health: one PING; FalkorDB away is the DatabaseError of every other tool. */
export const health = defineTool({
  name: 'falkordb_health',
  spec: healthSpec,
  async handle (_args, { caller, database }) {
    const start = performance.now()
    await database.ping(caller.tenantId)
    const latencyMs = Math.round((performance.now() - start) * 1000) / 1000
    return { structured: { success: true, status: 'ok', latencyMs }, text: `FalkorDB answers; one PING took ${latencyMs} ms.` }
  }
})
