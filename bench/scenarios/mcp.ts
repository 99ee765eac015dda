/** The tool service alone: one falkordb_read_query by a caller that verify has already identified, in both protocol eras. */
import { freePort } from '../../dev/free-port.ts'
import { startFalkordb } from '../../dev/programs/falkordb.ts'
import { startMcp, startNode } from '../children.ts'
import { callers, toolCall, type Era } from '../mcp-requests.ts'
import type { MeasuredProcess } from '../measure.ts'
import { openPeer, peerName } from '../peers/falkordb-mcpserver.ts'
import type { Bench, Result, Scenario, Subject } from '../rounds.ts'
import { atMost, type Target as Goal } from '../targets.ts'
import type { LoadRequest } from '../transports.ts'
import { edges, expected, graphName, idOf, loadGraph, nodes, query, tenant } from '../work.ts'

const secret = 'signs only what this benchmark asks for'
const key = `${tenant}_${graphName}`
const floor = 'floor: node:http + falkordb'
const modern = 'mcp, 2026-07-28'

/** FalkorDB may take so much memory, in bytes. */
const databaseMemory = 2 * 2 ** 30

export const mcp: Scenario = {
  name: 'mcp',
  title: `mcp alone: tools/call falkordb_read_query, one indexed 1-hop query on ${nodes} nodes and ${edges} edges`,
  concurrency: [1, 16, 64],
  goals,
  open: async (bench: Bench): Promise<Subject[]> => {
    const { started, say, versions } = bench
    const falkordb = await startFalkordb({ port: await freePort(), say, memoryBytes: databaseMemory })
    started.defer(falkordb.stop)
    versions.falkordb = await loadGraph(falkordb.url, key)
    const database: MeasuredProcess = { name: 'falkordb', pid: falkordb.pid, database: true }

    const bare = await startNode(started, 'floor query', 'bench/floors/query.ts', { FALKORDB_URL: falkordb.url, FLOOR_GRAPH: key, FLOOR_QUERY: query })
    const service = await startMcp(started, secret, falkordb.url, 64)

    const identities = callers(secret)
    const calls = (era: Era) => (count: number) => {
      const headers = identities()
      return Array.from({ length: count }, (_, n) => toolCall(era, idOf(n), headers[n % headers.length]!))
    }
    const target = { url: service.urls.mcp!, transport: 'http1' } as const
    const path = [{ name: 'mcp', pid: service.pid }, database]
    return [
      { name: floor, processes: [{ name: 'query', pid: bare.pid }, database], target: { url: bare.urls.floor!, transport: 'http1' }, requests: bareQueries },
      await openPeer(bench, falkordb.url, key, database, floor),
      { name: modern, floor, processes: path, target, requests: calls('2026-07-28') },
      { name: 'mcp, 2025 without initialize', floor, processes: path, target, requests: calls('2025-06-18') }
    ]
  }
}

function goals (results: readonly Result[]): Goal[] {
  const at = (subject: string, concurrency: number) => results.find(result => result.subject === subject && result.concurrency === concurrency)
  const [busy, peer, alone] = [at(modern, 64), at(peerName, 64), at(modern, 1)]
  return [
    ...(busy?.toFloor ? [atMost('mcp, c=64: CPU of the floor\'s', busy.toFloor.cpu, 2.5, ' x')] : []),
    ...(busy && peer ? [atMost(`mcp, c=64: CPU of ${peerName}`, busy.figures.cpuUs / peer.figures.cpuUs, 0.6, ' x')] : []),
    ...(alone?.toFloor ? [atMost('mcp, c=1: p50 of the floor\'s', alone.toFloor.p50, 2, ' x')] : []),
    ...(busy ? [atMost('mcp, c=64: RSS', busy.figures.rssMiB, 130, ' MiB')] : [])
  ]
}

/** The requests of the floor: the same ids in the same order. */
export const bareQueries = (count: number): LoadRequest[] => Array.from({ length: count }, (_, n) => ({
  method: 'POST',
  path: '/',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ id: idOf(n) }),
  expect: { status: 200, body: expected(idOf(n)) }
}))
