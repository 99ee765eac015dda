import t from 'tap'
import { freePort } from '../../dev/free-port.ts'
import { startStateStore } from '../../dev/programs/state-store.ts'
import { memberOf, nowSeconds, parseRecord, readRevocations, restoreRevocations, revocationsChannel, revocationSeconds, revocationsKey, revoke, type Remembered, type Revocation } from './revocations.ts'
import { connectOnce } from './state.ts'

const valkey = await startStateStore({ port: await freePort(), say: () => {} })
const client = await connectOnce(valkey.url)
t.teardown(async () => {
  client.destroy()
  await valkey.stop()
})
t.beforeEach(async () => { await client.flushAll() })

const issuer = 'https://login.example'

async function readAll (): Promise<{ records: Remembered[], faults: string[] }> {
  const records: Remembered[] = []
  const faults: string[] = []
  for await (const page of readRevocations(client, fault => faults.push(fault))) records.push(...page)
  return { records, faults }
}

t.test('each kind is stored in the form that docs/revocation.md describes, and read back', async t => {
  const at = nowSeconds()
  const kinds: Array<[Revocation, string]> = [
    [{ kind: 'token', issuer, id: 'j1' }, '{"kind":"token","issuer":"https://login.example","id":"j1"}'],
    [{ kind: 'grant', issuer, id: 'g1' }, '{"kind":"grant","issuer":"https://login.example","id":"g1"}'],
    [{ kind: 'subject', issuer, id: 'ada', at }, `{"kind":"subject","issuer":"https://login.example","id":"ada","at":${at}}`],
    [{ kind: 'tenant', id: 'acme', at }, `{"kind":"tenant","id":"acme","at":${at}}`]
  ]
  for (const [revocation, member] of kinds) {
    await revoke(client, revocation)
    t.ok(await client.zScore(revocationsKey, member), member)
    // Whatever the order in which somebody writes its members.
    t.equal(memberOf(Object.fromEntries(Object.entries(revocation).reverse()) as unknown as Revocation), member)
  }
  const { records, faults } = await readAll()
  t.strictSame(new Set(records.map(({ revocation }) => JSON.stringify(revocation, ['kind', 'issuer', 'id', 'at']))), new Set(kinds.map(([, member]) => member)))
  t.strictSame(faults, [])
})

t.test('a record is kept as long as a credential that it covers can live, and no longer', async t => {
  const now = nowSeconds()
  const token = (id: string): Revocation => ({ kind: 'token', issuer, id })
  const { until: known } = await revoke(client, token('known'), now + 600)
  t.ok(known >= now + 600 && known <= now + 700, 'until the token expires')
  const { until: unknown } = await revoke(client, token('unknown'))
  t.ok(unknown >= now + revocationSeconds, '400 days where nobody knows')
  const { until: absurd } = await revoke(client, token('absurd'), 9e15)
  t.ok(absurd <= now + revocationSeconds + 120, 'never longer')
  await revoke(client, token('over'), now - 1_000)
  await revoke(client, token('next'), now + 600)
  t.equal(await client.zScore(revocationsKey, memberOf(token('over'))), null, 'the next one clears away')
})

t.test('a second revocation with a shorter time does not shorten the first', async t => {
  const revocation: Revocation = { kind: 'grant', issuer, id: 'g' }
  const { until } = await revoke(client, revocation, nowSeconds() + 86_400)
  await revoke(client, revocation, nowSeconds() + 60)
  t.strictSame((await readAll()).records, [{ revocation, until }])
})

t.test('listeners are told, and counted', async t => {
  const listener = client.duplicate()
  await listener.connect()
  t.teardown(() => listener.destroy())
  const messages: string[] = []
  await listener.subscribe(revocationsChannel, message => messages.push(message))
  const revocation: Revocation = { kind: 'tenant', id: 'acme', at: nowSeconds() }
  const { heard, until } = await revoke(client, revocation)
  t.equal(heard, 1)
  await client.ping()
  await listener.ping()
  t.strictSame(messages.map(message => parseRecord(message)), [{ revocation, until }])
})

t.test('what is no record is neither written nor read, and does not hide the others', async t => {
  const wrong: Array<[object, RegExp]> = [
    [{ kind: 'client', issuer, id: 'x' }, /no kind/],
    [{ kind: 'token', id: 'x' }, /no issuer/],
    [{ kind: 'token', issuer: '', id: 'x' }, /no issuer/],
    [{ kind: 'token', issuer, id: '' }, /its id/],
    [{ kind: 'token', issuer, id: 'x'.repeat(257) }, /its id/],
    [{ kind: 'token', issuer, id: '\ud800' }, /its id/],
    [{ kind: 'token', issuer, id: 'x', at: 5 }, /has no time/],
    [{ kind: 'subject', issuer, id: 'x' }, /up to when/],
    [{ kind: 'subject', issuer, id: 'x', at: 1.5 }, /up to when/],
    [{ kind: 'tenant', issuer, id: 'x', at: 5 }, /no issuer/],
    [{ kind: 'tenant', id: 'x', at: nowSeconds() + 3_600 }, /future/]
  ]
  for (const [revocation, words] of wrong) await t.rejects(revoke(client, revocation as Revocation), words, JSON.stringify(revocation))
  t.equal(await client.exists(revocationsKey), 0)

  const damaged = ['', 'x', '[]', 'null', '{"kind":"token"}', '{"kind":"client","issuer":"i","id":"x"}', '{"kind":"token","issuer":"i","id":{"a":1}}', '{"kind":"token","issuer":"i","id":"x"']
  await client.zAdd(revocationsKey, damaged.map(value => ({ score: nowSeconds() + 600, value })))
  await revoke(client, { kind: 'token', issuer, id: 'sound' })
  const { records, faults } = await readAll()
  t.strictSame(records.map(({ revocation }) => revocation.id), ['sound'])
  t.equal(faults.length, damaged.length)
})

t.test('100,000 records are written back and read in full', async t => {
  const until = nowSeconds() + 600
  const records = Array.from({ length: 100_000 }, (_, n): Remembered => ({ revocation: { kind: 'token', issuer, id: `t-${n}` }, until }))
  await restoreRevocations(client, records)
  const { records: read } = await readAll()
  t.equal(new Set(read.map(({ revocation }) => revocation.id)).size, 100_000)
})

t.test('a client that is not connected fails, and nothing is written later', async t => {
  const away = client.duplicate()
  away.on('error', () => {})
  await t.rejects(revoke(away, { kind: 'token', issuer, id: 'later' }), /cannot be reached/)
  await away.connect()
  t.teardown(() => away.destroy())
  t.equal(await away.exists(revocationsKey), 0)
})

t.end()
