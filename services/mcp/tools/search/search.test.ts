/** falkordb_search on a real FalkorDB, through the app. */
import t from 'tap'
import { until } from '../../../../tests/support/until.ts'
import { openDatabase, openFalkordb } from '../../graph/test-database.ts'
import { caller, callThrough, clients, configOf, testApp, toolCall } from '../../test-support.ts'

const ada = caller('acme')
const reader = caller('acme', 'graph:read')

const { url } = await openFalkordb(t)
const database = await openDatabase(t, url, { maxRows: configOf().MAX_ROWS })
const { app, lines } = testApp(database)
t.teardown(() => app.close())

const call = callThrough(app)
const write = (query: string, parameters?: object) => call(ada, 'falkordb_query', { graphName: 'docs', query, parameters })
const search = (args: object) => call(reader, 'falkordb_search', { graphName: 'docs', ...args })
interface Found { node: { properties: { n: number } }, score: number }
const numbers = async (args: object) => {
  const { data, error } = await search(args)
  return error ?? (data as Found[]).map(({ node }) => node.properties.n)
}
/** FalkorDB fills an index in the background. */
const built = () => until('the indexes', async () => (await call(reader, 'falkordb_read_query', { graphName: 'docs', query: "CALL db.indexes() YIELD status WHERE status <> 'OPERATIONAL' RETURN status" })).data.length === 0)

await write(`CREATE (:Doc {n: 1, title: 'ap-erp | x/_ manual'}), (:Doc {n: 2, title: 'plain ap word'}), (:Doc {n: 3, title: 'hello world', body: 'other'}),
  (:Doc {n: 4, title: 'other', body: 'hello'}), (:Doc {n: 5, title: 'Café foo–bar 東京タワー Über “quoted” don\\'t 2020 inf', \`odd-key p.x\`: 'strange'})`)
await write("CALL db.idx.fulltext.createNodeIndex('Doc', 'title', 'body', 'odd-key p.x')")
await write("CREATE (:Stop {n: 1, title: 'the lord of the rings'}), (:`odd label` {n: 1, t: 'hello'})")
await write("CALL db.idx.fulltext.createNodeIndex({label: 'Stop', stopwords: ['the', 'of']}, 'title')")
await write("CALL db.idx.fulltext.createNodeIndex('odd label', 't')")
await write('UNWIND $rows AS row CREATE (:Vec {n: row.n, cos: vecf32(row.v)}), (:Near {n: row.n, euc: vecf32(row.v), other: vecf32([row.n])})', { rows: [[1, 0, 0], [0.9, 0.1, 0], [0, 1, 0], [10, 0.5, 0]].map((v, n) => ({ n, v })) })
await write("CREATE VECTOR INDEX FOR (n:Vec) ON (n.cos) OPTIONS {dimension: 3, similarityFunction: 'cosine'}")
await write("CREATE VECTOR INDEX FOR (n:Near) ON (n.euc) OPTIONS {dimension: 3, similarityFunction: 'euclidean'}")
await write("CREATE VECTOR INDEX FOR (n:Near) ON (n.other) OPTIONS {dimension: 1, similarityFunction: 'euclidean'}")
await built()

