/** The client against a real FalkorDB. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { createClient } from '@redis/client'
import type { FastifyBaseLogger } from 'fastify'
import t from 'tap'
import { ForbiddenError, GatewayError } from '@gateway/common/errors.ts'
import { until } from '../../../tests/support/until.ts'
import { freePort } from '../../../dev/free-port.ts'
import { asker, codeOf, limits, openAdmin, openDatabase, openFalkordb } from './test-database.ts'

// More threads than one tenant may take: FalkorDB cannot answer others otherwise.
const { url } = await openFalkordb(t, { args: { THREAD_COUNT: 8, TIMEOUT_DEFAULT: 500, TIMEOUT_MAX: 600, RESULTSET_SIZE: 7, QUERY_MEM_CAPACITY: 0 } })
const database = await openDatabase(t, url)
const admin = await openAdmin(t, url)
const endless = 'UNWIND range(1, 1000000) AS x UNWIND range(1, 1000000) AS y RETURN sum(x * y)'

/** A way to FalkorDB that can be cut. */
async function openProxy (t: { teardown: (end: () => unknown) => void }, port = 0) {
  const sockets = new Set<Socket>()
  const target = new URL(url)
  let deaf = false
  const server = createServer(client => {
    const upstream = connect(Number(target.port), target.hostname)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {}).on('close', () => { client.destroy(); upstream.destroy() })
    }
    client.on('data', data => upstream.write(data))
    upstream.on('data', data => { if (!deaf) client.write(data) })
  }).listen(port, '127.0.0.1')
  await once(server, 'listening')
  const cut = () => { for (const socket of sockets) socket.destroy() }
  const close = () => { cut(); server.close() }
  t.teardown(close)
  return { url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`, cut, close, silence: (on: boolean) => { deaf = on } }
}

t.test('18: FalkorDB itself refuses every write in a read-only run', async t => {
  const { read, write } = asker(database, 'readers')
  await write('CREATE (:N {x: 1})')
  for (const query of ['CREATE (:N)', 'MATCH (n) SET n.x = 2', 'MATCH (n) DELETE n', 'MERGE (:M)', 'MATCH (n) REMOVE n.x', 'FOREACH (x IN [1] | CREATE (:N))', 'CREATE INDEX FOR (n:N) ON (n.x)', 'MATCH (n) CALL { WITH n SET n.x = 3 } RETURN n', 'CALL db.idx.fulltext.createNodeIndex("N", "x")', 'MATCH (n) WITH n CREATE (:N) RETURN n']) {
    await t.rejects(read(query), { type: 'QueryError', code: 'write_in_read_only', details: { hint: /graph:write/ } }, query)
  }
  t.strictSame((await read('MATCH (n) RETURN count(n), sum(n.x)')).rows, [[1, 1]])
})

t.test('a read-only run of a graph that is not there is not found, and makes none', async t => {
  const { read } = asker(database, 'nobody', 'none')
  await t.rejects(read('MATCH (n) RETURN n'), { type: 'NotFoundError', status: 404, code: 'graph_not_found' })
  await t.rejects(database.writes({ tenant: 'nobody', key: 'nobody_none', query: 'CREATE (n)', parameters: {}, timeoutMs: 1_000 }), { code: 'graph_not_found' })
  t.strictSame(await database.keys('nobody', 'nobody_'), [])
})

t.test('whether a query writes is for FalkorDB’s plan to say', async t => {
  const { read, write } = asker(database, 'planner')
  await write('CREATE (:N {d: 1})')
  const say = (query: string, parameters?: unknown) => database.writes({ tenant: 'planner', key: 'planner_g', query, parameters, timeoutMs: 5_000 })
  for (const query of ['CREATE (:N)', 'MATCH (n) SET n.x = 2', 'MATCH (n) DELETE n', 'MERGE (:M)', 'MATCH (n) REMOVE n.x', 'FOREACH (x IN [1] | CREATE (:N))', 'CREATE INDEX FOR (n:N) ON (n.x)', 'MATCH (n) CALL { WITH n SET n.x = 3 } RETURN n', 'CALL db.idx.fulltext.createNodeIndex("N", "x")', 'CALL db . idx.`fulltext`.`createNodeIndex`("N", "x")']) t.equal(await say(query), true, query)
  for (const query of ['MATCH (n:CREATE) RETURN n', 'CALL db.labels()', 'CALL db.labels() YIELD label RETURN label, "CALL db.idx.fulltext.drop"', 'CALL { MATCH (n) RETURN n } RETURN n', 'RETURN 1 AS `SET`', 'MATCH (n) WHERE n.d = $d RETURN n']) t.equal(await say(query, { d: { $date: '2026-01-01' } }), false, query)
  t.strictSame((await read('MATCH (n) RETURN count(n), sum(n.d)')).rows, [[1, 1]], 'nothing was run')
})

t.test('23: the limits are set on FalkorDB and read back', async t => {
  const { warnings, limits: told, version, module } = await database.info()
  t.notMatch(warnings.join(), /wants/)
  const wanted = { RESULTSET_SIZE: limits.maxRows + 1, TIMEOUT_DEFAULT: limits.timeoutDefaultMs, TIMEOUT_MAX: limits.timeoutMaxMs, QUERY_MEM_CAPACITY: limits.queryMemoryBytes, MAX_QUEUED_QUERIES: 1_000 }
  t.match(told, wanted)
  for (const [name, value] of Object.entries(wanted)) t.strictSame(await admin('GRAPH.CONFIG', 'GET', name), [name, value])
  t.match([version, module], [/^\d+\.\d+\.\d+$/, /^4\.\d+\.\d+$/])
  // Lower and higher ones can be set from any state.
  for (const [timeoutDefaultMs, timeoutMaxMs] of [[20_000, 30_000], [100, 200], [limits.timeoutDefaultMs, limits.timeoutMaxMs]] as const) {
    const other = await openDatabase(t, url, { timeoutDefaultMs, timeoutMaxMs })
    t.match(await other.info(), { warnings: [], limits: { TIMEOUT_DEFAULT: timeoutDefaultMs, TIMEOUT_MAX: timeoutMaxMs } })
  }
})

t.test('23: where FalkorDB does not take the limits, that is said, or refused if so wanted', async t => {
  await admin('ACL', 'SETUSER', 'guest', 'on', '>guest', '~*', '+@all', '-graph.config')
  const guest = url.replace('//', '//guest:guest@')
  const warned = await openDatabase(t, guest)
  t.match((await warned.info()).warnings, [/RESULTSET_SIZE cannot be read; the gateway wants 1001/, /TIMEOUT_DEFAULT/, /TIMEOUT_MAX/, /QUERY_MEM_CAPACITY/, /MAX_QUEUED_QUERIES/])
  t.strictSame((await asker(warned, 'readers').read('RETURN 1')).rows, [[1]])
  await t.rejects(openDatabase(t, guest, { requireLimits: true }), { type: 'DatabaseError', code: 'database_limits_missing' })
})

t.test('23: a query without end is stopped at its time while another tenant is answered', async t => {
  const greedy = asker(database, 'greedy')
  const modest = asker(database, 'modest')
  await greedy.write('CREATE (:G)')
  await modest.write('CREATE (:M)')
  const runaways = Array.from({ length: limits.tenantConcurrency }, () => codeOf(greedy.read(endless, {}, { timeoutMs: 1_500 })))
  let answers = 0
  const running = new Set(runaways)
  for (const runaway of runaways) runaway.then(() => running.delete(runaway))
  while (running.size > 0) {
    await modest.read('MATCH (m:M) RETURN m')
    answers++
  }
  t.strictSame(new Set(await Promise.all(runaways)), new Set(['query_timeout']))
  t.ok(answers > 20, `${answers} answers meanwhile`)
})

t.test('23: a write without end is stopped and leaves nothing', async t => {
  const { read, write } = asker(database, 'greedy')
  await t.rejects(write('UNWIND range(1, 1000000) AS x UNWIND range(1, 1000000) AS y WITH sum(x * y) AS s CREATE (:Late {s: s})', {}, { timeoutMs: 300 }), { type: 'TimeoutError', code: 'query_timeout', message: /nothing of it was written/ })
  t.strictSame((await read('MATCH (n:Late) RETURN count(n)')).rows, [[0]])
})

t.test('23: a query that wants more memory than it may have is ended', async t => {
  const { read } = asker(database, 'greedy')
  await t.rejects(read('UNWIND range(1, 900000) AS x WITH collect(toString(x) + "a text that takes some room") AS all RETURN size(all)'), { type: 'QueryError', code: 'query_memory_exceeded', details: { hint: String } })
})

t.test('23: calls beyond a tenant’s share wait, and beyond that are told to come back', async t => {
  const greedy = asker(database, 'crowd')
  await greedy.write('CREATE (:G)')
  const calls = Array.from({ length: 40 }, () => codeOf(greedy.read(endless, {}, { timeoutMs: 500 })))
  t.strictSame((await asker(database, 'readers').read('MATCH (n:N) RETURN count(n)')).rows, [[1]], 'others go on')
  const codes = await Promise.all(calls)
  t.strictSame(new Set(codes), new Set(['query_timeout', 'queue_full']))
  t.ok(codes.filter(code => code === 'queue_full').length >= 20, 'at once for those that find the queue full')
  t.strictSame((await greedy.read('RETURN 1')).rows, [[1]])
  await t.rejects(Promise.all(Array.from({ length: 30 }, () => greedy.read(endless, {}, { timeoutMs: 300 }))), { type: 'RateLimitError', code: 'queue_full', message: /at once/ })
})

t.test('24: 1,000 interleaved calls of many tenants each meet their own graph', async t => {
  const tenants = Array.from({ length: 25 }, (_, number) => asker(database, `t${number}`))
  // The same numbers mean other names in each graph.
  await Promise.all(tenants.map(({ write }, number) => write(`CREATE (:L${number} {p${number}: ${number}})-[:R${number}]->(:L${number}x)`)))
  const calls = Array.from({ length: 1_000 }, (_, index) => async () => {
    const number = (index * 7) % tenants.length
    const { read, write } = tenants[number]!
    const { rows } = index % 10 === 0 ? await write('MATCH (a)-[r]->(b) SET a.n = $n RETURN a, r, b', { n: number }) : await read('MATCH (a)-[r]->(b) RETURN a, r, b')
    const [a, r, b] = rows[0] as [{ labels: string[], properties: Record<string, unknown> }, { type: string }, { labels: string[] }]
    return a.labels[0] === `L${number}` && a.properties[`p${number}`] === number && r.type === `R${number}` && b.labels[0] === `L${number}x` && rows.length === 1
  })
  // As many lines of calls as tenants may have at once, woven into each other.
  const results: boolean[] = []
  await Promise.all(Array.from({ length: 60 }, async () => { for (let call = calls.pop(); call !== undefined; call = calls.pop()) results.push(await call()) }))
  t.equal(results.length, 1_000)
  t.ok(results.every(Boolean))
  t.strictSame(await database.keys('t1', 't1_'), ['t1_g'])
})

t.test('names are those of the graph that answered, also after it was deleted and made anew', async t => {
  const { read, write } = asker(database, 'phoenix')
  const other = await openDatabase(t, url)
  const elsewhere = asker(other, 'phoenix')
  for (let life = 0; life < 5; life++) {
    const { rows } = await elsewhere.write(`CREATE (n:Label${life} {key${life}: 1, key: 2})-[r:TYPE${life}]->() RETURN n, r`)
    t.match(rows, [[{ labels: [`Label${life}`], properties: { [`key${life}`]: 1, key: 2 } }, { type: `TYPE${life}` }]])
    t.match((await read('MATCH (n)-[r]->() RETURN n, r')).rows, rows, 'the other process sees it so')
    t.match((await write(`MATCH (n:Label${life}) SET n:More${life}, n.more = 3 RETURN n`)).rows, [[{ labels: [`Label${life}`, `More${life}`], properties: { more: 3 } }]], 'names added by the query itself')
    await admin('GRAPH.DELETE', 'phoenix_g')
  }
  t.equal(await codeOf(read('MATCH (n) RETURN n')), 'graph_not_found')
})

t.test('many add names at once, and each result has its own', async t => {
  const { write } = asker(database, 'busy')
  const results = await Promise.all(Array.from({ length: 16 }, (_, number) => write(`CREATE (n:B${number} {p${number}: ${number}}) RETURN n`)))
  results.forEach(({ rows }, number) => t.match(rows, [[{ labels: [`B${number}`], properties: { [`p${number}`]: number } }]]))
})

t.test('more names than rows of a result are read all the same', async t => {
  const { read, write } = asker(database, 'wide')
  await write(`CREATE ({${Array.from({ length: 1_500 }, (_, n) => `p${n}:${n}`).join(',')}})`)
  const { rows } = await read('MATCH (n) RETURN n')
  t.equal((rows as any)[0][0].properties.p1499, 1499)
})

t.test('27: a result is its first rows, and says whether there were more', async t => {
  const { read } = asker(database, 'readers')
  const rows = async (count: number, maxRows: number) => {
    const result = await read(`UNWIND range(1, ${count}) AS n RETURN n`, {}, { maxRows })
    return [result.rows.length, result.truncated, result.rows[0]?.[0]]
  }
  t.strictSame(await rows(5_000, 1_000), [1_000, true, 1])
  t.strictSame(await rows(1_000, 1_000), [1_000, false, 1])
  t.strictSame(await rows(1_001, 1_000), [1_000, true, 1])
  t.strictSame(await rows(10, 3), [3, true, 1])
  t.strictSame(await rows(3, 3), [3, false, 1])
  t.strictSame(await rows(0, 3), [0, false, undefined])
  t.strictSame(await rows(5_000, 1_000_000), [1_000, true, 1], 'never more than the gateway allows')
})

t.test('28: an error says what is wrong, where, and how to go on', async t => {
  const { read } = asker(database, 'readers')
  const fault = async (query: string, parameters?: unknown) => {
    const error = await read(query, parameters).catch(error => error)
    return [error.type, error.code, error.details?.position, error.details?.line, error.details?.column, error.details?.hint]
  }
  t.strictSame(await fault('MATCH (n) RETRUN n'), ['QueryError', 'syntax_error', 13, 1, 14, "Invalid input 'R': expected RETURN"])
  t.match(await fault('MATCH (n)\nRETURN (n'), ['QueryError', 'syntax_error', 19, 2, 10, /end of input/])
  t.match(await fault('RETURN "äö🦊" FOO'), ['QueryError', 'syntax_error', 16], 'in UTF-16 units, though FalkorDB counts bytes')
  t.match(await fault('RETURN "äö🦊" FOO', { a: 1 }), ['QueryError', 'syntax_error', 16])
  t.match(await fault('\n\t RETURN 1 FOO', { a: 1 }), ['QueryError', 'syntax_error', 14, 2, 14])
  t.match(await fault('RETURN $d, $d FOO', { d: { $date: '2026-11-20' } }), ['QueryError', 'syntax_error', 16], 'in the caller’s own text')
  t.match(await fault('RETURN $nope'), ['QueryError', 'parameter_missing', 0, undefined, undefined, /parameters/])
  t.match(await fault('RETURN x'), ['QueryError', 'query_failed', 0, undefined, undefined, /'x' not defined/])
  t.match(await fault('RETURN 1 / 0'), ['QueryError', 'query_failed', 0, undefined, undefined, 'Division by zero'])
  t.match(await fault('RETURN 1 AS a, 2 AS a'), ['QueryError', 'query_failed', 0, undefined, undefined, /same name/])
})

t.test('29: no message, which is what a log gets, quotes the query, a parameter or a key', async t => {
  const { read, write } = asker(database, 'readers')
  await admin('SET', 'readers_text', 'x')
  await write('CALL db.idx.fulltext.createNodeIndex("N", "t")')
  for (const [query, rest] of [['RETURN sentinel'], ['RETURN "sentinel" FOO'], ['RETURN sentinel(1)'], ['RETURN toUpper($p) + 1 / 0'], ['CALL db.idx.fulltext.queryNodes("N", $p)'], ['RETURN 1', { key: 'readers_text' }]] as Array<[string, object?]>) {
    const error = await read(query, { p: 'sentinel(' }, rest).catch(error => error)
    t.ok(error instanceof GatewayError, query)
    t.notMatch(`${error.message} ${error.cause?.message}`, /sentinel|readers_/)
    t.notMatch(JSON.stringify(error.details ?? {}), /readers_/)
  }
})

t.test('a connection cut during a read is told so, and the next call goes through', async t => {
  const proxy = await openProxy(t)
  const cut = await openDatabase(t, proxy.url, { tenantConcurrency: 2 })
  const { read } = asker(cut, 'readers')
  const call = codeOf(read(endless, {}, { timeoutMs: 4_000 }))
  await until('the query to run', async () => String(await admin('CLIENT', 'LIST')).match(/ flags=b.* cmd=graph\.ro_query/i) !== null)
  proxy.close()
  t.equal(await call, 'database_unavailable')
  await until('the loss', () => !cut.up)
  await t.rejects(cut.ping(), { type: 'DatabaseError', status: 502, code: 'database_unavailable' })
  await openProxy(t, Number(new URL(proxy.url).port))
  await until('the connection', () => cut.up)
  t.strictSame((await read('MATCH (n:N) RETURN count(n)')).rows, [[1]])
})

t.test('a write cut mid-flight is never sent again, and its outcome is called unknown', async t => {
  const proxy = await openProxy(t)
  const cut = await openDatabase(t, proxy.url)
  const { read, write } = asker(cut, 'writer')
  await write('CREATE (:W)')
  const call = codeOf(write('UNWIND range(1, 200000) AS x WITH sum(x) AS s CREATE (:W {s: s})'))
  await until('the query to run', async () => String(await admin('CLIENT', 'LIST')).match(/ flags=b.* cmd=graph\.query/i) !== null)
  proxy.silence(true)
  proxy.cut()
  t.equal(await call, 'write_outcome_unknown')
  proxy.silence(false)
  await until('the connection', () => cut.up)
  // FalkorDB itself ran it to its end: once.
  await until('the write', async () => Number((await read('MATCH (w:W) RETURN count(w)')).rows[0]?.[0]) === 2)
  for (let round = 0; round < 5; round++) t.strictSame((await read('MATCH (w:W) RETURN count(w)')).rows, [[2]])
})

t.test('while FalkorDB is away calls fail at once, and none of them runs later', async t => {
  const port = await freePort()
  const early = await openDatabase(t, `redis://127.0.0.1:${port}`)
  const { read, write } = asker(early, 'early')
  t.equal(early.up, false)
  const start = Date.now()
  for (let call = 0; call < 5; call++) t.equal(await codeOf(write('CREATE (:Late)')), 'database_unavailable')
  await t.rejects(early.ping(), { code: 'database_unavailable' })
  await t.rejects(early.keys('t1', ''), { code: 'database_unavailable' })
  t.ok(Date.now() - start < 1_000)
  const proxy = await openProxy(t, port)
  await until('the connection', () => early.up)
  await write('CREATE (:First)')
  t.strictSame((await read('MATCH (n) RETURN labels(n)')).rows, [[['First']]])
  t.match((await early.info()).warnings, [])
  proxy.close()
})

