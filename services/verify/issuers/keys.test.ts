import type { ServerResponse } from 'node:http'
import { pino } from 'pino'
import t from 'tap'
import { makeKey, mint, openService, startIssuer, trusting, type TestIssuer, type TestKey } from '../test-support.ts'
import { signingKey } from './algorithms.ts'
import { createKeySetLoader } from './key-set.ts'
import { IssuerKeys } from './keys.ts'
import type { TrustedIssuer } from './trusted.ts'

/** The first load at the start is over. */
async function loaded (issuer: TestIssuer, service: ReturnType<typeof openService>) {
  await service.gate.issuers.get(issuer.url)?.keys.refresh()
  issuer.fetches = 0
}

t.test('a new key is taken at its first token', async t => {
  const issuer = await startIssuer(t)
  const service = openService(t, trusting(issuer))
  t.equal((await service.bearer(issuer.token())).statusCode, 200)
  issuer.keys = [makeKey('second'), ...issuer.keys]
  t.equal((await service.bearer(issuer.token())).statusCode, 200)
})

t.test('a known key costs no request', async t => {
  const issuer = await startIssuer(t)
  const service = openService(t, trusting(issuer))
  await loaded(issuer, service)
  for (let call = 0; call < 20; call++) t.equal((await service.bearer(issuer.token({ sub: `ada-${call}` }))).statusCode, 200)
  t.equal(issuer.fetches, 0)
})

t.test('a flood of forged key ids causes one request per cooldown, and keeps no new key out', async t => {
  const issuer = await startIssuer(t)
  let time = 0
  const service = openService(t, trusting(issuer, { ADDRESS_FAILURES_PER_SECOND: '0' }), { cooldownMs: 10_000, clock: () => time })
  await loaded(issuer, service)
  const flood = async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, (_, call) => service.bearer(issuer.token({}, { kid: `forged-${call}` }))))
    t.ok(answers.every(({ statusCode }) => statusCode === 401))
  }
  await flood()
  t.equal(issuer.fetches, 0, 'the load at the start counts')
  // What a real new key meets: forged ones are there first, all the time.
  issuer.keys = [makeKey('second'), ...issuer.keys]
  time += 10_000
  await flood()
  t.equal((await service.bearer(issuer.token())).statusCode, 200)
  await flood()
  t.equal(issuer.fetches, 1)
})

t.test('a thousand forged key ids at once cause one request, and the next thousand none before the cooldown has passed', async t => {
  let loads = 0
  let time = 0
  const load = async () => {
    loads++
    await new Promise(resolve => setImmediate(resolve))
    return []
  }
  const keys = new IssuerKeys({ issuer: 'https://login.example.com' } as TrustedIssuer, { load, logger: pino({ level: 'silent' }), cooldownMs: 10_000, clock: () => time })
  const flood = async () => {
    const found = await Promise.allSettled(Array.from({ length: 1_000 }, (_, call) => keys.find(`forged-${call}`, 'RS256')))
    t.ok(found.every(({ status }) => status === 'rejected'))
  }
  await flood()
  t.equal(loads, 1)
  time = 9_999
  await flood()
  t.equal(loads, 1)
  time = 10_000
  await flood()
  t.equal(loads, 2)
})

t.test('known keys serve while they are fetched anew, however long that takes', async t => {
  const issuer = await startIssuer(t)
  const service = openService(t, trusting(issuer))
  await loaded(issuer, service)
  const held: ServerResponse[] = []
  issuer.answer = (_request, response) => { held.push(response) }
  const refreshed = service.gate.issuers.get(issuer.url)?.keys.refresh()
  for (const sub of ['ada', 'bob']) t.equal((await service.bearer(issuer.token({ sub }))).statusCode, 200)
  for (const response of held) response.destroy()
  issuer.answer = (_request, response) => response.destroy()
  await refreshed
})

t.test('a new key is taken without a failed call where it was published one background refresh before its first token', async t => {
  const issuer = await startIssuer(t)
  const service = openService(t, trusting(issuer), { cooldownMs: 3_600_000 })
  await loaded(issuer, service)
  issuer.keys = [...issuer.keys, makeKey('next')]
  await service.gate.issuers.get(issuer.url)?.keys.refresh()
  issuer.keys.reverse()
  t.equal((await service.bearer(issuer.token())).statusCode, 200)
})

