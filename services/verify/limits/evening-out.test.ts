import t from 'tap'
import { openState, type State } from '@gateway/common/state.ts'
import { createObservability } from '@gateway/common/service.ts'
import { until } from '../../../tests/support/until.ts'
import { freePort } from '../../../dev/free-port.ts'
import { startStateStore } from '../../../dev/programs/state-store.ts'
import { open, somebody, usual, windowStart } from './test-support.ts'

t.setTimeout(120_000)

const port = await freePort()
const start = () => startStateStore({ port, say: () => {} })
let store = await start()
t.teardown(() => store.stop())

/** Each test has subjects and tenants of its own. */
let tests = 0
const fresh = () => {
  tests++
  return { ada: somebody({ tenantId: `t${tests}`, userId: `ada ${tests}` }), bob: somebody({ tenantId: `t${tests}`, userId: `bob ${tests}` }) }
}

interface Ending { teardown: (end: () => unknown) => void }

async function replica (t: Ending, limits: { tenantRequestsPerSecond?: number, subjectRequestsPerSecond?: number }) {
  const state: State = openState(`redis://127.0.0.1:${port}`, createObservability('verify', 'silent').logger)
  const opened = open(t, { ...limits, state })
  t.teardown(() => state.close())
  await until('the connection', () => state.connected)
  return { ...opened, state }
}

t.test('what one replica let through, another one lets through no more', async t => {
  const { ada, bob } = fresh()
  const [one, two] = await Promise.all([replica(t, { subjectRequestsPerSecond: 10 }), replica(t, { subjectRequestsPerSecond: 10 })])
  t.equal(await one.calls(100, ada), 100)
  t.equal(await two.calls(1, ada), 1, 'it knows of nobody yet who has not called it')
  await until('the other replica to hear of it', async () => await two.peek(ada, usual) !== undefined)
  t.strictSame(await two.take(ada, usual), { limit: 'subject', retryAfter: 10 })
  t.equal(await two.calls(5, bob), 5, 'another subject is not meant')
  t.equal(await two.shared(), 1)
  for (const { clock } of [one, two]) clock.ms = windowStart + 10_000
  t.equal(await two.calls(5, ada), 5, 'a new window begins at nothing')
})

t.test('replicas among which the calls are spread let through the limit together, not the limit each', async t => {
  const { ada, bob } = fresh()
  const replicas = await Promise.all([1, 2, 3].map(() => replica(t, { tenantRequestsPerSecond: 30 })))
  for (const { calls } of replicas) t.equal(await calls(60, ada) + await calls(40, bob), 100)
  await until('all to refuse', async () => !(await Promise.all(replicas.map(({ peek }) => peek(ada, usual)))).includes(undefined))
  for (const { calls } of replicas) t.equal(await calls(50, bob), 0)
})

t.test('one caller\'s name is in no key of Valkey, and no key stays', async t => {
  const ada = somebody({ tenantId: 'SENTINEL-tenant', userId: 'SENTINEL-user' })
  const one = await replica(t, { tenantRequestsPerSecond: 10, subjectRequestsPerSecond: 10 })
  await one.calls(10, ada)
  const keys = () => one.state.client.keys('*')
  await until('the counts', async () => (await keys()).length >= 2)
  for (const key of await keys()) {
    t.match(key, /^gateway:limits:(tenant|subject):\d+:[\w-]{43}$/)
    const ms = await one.state.client.pTTL(key)
    t.ok(ms > 0 && ms <= 30_000, `${ms} ms`)
  }
})

t.test('a replica that begins anew hears what it counted before', async t => {
  const { ada } = fresh()
  const before = await replica(t, { subjectRequestsPerSecond: 10 })
  const witness = await replica(t, { subjectRequestsPerSecond: 10 })
  await before.calls(90, ada)
  t.equal(await witness.calls(10, ada), 10)
  await until('the counts to arrive', async () => await witness.peek(ada, usual) !== undefined)
  before.close()
  const after = await replica(t, { subjectRequestsPerSecond: 10 })
  await after.calls(1, ada)
  await until('the new one to refuse', async () => await after.peek(ada, usual) !== undefined)
  t.pass('it does')
})

t.test('without Valkey nobody is refused who is within the limit, and what was counted meanwhile is told as soon as it is back', async t => {
  const { ada, bob } = fresh()
  const [one, two] = await Promise.all([replica(t, { subjectRequestsPerSecond: 10 }), replica(t, { subjectRequestsPerSecond: 10 })])
  await until('both to be connected', async () => await one.shared() === 1 && await two.shared() === 1)
  await store.stop()
  await until('both to notice', async () => await one.shared() === 0 && await two.shared() === 0)
  t.equal(await one.calls(150, ada), 100, 'each replica holds the limit alone')
  t.equal(await two.calls(40, ada), 40)
  t.equal(await two.calls(5, bob), 5)
  store = await start()
  await until('the other one to hear of it', async () => await two.peek(ada, usual) !== undefined)
  t.equal(await two.peek(bob, usual), undefined)
  await until('both to say that it is over', async () => (await Promise.all([one, two].map(({ shared }) => shared()))).every(value => value === 1))
  // A busy machine may lose the connection once more meanwhile: each change is told once, and no round is told of without a change.
  for (const { lines } of [one, two]) {
    const told = lines.filter(line => /the limits (?:alone|together)/.test(line)).map(line => line.includes('alone') ? 'alone' : 'together')
    t.strictSame(told, told.map((_, index) => index % 2 === 0 ? 'alone' : 'together'), 'one line for each change')
    t.equal(told.at(-1), 'together', 'the last says that it is over')
  }
})

t.test('a Valkey that is silent holds up no decision', async t => {
  const { ada } = fresh()
  const one = await replica(t, { subjectRequestsPerSecond: 10 })
  await one.calls(1, ada)
  await until('a first round', async () => await one.shared() === 1)
  process.kill(store.pid, 'SIGSTOP')
  t.teardown(() => process.kill(store.pid, 'SIGCONT'))
  t.equal(await one.calls(150, ada), 99)
  await until('the replica to notice', async () => await one.shared() === 0)
  one.clock.ms = windowStart + 10_000
  t.equal(await one.calls(150, ada), 100)
})