t.test('after a restart FalkorDB has the limits again before the first query runs', async t => {
  const port = await freePort()
  const { startFalkordb } = await import('../../../dev/programs/falkordb.ts')
  const first = await startFalkordb({ port, say: () => {}, memoryBytes: 2 ** 30, args: { RESULTSET_SIZE: -1 } })
  t.teardown(() => first.stop())
  const database = await openDatabase(t, first.url, { maxRows: 10 })
  const { write } = asker(database, 'again')
  await write('CREATE (:A)')
  await first.stop()
  await until('the loss', () => !database.up)
  const second = await startFalkordb({ port, say: () => {}, memoryBytes: 2 ** 30, args: { RESULTSET_SIZE: -1 } })
  t.teardown(() => second.stop())
  await until('the connection', () => database.up)
  t.match(await write('UNWIND range(1, 50) AS x RETURN x'), { rows: { length: 10 }, truncated: true })
  const again = await openAdmin(t, second.url)
  t.strictSame(await again('GRAPH.CONFIG', 'GET', 'RESULTSET_SIZE'), ['RESULTSET_SIZE', 11])
})

t.test('a FalkorDB that hangs is told from one that works, and calls end without it', { timeout: 60_000 }, async t => {
  const proxy = await openProxy(t)
  const hung = await openDatabase(t, proxy.url, { timeoutDefaultMs: 500, timeoutMaxMs: 500 })
  const { read, write } = asker(hung, 'readers')
  await Promise.all([read('RETURN 1'), read('RETURN 1')])
  proxy.silence(true)
  const calls = [codeOf(asker(hung, 'readers', 'other').read('RETURN 1', {}, { timeoutMs: 100 })), codeOf(write('MATCH (n:N) SET n.y = 1', {}, { timeoutMs: 100 }))]
  t.strictSame(await Promise.all(calls), ['query_timeout', 'write_outcome_unknown'])
  await until('the silence to be noticed', () => !hung.up)
  const start = Date.now()
  t.equal(await codeOf(read('RETURN 1')), 'database_unavailable')
  t.ok(Date.now() - start < 500, 'at once')
  proxy.silence(false)
  proxy.cut()
  await until('the connection', () => hung.up)
  t.strictSame((await read('MATCH (n:N) RETURN n.y')).rows, [[1]])
})

