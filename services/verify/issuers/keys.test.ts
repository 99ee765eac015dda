import type { ServerResponse } from 'node:http'
import t from 'tap'
import { makeKey, mint, openService, startIssuer, trusting, type TestIssuer } from '../test-support.ts'
import { signingKey } from './algorithms.ts'
import { createKeySetLoader } from './key-set.ts'

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
  const service = openService(t, trusting(issuer), { cooldownMs: 10_000, clock: () => time })
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

t.test('a withdrawn key dies with the next load', async t => {
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
  const { jwk } = makeKey('a', 'RS256')
  const ec = makeKey('b', 'ES256').jwk
  const weak = { kty: 'RSA', kid: 'weak', e: 'AQAB', n: Buffer.alloc(128, 0xff).toString('base64url') }
  for (const [what, bad] of Object.entries({
    'no key': null,
    'no kid': { ...jwk, kid: undefined },
    'a kid that is a number': { ...jwk, kid: 7 },
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
