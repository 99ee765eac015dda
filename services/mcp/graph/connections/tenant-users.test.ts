/** The second wall: FalkorDB itself keeps each tenant to its own keys. */
import { createClient } from '@redis/client'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect, createServer, type AddressInfo } from 'node:net'
import t from 'tap'
import { until } from '../../../../tests/support/until.ts'
import { freePort } from '../../../../dev/free-port.ts'
import { deleteTenant } from '../../commands/deleting.ts'
import { exportTenant } from '../../commands/exporting.ts'
import { importGraphs } from '../../commands/importing.ts'
import { administering, placeOf } from '../../commands/place.ts'
import { createQuotas } from '../quotas.ts'
import { asker, codeOf, openAdmin, openDatabase, openFalkordb, type Teardown } from '../test-database.ts'
import { literally, TenantUsers } from './tenant-users.ts'

const secret = 'a-secret-for-tests-0123456789abcdef'
const { url } = await openFalkordb(t)
const database = await openDatabase(t, url)
const admin = await openAdmin(t, url)
const userOf = (tenant: string, options = { secrets: [secret], multiTenancy: true }) => new TenantUsers(options, async () => null).of(tenant)

/** A connection of somebody who has got hold of a tenant's password. */
async function openAs (t: Teardown, { name, password }: { name: string, password: string }) {
  const client = await createClient({ url, username: name, password, disableClientInfo: true, socket: { reconnectStrategy: false } }).on('error', () => {}).connect()
  t.teardown(() => { client.destroy() })
  return (...command: string[]) => client.sendCommand(command)
}

t.test('24: a mistake in the naming of keys does not lead to another tenant: FalkorDB refuses', async t => {
  await asker(database, 'a').write('CREATE (:Mine)')
  const b = asker(database, 'b')
  await b.write('CREATE (:Secret {text: "of b"})')
  // As a name.ts would that took the wrong tenant.
  const wrong = { tenant: 'a', query: 'MATCH (n) RETURN n', parameters: {}, timeoutMs: 2_000 }
  for (const key of ['b_g', 'b_new', 'a', 'aa_g', 'gateway', 'a=5F_g', '_g']) {
    const refused = { type: 'DatabaseError', code: 'database_refused', status: 502 }
    await t.rejects(database.query({ ...wrong, key, mode: 'read', maxRows: 10 }), refused, `read ${key}`)
    await t.rejects(database.query({ ...wrong, key, mode: 'write', maxRows: 10 }), refused, `write ${key}`)
    await t.rejects(database.query({ ...wrong, key, query: 'CREATE (:Foreign)', mode: 'write', maxRows: 10 }), refused, `create in ${key}`)
    await t.rejects(database.explain({ ...wrong, key }), refused, `explain ${key}`)
    await t.rejects(database.profile({ ...wrong, key, query: 'CREATE (:Foreign)' }), refused, `profile ${key}`)
    await t.rejects(database.writes({ ...wrong, key }), refused, `plan ${key}`)
    await t.rejects(database.remove({ tenant: 'a', key }), refused, `delete ${key}`)
  }
  t.strictSame((await b.read('MATCH (n) RETURN labels(n), n.text')).rows, [[['Secret'], 'of b']])
  t.strictSame([...await admin('GRAPH.LIST') as unknown as string[]].sort(), ['a_g', 'b_g'], 'nothing was made')
  t.strictSame((await asker(database, 'a').read('MATCH (n) RETURN labels(n)')).rows, [[['Mine']]], 'its own graph is as it was')
})

t.test('24: with names that the database warns of, a refusal tells no tenant', async t => {
  const error = await asker(database, 'a').read('MATCH (n) RETURN n', {}, { key: 'b_g' }).catch(error => error)
  t.notMatch(`${error.message} ${JSON.stringify(error.details ?? {})} ${error.cause?.message}`, /b_g|gateway-v1/)
})

