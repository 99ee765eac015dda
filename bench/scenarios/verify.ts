/** The verify service alone: the ForwardAuth decision over plain HTTP/1.1, and as Traefik asks it, over one HTTP/2 connection in TLS. */
import { readFile } from 'node:fs/promises'
import { makeCertificates } from '../../deploy/certificates.ts'
import type { Algorithm } from '../../dev/issuer/keys.ts'
import { startNode, temporaryFolder, type Child } from '../children.ts'
import { decision, resource, startGate } from '../gate.ts'
import { startIdentityProvider } from '../identity-provider.ts'
import type { Bench, Result, Scenario, Subject } from '../rounds.ts'
import { atLeast, atMost, type Target as Goal } from '../targets.ts'
import type { Target } from '../transports.ts'
import { tenant } from '../work.ts'

const distinctTokens = 1_000
const floor = 'floor: Fastify, a constant'
const secureFloor = 'floor, TLS and HTTP/2'
const names = {
  known: 'known token',
  off: 'the same, caches off',
  firstRsa: 'first decision, RS256',
  firstEc: 'first decision, ES256',
  secure: 'known token, TLS and HTTP/2',
  secureOff: 'the same, TLS and HTTP/2, caches off'
}
const cachesOff = { TOKEN_CACHE_ENTRIES: '0' }

export const verify: Scenario = {
  name: 'verify',
  title: `verify alone: the ForwardAuth decision over plain HTTP/1.1 unless said; ${distinctTokens} distinct RS256 tokens in turn, or each token once`,
  concurrency: [1, 32],
  open: async ({ started, say }: Bench): Promise<Subject[]> => {
    const provider = started.use(await startIdentityProvider(resource))
    const { ca: caFile, verify: { cert, key } } = await makeCertificates({ dir: await temporaryFolder(started) })
    const ca = await readFile(caFile, 'utf8')
    const tls = { VERIFY_TLS_CERT: cert, VERIFY_TLS_KEY: key }
    const bare = await startNode(started, 'floor constant', 'bench/floors/constant.ts')
    const secureBare = await startNode(started, 'floor constant, TLS', 'bench/floors/constant.ts', { FLOOR_TLS_CERT: cert, FLOOR_TLS_KEY: key })
    const gate = await startGate(started, 'verify', provider)
    const off = await startGate(started, 'verify, caches off', provider, cachesOff)
    const secure = await startGate(started, 'verify, TLS', provider, tls)
    const secureOff = await startGate(started, 'verify, TLS, caches off', provider, { ...tls, ...cachesOff })

    say(`verify: having ${distinctTokens} tokens signed`)
    const signed = await provider.tokens('RS256', distinctTokens)
    const known = () => signed.map(token => decision(token, tenant))
    const once = (algorithm: Algorithm) => async (count: number) => (await provider.tokens(algorithm, count)).map(token => decision(token, tenant))
    const constant = () => signed.map(token => decision(token, 'floor'))

    const overHttp1 = (name: string, { pid, urls }: Child, requests: Subject['requests']): Subject =>
      ({ name, floor, processes: [{ name: 'verify', pid }], target: { url: urls.decision!, transport: 'http1' }, requests })
    const http2 = (url: string): Target => ({ url, transport: 'http2', ca })
    const overTls = (name: string, { pid, urls }: Child): Subject =>
      ({ name, floor: secureFloor, processes: [{ name: 'verify', pid }], target: http2(urls.decision!), requests: known })
    return [
      { name: floor, processes: [{ name: 'constant', pid: bare.pid }], target: { url: bare.urls.floor!, transport: 'http1' }, requests: constant },
      overHttp1(names.known, gate, known),
      overHttp1(names.off, off, known),
      overHttp1(names.firstRsa, gate, once('RS256')),
      overHttp1(names.firstEc, gate, once('ES256')),
      { name: secureFloor, processes: [{ name: 'constant', pid: secureBare.pid }], target: http2(secureBare.urls.floor!), requests: constant },
      overTls(names.secure, secure),
      overTls(names.secureOff, secureOff)
    ]
  },
  goals: results => [...new Set(results.map(({ concurrency }) => concurrency))].flatMap(concurrency => goalsAt(concurrency, results))
}

function goalsAt (concurrency: number, results: readonly Result[]): Goal[] {
  const of = (subject: string) => results.find(result => result.subject === subject && result.concurrency === concurrency)!
  const rate = (subject: string) => of(subject).figures.requestsPerSecond
  const c = `c=${concurrency}`
  return [
    atMost(`${c}: CPU of a known token, of the floor's`, of(names.known).toFloor!.cpu, 2, ' ×'),
    atMost(`${c}: the same over TLS and HTTP/2`, of(names.secure).toFloor!.cpu, 2, ' ×'),
    atLeast(`${c}: requests per second of a known token, of the same with caches off`, rate(names.known) / rate(names.off), 3, ' ×'),
    atLeast(`${c}: the same over TLS and HTTP/2`, rate(names.secure) / rate(names.secureOff), 3, ' ×'),
    atMost(`${c}: CPU of a first decision, RS256`, of(names.firstRsa).figures.cpuUs, 110, ' µs'),
    atMost(`${c}: CPU of a first decision, ES256`, of(names.firstEc).figures.cpuUs, 165, ' µs')
  ]
}
