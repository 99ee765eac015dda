import t, { type Test } from 'tap'
import { connectOnce } from '@gateway/common/state.ts'
import { until } from '../../../tests/support/until.ts'
import { startValkey } from '../../../tests/support/valkey.ts'
import { parseRing } from './stored-ring.ts'
import { ringKey } from './ring-in-valkey.ts'
import { rotateThere } from './rotating.ts'
import { accessTokenSeconds, kidOf, kidsOf, otherSecret, placeOf, replica, secret, signedBy, start, testClock, verifies } from './test-support.ts'
import { unwrap } from './wrapping.ts'

const at = (seconds: number) => new Date(seconds * 1000).toISOString()
const signsFrom = start + 30
const formerUntil = signsFrom + accessTokenSeconds + 60

async function two (t: Test) {
  const { url } = await startValkey(t)
  // Clocks are never the same.
  const clocks = [testClock(-15), testClock(15)] as const
  const replicas = [await replica(t, url, { clock: clocks[0] }), await replica(t, url, { clock: clocks[1] })] as const
  return { url, clocks, replicas, rings: replicas.map(({ ring }) => ring) }
}

t.test('a token that any replica signs at any time of a rotation is good, until it expires, by what each replica publishes', async t => {
  const { url, clocks, rings } = await two(t)
  const former = kidsOf(rings[0] as typeof rings[0])[0]
  const tokens: Array<{ token: string, signed: number }> = []
  const signers = new Set<string | undefined>()

  async function lookAt (seconds: number) {
    for (const clock of clocks) clock.moveTo(seconds)
    for (const ring of rings) tokens.push({ token: await signedBy(ring, seconds), signed: seconds })
    for (const { token, signed } of tokens) {
      signers.add(kidOf(token))
      if (seconds < signed + accessTokenSeconds) for (const ring of rings) if (!await verifies(token, ring, seconds)) t.fail(`signed at +${signed - start}, asked at +${seconds - start}`)
    }
  }

  await lookAt(start)
  await rotateThere({}, placeOf(url), start)
  // Before either has heard of it: who signs has not changed.
  await lookAt(start)
  await until('both to publish the next key', () => rings.every(ring => ring.jwks.keys.length === 2))
  for (const seconds of [1, 14, 15, 16, 29, 30, 31, 44, 45, 46, 300, 615, 630, 644, 645, 660, 689, 690, 705, 706, 1_300]) await lookAt(start + seconds)
  t.equal(signers.size, 2, 'both keys have signed')
  for (const ring of rings) {
    t.equal(ring.jwks.keys.length, 1)
    t.not(kidsOf(ring)[0], former)
  }
})

t.test('each replica says when another key signs and when one goes, and cookies that it signed are known for longer than a browser stays signed in', async t => {
  const { url } = await startValkey(t)
  const clock = testClock()
  const { ring, changes } = await replica(t, url, { clock })
  const [former] = ring.cookieKeys as [string]
  await rotateThere({}, placeOf(url), start)
  await until('the next keys', () => changes() === 1)
  const [, next] = ring.cookieKeys as [string, string]
  t.strictSame(ring.cookieKeys, [former, next])
  clock.moveTo(signsFrom - 1)
  t.equal(changes(), 1)
  clock.moveTo(signsFrom)
  t.equal(changes(), 2)
  t.strictSame(ring.cookieKeys, [next, former])
  clock.moveTo(formerUntil)
  t.equal(changes(), 3, 'the former signing key goes')
  t.equal(ring.jwks.keys.length, 1)
  t.strictSame(ring.cookieKeys, [next, former])
  clock.moveTo(signsFrom + 28_800 + 60)
  t.strictSame(ring.cookieKeys, [next])
})

t.test('the command says what comes when, and refuses a second rotation until the first has ended', async t => {
  const { url } = await startValkey(t)
  const { ring } = await replica(t, url)
  const [former] = kidsOf(ring)
  const said = await rotateThere({}, placeOf(url), start)
  await until('the next key', () => ring.jwks.keys.length === 2)
  t.match(said, `The next signing key ${kidsOf(ring)[1]} (RS256) is published now and signs tokens from ${at(signsFrom)}.`)
  t.match(said, `The former one, ${former}, stays published until ${at(formerUntil)}`)
  t.match(said, `cookies of the former one are good until ${at(signsFrom + 28_800 + 60)}.`)
  await t.rejects(rotateThere({ NOW: '' }, placeOf(url), formerUntil - 1), { name: 'CommandError', message: new RegExp(`under way until ${at(formerUntil)}.*Nothing was changed.*NOW=true`) })
  t.equal(ring.jwks.keys.length, 2)
  t.match(await rotateThere({}, placeOf(url), formerUntil), /The next signing key/)
})

