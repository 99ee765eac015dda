import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { until } from '../../../tests/support/until.ts'
import { startValkey } from '../../../tests/support/valkey.ts'
import { ringInFile } from './ring-in-file.ts'
import { rotateThere } from './rotating.ts'
import { kidsOf, placeOf, replica, signedBy, start, testClock, verifies } from './test-support.ts'

const { url } = await startValkey(t)
const fileOf = (t: Test) => join(t.testdir(), 'oauth.json')
const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8)

t.test('replicas that start at the same moment have the same keys, of a file that only their user may read', async t => {
  const file = fileOf(t)
  const [first, ...others] = await Promise.all([1, 2, 3, 4].map(() => replica(t, url, { file })))
  for (const { ring } of others) {
    t.strictSame(ring.jwks, first?.ring.jwks)
    t.strictSame(ring.cookieKeys, first?.ring.cookieKeys)
  }
  t.equal(modeOf(file), '600')
  t.strictSame(readdirSync(join(file, '..')), ['oauth.json'], 'nothing is left beside it')
})

t.test('8: the keys outlive every replica, and every replica hears of a rotation', async t => {
  const file = fileOf(t)
  const before = await replica(t, url, { file })
  const token = await signedBy(before.ring, start)
  await before.close()
  const clock = testClock()
  const rings = (await Promise.all([1, 2].map(() => replica(t, url, { file, clock })))).map(({ ring }) => ring)
  await rotateThere({}, placeOf(url, { file }), start)
  await until('both to publish the next key', () => rings.every(ring => ring.jwks.keys.length === 2))
  clock.moveTo(start + 31)
  for (const ring of rings) {
    t.not(kidsOf(ring)[0], kidsOf(before.ring)[0])
    t.ok(await verifies(token, ring, start + 31))
    t.ok(await verifies(await signedBy(ring, start + 31), rings[0] as typeof ring, start + 31))
  }
  await rotateThere({ NOW: 'true' }, placeOf(url, { file }), start + 32)
  await until('both to withdraw the former ones', () => rings.every(ring => ring.jwks.keys.length === 1))
  for (const ring of rings) t.notOk(await verifies(token, ring, start + 32))
  t.equal(modeOf(file), '600')
})

t.test('another algorithm is added to the file as well', async t => {
  const file = fileOf(t)
  await (await replica(t, url, { file })).close()
  const { ring } = await replica(t, url, { file, algorithm: 'ES256' })
  await until('its key', () => ring.jwks.keys.length === 2)
  t.strictSame(ring.jwks.keys.map(({ alg }) => alg), ['RS256', 'ES256'])
})

t.test('a file that every user may read is refused with what to do; that of a group is not', async t => {
  const file = fileOf(t)
  await (await replica(t, url, { file })).close()
  for (const mode of [0o644, 0o604, 0o602]) {
    chmodSync(file, mode)
    await t.rejects(replica(t, url, { file }), { name: 'ConfigurationError', message: /every user of this machine may read it: chmod 600 .*NOW=true/ })
    await t.rejects(rotateThere({}, placeOf(url, { file }), start), { name: 'CommandError', message: /^Nothing was changed: .*chmod 600/ })
  }
  chmodSync(file, 0o660)
  const { ring } = await replica(t, url, { file })
  await rotateThere({}, placeOf(url, { file }), start)
  await until('the rotation', () => ring.jwks.keys.length === 2)
  t.equal(modeOf(file), '660', 'a rotation leaves it so')
})

t.test('a broken file is never replaced, nothing of it is told, and while a replica runs the last good keys go on', async t => {
  const file = fileOf(t)
  const { ring } = await replica(t, url, { file })
  const known = kidsOf(ring)
  const stored = JSON.parse(readFileSync(file, 'utf8'))
  const [key] = stored.signing
  const rows: Array<[content: string, fault: RegExp]> = [
    ['', /no JSON/],
    ['{"SENTINEL', /no JSON/],
    [JSON.stringify({ ...stored, signing: [] }), /signing/],
    [JSON.stringify({ ...stored, signing: [{ ...key, jwk: { ...key.jwk, n: 'SENTINEL' } }] }), /signing\[0\]\.jwk is no private key for RS256/],
    [JSON.stringify({ ...stored, signing: [{ ...key, jwk: { ...key.jwk, alg: 'ES256' } }] }), /signing\[0\]\.jwk is no private key for ES256/],
    [JSON.stringify({ ...stored, signing: [key, key] }), /signing\[1\]\.jwk\.kid is there twice/],
    [JSON.stringify({ ...stored, cookies: [{ ...stored.cookies[0], until: 5 }] }), /cookies has no key without an end/]
  ]
  for (const [content, fault] of rows) {
    writeFileSync(file, content)
    const refused = await replica(t, url, { file }).then(() => undefined, (error: Error) => error)
    t.equal(refused?.name, 'ConfigurationError')
    t.match(refused?.message, fault)
    t.notMatch(refused?.message, /SENTINEL/)
    t.equal(readFileSync(file, 'utf8'), content)
  }
  await until('the warning', () => ring.status() !== 'ok')
  t.match(ring.status(), /^warning: SIGNING_KEYS_FILE .* is broken/)
  t.strictSame(kidsOf(ring), known)
})

t.test('a folder that is not there, or a writer that died, is named', async t => {
  const dir = t.testdir()
  await t.rejects(replica(t, url, { file: join(dir, 'none/oauth.json') }), { name: 'ConfigurationError', message: /none, the folder of SIGNING_KEYS_FILE, is not there/ })
  const file = join(dir, 'oauth.json')
  writeFileSync(`${file}.new`, '')
  await t.rejects(ringInFile(file, 100).change(ring => ring), { name: 'ConfigurationError', message: /another process is writing the keys, or was killed while it did.*remove .*oauth\.json\.new/ })
  t.notOk(existsSync(file))
})
