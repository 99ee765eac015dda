import { pino } from 'pino'
import { Registry } from 'prom-client'
import t, { type Test } from 'tap'
import { memberOf, nowSeconds, restoreRevocations, revocationsChannel, revocationSeconds, revocationsKey, revoke, type Revocation } from '@gateway/common/revocations.ts'
import { connectOnce, openState, type State, type StateClient } from '@gateway/common/state.ts'
import { until } from '../../tests/support/until.ts'
import { startValkey } from '../../tests/support/valkey.ts'
import { freePort } from '../../dev/free-port.ts'
import type { Caller } from './attempt.ts'
import { loadVerifyConfig } from './config.ts'
import { openRevocations, type RevocationsOptions } from '@gateway/common/known-revocations.ts'

const issuer = 'https://login.example'
const ada: Caller = { issuer, userId: 'ada', clientId: 'laptop', scopes: [], tenants: ['acme'], foreignTenantsOnly: false, expiresAt: undefined, issuedAt: nowSeconds() - 60, tokenId: 'j-ada', grantId: 'g-ada' }
const bob: Caller = { ...ada, userId: 'bob', tokenId: 'j-bob', grantId: 'g-bob' }

async function openAdmin (t: Test, url: string): Promise<StateClient> {
  const client = await connectOnce(url)
  t.teardown(() => { if (client.isOpen) client.destroy() })
  return client
}

/** One replica, with connections of its own. Nothing is read again by the clock unless a test says so. */
function openReplica (t: Test, url: string, options: Partial<RevocationsOptions> = {}, around = (state: State) => state) {
  const lines: string[] = []
  const logger = pino({ level: 'info' }, { write: line => lines.push(line) })
  const registry = new Registry()
  const state = around(openState(url, logger))
  const revocations = openRevocations(state, { outage: 'continue', logger, registry, rereadMs: 3_600_000, ...options })
  const close = async () => { await Promise.all([revocations.close(), state.close()]) }
  t.teardown(close)
  return {
    ...revocations,
    get trusted () { return revocations.trusted },
    state,
    lines,
    close,
    gauge: async (name: string) => (await registry.getSingleMetric(name)?.get())?.values[0]?.value,
    ready: () => until('the first reading', () => revocations.status() === 'ok')
  }
}

t.test('a revocation holds on every replica within a second, for whom it names and for nobody else', async t => {
  const { url } = await startValkey(t)
  const admin = await openAdmin(t, url)
  const replicas = [openReplica(t, url), openReplica(t, url)]
  await Promise.all(replicas.map(replica => replica.ready()))
  const at = nowSeconds()
  const cases: Array<[Revocation, Caller, string]> = [
    [{ kind: 'token', issuer, id: 'j-1' }, { ...ada, tokenId: 'j-1' }, 'acme'],
    [{ kind: 'grant', issuer, id: 'g-1' }, { ...ada, grantId: 'g-1' }, 'acme'],
    [{ kind: 'subject', issuer, id: 'eve', at }, { ...ada, userId: 'eve' }, 'acme'],
    [{ kind: 'tenant', id: 'globex', at }, ada, 'globex'],
    [{ kind: 'token', issuer: 'api-key', id: 'k-1' }, { ...ada, issuer: 'api-key', tokenId: 'k-1', grantId: undefined, issuedAt: 0 }, 'acme']
  ]
  for (const [revocation, caller, tenant] of cases) {
    for (const { covers } of replicas) t.notOk(covers(caller, tenant))
    t.equal((await revoke(admin, revocation)).heard, 2)
    await until(`${revocation.kind} on both`, () => replicas.every(({ covers }) => covers(caller, tenant)), 1)
    for (const { covers } of replicas) t.notOk(covers(bob, 'acme'), 'others go on')
  }
  t.notOk(replicas[0]?.covers({ ...ada, issuer: 'https://other.example', tokenId: 'j-1', grantId: 'g-1', userId: 'eve' }, 'acme'), 'the same names of another issuer')
  t.equal(await replicas[0]?.gauge('revocations_known'), cases.length)
  t.equal(await replicas[0]?.gauge('state_up'), 1)
})

