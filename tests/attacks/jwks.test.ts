/**
 * JWKS poison: a real verify process trusts a good issuer and many hostile ones, each of which answers as badly as one row says. The good one's
 * callers never notice, the hostile ones' tokens are refused, and nobody else is ever asked for anything.
 */
import { gzipSync } from 'node:zlib'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { startNode } from '../../bench/children.ts'
import { makeKey, mint, mintSymmetric, now, publicUrl, resource, secret, startIssuer, type TestIssuer, type TestKey } from '../../services/verify/test-support.ts'
import { createSend } from '../support/https.ts'
import { until } from '../support/until.ts'

t.setTimeout(240_000)

const [ours, theirs] = [makeKey('ours'), makeKey('theirs')]
const good = await startIssuer(t, [ours])

/** Whoever is sent away from a hostile issuer would come here. */
const visits: string[] = []
const elsewhere = createServer((request, response) => {
  visits.push(String(request.url))
  response.end(JSON.stringify({ keys: [theirs.jwk] }))
})
await new Promise<void>(resolve => elsewhere.listen(0, '127.0.0.1', resolve))
const elsewhereUrl = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}`

type Answering = (request: IncomingMessage, response: ServerResponse) => void
/** The hostile issuer itself. */
const urlOf = (request: IncomingMessage) => `http://${request.headers.host}`
const json = (body: unknown): Answering => (_request, response) => response.setHeader('content-type', 'application/json').end(typeof body === 'string' ? body : JSON.stringify(body))
const jsonFor = (make: (url: string) => unknown): Answering => (request, response) => json(make(urlOf(request)))(request, response)
/** Good metadata; the keys as the row has them. */
const keys = (answer: Answering): Answering => (request, response) => (request.url?.startsWith('/keys') ? answer : jsonFor(url => ({ issuer: url, jwks_uri: `${url}/keys` })))(request, response)
const keySet = (...members: unknown[]) => keys(json({ keys: members }))
/** Metadata as the row has them; the keys would be good. */
const metadata = (answer: Answering): Answering => (request, response) => (request.url?.startsWith('/keys') ? json({ keys: [theirs.jwk] }) : answer)(request, response)

/** Sends for as long as the other side takes it. */
const endless = (response: ServerResponse, chunk: Buffer | string, everyMs: number) => {
  const timer = setInterval(() => response.write(chunk), everyMs)
  response.once('close', () => clearInterval(timer))
}
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const weak = generateKeyPairSync('rsa', { modulusLength: 512 })
const rsaKey: TestKey = { kid: 'theirs', algorithm: 'RS256', ...rsa, jwk: { ...rsa.publicKey.export({ format: 'jwk' }), kid: 'theirs' } }
const padding = 'x'.repeat(1_000)

/** Of the tenant that the hostile issuers may name. */
const claimsOf = (url: string) => ({ iss: url, aud: resource, sub: 'eve', tenant_id: 'evil', scope: 'graph:read', exp: now() + 600 })
/** Good by the hostile issuer's own key, if only that were found. */
const hostileToken = (url: string, key = theirs) => mint(key, claimsOf(url))

