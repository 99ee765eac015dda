/** Tenants with a FalkorDB of their own. */
import t from 'tap'
import { until } from '../../../tests/support/until.ts'
import { freePort } from '../../../dev/free-port.ts'
import { configOf, testApp } from '../test-support.ts'
import { connectDatabases, openDatabases } from './servers.ts'
import { asker, codeOf, limits, openAdmin, openFalkordb } from './test-database.ts'

const common = await openFalkordb(t)
const port = await freePort()
const own = await openFalkordb(t, { port })
const database = await connectDatabases({ url: common.url, ...limits }, new Map([['acme', own.url], ['acme-labs', own.url]]))
t.teardown(() => database.close())
const [inCommon, inOwn] = [await openAdmin(t, common.url), await openAdmin(t, own.url)]
const [acme, labs, other] = ['acme', 'acme-labs', 'other'].map(tenant => asker(database, tenant)) as [ReturnType<typeof asker>, ReturnType<typeof asker>, ReturnType<typeof asker>]

t.test('each tenant’s data lies on its own server, and nowhere else', async t => {
  await Promise.all([acme.write('CREATE (:Acme)'), labs.write('CREATE (:Labs)'), other.write('CREATE (:Other)')])
  t.strictSame((await inCommon('GRAPH.LIST')), ['other_g'])
  t.strictSame([...await inOwn('GRAPH.LIST') as unknown as string[]].sort(), ['acme-labs_g', 'acme_g'])
  const users = (list: unknown) => String(list).match(/gateway-v1:[^ ]+/g)?.sort()
  t.strictSame([users(await inCommon('ACL', 'LIST')), users(await inOwn('ACL', 'LIST'))], [['gateway-v1:other'], ['gateway-v1:acme', 'gateway-v1:acme-labs']], 'and so do their users')
  t.strictSame([await database.keys('acme', 'acme_'), await database.keys('other', 'other_'), await database.keys('other', 'acme_')], [['acme_g'], ['other_g'], []])
  const target = { tenant: 'acme', key: 'acme_g' }
  const call = { ...target, query: 'MATCH (n:Acme) RETURN n', parameters: {}, timeoutMs: 2_000 }
  t.equal(await database.writes(call), false)
  t.match((await database.explain(call)).join(), /Acme/)
  t.match((await database.profile(call)).join(), /Records produced: 1/)
  await acme.write('CREATE (:Short)', {}, { key: 'acme_short' })
  await database.remove({ tenant: 'acme', key: 'acme_short' })
  t.strictSame(await database.keys('acme', 'acme_'), ['acme_g'])
})

t.test('a server that dies hurts its own tenants only, who go on when it is back', { timeout: 60_000 }, async t => {
  process.kill(own.pid, 'SIGKILL')
  await until('the loss', async () => await codeOf(database.ping('acme')) !== 'ok')
  const code = await codeOf(acme.write('CREATE (:Lost)'))
  t.equal(code, 'database_unavailable')
  t.strictSame((await other.read('MATCH (n) RETURN labels(n)')).rows, [[['Other']]])
  t.equal(database.up, true)
  t.equal(await codeOf(database.ping()), 'ok', 'the service is ready')
  const { warnings } = await database.info()
  t.ok(warnings.includes("A tenant's own server: FalkorDB does not answer."))
  t.notMatch(warnings.join(), /acme|127\.0\.0\.1/, 'names neither tenant nor host')
  t.equal(await codeOf(database.info('acme')), 'database_unavailable')
  const again = await openFalkordb(t, { port })
  await until('a write', async () => await codeOf(acme.write('CREATE (:Anew)')) === 'ok')
  t.strictSame((await acme.read('MATCH (n) RETURN labels(n)')).rows, [[['Anew']]], 'the server had kept nothing')
  t.match(String(await (await openAdmin(t, again.url))('ACL', 'LIST')), /gateway-v1:acme /, 'its user was made anew')
  t.notMatch((await database.info()).warnings.join(), /does not answer/)
  t.strictSame(await inCommon('GRAPH.LIST'), ['other_g'])
})

t.test('one server that is away at the start does not keep the others from work', async t => {
  const partly = await connectDatabases({ url: common.url, ...limits }, new Map([['acme', `redis://127.0.0.1:${await freePort()}`]]))
  t.teardown(() => partly.close())
  t.strictSame((await asker(partly, 'other').read('MATCH (n) RETURN labels(n)')).rows, [[['Other']]])
  t.equal(await codeOf(asker(partly, 'acme').read('RETURN 1')), 'database_unavailable')
})

t.test('a tenant’s own server that cannot hold the limits that are required stops the start', async t => {
  await inCommon('ACL', 'SETUSER', 'guest', 'on', '>guest', '~*', '+@all', '-graph.config')
  await t.rejects(connectDatabases({ url: common.url, ...limits, requireLimits: true }, new Map([['acme', common.url.replace('//', '//guest:guest@')]])), { code: 'database_limits_missing' })
})

t.test('what the settings say holds: users, servers, quotas, places', async t => {
  const settled = await openFalkordb(t)
  const settings = { FALKORDB_URL: common.url, FALKORDB_TENANT_URLS: JSON.stringify({ settled: settled.url }), TENANT_MAX_GRAPHS: '1', TENANT_CONCURRENCY: '40', MCP_REPLICAS: '2' }
  const { observability } = testApp(database)
  const configured = await openDatabases(configOf(settings), observability.logger)
  t.teardown(() => configured.close())
  for (const [tenant, here] of [['settled', await openAdmin(t, settled.url)], ['unsettled', inCommon]] as const) {
    t.equal(await codeOf(asker(configured, tenant, 'one').write('CREATE (:N)')), 'ok')
    t.equal(await codeOf(asker(configured, tenant, 'two').write('CREATE (:N)')), 'quota_graphs', 'a graph too many')
    t.equal(await codeOf(asker(configured, tenant, 'one').write('CREATE (:N)')), 'ok')
    t.match(String(await here('GRAPH.LIST')), `${tenant}_one`)
    t.match(String(await here('ACL', 'LIST')), `gateway-v1:${tenant} `)
    t.equal(await codeOf(asker(configured, tenant).read('RETURN 1', {}, { key: 'other_g' })), 'database_refused')
  }
  t.match((await configured.info()).warnings.join(), /TENANT_CONCURRENCY is 40, but FalkorDB's THREAD_COUNT is 16: a tenant may run 14 queries at once/)
})