t.test('25: full-text search for ap-erp | x/_ returns the rows that hold these words', async t => {
  const answer = await search({ label: 'Doc', text: 'ap-erp | x/_' })
  t.match(answer, { success: true, columns: ['node', 'score'], data: [{ node: { labels: ['Doc'], properties: { n: 1 } }, score: Number }], tenant: 'acme', graphName: 'docs', truncated: false })
  t.equal(answer.data.length, 1)
  t.match(answer.text, /node \| score\n\(#0:Doc/)
})

t.test('a text is never syntax: each special sign finds the words around it', async t => {
  for (let code = 1; code < 128; code++) {
    const sign = String.fromCharCode(code)
    if (!/\w/.test(sign)) t.strictSame(await numbers({ label: 'Doc', text: `${sign}hello${sign} ${sign}world` }), [3], `U+${code.toString(16)}`)
  }
  const rows: Array<[text: string, found: number[]]> = [
    ['@title:(other)', []], ['@body:hello', []], ['hel*', []], ['%hallo%', []], ['hello|plain', []], ['-hello', [3, 4]], ['"hello"', [3, 4]], ['hello => {$weight: 2}', []],
    ['(((', []], ["don't", [5]], ['2020', [5]], ['inf', [5]], ['NOT hello', []], ['foo–bar', [5]], ['東京タワー', [5]], ['café', [5]], ['CAFÉ', [5]], ['über', [5]], ['“hello”', [3, 4]], ['“quoted”', [5]], ['nothing', []]
  ]
  for (const [text, found] of rows) {
    const answer = await numbers({ label: 'Doc', text })
    if (text === '(((') t.match(answer, { type: 'ValidationError', code: 'text_without_words' })
    else t.strictSame(answer.toSorted(), found, text)
  }
})

t.test('best first, and no more than the limit', async t => {
  await write("CREATE (:Ranked {n: 1, t: 'cat dog bird fish cow'}), (:Ranked {n: 2, t: 'cat cat cat'}), (:Ranked {n: 3, t: 'cat cat dog bird'})")
  await write("CALL db.idx.fulltext.createNodeIndex('Ranked', 't')")
  await built()
  const { data } = await search({ label: 'Ranked', text: 'dog' })
  t.match(data, [{ node: { properties: { n: 1 } }, score: 1 }, { node: { properties: { n: 3 } }, score: 0.5 }])
  t.match(await search({ label: 'Ranked', text: 'cat', limit: 2 }), { data: { length: 2 }, truncated: true, advice: String })
  t.match(await search({ label: 'Ranked', text: 'cat', limit: 3 }), { data: { length: 3 }, truncated: false })
})

t.test('property narrows to one field, whatever its name', async t => {
  t.strictSame((await numbers({ label: 'Doc', text: 'hello' })).toSorted(), [3, 4])
  t.strictSame(await numbers({ label: 'Doc', text: 'hello', property: 'body' }), [4])
  t.strictSame(await numbers({ label: 'Doc', text: 'strange', property: 'odd-key p.x' }), [5])
  t.strictSame(await numbers({ label: 'Doc', text: 'hello', property: 'odd-key p.x' }), [])
  t.strictSame(await numbers({ label: 'odd label', text: 'hello' }), [1])
})

t.test('stop words of an index are not asked for; a text of nothing else says so', async t => {
  t.strictSame(await numbers({ label: 'Stop', text: 'The lord of rings' }), [1])
  t.match(await search({ label: 'Stop', text: 'of the' }), { error: { type: 'ValidationError', code: 'text_without_words', message: /stop words/ } })
})

t.test('the nearest vectors come first, by cosine and by euclidean distance', async t => {
  t.strictSame(await numbers({ label: 'Vec', vector: [1, 0, 0], limit: 4 }), [0, 3, 1, 2])
  t.strictSame(await numbers({ label: 'Near', vector: [1, 0, 0], property: 'euc', limit: 4 }), [0, 1, 2, 3])
  t.strictSame(await numbers({ label: 'Near', vector: [9, 0, 0], property: 'euc', limit: 1 }), [3])
  t.strictSame(await numbers({ label: 'Vec', vector: [0, 1, 0], property: 'cos', limit: 1 }), [2])
  const { data } = await search({ label: 'Near', vector: [0, 0, 0], property: 'euc', limit: 2 })
  t.match(data, [{ node: { properties: { n: 1 } } }, { score: 1 }])
})

t.test('a missing index is named with the statement that creates it, and that statement works', async t => {
  await write("CREATE (:Fresh {n: 1, t: 'hello', v: vecf32([1, 2])})")
  const fulltext = await search({ label: 'Fresh', text: 'hello', property: 't' })
  t.match(fulltext, { error: { type: 'NotFoundError', code: 'index_missing', message: /full-text.*falkordb_query/, details: { create: "CALL db.idx.fulltext.createNodeIndex('Fresh', 't')" } } })
  const vector = await search({ label: 'Fresh', vector: [1, 2], property: 'v' })
  t.match(vector, { error: { code: 'index_missing', message: /vector/, details: { create: "CREATE VECTOR INDEX FOR (n:Fresh) ON (n.v) OPTIONS {dimension: 2, similarityFunction: 'cosine'}" } } })
  for (const { error } of [fulltext, vector]) t.match(await write(error.details.create), { success: true })
  await built()
  t.strictSame(await numbers({ label: 'Fresh', text: 'hello', property: 't' }), [1])
  t.strictSame(await numbers({ label: 'Fresh', vector: [1, 2] }), [1])

  t.match(await search({ label: 'Doc', text: 'hello', property: 'nope' }), { error: { code: 'index_missing', message: /Without "property" the label can be searched/, details: { create: "CALL db.idx.fulltext.createNodeIndex('Doc', 'nope')" } } })
  t.match(await search({ label: 'Doc', vector: [1] }), { error: { code: 'index_missing' } })
  t.match(await search({ label: "it's \\", text: 'x', property: "a'b" }), { error: { details: { create: "CALL db.idx.fulltext.createNodeIndex('it\\'s \\\\', 'a\\'b')" } } })
  t.notOk('create' in ((await search({ label: 'x`y', text: 'x' })).error.details), 'no label can hold a backtick')
})

t.test('wrong arguments are told apart', async t => {
  t.match(await search({ label: 'Doc' }), { error: { type: 'ValidationError', message: /either "text".*or "vector"/ } })
  t.match(await search({ label: 'Doc', text: 'a', vector: [1] }), { error: { type: 'ValidationError', message: /one of the two/ } })
  t.match(await search({ label: 'Vec', vector: [1, 0] }), { error: { type: 'ValidationError', code: 'dimension_mismatch', message: /2 numbers.*of 3/ } })
  t.match(await search({ label: 'Near', vector: [1, 0, 0] }), { error: { type: 'ValidationError', code: 'property_needed', message: /falkordb_schema/ } })
  t.match(await search({ label: 'Doc', text: 'word '.repeat(65) }), { error: { type: 'ValidationError', code: 'text_too_long' } })
  for (const args of [{ text: 'a' }, { label: 'Doc', text: 1 }, { label: 'Vec', vector: ['1'] }, { label: 'Vec', vector: [] }, { label: 'Doc', text: 'a', limit: 0 }]) {
    t.match(await search(args), { error: { type: 'ValidationError', code: 'invalid_arguments' } }, JSON.stringify(args))
  }
  t.match(await call(reader, 'falkordb_search', { graphName: 'misspelt', label: 'Doc', text: 'a' }), { error: { type: 'NotFoundError', code: 'graph_not_found' } })
  t.strictSame((await call(ada, 'falkordb_list_graphs', {})).graphs, ['docs'])
})

t.test('another tenant\'s graph of the same name is not searched', async t => {
  t.match(await call(caller('eve'), 'falkordb_search', { graphName: 'docs', label: 'Doc', text: 'hello' }), { error: { type: 'NotFoundError' } })
})

t.test('27: few rows fit where the nodes are large, and the answer says so', async t => {
  const { app: small } = testApp(database, { settings: { MAX_RESULT_BYTES: '8192' } })
  t.teardown(() => small.close())
  await write('UNWIND range(1, 20) AS i CREATE (:Large {n: i, t: $text})', { text: 'word '.repeat(200) })
  await write("CALL db.idx.fulltext.createNodeIndex('Large', 't')")
  await built()
  const { result } = (await small.inject(toolCall('modern', reader, 'falkordb_search', { graphName: 'docs', label: 'Large', text: 'word', limit: 20 }))).json()
  t.match(result.structuredContent, { truncated: true, advice: /8192 bytes/ })
  t.ok(Buffer.byteLength(JSON.stringify(result.structuredContent)) + Buffer.byteLength(JSON.stringify(result.content[0].text)) <= 8_192)
})

t.test('29: no word that was searched for is logged', async t => {
  await search({ label: 'Doc', text: 'sentinelword' })
  await search({ label: 'Nope', text: 'sentinelword' })
  t.notMatch(lines.join(''), /sentinelword/)
})

t.test('the SDK\'s clients take a search result as fitting the output schema', async t => {
  const { app: served } = testApp(database)
  const base = await served.listen({ port: 0 })
  t.teardown(() => served.close())
  for (const [name, connect] of Object.entries(clients)) {
    const client = await connect(`${base}/mcp`, reader)
    await client.listTools()
    for (const args of [{ label: 'Doc', text: 'hello' }, { label: 'Vec', vector: [1, 0, 0] }]) {
      t.match(await client.callTool({ name: 'falkordb_search', arguments: { graphName: 'docs', ...args } }), { structuredContent: { success: true } }, name)
    }
    for (const [tool, args] of [['falkordb_schema', {}], ['falkordb_explain', { query: 'MATCH (n:Doc {n: 1}) RETURN n' }]] as const) {
      t.match(await client.callTool({ name: tool, arguments: { graphName: 'docs', ...args } }), { structuredContent: { success: true } }, `${name} ${tool}`)
    }
    await client.close()
  }
})
