import { Registry } from 'prom-client'
import t from 'tap'
import type { Caller, Issuer } from '../attempt.ts'
import { makeKey, now, openService, startIssuer, trusting } from '../test-support.ts'
import { digestOf, TokenCache, type KnownToken } from './token-cache.ts'

const caller: Caller = { issuer: 'i', userId: 'ada', clientId: 'laptop', scopes: [], tenants: ['acme'], foreignTenantsOnly: false, expiresAt: undefined, issuedAt: 0, tokenId: undefined, grantId: undefined }
const opaque = (changes: Partial<Caller> = {}): KnownToken => ({ caller: { ...caller, ...changes }, issuer: {} as Issuer, key: undefined, until: now() + 60 })
const cacheOf = (options: { entries: number, bytes?: number }) => new TokenCache({ bytes: 1 << 24, registry: new Registry(), ...options })

t.test('a token that was verified is verified no second time, and is counted as known', async t => {
  const issuer = await startIssuer(t)
  const service = openService(t, trusting(issuer))
  const token = issuer.token()
  for (let n = 0; n < 3; n++) t.equal((await service.bearer(token)).statusCode, 200)
  const lookups = await service.metrics('token_cache_lookups_total{')
  t.strictSame(lookups.sort(), ['token_cache_lookups_total{result="hit"} 2', 'token_cache_lookups_total{result="miss"} 1'])
})

t.test('nothing that is remembered outlives the token', async t => {
  const issuer = await startIssuer(t)
  const service = openService(t, trusting(issuer))
  const exp = Date.now() / 1000 + 0.5
  const token = issuer.token({ exp })
  t.equal((await service.bearer(token)).statusCode, 200)
  while (Date.now() / 1000 < exp) await new Promise(resolve => setImmediate(resolve))
  const answer = await service.bearer(token)
  t.equal(answer.statusCode, 401)
  t.match(answer.json().error_description, /expired/)
})

t.test('a token dies with its key: withdrawn, or given to another key of the same name', async t => {
  const issuer = await startIssuer(t, [makeKey('first'), makeKey('second')])
  const service = openService(t, trusting(issuer))
  const [first, second] = issuer.keys as [ReturnType<typeof makeKey>, ReturnType<typeof makeKey>]
  const token = issuer.token()
  t.equal((await service.bearer(token)).statusCode, 200)
  issuer.keys.splice(0, 2, second)
  await service.gate.issuers.get(issuer.url)?.keys.refresh()
  t.equal((await service.bearer(token)).statusCode, 401, 'withdrawn')
  issuer.keys.splice(0, 1, makeKey('first'), second)
  await service.gate.issuers.get(issuer.url)?.keys.refresh()
  t.equal((await service.bearer(token)).statusCode, 401, 'another key under the same name')
  issuer.keys.splice(0, 2, first)
  await service.gate.issuers.get(issuer.url)?.keys.refresh()
  t.equal((await service.bearer(issuer.token())).statusCode, 200, 'published again')
})

t.test('a refusal is remembered where it cannot change, and only there', async t => {
  const issuer = await startIssuer(t)
  const service = openService(t, trusting(issuer))
  const [header, payload] = issuer.token().split('.')
  const bad = {
    malformed: 'a.b.c',
    expired: issuer.token({ exp: now() - 60 }),
    'badly signed': `${header}.${payload}.${Buffer.alloc(64, 1).toString('base64url')}`
  }
  for (const [name, token] of Object.entries(bad)) {
    const answers = [await service.bearer(token), await service.bearer(token)]
    t.strictSame(answers.map(answer => answer.statusCode), [401, 401], name)
    t.equal(answers[0]?.body, answers[1]?.body, `${name}: the same words`)
  }
  t.match((await service.metrics('token_cache_lookups_total{result="refused"}')).join(), /} 3$/)
  const early = issuer.token({ nbf: now() + 3_600 })
  for (let n = 0; n < 2; n++) t.equal((await service.bearer(early)).statusCode, 401)
  t.match((await service.metrics('token_cache_lookups_total{result="refused"}')).join(), /} 3$/, 'a token that will be valid is looked at again')
})

t.test('memory is bounded by entries and by bytes, and what was used last stays', async t => {
  const few = cacheOf({ entries: 3 })
  for (const name of ['a', 'b', 'c']) few.keep(name, opaque())
  few.find('a')
  few.keep('d', opaque())
  t.strictSame(['a', 'b', 'c', 'd'].map(name => few.find(name) !== undefined), [true, false, true, true])

  const small = cacheOf({ entries: 1_000, bytes: 65_536 })
  const long = 'x'.repeat(250)
  for (let n = 0; n < 1_000; n++) small.keep(String(n), opaque({ userId: long, clientId: long, tenants: [long] }))
  const kept = Array.from({ length: 1_000 }, (_, n) => small.find(String(n))).filter(token => token !== undefined).length
  t.ok(kept > 5 && kept < 65_536 / 750, `${kept} of 1,000 large ones`)
})

t.test('with no entries nothing is remembered', async t => {
  const none = cacheOf({ entries: 0 })
  t.equal(none.keep('a', opaque()), false)
  none.keepRefused('b', 'token_malformed')
  t.equal(none.find('a'), undefined)
  t.equal(none.reasonAgainst('b'), undefined)
})

t.test('a token is kept under a name from which nobody can make it', async t => {
  t.match(digestOf('a.b.c'), /^[\w-]{43}$/)
  t.not(digestOf('a.b.c'), digestOf('a.b.d'))
})
