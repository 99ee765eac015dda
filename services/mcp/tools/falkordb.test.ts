/** The tools against a real FalkorDB, through the app. */
import t from 'tap'
import { openDatabase, openFalkordb } from '../graph/test-database.ts'
import { caller, callThrough, clients, configOf, headersOf, testApp, toolCall } from '../test-support.ts'

const ada = caller('acme')
const reader = caller('acme', 'graph:read')
const eve = caller('acme_x', 'graph:admin')

const { url } = await openFalkordb(t)
const { MAX_ROWS: maxRows, QUERY_TIMEOUT_MS: timeoutDefaultMs, QUERY_TIMEOUT_MAX_MS: timeoutMaxMs } = configOf()
const database = await openDatabase(t, url, { maxRows, timeoutDefaultMs, timeoutMaxMs })
const { app, lines } = testApp(database)

const call = callThrough(app)

t.test('a write and a read by the same tenant', async t => {
  const films = [{ title: 'Alien', year: 1979 }, { title: 'Aliens', year: 1986 }]
  t.match(await call(ada, 'falkordb_query', { graphName: 'write', query: 'UNWIND $films AS f CREATE (n:Film) SET n = f', parameters: { films } }),
    { success: true, data: [], tenant: 'acme', graphName: 'write', resolvedGraphName: 'acme_write', truncated: false })
  t.match(await call(reader, 'falkordb_read_query', { graphName: 'write', query: 'MATCH (f:Film) RETURN f.title AS title, f.year AS year ORDER BY year' }), { data: films, columns: ['title', 'year'] })
  t.match(await call(reader, 'falkordb_query', { graphName: 'write', query: 'MATCH (f:Film {year: $year}) RETURN f', parameters: { year: 1979 } }),
    { data: [{ f: { identity: Number, labels: ['Film'], properties: { title: 'Alien', year: 1979 } } }] })
})

t.test('18: the database refuses a write through the read tool, whoever asks and however', async t => {
  await call(ada, 'falkordb_query', { graphName: 'readonly', query: 'CREATE (:Seed)' })
  const writes = ['CREATE (:X)', 'MERGE (:X)', 'MATCH (n) SET n.a = 1', 'MATCH (n) DETACH DELETE n', 'MATCH (n) REMOVE n.a', 'FOREACH (i IN [1] | CREATE (:X))', 'CREATE INDEX FOR (n:Seed) ON (n.a)', 'CALL { CREATE (:X) }', 'cReAtE/**/(:X)']
  for (const query of writes) {
    for (const identity of [reader, ada, caller('acme', 'graph:admin')]) {
      t.match(await call(identity, 'falkordb_read_query', { graphName: 'readonly', query }), { error: { type: 'QueryError' } }, query)
    }
  }
  t.match(await call(ada, 'falkordb_read_query', { graphName: 'readonly', query: 'CREATE (:X)' }), { error: { code: 'write_in_read_only', details: { hint: /falkordb_query/ } } })
  t.match(await call(reader, 'falkordb_read_query', { graphName: 'readonly', query: 'MATCH (n) RETURN labels(n) AS l, n.a AS a' }), { data: [{ l: ['Seed'], a: null }] })
})

t.test('18: a write by a reader through falkordb_query is 403 in both eras and changes nothing', async t => {
  await call(ada, 'falkordb_query', { graphName: 'stepup', query: 'CREATE (:Seed)' })
  for (const era of ['legacy', 'modern'] as const) {
    for (const [graphName, query] of [['stepup', 'CREATE (:X)'], ['stepup', 'MATCH (n) SET n.a = 1'], ['stepup', 'MATCH (n) DELETE n'], ['not-there', 'MERGE (:X)']]) {
      t.match(await call(reader, 'falkordb_query', { graphName, query }, era), { status: 403, challenge: /scope="graph:read graph:write"/ }, `${era} ${query}`)
    }
  }
  t.match(await call(reader, 'falkordb_query', { graphName: 'stepup', query: 'MATCH (n) RETURN count(n) AS n' }), { data: [{ n: 1 }] })
  t.match(await call(reader, 'falkordb_query', { graphName: 'stepup', query: 'CALL db.labels() YIELD label RETURN label' }), { data: [{ label: 'Seed' }] })
  t.notOk((await call(reader, 'falkordb_list_graphs', {})).graphs.includes('not-there'))
})

t.test('a read of a graph that does not exist is a NotFoundError and creates none, for writers too', async t => {
  for (const [identity, tool] of [[reader, 'falkordb_read_query'], [reader, 'falkordb_query'], [ada, 'falkordb_query']] as const) {
    t.match(await call(identity, tool, { graphName: 'misspelt', query: 'MATCH (n) RETURN n' }), { error: { type: 'NotFoundError' } })
  }
  t.notOk((await call(ada, 'falkordb_list_graphs', {})).graphs.includes('misspelt'))
})