t.test('other key material under a known key id: from the next load on only the new one counts', async t => {
  const issuer = await startIssuer(t)
  const service = openService(t, trusting(issuer))
  await loaded(issuer, service)
  const old = issuer.token()
  t.equal((await service.bearer(old)).statusCode, 200)
  issuer.keys = [makeKey('first')]
  t.equal((await service.bearer(issuer.token({ sub: 'early' }))).statusCode, 401, 'an issuer that does so must publish first')
  await service.gate.issuers.get(issuer.url)?.keys.refresh()
  t.equal((await service.bearer(issuer.token({ sub: 'late' }))).statusCode, 200)
  t.equal((await service.bearer(old)).statusCode, 401, 'nor does a token count that the old one has verified')
})

t.test('an unknown key id is 503 only while the issuer is failing, and 401 when it is back', async t => {
  const issuer = await startIssuer(t)
  const service = openService(t, trusting(issuer))
  await loaded(issuer, service)
  issuer.answer = (_request, response) => response.writeHead(503).end()
  const during = await service.bearer(issuer.token({}, { kid: 'nobody' }))
  t.equal(during.statusCode, 503)
  t.match(during.headers['retry-after'], /^[1-9]\d*$/)
  issuer.answer = undefined
  t.equal((await service.bearer(issuer.token({}, { kid: 'nobody' }))).statusCode, 401)
})

t.test('ISSUER_OUTAGE_SECONDS bounds how long known keys go on, and tokens that they have verified; afterwards it is 503 until the issuer is back', async t => {
  const issuer = await startIssuer(t)
  let time = 0
  const service = openService(t, trusting(issuer, { ISSUER_OUTAGE_SECONDS: '60' }), { clock: () => time })
  await loaded(issuer, service)
  const [verified, fresh] = [issuer.token(), issuer.token({ sub: 'bob' })]
  issuer.answer = (_request, response) => response.destroy()
  time = 59_000
  t.equal((await service.bearer(verified)).statusCode, 200)
  time = 60_000
  for (const token of [verified, fresh]) t.equal((await service.bearer(token)).statusCode, 503)
  issuer.answer = undefined
  for (const token of [verified, fresh]) t.equal((await service.bearer(token)).statusCode, 200)
})

t.test('a withdrawn key dies with the next load, and so do the tokens that it has verified', async t => {
  const issuer = await startIssuer(t, [makeKey('first'), makeKey('second')])
  const service = openService(t, trusting(issuer))
  const token = issuer.token()
  t.equal((await service.bearer(token)).statusCode, 200)
  issuer.keys = issuer.keys.slice(1)
  await service.gate.issuers.get(issuer.url)?.keys.refresh()
  t.equal((await service.bearer(token)).statusCode, 401)
})

const failures: Record<string, (response: ServerResponse) => unknown> = {
  'answers 500': response => response.writeHead(500).end('{}'),
  'cuts the connection': response => response.destroy(),
  'redirects to somebody else': response => response.writeHead(302, { location: 'http://127.0.0.1:1/keys' }).end(),
  'sends no JSON': response => response.end('<html>'),
  'sends no key set': response => response.end('{"keys":{}}'),
  'sends a set of 101 keys': response => response.end(JSON.stringify({ keys: Array.from({ length: 101 }, (_, index) => ({ kty: 'oct', kid: `k${index}` })) })),
  'sends a list': response => response.end('[]'),
  'sends 1 MB': response => response.end(JSON.stringify({ keys: [], pad: 'x'.repeat(1_000_000) })),
  'never ends': response => response.writeHead(200).write('{'),
  'never answers': () => {}
}