/** 200: what is good in it is taken; 503: its keys cannot be had, try again; 401: it has no such key, or the signature is not good. */
const rows: Array<{ what: string, answer: Answering, must: 200 | 401 | 503, token?: (url: string) => string }> = [
  { what: 'ten megabytes', must: 503, answer: keys(json({ keys: [theirs.jwk], padding: padding.repeat(10_000) })) },
  { what: 'ten megabytes that say they are few', must: 503, answer: keys((_request, response) => { response.socket?.end(`HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n${JSON.stringify({ keys: [theirs.jwk], padding: padding.repeat(300) })}`) }) },
  { what: 'chunks without an end', must: 503, answer: keys((_request, response) => endless(response, padding, 0)) },
  { what: 'a drip without an end', must: 503, answer: keys((_request, response) => { response.write('{"keys":['); endless(response, ' ', 100) }) },
  { what: 'silence', must: 503, answer: keys(() => {}) },
  { what: 'headers and then silence', must: 503, answer: keys((_request, response) => response.flushHeaders()) },
  { what: 'headers of 100 KB', must: 503, answer: keys((_request, response) => response.setHeader('x-padding', 'x'.repeat(100_000)).end(JSON.stringify({ keys: [theirs.jwk] }))) },
  { what: 'a redirect to another host', must: 503, answer: keys((_request, response) => response.writeHead(302, { location: `${elsewhereUrl}/keys` }).end()) },
  { what: 'a redirect to the good issuer\'s keys', must: 503, answer: keys((_request, response) => response.writeHead(301, { location: `${good.url}/keys` }).end()), token: url => hostileToken(url, ours) },
  { what: 'a redirect to the addresses of a cloud', must: 503, answer: keys((_request, response) => response.writeHead(307, { location: 'http://169.254.169.254/latest/meta-data/' }).end(JSON.stringify({ keys: [theirs.jwk] }))) },
  { what: 'a redirect to itself', must: 503, answer: keys((request, response) => response.writeHead(308, { location: request.url }).end()) },
  { what: 'a refresh header', must: 401, answer: keys((_request, response) => response.setHeader('refresh', `0;url=${elsewhereUrl}`).setHeader('link', `<${elsewhereUrl}>; rel=jwks`).end('{"keys":[]}')) },
  { what: 'a gzip bomb', must: 503, answer: keys((_request, response) => response.setHeader('content-encoding', 'gzip').end(gzipSync(`{"keys":[]${' '.repeat(100_000_000)}}`))) },
  { what: 'no JSON', must: 503, answer: keys(json('<html>')) },
  { what: 'nothing', must: 503, answer: keys(json('')) },
  { what: 'null', must: 503, answer: keys(json('null')) },
  { what: 'a list', must: 503, answer: keys(json([theirs.jwk])) },
  { what: 'JSON a hundred thousand deep', must: 503, answer: keys(json('['.repeat(100_000))) },
  { what: 'keys a hundred thousand deep', must: 401, answer: keys(json(`{"keys":[${'['.repeat(100_000)}${']'.repeat(100_000)}]}`)) },
  { what: 'keys that are an object', must: 503, answer: keys(json({ keys: { 0: theirs.jwk, length: 1 } })) },
  { what: 'no keys', must: 503, answer: keys(json({})) },
  { what: 'keys in __proto__', must: 503, answer: keys(json(`{"__proto__":{"keys":[${JSON.stringify(theirs.jwk)}]}}`)) },
  { what: 'an empty list', must: 401, answer: keySet() },
  { what: 'a hundred thousand keys', must: 503, answer: keys(json(`{"keys":[${JSON.stringify(theirs.jwk)}${',0'.repeat(99_999)}]}`)) },
  { what: 'a status of 500 with good keys', must: 503, answer: keys((_request, response) => response.writeHead(500).end(JSON.stringify({ keys: [theirs.jwk] }))) },
  { what: 'a status of 206 with good keys', must: 503, answer: keys((_request, response) => response.writeHead(206).end(JSON.stringify({ keys: [theirs.jwk] }))) },
  { what: 'a reset midway', must: 503, answer: keys((_request, response) => { response.write('{"keys":['); setTimeout(() => response.socket?.resetAndDestroy(), 20) }) },
  { what: 'a reset at once', must: 503, answer: keys((_request, response) => response.socket?.resetAndDestroy()) },
  { what: 'a hundred answers of 103', must: 401, answer: keys((_request, response) => { for (let index = 0; index < 100; index++) response.writeEarlyHints({ link: `<${elsewhereUrl}>; rel=preload` }); response.end('{"keys":[]}') }) },
  { what: 'a good key among a hundred that are none', must: 200, answer: keySet(...Array.from({ length: 99 }, (_, index) => ({ kty: 'oct', kid: `k${index}` })), theirs.jwk) },
  { what: 'a good key with the wrong content type', must: 200, answer: keys((_request, response) => response.setHeader('content-type', 'text/html').end(JSON.stringify({ keys: [theirs.jwk] }))) },
  { what: 'a good key with members that nobody knows', must: 200, answer: keySet({ ...theirs.jwk, x5u: `${elsewhereUrl}/cert`, jku: `${elsewhereUrl}/keys` }) },
  { what: 'a good key before another of the same id', must: 200, answer: keySet(theirs.jwk, makeKey('theirs').jwk) },
  { what: 'keys for encryption', must: 401, answer: keySet({ ...theirs.jwk, use: 'enc' }) },
  { what: 'keys that only sign', must: 401, answer: keySet({ ...theirs.jwk, key_ops: ['sign'] }) },
  { what: 'keys with their private part', must: 401, answer: keySet({ ...theirs.jwk, ...theirs.privateKey.export({ format: 'jwk' }) }) },
  { what: 'keys for another algorithm', must: 401, answer: keySet({ ...theirs.jwk, alg: 'ES384' }) },
  { what: 'keys without an id', must: 401, answer: keySet({ ...theirs.jwk, kid: undefined }) },
  { what: 'keys with a list for an id', must: 401, answer: keySet({ ...theirs.jwk, kid: ['theirs'] }) },
  { what: 'a point that is on no curve', must: 401, answer: keySet({ ...theirs.jwk, y: theirs.jwk.x }) },
  { what: 'a point at zero', must: 401, answer: keySet({ ...theirs.jwk, x: 'AA', y: 'AA' }) },
  { what: 'a certificate in place of a key', must: 401, answer: keySet({ kty: 'EC', kid: 'theirs', crv: 'P-256', x5c: ['AAAA'], x5u: `${elsewhereUrl}/cert` }) },
  { what: 'another key under the same id before it', must: 401, answer: keySet(makeKey('theirs').jwk, theirs.jwk) },
  { what: 'the good issuer\'s key under the good issuer\'s id', must: 401, answer: keySet(ours.jwk) },
  { what: 'RSA with an exponent of one, and a signature that then is one', must: 401, answer: keySet({ ...rsaKey.jwk, e: 'AQ' }), token: url => hostileToken(url, rsaKey) },
  { what: 'RSA of 512 bits', must: 401, answer: keySet({ ...weak.publicKey.export({ format: 'jwk' }), kid: 'theirs' }), token: url => hostileToken(url, { ...rsaKey, ...weak }) },
  { what: 'RSA of 100,000 bits', must: 401, answer: keySet({ kty: 'RSA', kid: 'theirs', e: 'AQAB', n: Buffer.alloc(12_500, 0xff).toString('base64url') }), token: url => hostileToken(url, rsaKey) },
  { what: 'a symmetric key, with a token by it', must: 401, answer: keySet({ kty: 'oct', kid: 'theirs', k: 'c2VjcmV0', alg: 'HS256' }), token: url => mintSymmetric('secret', { kid: 'theirs' }, claimsOf(url)) },
  { what: 'metadata of another issuer', must: 503, answer: metadata(jsonFor(url => ({ issuer: good.url, jwks_uri: `${url}/keys` }))) },
  { what: 'metadata without an issuer', must: 503, answer: metadata(jsonFor(url => ({ jwks_uri: `${url}/keys` }))) },
  { what: 'metadata that redirect', must: 503, answer: metadata((_request, response) => response.writeHead(302, { location: `${elsewhereUrl}/` }).end()) },
  { what: 'metadata with keys at a file', must: 503, answer: metadata(jsonFor(url => ({ issuer: url, jwks_uri: 'file:///etc/passwd' }))) },
  { what: 'metadata with keys in a data URL', must: 503, answer: metadata(jsonFor(url => ({ issuer: url, jwks_uri: `data:application/json,${encodeURIComponent(JSON.stringify({ keys: [theirs.jwk] }))}` }))) },
  { what: 'metadata with keys over plain http elsewhere', must: 503, answer: metadata(jsonFor(url => ({ issuer: url, jwks_uri: 'http://keys.example.com/' }))) },
  { what: 'metadata with keys at the addresses of a cloud', must: 503, answer: metadata(jsonFor(url => ({ issuer: url, jwks_uri: 'http://169.254.169.254/latest/meta-data/' }))) },
  { what: 'metadata with a password in the address of the keys', must: 503, answer: metadata(jsonFor(url => ({ issuer: url, jwks_uri: `${url.replace('//', '//user:pass@')}/keys` }))) },
  { what: 'metadata with a list for the address of the keys', must: 503, answer: metadata(jsonFor(url => ({ issuer: url, jwks_uri: [`${elsewhereUrl}/keys`, 'x'] }))) },
  { what: 'metadata of ten megabytes', must: 503, answer: metadata(jsonFor(url => ({ issuer: url, jwks_uri: `${url}/keys`, padding: padding.repeat(10_000) }))) }
]

