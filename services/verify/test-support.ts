/** What the tests of this folder share: an issuer with a real JWKS server, tokens of any shape, and the service's apps around them. */
import { createHmac, generateKeyPairSync, sign, type JsonWebKey, type KeyObject } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance, InjectOptions } from 'fastify'
import { createObservability } from '@gateway/common/service.ts'
import { openAudit } from './audit.ts'
import { buildDecisionApp, buildPublicApp } from './app.ts'
import { loadVerifyConfig } from './config.ts'
import { gateHealth, openGate } from './gate.ts'
import type { Algorithm } from './issuers/algorithms.ts'
import type { IssuerKeysOptions } from './issuers/keys.ts'

export const secret = 'a-secret-for-tests-0123456789abcdef'
export const publicUrl = 'https://graphs.example.com'
export const resource = `${publicUrl}/mcp`

export interface TestKey { kid: string, algorithm: Algorithm, publicKey: KeyObject, privateKey: KeyObject, jwk: JsonWebKey }

const makers = {
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: () => generateKeyPairSync('ed25519')
}

export function makeKey (kid: string, algorithm: keyof typeof makers = 'ES256'): TestKey {
  const { publicKey, privateKey } = makers[algorithm]()
  return { kid, algorithm, publicKey, privateKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig' } }
}

export const segment = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
export const now = () => Math.floor(Date.now() / 1000)

type Claims = Record<string, unknown>

/** A signature of ours over any header and payload. */
export function signature (input: string, { algorithm, privateKey }: TestKey): string {
  const options = { key: privateKey, dsaEncoding: 'ieee-p1363' } as const
  return sign(algorithm === 'EdDSA' ? null : 'sha256', Buffer.from(input), options).toString('base64url')
}

/** A token with any header and claims over the usual ones; `undefined` leaves a member out. */
export function mint (key: TestKey, claims: Claims, header: Claims = {}): string {
  const input = `${segment({ alg: key.algorithm, kid: key.kid, typ: 'at+jwt', ...header })}.${segment(claims)}`
  return `${input}.${signature(input, key)}`
}

/** HS256 over a text that everybody knows. */
export function mintSymmetric (secret: string | Buffer, header: Claims, claims: Claims): string {
  const input = `${segment({ alg: 'HS256', ...header })}.${segment(claims)}`
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}

interface Ending { teardown: (end: () => unknown) => void }

export interface TestIssuer {
  url: string
  keys: TestKey[]
  /** Requests for its keys so far. */
  fetches: number
  /** Answers requests in place of the usual way; tests set it. */
  answer: ((request: IncomingMessage, response: ServerResponse) => void) | undefined
  /** The usual claims of its tokens, with changes. */
  claims: (changes?: Claims) => Claims
  token: (changes?: Claims, header?: Claims) => string
}

/** An issuer on a real port, with metadata and keys; it ends with the test. */
export async function startIssuer (t: Ending, keys = [makeKey('first')]): Promise<TestIssuer> {
  const server = createServer((request, response) => {
    if (request.url?.startsWith('/keys')) issuer.fetches++
    if (issuer.answer) return issuer.answer(request, response)
    response.setHeader('content-type', 'application/json')
    if (request.url === '/.well-known/openid-configuration') return response.end(JSON.stringify({ issuer: issuer.url, jwks_uri: `${issuer.url}/keys` }))
    response.end(JSON.stringify({ keys: issuer.keys.map(({ jwk }) => jwk) }))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const issuer: TestIssuer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    keys,
    fetches: 0,
    answer: undefined,
    claims: changes => ({ iss: issuer.url, aud: resource, sub: 'ada', client_id: 'laptop', tenant_id: 'acme', scope: 'openid graph:write', iat: now(), exp: now() + 600, ...changes }),
    token: (changes, header) => mint(issuer.keys[0] as TestKey, issuer.claims(changes), header)
  }
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return issuer
}

/** Nothing waits for a cooldown, so that a busy machine cannot fail a test. */
const impatient = { cooldownMs: 0, failureCooldownMs: 0 }

/** The service around settings, without an open port. */
export function openService (t: Ending, env: Record<string, string>, keyOptions: Partial<IssuerKeysOptions> = {}) {
  const lines: string[] = []
  const config = loadVerifyConfig({ PUBLIC_URL: publicUrl, GATEWAY_SECRET: secret, LOG_LEVEL: 'trace', ...env })
  const observability = createObservability('verify', config.LOG_LEVEL, { write: line => lines.push(line) })
  const gate = openGate(config, observability, { ...impatient, ...keyOptions })
  const audit = openAudit(config.AUDIT_LOG_FILE, observability.logger)
  const decision = buildDecisionApp({ config, gate, audit, observability })
  const open = buildPublicApp({ config, gate, audit, observability })
  t.teardown(async () => {
    await Promise.all([decision.close(), open.close()])
    await gate.close()
    await audit.close()
  })
  return {
    config,
    gate,
    audit,
    lines,
    decision,
    open,
    health: gateHealth(gate),
    metrics: async (name: string) => (await observability.registry.metrics()).split('\n').filter(line => line.startsWith(name)),
    /** What Traefik would be told of a call. */
    ask: (headers: Record<string, string> = {}, uri = '/mcp') => ask(decision, { headers: { ...forwarded(uri), ...headers } }),
    bearer: (token: string) => ask(decision, { headers: { ...forwarded('/mcp'), authorization: `Bearer ${token}` } })
  }
}

/** Headers that Traefik's ForwardAuth adds. */
export const forwarded = (uri: string) => ({ 'x-forwarded-method': 'POST', 'x-forwarded-proto': 'https', 'x-forwarded-host': new URL(publicUrl).host, 'x-forwarded-uri': uri, 'x-forwarded-for': '198.51.100.7' })

const ask = (app: FastifyInstance, options: InjectOptions) => app.inject({ url: '/decision', ...options })

/** The settings that trust one issuer, whose keys are found through its metadata. */
export const trusting = ({ url }: TestIssuer, more: Record<string, string> = {}) => ({ BEARER_ISSUER: url, ...more })

/** The settings that trust several. */
export const trustingAll = (entries: object[], more: Record<string, string> = {}) => ({ BEARER_ISSUERS: JSON.stringify(entries), ...more })