for (const [what, fail] of Object.entries(failures)) {
  t.test(`503 with Retry-After, never 401, while an issuer ${what}; known keys go on`, async t => {
    const issuer = await startIssuer(t)
    const { load, close } = createKeySetLoader(2_000)
    const service = openService(t, trusting(issuer, { BEARER_JWKS_URI: `${issuer.url}/keys` }), { load })
    t.teardown(close)
    const known = issuer.token()
    t.equal((await service.bearer(known)).statusCode, 200)
    issuer.answer = (_request, response) => { fail(response) }
    issuer.keys = [makeKey('second')]
    const answer = await service.bearer(issuer.token())
    t.equal(answer.statusCode, 503)
    t.match(answer.json(), { error: { type: 'UnavailableError', code: 'issuer_unavailable' } })
    t.match(answer.headers['retry-after'], /^[1-9]\d*$/)
    t.notMatch(answer.body, issuer.url)
    t.equal((await service.bearer(known)).statusCode, 200, 'a known key goes on')
    t.match(await service.health.ready(), { ready: true, checks: { [`issuer ${issuer.url}`]: /^warning: / } })
    t.match((await service.metrics('auth_decisions_total{outcome="unavailable"')).join(), /reason="issuer_unavailable",issuer="http:\/\/127/)
    issuer.answer = undefined
    t.equal((await service.bearer(issuer.token())).statusCode, 200, 'back by itself')
    t.match(await service.health.ready(), { ready: true, checks: { [`issuer ${issuer.url}`]: 'ok' } })
  })
}

t.test('while an issuer is down, unknown keys cause one request per cooldown', async t => {
  const issuer = await startIssuer(t)
  issuer.answer = (_request, response) => { response.destroy() }
  const service = openService(t, trusting(issuer, { BEARER_JWKS_URI: `${issuer.url}/keys` }), { failureCooldownMs: 60_000, clock: () => 0 })
  for (let call = 0; call < 10; call++) t.equal((await service.bearer(issuer.token())).statusCode, 503)
  t.equal(issuer.fetches, 1)
  t.equal((await service.health.ready()).ready, false, 'who could only refuse is not ready')
})

t.test('keys that could not be had for too long are given up', async t => {
  const issuer = await startIssuer(t)
  const service = openService(t, trusting(issuer), { maxAgeMs: 0 })
  issuer.answer = (_request, response) => { response.destroy() }
  t.equal((await service.bearer(issuer.token())).statusCode, 503)
})

t.test('with one of two issuers down the service is ready, and says which one', async t => {
  const [up, down] = [await startIssuer(t), await startIssuer(t)]
  down.answer = (_request, response) => { response.destroy() }
  const service = openService(t, { BEARER_ISSUERS: JSON.stringify([up, down].map(({ url }) => ({ issuer: url, tenants: ['*'] }))) })
  t.equal((await service.bearer(up.token())).statusCode, 200)
  t.equal((await service.bearer(down.token())).statusCode, 503)
  t.match(await service.health.ready(), { ready: true, checks: { [`issuer ${up.url}`]: 'ok', [`issuer ${down.url}`]: /^warning: / } })
})

t.test('metadata counts only if it names the same issuer; RFC 8414 metadata serves where OpenID\'s is missing', async t => {
  const issuer = await startIssuer(t)
  const metadata = (path: string, named: string) => {
    issuer.answer = (request, response) => {
      if (request.url === '/keys') return response.end(JSON.stringify({ keys: issuer.keys.map(({ jwk }) => jwk) }))
      if (request.url !== path) return response.writeHead(404).end('{}')
      response.end(JSON.stringify({ issuer: named, jwks_uri: `${issuer.url}/keys` }))
    }
  }
  const service = openService(t, trusting(issuer))
  await loaded(issuer, service)
  metadata('/.well-known/openid-configuration', 'https://evil.example')
  issuer.keys = [makeKey('second')]
  t.equal((await service.bearer(issuer.token())).statusCode, 503, 'another issuer\'s metadata')
  metadata('/.well-known/oauth-authorization-server', issuer.url)
  t.equal((await service.bearer(issuer.token())).statusCode, 200)
})

t.test('of a key set, only keys that may verify are taken', async t => {
  const { jwk, privateKey } = makeKey('a', 'RS256')
  const ec = makeKey('b', 'ES256').jwk
  const weak = { kty: 'RSA', kid: 'weak', e: 'AQAB', n: Buffer.alloc(128, 0xff).toString('base64url') }
  for (const [what, bad] of Object.entries({
    'no key': null,
    'no kid': { ...jwk, kid: undefined },
    'a kid that is a number': { ...jwk, kid: 7 },
    'with its private part': { ...jwk, ...privateKey.export({ format: 'jwk' }) },
    'with a part of its private part': { ...ec, d: '' },
    'with an exponent under which every message is its own signature': { ...jwk, e: 'AQ' },
    'not on its curve': { ...ec, y: ec.x },
    'an empty object': {},
    'a text': 'key',
    'for encryption': { ...jwk, use: 'enc' },
    'only to sign': { ...jwk, key_ops: ['sign'] },
    symmetric: { kty: 'oct', kid: 'a', k: 'AAAA' },
    'RSA of 1024 bits': weak,
    damaged: { ...ec, x: 'AAAA' },
    'for an algorithm that it cannot do': { ...ec, alg: 'RS256' },
    'for a symmetric algorithm': { ...jwk, alg: 'HS256' }
  })) t.equal(signingKey(bad), undefined, what)
  t.strictSame(signingKey({ ...jwk, alg: 'PS256' })?.algorithms, ['PS256'])
  t.strictSame(signingKey(ec)?.algorithms, ['ES256'])
  t.strictSame(signingKey(makeKey('c', 'EdDSA').jwk)?.algorithms, ['EdDSA'])
})

t.test('two keys under one kid: the one that fits verifies', async t => {
  const [rsa, ec] = [makeKey('same', 'RS256'), makeKey('same', 'ES256')]
  const issuer = await startIssuer(t, [rsa, ec])
  const service = openService(t, trusting(issuer))
  for (const key of [rsa, ec]) t.equal((await service.bearer(mint(key, issuer.claims()))).statusCode, 200, key.algorithm)
})

t.test('of two keys for one algorithm under one kid the first counts: no later one takes its place', async t => {
  const [ours, other] = [makeKey('same'), makeKey('same')]
  const issuer = await startIssuer(t, [ours, other])
  const service = openService(t, trusting(issuer))
  t.equal((await service.bearer(mint(ours, issuer.claims()))).statusCode, 200)
  t.equal((await service.bearer(mint(other, issuer.claims()))).statusCode, 401)
})

const poisoned: Record<string, (good: object, key: TestKey) => unknown[]> = {
  'a damaged twin of it before it': (good, { jwk }) => [{ ...jwk, x: 'AAAA' }, good],
  'a twin for encryption before it': (good, { jwk }) => [{ ...jwk, use: 'enc' }, good],
  'a symmetric twin before it': (good, { kid }) => [{ kty: 'oct', kid, k: 'c2VjcmV0', alg: 'HS256' }, good],
  'a foreign twin with its private part before it': (good, { kid }) => [{ ...makeKey(kid).privateKey.export({ format: 'jwk' }), kid }, good],
  'a foreign twin after it': (good, { kid }) => [good, makeKey(kid).jwk],
  'null, texts and lists around it': good => [null, 'key', [], 7, good, {}],
  'members that nobody knows in it': good => [{ ...good, jku: 'https://evil.example', x5u: 'https://evil.example', x5c: ['AAAA'], ['__proto__']: { use: 'enc' } }],
  'ninety-nine others before it': good => [...Array.from({ length: 99 }, (_, index) => ({ kty: 'oct', kid: `k${index}` })), good]
}
for (const [what, keysOf] of Object.entries(poisoned)) {
  t.test(`a good key goes on verifying with ${what}, and nothing else verifies`, async t => {
    const key = makeKey('first')
    const issuer = await startIssuer(t, [key])
    const body = JSON.stringify({ keys: keysOf(key.jwk, key) })
    const service = openService(t, trusting(issuer, { BEARER_JWKS_URI: `${issuer.url}/keys` }))
    issuer.answer = (_request, response) => response.end(body)
    await service.gate.issuers.get(issuer.url)?.keys.refresh()
    await service.gate.issuers.get(issuer.url)?.keys.refresh()
    t.equal((await service.bearer(issuer.token())).statusCode, 200)
    t.equal((await service.bearer(mint(makeKey('first'), issuer.claims()))).statusCode, 401)
  })
}
