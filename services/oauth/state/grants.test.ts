import t from 'tap'
import { nowSeconds, revocationsKey } from '@gateway/common/revocations.ts'
import { connectOnce } from '@gateway/common/state.ts'
import { names } from './names.ts'
import { gidOf, openStore, type Connection } from './store.ts'
import { connection, issuer, openThere } from './test-support.ts'

const ttl = 15_552_000

t.test('a person sees their own connections, the one used last first, and only those that are', async t => {
  const { client, store: { grants } } = await openThere(t)
  for (const id of ['a', 'b', 'c']) await grants.remember(id, connection({ clientName: id }), ttl)
  await grants.remember('d', connection({ accountId: 'github:1', clientId: 'https://claude.ai/client.json' }), ttl)
  for (const [n, id] of ['b', 'c', 'a'].entries()) await client.hSet(names.connection(gidOf(id)), 'lastUsed', nowSeconds() - n * 100)
  const called = (connections: Connection[]) => connections.map(({ clientName }) => clientName)
  t.strictSame(called(await grants.ofAccount('github:583231')), ['b', 'c', 'a'])
  t.strictSame(await grants.ofAccount('github:583231').then(([first]) => first), { gid: gidOf('b'), ...connection({ clientName: 'b' }), createdAt: (await grants.find(gidOf('b')))?.createdAt, lastUsed: (await grants.find(gidOf('b')))?.lastUsed })
  t.strictSame((await grants.ofClient('https://claude.ai/client.json')).map(({ gid }) => gid), [gidOf('d')])
  t.ok(await grants.end(gidOf('c')))
  await client.zAdd(names.accountConnections('github:583231'), [{ score: nowSeconds() - 1, value: gidOf('long over') }])
  t.strictSame(called(await grants.ofAccount('github:583231')), ['b', 'a'])
  t.equal(await client.zCard(names.accountConnections('github:583231')), 2, 'the index forgets the others')
  t.strictSame(await grants.ofAccount('github:nobody'), [])
  t.equal(await grants.find(gidOf('c')), undefined)
})

t.test('more scope changes what is known and not since when; a use is written once a minute', async t => {
  const { client, store: { grants } } = await openThere(t)
  const gid = gidOf('a')
  await grants.remember('a', connection(), ttl)
  await client.hSet(names.connection(gid), { createdAt: 1_000, lastUsed: 2_000 })
  await grants.remember('a', connection({ scopes: ['graph:read', 'graph:write'] }), ttl)
  t.match(await grants.find(gid), { createdAt: 1_000, scopes: ['graph:read', 'graph:write'] })
  t.ok(Number((await grants.find(gid))?.lastUsed) >= nowSeconds() - 2)
  const recent = nowSeconds() - 50
  await client.hSet(names.connection(gid), 'lastUsed', recent)
  await grants.touch(gid)
  t.equal((await grants.find(gid))?.lastUsed, recent)
  await client.hSet(names.connection(gid), 'lastUsed', recent - 20)
  await grants.touch(gid)
  t.ok(Number((await grants.find(gid))?.lastUsed) > recent)
  await grants.touch('nobody')
  t.equal(await client.exists(names.connection('nobody')), 0)
})

t.test('a connection is known as long as its grant, also where more scope was added later', async t => {
  const { client, store } = await openThere(t)
  await store.adapter('Grant').upsert('a', { accountId: 'github:583231', clientId: 'editor' }, 500)
  await store.grants.remember('a', connection(), ttl)
  t.ok(await client.ttl(names.connection(gidOf('a'))) <= 500)
  t.ok(Number(await client.zScore(names.connections, gidOf('a'))) <= nowSeconds() + 500)
})

t.test('all connections are met, page by page', async t => {
  const { store: { grants } } = await openThere(t)
  const ids = Array.from({ length: 700 }, (_, n) => `grant-${n}`)
  await Promise.all(ids.map(async id => await grants.remember(id, connection({ accountId: `github:${id}` }), ttl)))
  const met = new Set<string>()
  let pages = 0
  for await (const connections of grants.all()) {
    pages++
    for (const { gid } of connections) met.add(gid)
  }
  t.strictSame(met, new Set(ids.map(gidOf)))
  t.ok(pages > 1)
})

t.test('nothing of a grant is deleted before its revocation is written, and an end that failed midway can be repeated', async t => {
  const { client, url, store } = await openThere(t)
  // Users of Valkey that may do all but one of the two.
  for (const [user, lacking] of [['unheard', '-publish'], ['unable', '-eval']]) await client.sendCommand(['ACL', 'SETUSER', user as string, 'on', 'nopass', '~*', '&*', '+@all', lacking as string])
  const limited = async (user: string) => {
    const connected = await connectOnce(url.replace('redis://', `redis://${user}:x@`))
    t.teardown(() => connected.destroy())
    return openStore(connected, { issuer, clientUnusedSeconds: 3_600, accessTokenSeconds: 600, reuseGraceSeconds: 10, clientsMax: 10 }).grants
  }
  const gid = gidOf('a')
  await store.grants.remember('a', connection(), ttl)
  await store.adapter('Grant').upsert('a', { accountId: 'github:583231', clientId: 'editor' }, ttl)
  await t.rejects((await limited('unheard')).end(gid), { name: 'UnavailableError' })
  t.equal(await client.exists([names.connection(gid), names.grant(gid)]), 2)
  await t.rejects((await limited('unable')).end(gid), { name: 'UnavailableError' })
  t.equal(await client.zCard(revocationsKey), 1, 'its access tokens are refused already')
  t.equal(await client.exists([names.connection(gid), names.grant(gid)]), 2)
  t.ok(await store.grants.end(gid))
  t.equal(await client.exists([names.connection(gid), names.grant(gid)]), 0)
})