t.test('a tenant’s user may do nothing but query and delete its own graphs', async t => {
  await asker(database, 'poor').write('CREATE (:P)')
  const user = userOf('poor')
  const poor = await openAs(t, user)
  t.ok(await poor('GRAPH.RO_QUERY', 'poor_g', 'RETURN 1'))
  const commands = [
    'CONFIG GET maxmemory', 'CONFIG SET maxmemory 1', 'GRAPH.CONFIG GET *', 'GRAPH.CONFIG SET TIMEOUT_MAX 0', 'GRAPH.LIST', 'GRAPH.INFO', 'GRAPH.UDF LIST', 'GRAPH.BULK poor_g BEGIN 0 0 0 0', 'GRAPH.EFFECT poor_g x', 'GRAPH.COPY poor_g poor_h',
    'GRAPH.RESTORE poor_h x', 'GRAPH.DEBUG AUX', 'GRAPH.SLOWLOG poor_g', 'GRAPH.MEMORY USAGE poor_g', 'GRAPH.CONSTRAINT CREATE poor_g UNIQUE NODE P PROPERTIES 1 x', 'GRAPH.PASSWORD x', 'ACL WHOAMI', 'ACL LIST', `ACL SETUSER ${user.name} +@all ~*`, 'KEYS *', 'SCAN 0', 'EVAL return(1) 0',
    'SCRIPT FLUSH', 'FUNCTION LIST', 'GET poor_x', 'SET poor_x 1', 'DEL poor_g', 'RENAME poor_g b_g', 'COPY poor_g poor_h', 'DUMP poor_g', 'FLUSHALL', 'SWAPDB 0 1', 'SELECT 1', 'INFO', 'MONITOR', 'CLIENT LIST', 'CLIENT KILL TYPE normal', 'SHUTDOWN NOSAVE', 'REPLICAOF 127.0.0.1 1', 'MODULE LIST', 'MULTI', 'SUBSCRIBE x', 'PUBLISH x y', 'COMMAND COUNT', 'PING', 'SLOWLOG GET', 'LATENCY LATEST'
  ]
  for (const command of commands) await t.rejects(poor(...command.split(' ')), /^NOPERM/, command)
  for (const verb of ['GRAPH.QUERY', 'GRAPH.RO_QUERY', 'GRAPH.EXPLAIN', 'GRAPH.PROFILE']) await t.rejects(poor(verb, 'b_g', 'MATCH (n) RETURN n'), /^NOPERM/, verb)
  await t.rejects(poor('GRAPH.DELETE', 'b_g'), /^NOPERM/)
})

t.test('no query ever ran as the administrator', async t => {
  const tenants = ['here', 'there', 'everywhere']
  await Promise.all(tenants.map(tenant => asker(database, tenant).write('CREATE (:N)')))
  const clients = String(await admin('CLIENT', 'LIST')).trim().split('\n')
  const queried = clients.filter(line => /cmd=graph\.(?:query|ro_query|explain|profile|delete)/i.test(line))
  t.ok(queried.length >= tenants.length)
  for (const line of queried) t.match(line, / user=gateway-v1:/)
})

t.test('24: tenants whose names are patterns or look alike have users of their own', async t => {
  const tenants = ['a*', 'a', 'a_', 'a_b', 'a?', '*', '[a-z]', 'A', 'ä', '漢字', '\\', 'a=5F', 'x y', 'a:b', 'default']
  const own = await openDatabase(t, url)
  const { graphKey } = await import('../name.ts')
  const key = (tenant: string) => graphKey(tenant, 'odd', true).key
  const call = (tenant: string, of: string, query: string, mode: 'read' | 'write') => own.query({ tenant, key: key(of), query, parameters: {}, mode, timeoutMs: 2_000, maxRows: 10 })
  for (const [index, tenant] of tenants.entries()) await call(tenant, tenant, `CREATE (:N {i: ${index}})`, 'write')
  for (const [index, tenant] of tenants.entries()) {
    t.strictSame((await call(tenant, tenant, 'MATCH (n) RETURN n.i', 'read')).rows, [[index]], tenant)
    for (const other of tenants) if (other !== tenant) t.equal(await codeOf(call(tenant, other, 'MATCH (n) RETURN n.i', 'read')), 'database_refused', `${tenant} of ${other}`)
  }
})

t.test('a text is itself in a pattern of the database', async t => {
  t.equal(literally('a*b?[c]^\\'), 'a\\*b\\?\\[c\\]\\^\\\\')
  await admin('ACL', 'SETUSER', 'pattern', 'reset', 'on', '+get', `~${literally('a*[b]?')}*`)
  t.equal(await admin('ACL', 'DRYRUN', 'pattern', 'GET', 'a*[b]?x'), 'OK')
  for (const key of ['axb?x', 'ax[b]?', 'a*bxx', 'a*[b]xx']) t.match(await admin('ACL', 'DRYRUN', 'pattern', 'GET', key), /no permission|permissions/i, key)
})

