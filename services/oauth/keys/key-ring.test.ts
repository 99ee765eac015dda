import { calculateJwkThumbprint } from 'jose'
import t from 'tap'
import { connectOnce } from '@gateway/common/state.ts'
import { freePort } from '../../../dev/free-port.ts'
import { until } from '../../../tests/support/until.ts'
import { startValkey } from '../../../tests/support/valkey.ts'
import type { TokenAlgorithm } from '../config.ts'
import { ringKey } from './ring-in-valkey.ts'
import { accessTokenSeconds, kidsOf, otherSecret, placeOf, replica, secret, signedBy, start, testClock, verifies } from './test-support.ts'
import { rotateThere } from './rotating.ts'

t.test('replicas that start at the same moment have the same keys', async t => {
  const { url } = await startValkey(t)
  const [first, ...others] = await Promise.all([1, 2, 3, 4].map(() => replica(t, url)))
  for (const { ring } of others) {
    t.strictSame(ring.jwks, first?.ring.jwks)
    t.strictSame(ring.cookieKeys, first?.ring.cookieKeys)
  }
  t.equal(first?.ring.jwks.keys.length, 1)
  t.equal(first?.ring.cookieKeys.length, 1)
  t.equal(first?.ring.status(), 'ok')
})

t.test('each algorithm of the setting signs tokens that the published keys verify, and a key is named by its thumbprint', async t => {
  for (const algorithm of ['RS256', 'ES256', 'EdDSA'] as TokenAlgorithm[]) {
    const { url } = await startValkey(t)
    const { ring } = await replica(t, url, { algorithm })
    const [jwk] = ring.jwks.keys
    t.match(jwk, { alg: algorithm, use: 'sig' })
    t.equal(jwk?.kid, await calculateJwkThumbprint(jwk as object))
    t.ok(await verifies(await signedBy(ring, start), ring, start), algorithm)
  }
})

t.test('8: keys outlive every replica', async t => {
  const { url } = await startValkey(t)
  const before = await replica(t, url)
  const token = await signedBy(before.ring, start)
  await before.close()
  const after = await replica(t, url)
  t.strictSame(after.ring.jwks, before.ring.jwks)
  t.ok(await verifies(token, after.ring, start + 1))
})

t.test('what lies in Valkey tells nothing to whoever lacks the secret, and they get no keys of their own', async t => {
  const { url } = await startValkey(t)
  const { ring } = await replica(t, url)
  const client = await connectOnce(url)
  t.teardown(() => client.destroy())
  const wrapped = await client.get(ringKey) as string
  for (const hidden of [ring.cookieKeys[0], ring.jwks.keys[0]?.d, ring.jwks.keys[0]?.kid]) {
    t.ok(hidden)
    t.notOk(wrapped.includes(hidden as string) || Buffer.from(wrapped.split('.')[3] as string, 'base64url').includes(hidden as string))
  }
  await t.rejects(replica(t, url, { secrets: [otherSecret] }), { name: 'ConfigurationError', message: /wrapped by another OAUTH_SECRET.*Set OAUTH_SECRET=new,former.*stop all replicas/s })
  t.equal(await client.get(ringKey), wrapped, 'what is there stays')
})

t.test('keys that were damaged or exchanged are refused, never replaced in silence', async t => {
  const { url } = await startValkey(t)
  const client = await connectOnce(url)
  t.teardown(() => client.destroy())
  await (await replica(t, url)).close()
  const wrapped = await client.get(ringKey) as string
  const [header, key, iv, text, tag] = wrapped.split('.') as [string, string, string, string, string]
  for (const damaged of ['{}', wrapped.slice(0, -9), [header, key, iv, `${text.startsWith('A') ? 'B' : 'A'}${text.slice(1)}`, tag].join('.')]) {
    await client.set(ringKey, damaged)
    await t.rejects(replica(t, url), { name: 'ConfigurationError', message: /the keys in Valkey \("oauth:keys"\)/ })
    t.equal(await client.get(ringKey), damaged)
  }
})

t.test('OAUTH_SECRET=new,former reads the keys and wraps them anew, so that the former can go', async t => {
  const { url } = await startValkey(t)
  const before = await replica(t, url)
  const both = await replica(t, url, { secrets: [otherSecret, secret] })
  t.strictSame(both.ring.jwks, before.ring.jwks)
  const after = await replica(t, url, { secrets: [otherSecret] })
  t.strictSame(after.ring.jwks, before.ring.jwks)
  t.strictSame(after.ring.cookieKeys, before.ring.cookieKeys)
  t.equal(before.ring.status(), 'ok', 'who runs with the former one goes on')
})

t.test('a replica that starts while Valkey is away waits for it, says so once, and takes the keys that are there', async t => {
  const [port, dir] = [await freePort(), t.testdir()]
  const args = ['--appendonly', 'yes', '--appendfsync', 'always']
  const store = await startValkey(t, { port, dir, args })
  const { ring } = await replica(t, store.url)
  await store.stop()
  const lines: string[] = []
  let opened = false
  const waiting = replica(t, store.url, {}, lines).finally(() => { opened = true })
  await until('it to miss Valkey', () => lines.length > 0)
  t.notOk(opened)
  await startValkey(t, { port, dir, args })
  t.strictSame((await waiting).ring.jwks, ring.jwks)
  t.match(lines.filter(line => /"level":(40|50)/.test(line)), [/Valkey is away/])
})

