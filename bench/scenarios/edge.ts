/** The decision behind Traefik, in front of a constant upstream: what the gate costs a request beside a ForwardAuth that answers a constant. */
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { makeCertificates } from '../../deploy/certificates.ts'
import { findTraefik } from '../../dev/programs/traefik.ts'
import { startNode, temporaryFolder } from '../children.ts'
import { startGate } from '../gate.ts'
import { startIdentityProvider } from '../identity-provider.ts'
import type { Bench, Scenario, Subject } from '../rounds.ts'
import { atLeast } from '../targets.ts'
import { startFloorTraefik, traefikVersion } from '../traefik.ts'
import type { LoadRequest } from '../transports.ts'

const distinctTokens = 1_000
const floor = 'floor: ForwardAuth to a constant'
const gated = 'ForwardAuth to verify'
const answer = '{"ok":true}'

export const edge: Scenario = {
  name: 'edge',
  title: `behind Traefik: TLS, ForwardAuth over TLS and HTTP/2, a constant upstream; ${distinctTokens} distinct RS256 tokens in turn`,
  concurrency: [1, 32],
  open: async (bench: Bench) => (await openEdges(bench)).subjects,
  goals: results => results.filter(({ subject }) => subject === gated)
    .map(({ concurrency, toFloor }) => atLeast(`c=${concurrency}: requests per second, of ForwardAuth to a constant`, toFloor!.throughput, 0.9, ' ×'))
}

/** Two Traefiks of the same configuration: one asks a constant, one asks verify. */
export async function openEdges ({ started, say, versions }: Bench) {
  const program = await findTraefik(say)
  versions.traefik = await traefikVersion(program)
  const port = await portBelowEphemeral()
  const origin = `https://localhost:${port}`
  const provider = started.use(await startIdentityProvider(`${origin}/mcp`))
  const { ca, verify, edge: certificate } = await makeCertificates({ dir: await temporaryFolder(started) })
  const constant = await startNode(started, 'floor constant', 'bench/floors/constant.ts', { FLOOR_TLS_CERT: verify.cert, FLOOR_TLS_KEY: verify.key })
  const upstream = await startNode(started, 'floor upstream', 'bench/floors/upstream.ts', { FLOOR_ANSWER: answer })
  const gate = await startGate(started, 'verify', provider, { PUBLIC_URL: origin, VERIFY_TLS_CERT: verify.cert, VERIFY_TLS_KEY: verify.key })
  const edges = { program, ca, certificate, upstreamUrl: upstream.urls.floor! }
  const floorEdge = await startFloorTraefik(started, { ...edges, decisionUrl: `${constant.urls.floor}/decision` })
  const gateEdge = await startFloorTraefik(started, { ...edges, port, decisionUrl: `${gate.urls.decision}/decision` })

  say(`edge: having ${distinctTokens} tokens signed`)
  const tokens = await provider.tokens('RS256', distinctTokens)
  const requests = () => tokens.map((token): LoadRequest => ({
    method: 'POST', path: '/mcp', headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` }, body: '{}', expect: { status: 200, body: [answer] }
  }))
  const authority = await readFile(ca, 'utf8')
  const subject = (name: string, url: string, traefik: number, decider: number): Subject => ({
    name,
    processes: [{ name: 'traefik', pid: traefik }, { name: 'decision', pid: decider }, { name: 'upstream', pid: upstream.pid }],
    target: { url, transport: 'http1', ca: authority },
    requests
  })
  const subjects = [
    subject(floor, floorEdge.url, floorEdge.pid, constant.pid),
    { ...subject(gated, gateEdge.url, gateEdge.pid, gate.pid), floor }
  ]
  return { subjects, gated: subjects[1] as Subject, verifyPort: Number(new URL(gate.urls.decision!).port) }
}

/** A port that nobody is given by chance while others start: verify must know its public URL before Traefik opens it. */
async function portBelowEphemeral (): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 30_000)
    const server = createServer()
    try {
      await once(server.listen(port, '127.0.0.1'), 'listening')
      return port
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    } finally {
      if (server.listening) await new Promise(resolve => server.close(resolve))
    }
  }
}