t.test('29: no password is seen by who watches the database', async t => {
  const seen: string[] = []
  const watcher = await createClient({ url }).on('error', () => {}).connect()
  t.teardown(() => { watcher.destroy() })
  await admin('CONFIG', 'SET', 'slowlog-log-slower-than', '0')
  await watcher.monitor(line => { seen.push(String(line)) })
  const watched = await openDatabase(t, url)
  await asker(watched, 'watched').write('CREATE (:W)')
  await admin('ACL', 'DELUSER', userOf('watched').name)
  await until('the tenant\'s user', async () => await codeOf(asker(watched, 'watched').read('MATCH (n) RETURN n')) === 'ok')
  const slow = JSON.stringify(await admin('SLOWLOG', 'GET', '100'))
  await admin('CONFIG', 'SET', 'slowlog-log-slower-than', '10000')
  const { password } = userOf('watched')
  t.match(seen.join('\n'), /CREATE \(:W\)/, 'the watcher saw what there was')
  t.match(slow, /ACL.*SETUSER/)
  t.notMatch(seen.join('\n') + slow, password)
})

t.test('a user that somebody took away or changed is made anew', async t => {
  const { read, write } = asker(database, 'lost')
  await write('CREATE (:L)')
  const { name } = userOf('lost')
  const back = () => until('the tenant\'s user', async () => await codeOf(read('MATCH (n:L) RETURN n')) === 'ok')
  await admin('ACL', 'DELUSER', name)
  await back()
  await admin('ACL', 'SETUSER', name, 'resetpass', '>other')
  await admin('CLIENT', 'KILL', 'USER', name)
  await back()
  await admin('ACL', 'SETUSER', name, '-graph.ro_query')
  t.equal(await codeOf(read('MATCH (n:L) RETURN n')), 'database_refused', 'refused, and run as nobody else')
  await back()
  t.strictSame((await read('MATCH (n) RETURN labels(n)')).rows, [[['L']]])
})

