/** The verify service alone: the ForwardAuth decision, asked as Traefik asks it (one HTTP/2 connection over TLS), and over plain HTTP/1.1 beside it. */
import { readFile } from 'node:fs/promises'
import { makeCertificates } from '../../deploy/certificates.ts'
import type { Algorithm } from '../../dev/issuer/keys.ts'
import { startNode, temporaryFolder } from '../children.ts'
import { startIdentityProvider } from '../identity-provider.ts'
import type { Bench, Scenario, Subject } from '../rounds.ts'
import type { LoadRequest, Target } from '../transports.ts'
import { tenant } from '../work.ts'

const publicUrl = 'https://localhost'
const distinctTokens = 1_000
const floor = 'floor: Fastify, a constant'
const plainFloor = 'floor: the same, plain HTTP/1.1'

export const verify: Scenario = {
  name: 'verify',
  title: `verify alone: the ForwardAuth decision over TLS and HTTP/2 unless said; ${distinctTokens} distinct tokens in turn unless said`,
  concurrency: [1, 32],
  open: async ({ started, say }: Bench): Promise<Subject[]> => {
    const provider = started.use(await startIdentityProvider(`${publicUrl}/mcp`))
    const { ca: caFile, verify: { cert, key } } = await makeCertificates({ dir: await temporaryFolder(started) })
    const ca = await readFile(caFile, 'utf8')
    const settings = {
      PUBLIC_URL: publicUrl,
      GATEWAY_SECRET: 'signs only what this benchmark asks for',
      BEARER_ISSUER: provider.issuer,
      BEARER_JWKS_URI: provider.jwksUri,
      BEARER_ALGORITHMS: 'RS256,ES256',
      VERIFY_PORT: '0',
      VERIFY_DECISION_PORT: '0',
      METRICS_PORT: '0'
    }
    const [bare, plainBare, service, plainService] = await Promise.all([
      startNode(started, 'floor constant', 'bench/floors/constant.ts', { FLOOR_TLS_CERT: cert, FLOOR_TLS_KEY: key }),
      startNode(started, 'floor constant, plain', 'bench/floors/constant.ts'),
      startNode(started, 'verify', 'services/verify/server.ts', { ...settings, VERIFY_TLS_CERT: cert, VERIFY_TLS_KEY: key }),
      startNode(started, 'verify, plain', 'services/verify/server.ts', settings)
    ])

    say(`verify: having ${2 * distinctTokens} tokens signed`)
    const signed = { RS256: await provider.tokens('RS256', distinctTokens), ES256: await provider.tokens('ES256', distinctTokens) }
    const again = (algorithm: Algorithm) => () => signed[algorithm].map(token => decision(token, tenant))
    // What a cache of verified tokens could not help with.
    const once = async (count: number) => (await provider.tokens('RS256', count)).map(token => decision(token, tenant))
    const constant = () => signed.RS256.map(token => decision(token, 'floor'))

    const secure = (url: string): Target => ({ url, transport: 'http2', ca })
    const plain = (url: string): Target => ({ url, transport: 'http1' })
    const overTls = (name: string, requests: Subject['requests']): Subject =>
      ({ name, floor, processes: [{ name: 'verify', pid: service.pid }], target: secure(service.urls.decision!), requests })
    return [
      { name: floor, processes: [{ name: 'constant', pid: bare.pid }], target: secure(bare.urls.floor!), requests: constant },
      overTls('verify, RS256', again('RS256')),
      overTls('verify, ES256', again('ES256')),
      overTls('verify, RS256, each token once', once),
      { name: plainFloor, processes: [{ name: 'constant', pid: plainBare.pid }], target: plain(plainBare.urls.floor!), requests: constant },
      { name: 'verify, RS256, plain HTTP/1.1', floor: plainFloor, processes: [{ name: 'verify', pid: plainService.pid }], target: plain(plainService.urls.decision!), requests: again('RS256') }
    ]
  }
}

/** What Traefik asks of a POST to /mcp. */
function decision (token: string, tenant: string): LoadRequest {
  return {
    method: 'GET',
    path: '/decision',
    headers: {
      authorization: `Bearer ${token}`,
      'x-forwarded-method': 'POST',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': new URL(publicUrl).host,
      'x-forwarded-uri': '/mcp',
      'x-forwarded-for': '127.0.0.1'
    },
    expect: { status: 200, header: ['x-tenant-id', tenant] }
  }
}