const issuers = await Promise.all(rows.map(async ({ answer }) => {
  const issuer = await startIssuer(t, [theirs])
  issuer.answer = answer
  return issuer
}))

const started = new AsyncDisposableStack()
t.teardown(async () => {
  elsewhere.closeAllConnections()
  elsewhere.close()
  await started.disposeAsync()
})
const verify = await startNode(started, 'verify', 'services/verify/server.ts', {
  PUBLIC_URL: publicUrl,
  GATEWAY_SECRET: secret,
  VERIFY_PORT: '0',
  VERIFY_DECISION_PORT: '0',
  METRICS_PORT: '0',
  ADDRESS_FAILURES_PER_SECOND: '0',
  BEARER_ISSUERS: JSON.stringify([{ issuer: good.url, tenants: ['acme'] }, ...issuers.map(({ url }) => ({ issuer: url, tenants: ['evil'] }))])
})
const send = createSend(String(verify.urls.decision))
const ask = (token: string) => send({ path: '/decision', headers: { 'X-Forwarded-Host': new URL(publicUrl).host, 'X-Forwarded-Uri': '/mcp', 'X-Forwarded-Method': 'POST', authorization: `Bearer ${token}` } })
/** A token that was never seen before, so that its signature is verified. */
const goodCall = async () => (await ask(good.token({ jti: randomUUID() }))).status
/** MiB that the process has taken at most since its start (proc(5), VmHWM). */
const peakMemory = () => Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${verify.pid}/status`, 'utf8'))?.[1]) / 1024

t.test('whatever hostile issuers publish, their tokens are refused, and the good issuer\'s callers are served', async t => {
  const over = new AbortController()
  const callers = async () => {
    const statuses = new Set<number>()
    for (let calls = 0; !over.signal.aborted || calls < 20; calls++) {
      statuses.add(await goodCall())
      await delay(20)
    }
    return [...statuses]
  }
  const poisoned = Promise.all(rows.map(async ({ what, must, token = hostileToken }, index) => {
    const { url, fetches } = issuers[index] as TestIssuer
    for (const round of ['at first', 'and again']) {
      const { status, text, headers } = await ask(token(url))
      t.equal(status, must, `${what} (${fetches} fetches), ${round}: ${text}`)
      if (status === 503) t.match(headers['retry-after'], /^\d+$/, `${what}: a 503 says when to try again`)
      t.equal(headers['x-tenant-id'], must === 200 ? 'evil' : undefined, what)
    }
  })).finally(() => over.abort())
  const [, statuses] = await Promise.all([poisoned, callers()])
  t.strictSame(statuses, [200])
  // Some 100 MiB are Node and the service itself.
  t.ok(peakMemory() < 250, `it took ${Math.round(peakMemory())} MiB at most`)
})

t.test('nobody was asked but the issuers themselves, and it is the same process that goes on', async t => {
  t.strictSame(visits, [])
  t.doesNotThrow(() => process.kill(verify.pid, 0))
  t.equal(await goodCall(), 200)
})

t.test('a hostile issuer\'s key opens no tenant of another issuer, and signs for no other issuer', async t => {
  const { url } = issuers[rows.findIndex(({ must }) => must === 200)] as TestIssuer
  t.equal((await ask(mint(theirs, { ...claimsOf(url), tenant_id: 'acme' }))).status, 403)
  for (const kid of ['theirs', 'ours']) t.equal((await ask(mint(theirs, good.claims(), { kid }))).status, 401, `as ${kid}`)
})

t.test('an issuer that behaves again is heard again', async () => {
  const { url } = issuers[0] as TestIssuer
  ;(issuers[0] as TestIssuer).answer = undefined
  await until('its tokens to be good', async () => (await ask(hostileToken(url))).status === 200, 20)
})