t.test('a tenant that FalkorDB does not let in stays outside: its query is not run as whoever was there before', async t => {
  const target = new URL(url)
  const heard: string[] = []
  let refuse = false
  const proxy = createServer(client => {
    const upstream = connect(Number(target.port), target.hostname)
    for (const socket of [client, upstream]) socket.on('error', () => {}).on('close', () => { client.destroy(); upstream.destroy() })
    upstream.on('data', data => client.write(data))
    client.on('data', data => {
      heard.push(data.toString())
      if (refuse && data.includes('$4\r\nAUTH\r\n')) client.write('-WRONGPASS invalid username-password pair or user is disabled.\r\n')
      else upstream.write(data)
    })
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  t.teardown(() => proxy.close())
  // One connection: the tenant before has it, and the next one gets it.
  const narrow = await openDatabase(t, `redis://127.0.0.1:${(proxy.address() as AddressInfo).port}`, { poolSize: 1 })
  t.teardown(() => narrow.close())
  await asker(narrow, 'before').write('CREATE (:B)')
  refuse = true
  heard.length = 0
  t.equal(await codeOf(asker(narrow, 'after').write('CREATE (:A)', {}, { key: 'before_g' })), 'database_refused')
  t.equal(await codeOf(asker(narrow, 'after').read('MATCH (n) RETURN n', {}, { key: 'before_g' })), 'database_refused')
  t.equal(heard.filter(text => text.includes('AUTH')).length, 4, 'tried once more with the user made anew')
  t.notMatch(heard.join(), /GRAPH\.(?:RO_)?QUERY/, 'no query was sent')
  refuse = false
  t.strictSame((await asker(narrow, 'before').read('MATCH (n) RETURN labels(n)')).rows, [[['B']]])
})

t.test('where the gateway may not make users, every query is refused, and that is said until it is mended', async t => {
  await admin('ACL', 'SETUSER', 'modest', 'on', '>modest', '~*', '&*', '+@all', '-acl')
  const modest = await openDatabase(t, url.replace('//', '//modest:modest@'))
  t.match((await modest.info()).warnings.join(), /TENANT_ACL=on, but FalkorDB does not let the gateway's user make users: allow it ACL SETUSER, or set TENANT_ACL=off/)
  const { read, write } = asker(modest, 'closed')
  t.strictSame([await codeOf(write('CREATE (:C)')), await codeOf(read('RETURN 1'))], ['database_refused', 'database_refused'])
  t.notOk((await admin('GRAPH.LIST') as unknown as string[]).includes('closed_g'))
  await admin('ACL', 'SETUSER', 'modest', '+acl|setuser')
  t.notMatch((await modest.info()).warnings.join(), /TENANT_ACL/)
  t.equal(await codeOf(write('CREATE (:C)')), 'ok')
})

t.test('TENANT_ACL=off: every query runs as the user of the URL', async t => {
  await admin('ACL', 'SETUSER', 'sole', 'on', '>p@ss:wörd', '~*', '&*', '+@all', '-acl')
  const off = await openDatabase(t, url.replace('//', `//sole:${encodeURIComponent('p@ss:wörd')}@`), { tenantAcl: 'off' })
  t.notMatch((await off.info()).warnings.join(), /TENANT_ACL/)
  await asker(off, 'plain').write('CREATE (:P)')
  t.match(String(await admin('CLIENT', 'LIST')), /user=sole .*cmd=graph\.query|cmd=graph\.query .*user=sole/i)
})

t.test('without tenants all are one user, which may touch every key and no more commands', async t => {
  const tenantAcl = { secrets: [secret], multiTenancy: false }
  const shared = await openDatabase(t, url, { tenantAcl })
  await asker(shared, 'default').write('CREATE (:S)', {}, { key: 'films' })
  t.strictSame((await asker(shared, 'default').read('MATCH (n) RETURN labels(n)', {}, { key: 'films' })).rows, [[['S']]])
  const user = userOf('default', tenantAcl)
  t.equal(user.name, 'gateway-v1')
  const sole = await openAs(t, user)
  for (const command of ['GRAPH.LIST', 'GRAPH.CONFIG GET *', 'ACL LIST', 'KEYS *']) await t.rejects(sole(...command.split(' ')), /^NOPERM/, command)
  t.not(userOf('default').name, user.name, 'other rights, another user')
})

t.test('GATEWAY_SECRET is changed replica by replica, and the old one ends with the last', async t => {
  const fresh = 'another-secret-for-tests-0123456789'
  const replica = async (...secrets: string[]) => asker(await openDatabase(t, url, { tenantAcl: { secrets, multiTenancy: true } }), 'rotating')
  const before = await replica(secret)
  await before.write('CREATE (:R)')
  const between = await replica(fresh, secret)
  for (let round = 0; round < 3; round++) {
    for (const ask of [between, before, await replica(secret), await replica(fresh, secret)]) t.strictSame((await ask.read('MATCH (n) RETURN count(n)')).rows, [[1]])
  }
  const after = await replica(fresh)
  t.strictSame((await after.read('MATCH (n) RETURN count(n)')).rows, [[1]])
  await t.rejects(openAs(t, userOf('rotating')), /WRONGPASS/)
})

t.test('24: 1,000 interleaved calls over few connections, while users are taken away, each meet their own tenant', async t => {
  const few = await openDatabase(t, url, { poolSize: 4, tenantConcurrency: 2 })
  const tenants = Array.from({ length: 25 }, (_, number) => asker(few, `many${number}`))
  for (const [number, { write }] of tenants.entries()) await write('CREATE (:T {n: $number})', { number })
  let done = 0
  const lost: string[] = []
  const calls = Array.from({ length: 1_000 }, (_, index) => async () => {
    const number = (index * 7) % tenants.length
    const outcome = await tenants[number]!.read('MATCH (t:T) RETURN t.n').then(({ rows }) => rows, error => error.code)
    // A connection whose user is taken away is closed by the database: nothing came of it.
    if (outcome === 'database_unavailable') lost.push(outcome)
    else t.strictSame(outcome, [[number]])
    if (++done % 40 === 0) await admin('ACL', 'DELUSER', userOf(`many${done % 25}`).name, userOf(`many${(done + 7) % 25}`).name)
  })
  await Promise.all(Array.from({ length: 20 }, async () => { for (let call = calls.pop(); call !== undefined; call = calls.pop()) await call() }))
  t.equal(done, 1_000)
  t.ok(lost.length <= 100, `${lost.length} calls lost their connection`)
})

t.test('after a restart of the database users are made anew, on whatever connection', async t => {
  const port = await freePort()
  const first = await openFalkordb(t, { port })
  const own = await openDatabase(t, first.url, { poolSize: 2 })
  const one = asker(own, 'one')
  const two = asker(own, 'two')
  await Promise.all([one.write('CREATE (:One)'), two.write('CREATE (:Two)')])
  await first.stop()
  const second = await openFalkordb(t, { port })
  const again = await openAdmin(t, second.url)
  t.equal((await again('ACL', 'LIST') as unknown as string[]).length, 1, 'no user but its own')
  await until('a write', async () => await codeOf(one.write('MERGE (:One)')) === 'ok')
  await until('a write', async () => await codeOf(two.write('MERGE (:Two)')) === 'ok')
  t.strictSame((await one.read('MATCH (n) RETURN labels(n)')).rows, [[['One']]])
  t.strictSame((await two.read('MATCH (n) RETURN labels(n)')).rows, [[['Two']]])
  t.equal(await codeOf(one.read('MATCH (n) RETURN n', {}, { key: 'two_g' })), 'database_refused')
})

const securityPage = await readFile(new URL('../../../../docs/security.md', import.meta.url), 'utf8')
const rightsOf = (user: string) => (new RegExp(`^ACL SETUSER ${user} .*$`, 'm').exec(securityPage)?.[0] ?? '').split(' ')

t.test('the rights that docs/security.md names are all that the gateway asks of the database', async t => {
  const own = await openFalkordb(t)
  const operator = await openAdmin(t, own.url)
  await operator(...rightsOf('gateway'))
  const gateway = await openDatabase(t, own.url.replace('//', '//gateway:PASSWORD@'), {
    requireLimits: true,
    quotas: ask => createQuotas({ maxGraphs: 1, maxMemoryBytes: 2 ** 30, multiTenancy: true, ask, intervalMs: 20 })
  })
  t.strictSame((await gateway.info()).warnings, [])
  const { read, write } = asker(gateway, 'acme')
  await write('CREATE (:N)')
  t.strictSame((await read('MATCH (n) RETURN labels(n)')).rows, [[['N']]])
  t.equal(await codeOf(asker(gateway, 'acme', 'second').write('CREATE (:N)')), 'quota_graphs')
  await until('the memory to be asked for', async () => /cmdstat_graph\.memory\S*:calls=[1-9]/i.test(String(await operator('INFO', 'commandstats'))))
  t.strictSame(await gateway.keys('acme', 'acme_'), ['acme_g'])
  await gateway.ping()
  await gateway.remove({ tenant: 'acme', key: 'acme_g' })
  t.strictSame(await operator('ACL', 'LOG'), [], 'FalkorDB has refused nothing')
})

t.test('with TENANT_ACL=off the rights that docs/security.md names are enough as well', async t => {
  const own = await openFalkordb(t)
  const operator = await openAdmin(t, own.url)
  const instead = /^With `TENANT_ACL=off` put `([^`]+)` in place of `([^`]+)`/m.exec(securityPage) ?? []
  await operator(...rightsOf('gateway').flatMap(right => right === instead[2] ? instead[1]!.split(' ') : [right]))
  const gateway = await openDatabase(t, own.url.replace('//', '//gateway:PASSWORD@'), { requireLimits: true, tenantAcl: 'off' })
  t.strictSame((await gateway.info()).warnings, [])
  const { read, write } = asker(gateway, 'acme')
  await write('CREATE (:N)')
  t.strictSame((await read('MATCH (n) RETURN labels(n)')).rows, [[['N']]])
  const call = { tenant: 'acme', key: 'acme_g', query: 'MATCH (n) RETURN n', parameters: {}, timeoutMs: 2_000 }
  t.match((await gateway.explain(call)).join(), /Scan/)
  t.match((await gateway.profile(call)).join(), /Records produced: 1/)
  await gateway.remove({ tenant: 'acme', key: 'acme_g' })
  t.strictSame(await operator('ACL', 'LOG'), [], 'FalkorDB has refused nothing')
})

t.test('the rights that docs/security.md names are enough to export, import and delete a tenant', async t => {
  const own = await openFalkordb(t)
  const operator = await openAdmin(t, own.url)
  await operator(...rightsOf('operator'))
  await asker(await openDatabase(t, own.url), 'acme').write('CREATE (:N {x: 1})')
  await operator('GRAPH.CONSTRAINT', 'CREATE', 'acme_g', 'MANDATORY', 'NODE', 'N', 'PROPERTIES', '1', 'x')
  const place = placeOf('acme', { FALKORDB_URL: own.url.replace('//', '//operator:PASSWORD@') })
  const said: string[] = []
  await administering(place, async send => {
    const lines: string[] = []
    for await (const line of exportTenant(send, place, true)) lines.push(line)
    await deleteTenant(place, 'acme', line => said.push(line))
    await importGraphs(send, place, (async function * () { yield * lines })(), line => said.push(line))
  })
  t.match(said.join(), /Deleted in the database: user gateway-v1:acme\./)
  t.strictSame(said.at(-1), '"g": 1 nodes, 0 edges')
  t.strictSame(await operator('ACL', 'LOG'), [], 'FalkorDB has refused nothing')
})
