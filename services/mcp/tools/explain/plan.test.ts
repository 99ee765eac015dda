/** falkordb_explain and falkordb_profile on a real FalkorDB, through the app. */
import t from 'tap'
import { openDatabase, openFalkordb } from '../../graph/test-database.ts'
import { caller, callThrough, configOf, testApp, toolCall } from '../../test-support.ts'

const ada = caller('acme')
const reader = caller('acme', 'graph:read')

const { url } = await openFalkordb(t)
const database = await openDatabase(t, url, { maxRows: configOf().MAX_ROWS })
const { app, lines } = testApp(database)
t.teardown(() => app.close())

const call = callThrough(app)
const count = async () => (await call(reader, 'falkordb_read_query', { graphName: 'films', query: 'MATCH (n) RETURN count(n) AS n' })).data[0].n

await call(ada, 'falkordb_query', { graphName: 'films', query: 'UNWIND range(1, 20) AS i CREATE (:Film {n: i})' })

t.test('a plan comes as lines and as operations, with a note on the index that it lacks', async t => {
  const answer = await call(reader, 'falkordb_explain', { graphName: 'films', query: 'MATCH (f:Film {n: $n}) RETURN f', parameters: { n: 3 } })
  t.match(answer, {
    success: true,
    plan: ['Results', '    Project', '        Filter', '            Node By Label Scan | (f:Film)'],
    operations: [{ operation: 'Results', depth: 0 }, { operation: 'Project', depth: 1 }, { operation: 'Filter', depth: 2 }, { operation: 'Node By Label Scan', depth: 3, on: '(f:Film)' }],
    tenant: 'acme',
    graphName: 'films',
    resolvedGraphName: 'acme_films',
    truncated: false,
    notes: ['No index on :Film(n), so every :Film is read: CREATE INDEX FOR (n:Film) ON (n.n)']
  })
  t.match(answer.text, /\n<data \S+>\nResults\n {4}Project\n.*\n<\/data \S+>\nNote: No index on :Film\(n\)/s)
})

t.test('the note goes when its statement was run', async t => {
  const query = 'MATCH (a:Actor) WHERE a.name = "Ada" RETURN a'
  await call(ada, 'falkordb_query', { graphName: 'films', query: 'CREATE (:Actor {name: "Ada"})' })
  const { notes } = await call(reader, 'falkordb_explain', { graphName: 'films', query })
  t.match(await call(ada, 'falkordb_query', { graphName: 'films', query: notes[0].replace(/^.* is read: /, '') }), { statistics: { indicesCreated: 1 } })
  t.notOk('notes' in await call(reader, 'falkordb_explain', { graphName: 'films', query }))
})

t.test('explaining a write runs nothing, for a reader too', async t => {
  const before = await count()
  for (const query of ['CREATE (:Film)', 'MATCH (f:Film) DELETE f', 'MATCH (f:Film) SET f.n = 0', 'CREATE INDEX FOR (f:Film) ON (f.other)']) {
    t.match(await call(reader, 'falkordb_explain', { graphName: 'films', query }), { success: true }, query)
  }
  t.equal(await count(), before)
  t.match(await call(reader, 'falkordb_read_query', { graphName: 'films', query: 'CALL db.indexes() YIELD label, properties WHERE "other" IN properties RETURN label' }), { data: [] })
})

t.test('a profile runs the query and tells rows and time of each operation', async t => {
  const before = await count()
  const answer = await call(ada, 'falkordb_profile', { graphName: 'films', query: 'UNWIND range(1, 3) AS i CREATE (f:Made {i: $i}) RETURN f', parameters: { i: 1 } })
  t.match(answer, { success: true, plan: [/^Results \| Records produced: 3, Execution time/], truncated: false })
  t.match(answer.operations.find(({ operation }: { operation: string }) => operation === 'Create'), { rows: 3, ms: Number })
  t.equal(await count(), before + 3)
})

t.test('a reader may not profile: 403 with the scopes to ask for, in both eras, and nothing runs', async t => {
  const before = await count()
  for (const era of ['legacy', 'modern'] as const) {
    t.match(await call(reader, 'falkordb_profile', { graphName: 'films', query: 'CREATE (:X)' }, era), { status: 403, challenge: /insufficient_scope.*scope="graph:read graph:write"/ }, era)
  }
  t.equal(await count(), before)
})

t.test('a graph that does not exist is a NotFoundError and is not made', async t => {
  for (const name of ['falkordb_explain', 'falkordb_profile']) {
    for (const query of ['MATCH (n) RETURN n', 'CREATE (:X)']) t.match(await call(ada, name, { graphName: 'misspelt', query }), { error: { type: 'NotFoundError', code: 'graph_not_found' } }, name)
  }
  t.strictSame((await call(ada, 'falkordb_list_graphs', {})).graphs, ['films'])
})

t.test('28: the guard and FalkorDB\'s own errors are the same as for a query', async t => {
  for (const name of ['falkordb_explain', 'falkordb_profile']) {
    t.match(await call(ada, name, { graphName: 'films', query: 'LOAD/**/csv FROM "https://example.com" AS row RETURN row' }), { error: { code: 'load_csv_refused' } }, name)
    t.match(await call(ada, name, { graphName: 'films', query: 'MATCH (n) RETRUN n' }), { error: { code: 'syntax_error', details: { line: 1, hint: String } } }, name)
    t.match(await call(ada, name, { graphName: 'films', query: 'RETURN $x', parameters: { 'x y=1 ': 1 } }), { error: { code: 'invalid_parameters' } }, name)
  }
})

t.test('27: a plan of hundreds of operations stays within the bytes of a result', async t => {
  const { app: small } = testApp(database, { settings: { MAX_RESULT_BYTES: '8192' } })
  t.teardown(() => small.close())
  const query = Array.from({ length: 60 }, (_, index) => `MATCH (n${index}:\`a label that is rather long, to make the plan long as well\`) RETURN n${index} AS n`).join(' UNION ALL ')
  const { result } = (await small.inject(toolCall('modern', reader, 'falkordb_explain', { graphName: 'films', query }))).json()
  t.match(result.structuredContent, { truncated: true, plan: [/Results/] })
  t.ok(Buffer.byteLength(JSON.stringify(result.structuredContent)) + Buffer.byteLength(JSON.stringify(result.content[0].text)) <= 8_192)
})

t.test('29: neither query nor plan is logged', async t => {
  for (const name of ['falkordb_explain', 'falkordb_profile']) await call(ada, name, { graphName: 'films', query: 'MATCH (n:SentinelLabel {p: $p}) RETURN n', parameters: { p: 'sentinel-value' } })
  t.notMatch(lines.join(''), /SentinelLabel|sentinel-value/)
})