t.test('a closed database refuses, and lets the process end', async t => {
  const closing = await openDatabase(t, url)
  await closing.close()
  t.equal(await codeOf(asker(closing, 'readers').read('RETURN 1')), 'database_unavailable')
})

t.test('a graph that a write made is called new, once', async t => {
  const { read, write } = asker(database, 'maker')
  t.equal((await write('CREATE (:N {x: 1})')).created, true)
  t.equal((await write('CREATE (:N {x: 2})')).created, undefined)
  t.equal((await read('MATCH (n) RETURN n')).created, undefined)
  await database.remove({ tenant: 'maker', key: 'maker_g' })
  t.equal((await write('CREATE (:N)')).created, true, 'after it was deleted here')
  await admin('GRAPH.DELETE', 'maker_g')
  t.equal((await write('CREATE (:N)')).created, true, 'and elsewhere')
})

t.test('a profile and a plan make no graph', async t => {
  const call = { tenant: 'profiler', key: 'profiler_g', query: 'CREATE (:N)', parameters: {}, timeoutMs: 1_000 }
  for (const method of ['profile', 'explain', 'writes'] as const) t.equal(await codeOf(database[method](call)), 'graph_not_found', method)
  await t.rejects(database.remove(call), { code: 'graph_not_found' })
  t.strictSame(await database.keys('profiler', 'profiler_'), [])
})