t.test('a revocation whose message was lost is found by the next reading', async t => {
  const { url } = await startValkey(t)
  const admin = await openAdmin(t, url)
  const replica = openReplica(t, url, { rereadMs: 50 })
  await replica.ready()
  await restoreRevocations(admin, [{ revocation: { kind: 'grant', issuer, id: 'g-ada' }, until: nowSeconds() + 600 }])
  await until('the next reading', () => replica.covers(ada, 'acme'))
  t.notOk(replica.covers(bob, 'acme'))
})

t.test('what was issued up to the moment of the revocation is covered, and nothing later', async t => {
  const { url } = await startValkey(t)
  const admin = await openAdmin(t, url)
  const replica = openReplica(t, url)
  await replica.ready()
  const at = nowSeconds()
  await revoke(admin, { kind: 'subject', issuer, id: 'ada', at })
  await revoke(admin, { kind: 'tenant', id: 'globex', at })
  await revoke(admin, { kind: 'token', issuer, id: 'j-1' })
  await until('the last of them', () => replica.covers({ ...bob, tokenId: 'j-1' }, 'acme'))
  const rows: Array<[string, number, boolean]> = [
    ['long before', at - 86_400, true],
    ['in the same second', at, true],
    ['in the same second, by an issuer that tells fractions', at + 0.9, true],
    ['a second later', at + 1, false],
    ['at a time that nobody knows', 0, true]
  ]
  for (const [when, issuedAt, covered] of rows) {
    t.equal(replica.covers({ ...ada, issuedAt }, 'acme'), covered, `subject, ${when}`)
    t.equal(replica.covers({ ...bob, issuedAt }, 'globex'), covered, `tenant, ${when}`)
  }
  t.ok(replica.covers({ ...bob, tokenId: 'j-1', issuedAt: at + 10 }, 'acme'), 'a token whenever it was issued')

  await revoke(admin, { kind: 'subject', issuer, id: 'ada', at: at - 3_600 })
  await revoke(admin, { kind: 'token', issuer, id: 'j-2' })
  await until('the last of them', () => replica.covers({ ...bob, tokenId: 'j-2' }, 'acme'))
  t.ok(replica.covers({ ...ada, issuedAt: at }, 'acme'), 'an earlier time that comes later takes nothing back')
})

t.test('no two pairs of issuer and name are one', async t => {
  const { url } = await startValkey(t)
  const admin = await openAdmin(t, url)
  const replica = openReplica(t, url)
  await replica.ready()
  const at = nowSeconds()
  await revoke(admin, { kind: 'subject', issuer: 'a:b', id: 'c', at })
  await revoke(admin, { kind: 'subject', issuer: '__proto__', id: 'constructor', at })
  await revoke(admin, { kind: 'tenant', id: 'x', at })
  const of = (issuer: string, userId: string): Caller => ({ ...ada, issuer, userId })
  await until('them', () => replica.covers(ada, 'x'))
  t.ok(replica.covers(of('a:b', 'c'), 'acme'))
  for (const [issuer, id] of [['a', 'b:c'], ['a:b:c', ''], ['', 'a:b:c'], ['c', 'a:b'], ['', 'x']] as const) t.notOk(replica.covers(of(issuer, id), 'acme'), `${issuer} | ${id}`)
  t.ok(replica.covers(of('__proto__', 'constructor'), 'acme'))
  t.notOk(replica.covers(of('constructor', 'toString'), 'hasOwnProperty'))
  // A token, a grant and a subject may have the same name.
  t.notOk(replica.covers({ ...ada, issuer: 'a:b', tokenId: 'c', grantId: 'c' }, 'c'))
})

t.test('with Valkey away the known revocations hold, the outage is told, and what Valkey lost is written back', async t => {
  const port = await freePort()
  const first = await startValkey(t, { port })
  const admin = await openAdmin(t, first.url)
  const replica = openReplica(t, first.url)
  await replica.ready()
  await revoke(admin, { kind: 'subject', issuer, id: 'ada', at: nowSeconds() })
  const { until: remembered } = await revoke(admin, { kind: 'token', issuer, id: 'j-1' }, nowSeconds() + 600)
  await until('the message', () => replica.covers({ ...bob, tokenId: 'j-1' }, 'acme'))
  process.kill(first.pid, 'SIGKILL')
  await until('the loss to be told', () => replica.status() !== 'ok')
  t.match(replica.status(), /^warning: Valkey cannot be reached.* those known before still hold$/)
  t.equal(await replica.gauge('state_up'), 0)
  t.ok(replica.trusted)
  t.ok(replica.covers(ada, 'acme'))
  t.notOk(replica.covers(bob, 'acme'))

  // In memory only: it comes back with nothing, as after the loss of its disk.
  const second = await startValkey(t, { port })
  await until('the reading after it', () => replica.status() === 'ok')
  t.ok(replica.covers(ada, 'acme'), 'still')
  const again = await openAdmin(t, second.url)
  await until('both to be written back', async () => await again.zCard(revocationsKey) === 2)
  t.equal(await again.zScore(revocationsKey, memberOf({ kind: 'token', issuer, id: 'j-1' })), remembered, 'with the same end')
  const other = openReplica(t, second.url)
  await other.ready()
  t.ok(other.covers(ada, 'acme'), 'a replica that starts afterwards knows it too')
  await revoke(again, { kind: 'tenant', id: 'acme', at: nowSeconds() })
  await until('a new one to be heard of again', () => replica.covers(bob, 'acme'), 1)
})

