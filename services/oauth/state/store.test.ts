import { pino } from 'pino'
import t from 'tap'
import { openState } from '@gateway/common/state.ts'
import { until } from '../../../tests/support/until.ts'
import { startValkey } from '../../../tests/support/valkey.ts'
import { freePort } from '../../../dev/free-port.ts'
import { gidOf, openStore } from './store.ts'
import { connection, everything, issuer, makeProvider, openThere } from './test-support.ts'

const options = { issuer, clientUnusedSeconds: 34_560_000, accessTokenSeconds: 600, reuseGraceSeconds: 10, clientsMax: 10 }
const person = { id: 'github:583231', upstream: 'github', name: 'octocat', handle: 'github:octocat', email: undefined, groups: ['github:acme-inc'] }

t.test('a person is remembered with what their upstream must be shown, and since when it vouches', async t => {
  const { client, store: { accounts } } = await openThere(t)
  await accounts.save(person, 'sealed', 600)
  const found = await accounts.find(person.id)
  t.strictSame(found?.person, person)
  t.equal(found?.memory, 'sealed')
  t.ok(Math.abs(Number(found?.askedAt) - Date.now() / 1000) < 5)
  await accounts.save({ ...person, email: 'octo@example.com' }, undefined, 600)
  t.match(await accounts.find(person.id), { person: { email: 'octo@example.com' } })
  t.notOk('memory' in (await accounts.find(person.id) as object))
  t.equal(await accounts.find('github:nobody'), undefined)
  t.ok((await everything(client)).every(({ left }) => left > 0))
  await accounts.forget(person.id)
  t.equal(await accounts.find(person.id), undefined)
})

t.test('one replica at a time asks an upstream about a person', async t => {
  const there = await openThere(t)
  const other = await there.replica()
  const answer = Promise.withResolvers<string>()
  const first = there.store.accounts.alone(person.id, 30, async () => await answer.promise)
  await until('the first to be at it', async () => await there.client.exists(`oauth:asking:${person.id}`) === 1)
  t.ok((await everything(there.client)).every(({ left }) => left > 0), 'a replica that dies meanwhile does not keep the others out')
  t.equal(await other.store.accounts.alone(person.id, 30, async () => 'second'), undefined)
  t.strictSame(await other.store.accounts.alone('github:1', 30, async () => 'somebody else'), { done: 'somebody else' })
  answer.resolve('first')
  t.strictSame(await first, { done: 'first' })
  t.strictSame(await other.store.accounts.alone(person.id, 30, async () => 'later'), { done: 'later' })
})

t.test('a sign-in can be looked at often and taken once', async t => {
  const there = await openThere(t)
  const other = await there.replica()
  await there.store.signIns.keep('state', { uid: 'u', verifier: 'v' }, 600)
  t.strictSame(await other.store.signIns.peek('state'), { uid: 'u', verifier: 'v' })
  const taken = await Promise.all([there, other, there, other].map(async ({ store }) => await store.signIns.take('state')))
  t.strictSame(taken.filter(record => record !== undefined), [{ uid: 'u', verifier: 'v' }])
  t.equal(await there.store.signIns.peek('state'), undefined)
})

t.test('a killed Valkey: calls fail at once and say so; started again, it has all of it', async t => {
  const [port, dir] = [await freePort(), t.testdir()]
  const start = async () => await startValkey(t, { port, dir, args: ['--appendonly', 'yes', '--appendfsync', 'everysec'] })
  const first = await start()
  const state = openState(first.url, pino({ level: 'silent' }))
  t.teardown(() => state.close())
  await until('the connection', () => state.connected)
  const store = openStore(state.client, options)
  const provider = makeProvider(store)

  const grantId = await new provider.Grant({ accountId: person.id, clientId: 'editor' }).save()
  await store.grants.remember(grantId, connection(), 600)
  const used = await new provider.RefreshToken({ accountId: person.id, clientId: 'editor', grantId } as never).save()
  await (await provider.RefreshToken.find(used))?.consume()
  await store.accounts.save(person, 'sealed', 600)
  await store.signIns.keep('state', { uid: 'u' }, 600)
  const { clientId } = await store.clients.create({ name: 'nightly', tenant: 'acme', scopes: ['graph:read'] })
  const before = (await everything(state.client)).map(({ key, value }) => `${key} ${value}`).sort()

  process.kill(first.pid, 'SIGKILL')
  await until('the loss', () => !state.connected)
  const unavailable = { name: 'UnavailableError', status: 503 }
  await t.rejects(store.grants.end(gidOf(grantId)), unavailable)
  await t.rejects(store.grants.ofAccount(person.id), unavailable)
  await t.rejects(store.accounts.find(person.id), unavailable)
  await t.rejects(store.signIns.take('state'), unavailable)
  await t.rejects(store.clients.remove(clientId), unavailable)
  const away = { name: 'TemporarilyUnavailable', error: 'temporarily_unavailable', status: 503, expose: true }
  await t.rejects(provider.RefreshToken.find(used), away)
  await t.rejects(provider.Client.find(clientId), away)

  await start()
  await until('the connection', () => state.connected)
  t.strictSame((await everything(state.client)).map(({ key, value }) => `${key} ${value}`).sort(), before)
  t.match(await provider.RefreshToken.find(used), { isValid: false })
  t.ok(await store.grants.end(gidOf(grantId)))
})