t.test('rows may be left out at the beginning of a result', async t => {
  const { read } = asker(database, 'readers')
  const page = async (skipRows: number) => { const { rows, truncated } = await read('UNWIND range(1, 10) AS n RETURN n', {}, { skipRows, maxRows: 4 }); return [rows.flat(), truncated] }
  t.strictSame([await page(0), await page(4), await page(8), await page(10)], [[[1, 2, 3, 4], true], [[5, 6, 7, 8], true], [[9, 10], false], [[], false]])
})

t.test('quotas are asked before a write and before a graph is made, and told after', async t => {
  const asked: string[] = []
  const refusal = new ForbiddenError('quota', 'No more graphs.')
  const metered = await openDatabase(t, url, {
    quotas: ask => ({
      beforeWrite: (tenant, query) => { asked.push(`write ${tenant} ${query}`) },
      beforeCreate: async tenant => { if ((await ask(['GRAPH.LIST']) as string[]).includes(`${tenant}_a`)) throw refusal },
      wrote: (tenant, key) => { asked.push(`wrote ${tenant} ${key}`) },
      close () {}
    })
  })
  t.equal(await codeOf(asker(metered, 'metered', 'a').write('CREATE (:A)')), 'ok')
  t.equal(await codeOf(asker(metered, 'metered', 'b').write('CREATE (:B)')), 'quota')
  t.equal(await codeOf(asker(metered, 'metered', 'a').write('CREATE (:A)')), 'ok')
  t.equal(await codeOf(asker(metered, 'metered', 'a').read('MATCH (a:A) RETURN a')), 'ok')
  t.strictSame(asked, ['write metered CREATE (:A)', 'wrote metered metered_a', 'write metered CREATE (:B)', 'write metered CREATE (:A)', 'wrote metered metered_a'])
  t.strictSame(await metered.keys('metered', 'metered_'), ['metered_a'])
})