t.test('a revocation that is made while the replica is cut off holds when it is back', async t => {
  const port = await freePort()
  const dir = t.testdir()
  const first = await startValkey(t, { port, dir, args: ['--appendfsync', 'always'] })
  const replica = openReplica(t, first.url)
  await replica.ready()
  await first.stop()
  await until('the loss', () => !replica.state.connected)
  const elsewhere = await startValkey(t, { dir, args: ['--appendfsync', 'always'] })
  await revoke(await openAdmin(t, elsewhere.url), { kind: 'subject', issuer, id: 'ada', at: nowSeconds() })
  await elsewhere.stop()
  t.notOk(replica.covers(ada, 'acme'))
  await startValkey(t, { port, dir })
  await until('it to be known', () => replica.covers(ada, 'acme'))
})

t.test('REVOCATION_OUTAGE=refuse: nobody is trusted while Valkey is away, and again as soon as all has been read', async t => {
  const port = await freePort()
  const first = await startValkey(t, { port })
  const replica = openReplica(t, first.url, { outage: 'refuse' })
  await replica.ready()
  t.ok(replica.trusted)
  process.kill(first.pid, 'SIGKILL')
  await until('the loss', () => !replica.trusted)
  t.match(replica.status(), /^Valkey cannot be reached.* every call is refused$/, 'a fault, no warning')
  await startValkey(t, { port })
  await until('trust', () => replica.trusted)
  t.equal(replica.status(), 'ok')
})

t.test('a reading that fails is told and tried again; REVOCATION_OUTAGE=refuse trusts nobody meanwhile', async t => {
  const { url } = await startValkey(t)
  const admin = await openAdmin(t, url)
  await admin.set(revocationsKey, 'no sorted set')
  const replica = openReplica(t, url, { outage: 'refuse' })
  await until('the failure to be told', () => replica.lines.some(line => line.includes('could not be read')))
  t.notOk(replica.trusted)
  t.not(replica.status(), 'ok')
  await admin.del(revocationsKey)
  await until('trust', () => replica.trusted)
})

t.test('a process that starts while Valkey is away lets nobody in for a moment, then does as REVOCATION_OUTAGE says', async t => {
  const url = `redis://127.0.0.1:${await freePort()}`
  const patient = openReplica(t, url)
  t.notOk(patient.trusted)
  t.equal(patient.status(), 'the revocations are being read', 'not ready yet')
  const goesOn = openReplica(t, url, { firstReadMs: 50 })
  const refuses = openReplica(t, url, { firstReadMs: 50, outage: 'refuse' })
  await until('the wait to be over', () => goesOn.trusted)
  t.match(goesOn.status(), /^warning: .* none is known$/)
  await until('the other wait to be over', () => refuses.status().includes('every call is refused'))
  t.notOk(refuses.trusted)
})

t.test('a message that comes while a reading is under way is not lost by it', async t => {
  const { url } = await startValkey(t)
  const admin = await openAdmin(t, url)
  const release = Promise.withResolvers<void>()
  let held = false
  // Holds the answer to the first page back until the message has been heard.
  const holding = (state: State): State => ({
    ...state,
    get connected () { return state.connected },
    client: new Proxy(state.client, {
      get (client, name) {
        const value = Reflect.get(client, name) as unknown
        if (name !== 'zScan' || typeof value !== 'function') return typeof value === 'function' ? value.bind(client) : value
        return async (...args: unknown[]) => {
          const answer = await (value as (...args: unknown[]) => Promise<unknown>).apply(client, args)
          held = true
          await release.promise
          return answer
        }
      }
    })
  })
  const replica = openReplica(t, url, {}, holding)
  await until('the reading', () => held)
  await revoke(admin, { kind: 'subject', issuer, id: 'ada', at: nowSeconds() })
  await until('the message', () => replica.covers(ada, 'acme'))
  release.resolve()
  await replica.ready()
  t.ok(replica.covers(ada, 'acme'))
  t.notOk(replica.lines.some(line => line.includes('written back')))
})

