/** The tool service alone: one falkordb_read_query by a caller that verify has already identified, in both protocol eras. */
import { freePort } from '../../dev/free-port.ts'
import { startFalkordb } from '../../dev/programs/falkordb.ts'
import { startNode } from '../children.ts'
import { callers, toolCall, type Era } from '../mcp-requests.ts'
import type { MeasuredProcess } from '../measure.ts'
import type { Bench, Scenario, Subject } from '../rounds.ts'
import type { LoadRequest } from '../transports.ts'
import { edges, expected, graphName, idOf, loadGraph, nodes, query, tenant } from '../work.ts'

const secret = 'signs only what this benchmark asks for'
const key = `${tenant}_${graphName}`
const floor = 'floor: node:http + falkordb'

/** FalkorDB may take so much memory, in bytes. */
const databaseMemory = 2 * 2 ** 30

export const mcp: Scenario = {
  name: 'mcp',
  title: `mcp alone: tools/call falkordb_read_query, one indexed 1-hop query on ${nodes} nodes and ${edges} edges`,
  concurrency: [1, 16],
  open: async ({ started, say, versions }: Bench): Promise<Subject[]> => {
    const falkordb = await startFalkordb({ port: await freePort(), say, memoryBytes: databaseMemory })
    started.defer(falkordb.stop)
    versions.falkordb = await loadGraph(falkordb.url, key)
    const database: MeasuredProcess = { name: 'falkordb', pid: falkordb.pid, database: true }

    const bare = await startNode(started, 'floor query', 'bench/floors/query.ts', { FALKORDB_URL: falkordb.url, FLOOR_GRAPH: key, FLOOR_QUERY: query })
    const service = await startNode(started, 'mcp', 'services/mcp/server.ts', {
      PUBLIC_URL: 'https://localhost',
      GATEWAY_SECRET: secret,
      FALKORDB_URL: falkordb.url,
      MCP_PORT: '0',
      METRICS_PORT: '0',
      // One tenant stands for many here: its own limit is not what is measured.
      TENANT_CONCURRENCY: '64'
    })

    const identities = callers(secret)
    const calls = (era: Era) => (count: number) => {
      const headers = identities()
      return Array.from({ length: count }, (_, n) => toolCall(era, idOf(n), headers[n % headers.length]!))
    }
    const target = { url: service.urls.mcp!, transport: 'http1' } as const
    const path = [{ name: 'mcp', pid: service.pid }, database]
    return [
      { name: floor, processes: [{ name: 'query', pid: bare.pid }, database], target: { url: bare.urls.floor!, transport: 'http1' }, requests: bareQueries },
      { name: 'mcp, 2026-07-28', floor, processes: path, target, requests: calls('2026-07-28') },
      { name: 'mcp, 2025 without initialize', floor, processes: path, target, requests: calls('2025-06-18') }
    ]
  }
}

/** The requests of the floor: the same ids in the same order. */
export const bareQueries = (count: number): LoadRequest[] => Array.from({ length: count }, (_, n) => ({
  method: 'POST',
  path: '/',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ id: idOf(n) }),
  expect: { status: 200, body: expected(idOf(n)) }
}))