t.test('a caller who has gone before its turn has sent nothing', async t => {
  const { read, write } = asker(database, 'gone')
  await write('CREATE (:N)')
  t.equal(await codeOf(write('CREATE (:Late)', {}, { signal: AbortSignal.abort() })), 'call_cancelled')
  const leave = new AbortController()
  const running = Array.from({ length: limits.tenantConcurrency }, () => codeOf(read(endless, {}, { timeoutMs: 500 })))
  const waiting = codeOf(write('CREATE (:Late)', {}, { signal: leave.signal }))
  leave.abort()
  t.equal(await waiting, 'call_cancelled')
  await Promise.all(running)
  t.strictSame((await read('MATCH (n:Late) RETURN count(n)')).rows, [[0]])
})

t.test('who goes away while a query runs frees nothing: the place is taken until FalkorDB answers, and the outcome is logged', async t => {
  const lines: Array<Record<string, unknown>> = []
  const logger = { info: (facts: object) => { lines.push({ ...facts }) }, error () {}, debug () {}, warn () {} } as unknown as FastifyBaseLogger
  const watched = await openDatabase(t, url, { logger })
  const { read, write } = asker(watched, 'leaver')
  await write('CREATE (:N)')
  // From here on names are known: what runs below is the query itself.
  await read('RETURN 1')
  const running = async () => String(await admin('CLIENT', 'LIST')).split('\n').filter(line => /user=gateway-v1:leaver /.test(line) && / flags=b/.test(line)).length
  const leave = new AbortController()
  const calls = Array.from({ length: 8 }, () => codeOf(read(endless, {}, { timeoutMs: 1_000, signal: leave.signal })))
  await until('every place to be taken', async () => await running() === limits.tenantConcurrency)
  leave.abort()
  t.strictSame(new Set(await Promise.all(calls)), new Set(['call_cancelled']), 'told at once')
  t.equal(await running(), limits.tenantConcurrency, 'FalkorDB cannot stop')
  const next = read('RETURN 1')
  t.equal(await running(), limits.tenantConcurrency, 'so the next one waits')
  t.strictSame((await next).rows, [[1]])
  await until('all outcomes', () => lines.filter(({ mode }) => mode === 'read').length === 8)
  t.strictSame(lines.filter(({ mode }) => mode === 'read').map(({ tenant, outcome }) => [tenant, outcome]).sort(), [...Array(4).fill(['leaver', 'nothing was sent']), ...Array(4).fill(['leaver', 'query_timeout'])])
  const writing = new AbortController()
  const written = codeOf(write('UNWIND range(1, 200000) AS x WITH sum(x) AS s CREATE (:W {s: s, fresh: 1}) RETURN s', {}, { signal: writing.signal }))
  await until('the write to run', async () => await running() === 1)
  writing.abort()
  t.equal(await written, 'call_cancelled')
  await until('its outcome', () => lines.some(({ mode }) => mode === 'write'))
  t.match(lines.find(({ mode }) => mode === 'write'), { tenant: 'leaver', outcome: 'ok', ms: Number })
  t.strictSame((await read('MATCH (w:W) RETURN count(w)')).rows, [[1]])
  t.notMatch(JSON.stringify(lines), /UNWIND/, 'without the query')
})

t.test('the time of a call is counted from its beginning, waiting for its turn included', async t => {
  const { read, write } = asker(database, 'waiter')
  await write('CREATE (:N)')
  const watcher = await createClient({ url }).on('error', () => {}).connect()
  t.teardown(() => { watcher.destroy() })
  const sent: string[] = []
  await watcher.monitor(line => { sent.push(String(line)) })
  const running = Array.from({ length: limits.tenantConcurrency }, () => codeOf(read(endless, {}, { timeoutMs: 500 })))
  t.strictSame((await read('RETURN 1 AS waited', {}, { timeoutMs: 5_000 })).rows, [[1]])
  await Promise.all(running)
  const seen = () => /RETURN 1 AS waited.*"TIMEOUT" "(\d+)"/.exec(sent.join('\n'))?.[1]
  await until('the query to be sent', () => seen() !== undefined)
  const timeout = Number(seen())
  t.ok(timeout > 0 && timeout <= 4_600, `FalkorDB is given ${timeout} ms`)
})