t.test('24, 25: tenants see and reach only their own graphs, also where their names look alike', async t => {
  await call(ada, 'falkordb_query', { graphName: 'x_secret', query: "CREATE (:S {owner: 'acme'})" })
  await call(eve, 'falkordb_query', { graphName: 'secret', query: "CREATE (:S {owner: 'acme_x'})" })
  t.strictSame((await call(eve, 'falkordb_list_graphs', {})).graphs, ['secret'])
  t.ok((await call(ada, 'falkordb_list_graphs', {})).graphs.includes('x_secret'))
  t.match(await call(eve, 'falkordb_query', { graphName: 'secret', query: 'MATCH (s:S) RETURN s.owner AS owner' }), { data: [{ owner: 'acme_x' }] })
  for (const graphName of ['x_secret', 'acme_x_secret', '../acme_x_secret', '*', 'secret\0']) {
    t.match(await call(eve, 'falkordb_query', { graphName, query: 'MATCH (s:S) RETURN s.owner AS owner' }), { error: { type: /NotFoundError|ValidationError/ } }, graphName)
  }
})

t.test('28: a wrong query is a QueryError with its position', async t => {
  t.match(await call(ada, 'falkordb_read_query', { graphName: 'write', query: 'MATCH (n) RETRUN n' }), { error: { type: 'QueryError', details: { position: Number } } })
  t.match(await call(ada, 'falkordb_query', { graphName: 'write', query: "LOAD CSV FROM 'https://127.0.0.1/x' AS row RETURN row" }), { error: { type: 'QueryError', code: 'load_csv_refused', details: { position: 0, hint: String } } })
})

t.test('27: limit and MAX_RESULT_BYTES cut a result and say so', async t => {
  const query = 'UNWIND range(1, 5000) AS i RETURN i'
  await call(ada, 'falkordb_query', { graphName: 'many', query: 'CREATE (:Seed)' })
  const limited = await call(reader, 'falkordb_read_query', { graphName: 'many', query, limit: 3 })
  t.match(limited, { data: [{ i: 1 }, { i: 2 }, { i: 3 }], truncated: true, advice: /limit of 3/ })
  const all = await call(reader, 'falkordb_read_query', { graphName: 'many', query })
  t.equal(all.data.length, 1000)
  t.equal(all.truncated, true)
  t.match(await call(reader, 'falkordb_read_query', { graphName: 'many', query: 'UNWIND range(1, 3) AS i RETURN i', limit: 3 }), { truncated: false })
  const wide = await app.inject(toolCall('modern', reader, 'falkordb_read_query', { graphName: 'many', query: 'UNWIND range(1, 900) AS i RETURN $text AS text', parameters: { text: 'x'.repeat(1000) } }))
  t.ok(wide.rawPayload.length < 140_000, `${wide.rawPayload.length} bytes`)
  t.equal(wide.json().result.structuredContent.truncated, true)
})

t.test('22: exact integers and typed values go through a tool both ways', async t => {
  const parameters = { big: { $int64: '9007199254740993' }, list: [1, 'ü', null, true] }
  const { data } = await call(ada, 'falkordb_query', { graphName: 'values', query: 'CREATE (n) RETURN $big AS big, $list AS list, $big - 1 AS less', parameters })
  t.strictSame(data, [{ big: { $int64: '9007199254740993' }, list: [1, 'ü', null, true], less: { $int64: '9007199254740992' } }])
})

t.test('every result fits the output schema, as the clients themselves check', async t => {
  const base = await app.listen({ port: 0 })
  t.teardown(() => app.close())
  for (const connect of Object.values(clients)) {
    const client = await connect(`${base}/mcp`, ada)
    await client.listTools()
    for (const [name, args] of [['falkordb_query', { graphName: 'clients', query: 'MERGE (n:A) RETURN n' }], ['falkordb_read_query', { graphName: 'clients', query: 'MATCH p = (n) RETURN p, n' }], ['falkordb_list_graphs', { limit: 1 }], ['falkordb_server_info', {}], ['falkordb_health', {}]] as const) {
      const result = await client.callTool({ name, arguments: args })
      t.match(result, { structuredContent: { success: true }, content: [{ type: 'text', text: String }] }, name)
      t.notOk(result.isError)
    }
    await client.close()
  }
  const rest = await fetch(`${base}/api/mcp/graphs`, { headers: headersOf(ada) })
  t.match(await rest.json(), { graphs: /clients/ })
})

t.test('29: no query and no value of all this is in the log', async t => {
  t.ok(lines.length > 50)
  t.equal(lines.find(line => /MATCH|CREATE|UNWIND|Alien|9007199254740993/.test(line)), undefined)
})
