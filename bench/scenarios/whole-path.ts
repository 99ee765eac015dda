/** The whole path as a client meets it: TLS → Traefik → ForwardAuth → mcp → FalkorDB, as `make dev` starts it. */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { findTraefik } from '../../dev/programs/traefik.ts'
import { startStack } from '../../dev/stack/start.ts'
import { makeCertificates } from '../../deploy/certificates.ts'
import { startNode, temporaryFolder } from '../children.ts'
import { claimsOf } from '../identity-provider.ts'
import { callers, toolCall } from '../mcp-requests.ts'
import type { MeasuredProcess } from '../measure.ts'
import { openPeer, peerName } from '../peers/falkordb-mcpserver.ts'
import type { Bench, Result, Scenario, Subject } from '../rounds.ts'
import { atLeast, atMost, type Target as Goal } from '../targets.ts'
import { startFloorTraefik, traefikVersion } from '../traefik.ts'
import { expected, graphName, idOf, loadGraph, tenant } from '../work.ts'

const floor = 'floor: Traefik + ForwardAuth, constants'
const modern = 'gateway, 2026-07-28'
const direct = 'its mcp, called directly'
const distinctTokens = 1_000
const replicas = Number(process.env.BENCH_REPLICAS || 1)
/** Signs what this benchmark asks for, and nothing else. */
const secret = randomBytes(32).toString('hex')

export const wholePath: Scenario = {
  name: 'path',
  title: `the whole path: TLS, Traefik, ForwardAuth, ${replicas === 1 ? 'one replica' : `${replicas} replicas`} of mcp, FalkorDB; the same call, ${distinctTokens} distinct RS256 tokens`,
  concurrency: [1, 16],
  goals,
  open: async (bench: Bench): Promise<Subject[]> => [await openFloor(bench), ...await openGateway(bench)]
}

function goals (results: readonly Result[]): Goal[] {
  const at = (subject: string, concurrency: number) => results.find(result => result.subject === subject && result.concurrency === concurrency)?.figures
  const [busy, peer, alone, bare] = [at(modern, 16), at(peerName, 16), at(modern, 1), at(direct, 1)]
  return [
    ...(busy && peer ? [atLeast(`path, c=16: requests per second of ${peerName}`, busy.requestsPerSecond / peer.requestsPerSecond, 1, ' x')] : []),
    ...(alone && bare ? [atMost('path, c=1: p50 above mcp called directly', alone.p50Ms - bare.p50Ms, 1, ' ms')] : [])
  ]
}

/** All that Traefik and its hop cost, with nothing behind them. */
async function openFloor ({ started, say, versions }: Bench): Promise<Subject> {
  const program = await findTraefik(say)
  versions.traefik = await traefikVersion(program)
  const certificates = await makeCertificates({ dir: await temporaryFolder(started) })
  const decision = await startNode(started, 'floor constant', 'bench/floors/constant.ts', { FLOOR_TLS_CERT: certificates.verify.cert, FLOOR_TLS_KEY: certificates.verify.key })
  const upstream = await startNode(started, 'floor upstream', 'bench/floors/upstream.ts', { FLOOR_ANSWER: constantAnswer })
  const traefik = await startFloorTraefik(started, {
    program,
    ca: certificates.ca,
    certificate: certificates.edge,
    decisionUrl: `${decision.urls.floor}/decision`,
    upstreamUrl: upstream.urls.floor!
  })
  return {
    name: floor,
    processes: [{ name: 'traefik', pid: traefik.pid }, { name: 'decision', pid: decision.pid }, { name: 'upstream', pid: upstream.pid }],
    target: { url: traefik.url, transport: 'http1', ca: await readFile(certificates.ca, 'utf8') },
    requests: count => Array.from({ length: count }, (_, n) => ({ ...toolCall('2026-07-28', idOf(n), bearer('a'.repeat(700))), expect: { status: 200, body: expected(0) } }))
  }
}

/** As long as an answer of mcp. */
const constantAnswer = JSON.stringify({
  jsonrpc: '2.0',
  id: 0,
  result: {
    content: [{ type: 'text', text: expected(0).join(' ').padEnd(400) }],
    structuredContent: { success: true, data: expected(0).map((name, id) => ({ id, name })), columns: ['id', 'name'], statistics: {}, tenant, graphName, truncated: false }
  }
})

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

async function openGateway (bench: Bench): Promise<Subject[]> {
  const { started, say, versions } = bench
  const stack = await startStack({
    dir: await temporaryFolder(started),
    port: 0,
    mcpReplicas: replicas,
    // One tenant stands for many here: its own limit is not what is measured.
    env: { mcp: { TENANT_CONCURRENCY: '64', GATEWAY_SECRET: secret }, verify: { GATEWAY_SECRET: secret, TENANT_REQUESTS_PER_SECOND: '1000000', SUBJECT_REQUESTS_PER_SECOND: '1000000' }, traefik: { FLOOD_REQUESTS_PER_SECOND: '100000' } },
    // A setting in the operator's shell must not change what is measured.
    settings: {},
    say: line => say(`path: ${line}`)
  })
  started.defer(() => stack.stop())
  const { services, url, ca } = stack.file
  versions.falkordb = await loadGraph(services.falkordb.url, `${tenant}_${graphName}`)
  const processes: MeasuredProcess[] = [
    { name: 'traefik', pid: services.traefik.pid! },
    { name: 'verify', pid: services.verify.pid! },
    ...services.mcp.map(({ pid }, index) => ({ name: index === 0 ? 'mcp' : `mcp ${index + 1}`, pid: pid! })),
    { name: 'falkordb', pid: services.falkordb.pid!, database: true }
  ]
  say(`path: having ${distinctTokens} tokens signed`)
  const tokens: string[] = []
  for (let n = 0; n < distinctTokens; n++) tokens.push(await stack.token({ claims: claimsOf(n) }))
  const target = { url, transport: 'http1', ca: await readFile(ca, 'utf8') } as const
  const identities = callers(secret)
  const database = processes.at(-1)!
  return [
    ...(['2026-07-28', '2025-06-18'] as const).map((era): Subject => ({
      name: era === '2026-07-28' ? modern : 'gateway, 2025 without initialize',
      floor,
      processes,
      target,
      requests: count => Array.from({ length: count }, (_, n) => toolCall(era, idOf(n), bearer(tokens[n % tokens.length]!)))
    })),
    {
      name: direct,
      floor,
      processes: processes.filter(({ name }) => name === 'mcp' || name === 'falkordb'),
      target: { url: services.mcp[0]!.url, transport: 'http1' },
      requests: count => {
        const headers = identities()
        return Array.from({ length: count }, (_, n) => toolCall('2026-07-28', idOf(n), headers[n % headers.length]!))
      }
    },
    await openPeer(bench, services.falkordb.url, `${tenant}_${graphName}`, database, floor)
  ]
}