t.test('of two commands at once one rotates', async t => {
  const { url } = await startValkey(t)
  const { ring } = await replica(t, url)
  const outcomes = await Promise.allSettled([1, 2, 3].map(() => rotateThere({}, placeOf(url), start)))
  t.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
  await until('the next key', () => ring.jwks.keys.length === 2)
})

t.test('keys that count no more are dropped from storage at the next write', async t => {
  const { url } = await startValkey(t)
  const { ring } = await replica(t, url)
  const [first] = kidsOf(ring)
  const client = await connectOnce(url)
  t.teardown(() => client.destroy())
  const stored = async () => parseRing((await unwrap(await client.get(ringKey) as string, [secret], '')).text)
  await rotateThere({}, placeOf(url), start)
  t.equal((await stored()).signing.length, 2)
  await rotateThere({}, placeOf(url), start + 100_000)
  const { signing, cookies } = await stored()
  t.equal(signing.length, 2)
  t.equal(cookies.length, 2)
  t.notOk(signing.some(({ jwk: { kid } }) => kid === first))
})

t.test('NOW=true, for a key that leaked: the new one signs at once, and no replica accepts or publishes a former one', async t => {
  const { url, replicas: [one], rings } = await two(t)
  await rotateThere({}, placeOf(url), start)
  await until('the rotation', () => rings.every(ring => ring.jwks.keys.length === 2))
  const leaked = [...kidsOf(one.ring)]
  const token = await signedBy(one.ring, start)
  const cookieKeys = [...one.ring.cookieKeys]
  const said = await rotateThere({ NOW: 'true' }, placeOf(url), start + 1)
  await until('all to have withdrawn it', () => rings.every(ring => ring.jwks.keys.length === 1))
  for (const ring of rings) {
    t.notOk(leaked.includes(kidsOf(ring)[0]))
    t.notOk(ring.cookieKeys.some(key => cookieKeys.includes(key)), 'cookie keys likewise')
    t.notOk(await verifies(token, ring, start + 1))
    for (const other of rings) t.ok(await verifies(await signedBy(ring, start + 1), other, start + 1))
  }
  t.match(said, /withdrawn.*All access tokens that the former ones signed have ended.*at the latest after 5 minutes/s)
  t.match(await rotateThere({}, placeOf(url), start + 2), /The next signing key/, 'after it one can rotate at once')
})

t.test('a rotation keeps to the algorithm of the setting', async t => {
  const { url } = await startValkey(t)
  const { ring } = await replica(t, url, { algorithm: 'EdDSA' })
  t.match(await rotateThere({}, placeOf(url, { algorithm: 'EdDSA' }), start), /\(EdDSA\) is published now/)
  await until('the next key', () => ring.jwks.keys.length === 2)
  t.strictSame(ring.jwks.keys.map(({ alg }) => alg), ['EdDSA', 'EdDSA'])
})

t.test('what cannot be done is said with what to do, and nothing is changed', async t => {
  const { url, stop } = await startValkey(t)
  await t.rejects(rotateThere({}, placeOf(url), start), { name: 'CommandError', message: /There are no keys yet.*when it first starts/ })
  await t.rejects(rotateThere({ NOW: 'yes' }, placeOf(url), start), { name: 'CommandError', message: /NOW is either true/ })
  const { close } = await replica(t, url)
  await close()
  for (const words of [{}, { NOW: 'true' }]) await t.rejects(rotateThere(words, placeOf(url, { secrets: [otherSecret] }), start), { name: 'CommandError', message: /^Nothing was changed: .*another OAUTH_SECRET/ })
  await t.rejects(rotateThere({}, placeOf('redis://:hidden@['), start), /^(?!.*hidden).*VALKEY_URL must be like/)
  await stop()
  await t.rejects(rotateThere({}, placeOf(url), start), { name: 'CommandError', message: /cannot be reached, so nothing was done/ })
})
