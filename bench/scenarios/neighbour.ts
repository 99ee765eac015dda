/** What one tenant at full tilt does to another's calls, through the whole path. */
import { readFile } from 'node:fs/promises'
import { startStack } from '../../dev/stack/start.ts'
import { temporaryFolder } from '../children.ts'
import { startLoadGenerator } from '../load-generator.ts'
import { toolCall } from '../mcp-requests.ts'
import type { Experiment } from '../rounds.ts'
import { median } from '../statistics.ts'
import { told } from '../targets.ts'
import { graphName, idOf, loadGraph, tenant } from '../work.ts'

const busy = 32

export const neighbour: Experiment = {
  name: 'neighbour',
  title: `one tenant's tool calls at c=1, beside another tenant at full tilt at c=${busy}, with the limits that are the default; the whole path, two replicas`,
  run: async ({ started, say, load, plan, versions }) => {
    const stack = await startStack({ dir: await temporaryFolder(started), port: 0, mcpReplicas: 2, settings: {}, say: line => say(`neighbour: ${line}`), env: { traefik: { FLOOD_REQUESTS_PER_SECOND: '0' } } })
    started.defer(() => stack.stop())
    const { services, url, ca } = stack.file
    const other = `${tenant}-other`
    for (const name of [tenant, other]) versions.falkordb = await loadGraph(services.falkordb.url, `${name}_${graphName}`)
    const target = { url, transport: 'http1', ca: await readFile(ca, 'utf8') } as const
    const calls = async (tenantId: string, orStatus?: number) => {
      const token = await stack.token({ claims: { sub: `of-${tenantId}`, tenant_id: tenantId, scope: 'graph:read' } })
      return Array.from({ length: 1_000 }, (_, n) => {
        const call = toolCall('2026-07-28', idOf(n), { authorization: `Bearer ${token}` })
        // What the busy one gets is its own affair: rows, or a full queue, or a limit.
        return orStatus === undefined ? call : { ...call, expect: { status: call.expect.status, orStatus } }
      })
    }
    const [quietCalls, busyCalls] = [await calls(tenant), await calls(other, 429)]
    const flood = started.use(startLoadGenerator())
    const rows = { p50: { alone: [] as number[], beside: [] as number[] }, p99: { alone: [] as number[], beside: [] as number[] } }
    // Below the limit of one subject over its window, or the quiet tenant would meet its own.
    const count = Math.min(plan.requests, 500)
    for (let round = 1; round <= plan.rounds; round++) {
      say(`neighbour: round ${round} of ${plan.rounds}`)
      await load.prepare({ target, concurrency: 1, requests: quietCalls, warmUp: 20 })
      const alone = await load.run(quietCalls, count)
      await flood.prepare({ target, concurrency: busy, requests: busyCalls, warmUp: busy })
      const over = new AbortController()
      const flooding = (async () => { while (!over.signal.aborted) await flood.run(busyCalls, 500) })()
      const beside = await load.run(quietCalls, count)
      over.abort()
      await flooding
      for (const [name, figures] of [['alone', alone], ['beside', beside]] as const) {
        rows.p50[name].push(figures.p50Ms)
        rows.p99[name].push(figures.p99Ms)
      }
    }
    return (['p50', 'p99'] as const).map(quantile => {
      const { alone, beside } = rows[quantile]
      return told(`${quantile}: alone, beside`, `${median(alone).toFixed(1)} ms, ${median(beside).toFixed(1)} ms: ${(median(beside) / median(alone)).toFixed(1)} ×`)
    })
  }
}