t.test('a damaged record is told and counted, and the others hold', async t => {
  const { url } = await startValkey(t)
  const admin = await openAdmin(t, url)
  await admin.zAdd(revocationsKey, [{ score: nowSeconds() + 600, value: '{"kind":"token",' }, { score: nowSeconds() + 600, value: '{"kind":"device","issuer":"i","id":"x"}' }])
  await revoke(admin, { kind: 'subject', issuer, id: 'ada', at: nowSeconds() })
  const replica = openReplica(t, url)
  await until('the reading', () => replica.covers(ada, 'acme'))
  t.equal(replica.status(), 'warning: 2 of the revocations in Valkey cannot be read')
  t.equal(await replica.gauge('revocations_unreadable'), 2)
  t.equal(replica.lines.filter(line => line.includes('cannot be read')).length, 1, 'one line a reading')
  await admin.publish(revocationsChannel, 'no record')
  await revoke(admin, { kind: 'subject', issuer, id: 'bob', at: nowSeconds() })
  await until('the message after the damaged one', () => replica.covers(bob, 'acme'), 1)
  t.ok(replica.trusted)
})

t.test('a record that is over is forgotten', async t => {
  const { url } = await startValkey(t)
  const admin = await openAdmin(t, url)
  await restoreRevocations(admin, [{ revocation: { kind: 'token', issuer, id: 'j-ada' }, until: nowSeconds() + 1 }, { revocation: { kind: 'token', issuer, id: 'j-bob' }, until: nowSeconds() + 600 }])
  const replica = openReplica(t, url, { rereadMs: 50 })
  await until('the first reading', () => replica.covers(bob, 'acme'))
  await until('its end', () => !replica.covers(ada, 'acme'))
  t.equal(await replica.gauge('revocations_known'), 1)
  t.ok(replica.covers(bob, 'acme'))
  t.notOk(replica.lines.some(line => line.includes('written back')), 'and is not taken for one that Valkey lost')
})

t.test('100,000 records are known, and a new one is still heard of within a second', { timeout: 60_000 }, async t => {
  const { url } = await startValkey(t)
  const admin = await openAdmin(t, url)
  const end = nowSeconds() + revocationSeconds
  await restoreRevocations(admin, Array.from({ length: 100_000 }, (_, n) => ({ revocation: { kind: 'token', issuer, id: `t-${n}` }, until: end })))
  const replica = openReplica(t, url)
  await replica.ready()
  t.equal(await replica.gauge('revocations_known'), 100_000)
  for (const n of [0, 50_000, 99_999]) t.ok(replica.covers({ ...ada, tokenId: `t-${n}` }, 'acme'))
  await revoke(admin, { kind: 'subject', issuer, id: 'ada', at: nowSeconds() })
  await until('the new one', () => replica.covers(ada, 'acme'), 1)
})

t.test('settings: without VALKEY_URL each start warns, refusing is a fault, and a wrong URL is told without its password', async t => {
  const settings = { PUBLIC_URL: 'https://graphs.example.com', GATEWAY_SECRET: 'a-secret-for-tests-0123456789abcdef', BEARER_ISSUER: 'https://login.example' }
  t.match(loadVerifyConfig(settings).warnings.join(), /VALKEY_URL is not set: no credential can be revoked/)
  t.notMatch(loadVerifyConfig({ ...settings, VALKEY_URL: 'redis://:secret@valkey:6379' }).warnings.join(), 'VALKEY_URL')
  t.throws(() => loadVerifyConfig({ ...settings, REVOCATION_OUTAGE: 'refuse' }), /REVOCATION_OUTAGE=refuse is set without VALKEY_URL/)
  t.throws(() => loadVerifyConfig({ ...settings, VALKEY_URL: 'https://:hidden@valkey' }), /^(?![^]*hidden)[^]*VALKEY_URL must be like redis:/)
})