t.test('a Valkey that takes no write yet is waited for as well: no replica has keys that the others could not know', async t => {
  const { url } = await startValkey(t, { args: ['--maxmemory', '1'] })
  const client = await connectOnce(url)
  t.teardown(() => client.destroy())
  const lines: string[] = []
  let opened = false
  const waiting = Promise.all([1, 2].map(() => replica(t, url, {}, lines))).finally(() => { opened = true })
  await until('both to say so', () => lines.filter(line => line.includes('trying again')).length === 2)
  t.notOk(opened)
  await client.configSet('maxmemory', '0')
  const [one, two] = await waiting
  t.strictSame(one?.ring.jwks, two?.ring.jwks)
  t.equal(lines.filter(line => line.includes('trying again')).length, 2, 'each once')
})

t.test('a Valkey that has lost everything gets the keys back from a replica that runs', async t => {
  const port = await freePort()
  const store = await startValkey(t, { port })
  const { ring } = await replica(t, store.url)
  await rotateThere({}, placeOf(store.url), start)
  await until('the rotation', () => kidsOf(ring).length === 2)
  const known = kidsOf(ring)
  await store.stop()
  const empty = await startValkey(t, { port })
  const client = await connectOnce(empty.url)
  t.teardown(() => client.destroy())
  await until('the keys to be there again', async () => await client.exists(ringKey) === 1)
  t.strictSame(kidsOf((await replica(t, empty.url)).ring), known)
})

t.test('another algorithm comes in two phases as well: its key is published before it signs, and tokens of the former stay good', async t => {
  const { url } = await startValkey(t)
  const clocks = [testClock(), testClock()] as const
  const former = await replica(t, url, { clock: clocks[0] })
  const token = await signedBy(former.ring, start)
  const changed = await Promise.all([1, 2].map(() => replica(t, url, { clock: clocks[1], algorithm: 'ES256' })))
  const rings = [former, ...changed].map(({ ring }) => ring)
  await until('all to publish it', () => rings.every(ring => ring.jwks.keys.length === 2))
  for (const ring of rings) {
    t.strictSame(ring.jwks.keys.map(({ alg }) => alg), ['RS256', 'ES256'], 'the former one still signs')
    t.strictSame(kidsOf(ring), kidsOf(rings[0] as typeof ring), 'of two replicas one has made the key')
  }
  for (const clock of clocks) clock.moveTo(start + 31)
  for (const ring of rings) {
    t.strictSame(ring.jwks.keys.map(({ alg }) => alg), ['ES256', 'RS256'])
    t.ok(await verifies(token, ring, start + accessTokenSeconds - 1))
  }
  for (const clock of clocks) clock.moveTo(start + 31 + accessTokenSeconds + 60)
  for (const ring of rings) t.strictSame(ring.jwks.keys.map(({ alg }) => alg), ['ES256'])
})

t.test('a change of the algorithm waits for the end of a rotation', async t => {
  const { url } = await startValkey(t)
  const clock = testClock()
  await replica(t, url, { clock })
  await rotateThere({}, placeOf(url), start)
  const { ring } = await replica(t, url, { clock, algorithm: 'EdDSA' })
  t.strictSame(ring.jwks.keys.map(({ alg }) => alg), ['RS256', 'RS256'])
  clock.moveTo(start + 30 + accessTokenSeconds + 60)
  await until('the key of the setting', () => ring.jwks.keys.length === 2)
  t.strictSame(ring.jwks.keys.map(({ alg }) => alg), ['RS256', 'EdDSA'])
})

t.test('an algorithm that cannot be put into effect is told of and tried again; the former one goes on', async t => {
  const { url } = await startValkey(t)
  await (await replica(t, url)).close()
  const client = await connectOnce(url)
  t.teardown(() => client.destroy())
  await client.configSet('maxmemory', '1')
  const clock = testClock()
  const { ring } = await replica(t, url, { clock, algorithm: 'ES256' })
  await until('the warning', () => ring.status() !== 'ok')
  t.match(ring.status(), /^warning: ACCESS_TOKEN_ALG=ES256 is not in effect/)
  t.strictSame(ring.jwks.keys.map(({ alg }) => alg), ['RS256'])
  await client.configSet('maxmemory', '0')
  clock.moveTo(start + 60)
  await until('its key', () => ring.jwks.keys.length === 2)
  t.equal(ring.status(), 'ok')
})

t.test('keys that cannot be read while it runs leave the last good ones in place, and /ready says so', async t => {
  const { url } = await startValkey(t)
  const { ring, lines } = await replica(t, url)
  const known = kidsOf(ring)
  const client = await connectOnce(url)
  t.teardown(() => client.destroy())
  const good = await client.get(ringKey) as string
  await client.set(ringKey, 'nonsense')
  await client.publish('oauth:keys', '')
  await until('the warning', () => ring.status() !== 'ok')
  t.match(ring.status(), /^warning: .*the last good keys go on$/)
  t.strictSame(kidsOf(ring), known)
  t.equal(lines.filter(line => line.includes('"level":50')).length, 1)
  await client.set(ringKey, good)
  await client.publish('oauth:keys', '')
  await until('the all-clear', () => ring.status() === 'ok')
  t.notMatch(lines.join(''), ring.cookieKeys[0] as string, 'no line holds a key')
})
