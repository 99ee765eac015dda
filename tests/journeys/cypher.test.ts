import t from 'tap'
import { openGateway } from '../support/gateway.ts'

const gateway = openGateway()
const ada = await gateway.person()
const graphName = 'things'
await ada.query(graphName, 'CREATE (:Thing {name: "first", n: 1})')

const read = (query: string, parameters?: Record<string, unknown>) => ada.call('falkordb_read_query', { graphName, query, ...(parameters && { parameters }) })
const count = async () => (await read('MATCH (t) RETURN count(t) AS n, sum(t.n) AS sum')).data.data

t.test('18: the database enforces read-only: no write goes through the read tool', async t => {
  const before = await count()
  const writes = [
    'CREATE (:Thing)', 'create (:Thing)', 'CrEaTe (:Thing)', 'CREATE/**/(:Thing)', '/* RETURN 1 */CREATE (:Thing)', '// RETURN 1\nCREATE (:Thing)',
    'MERGE (:Thing {name: "second"})', 'MATCH (t) SET t.n = 2', 'MATCH (t) DELETE t', 'MATCH (t) DETACH DELETE t', 'MATCH (t) REMOVE t.n',
    'UNWIND [1, 2] AS x CREATE (:Thing {n: x})', 'MATCH (t) FOREACH (x IN [1] | SET t.n = 5)', 'MATCH (t) CALL { CREATE (:Thing) } RETURN t',
    'CREATE INDEX FOR (t:Thing) ON (t.n)', 'DROP INDEX ON :Thing(n)', 'CALL db.idx.fulltext.createNodeIndex("Thing", "name")',
    'RETURN 1 UNION CREATE (t:Thing) RETURN t'
  ]
  for (const query of writes) {
    const { isError, text } = await read(query)
    t.ok(isError, query)
    t.match(JSON.parse(text).error, { type: 'QueryError' }, query)
  }
  t.strictSame(await count(), before, 'nothing changed')
})

t.test('18: no argument turns the read tool into a writer', async t => {
  const before = await count()
  for (const more of [{ readOnly: false }, { mode: 'write' }, { confirm: graphName }, { scope: 'graph:write' }, { limit: 1, timeoutMs: 60_000 }]) {
    t.ok((await ada.call('falkordb_read_query', { graphName, query: 'CREATE (:Thing)', ...more })).isError, JSON.stringify(more))
  }
  t.strictSame(await count(), before)
})

t.test('18: a reader\'s falkordb_query is read-only too, however the write is dressed', async t => {
  const reader = await gateway.person({ tenant: ada.tenant, user: 'reader', scope: 'graph:read' })
  const before = await count()
  for (const query of ['CREATE (:Thing)', 'MATCH (t) SET t.n = 9', 'MATCH (t) DELETE t', 'MERGE (:Thing {n: 3})', 'CREATE/**/(:Thing)', 'CREATE INDEX FOR (t:Thing) ON (t.n)']) {
    const answer = await reader.send({ path: '/tools/falkordb_query', body: { graphName, query } })
    t.equal(answer.status, 403, query)
    const elsewhere = await reader.send({ path: '/tools/falkordb_query', body: { graphName: 'not-there-yet', query } })
    t.equal(elsewhere.status, 403, `${query} on a graph that does not exist`)
  }
  t.strictSame(await count(), before)
  t.strictSame((await ada.call('falkordb_list_graphs')).data.graphs, [graphName])
})

t.test('19: LOAD CSV is refused in every spelling, by both tools', async t => {
  const spellings = [
    "LOAD CSV FROM 'http://127.0.0.1:1/x' AS row RETURN row", "load csv from 'file://x' as row return row", "LOAD/**/csv FROM 'https://evil.example' AS row RETURN row",
    "LoAd\n\tCsV WITH HEADERS FROM 'x' AS row RETURN row", "LOAD//x\nCSV FROM 'x' AS row RETURN row", 'WITH "http://x" AS url LOAD CSV FROM url AS row RETURN row',
    "MATCH (t) CALL { LOAD CSV FROM 'x' AS row RETURN row } RETURN row", "/*'*/LOAD CSV FROM 'x' AS row RETURN row//'", "RETURN 'a\\'' UNION LOAD CSV FROM 'x' AS row RETURN row"
  ]
  for (const query of spellings) {
    for (const tool of ['falkordb_read_query', 'falkordb_query']) {
      const { isError, text } = await ada.call(tool, { graphName, query })
      t.ok(isError, query)
      t.match(JSON.parse(text).error, { type: 'QueryError', code: 'load_csv_refused' }, query)
    }
  }
})

t.test('19: the same words inside a string, a comment or a name are no fault', async t => {
  const harmless: Array<[query: string, value: unknown]> = [
    ["RETURN 'LOAD CSV' AS v", 'LOAD CSV'],
    ['RETURN "load/**/csv" AS v', 'load/**/csv'],
    ['RETURN 1 AS v // LOAD CSV', 1],
    ['/* LOAD CSV */ RETURN 1 AS v', 1],
    ['RETURN $v AS v', 'LOAD CSV FROM x'],
    ["RETURN 'it\\'s LOAD CSV' AS v", "it's LOAD CSV"]
  ]
  for (const [query, value] of harmless) {
    const { isError, text, data } = await read(query, { v: 'LOAD CSV FROM x' })
    t.notOk(isError, `${query}: ${text}`)
    t.strictSame(data.data, [{ v: value }], query)
  }
  t.notOk((await read('MATCH (x:`LOAD CSV`) RETURN x')).isError, 'a label in backticks')
})

t.test('20: no keyword false alarms: a reader may say "Create a map"', async t => {
  const reader = await gateway.person({ tenant: ada.tenant, user: 'reader', scope: 'graph:read' })
  const harmless = [
    "RETURN 'Create a map' AS v", 'RETURN "please DELETE nothing" AS v', 'MATCH (t:Thing) WHERE t.name = "SET" RETURN t', 'RETURN 1 AS created', 'RETURN 1 AS `create`',
    'MATCH (t:Thing) RETURN t.name AS merged // MERGE', 'RETURN /* CREATE (n) */ 1 AS v', 'MATCH (t:Created) RETURN t', 'MATCH (t:Thing) WHERE t.deleted IS NULL RETURN t', 'CALL db.labels() YIELD label RETURN label'
  ]
  for (const query of harmless) {
    const answer = await reader.send({ path: '/tools/falkordb_query', body: { graphName, query } })
    t.equal(answer.status, 200, `${query}: ${answer.text.slice(0, 200)}`)
  }
})

t.test('queries that would take the database down are refused before it sees them', async t => {
  const bad: Array<[what: string, query: string]> = [
    ['NUL', 'MATCH (t) RETURN t\0 LIMIT 1'],
    ['NUL at the end', 'RETURN 1\0'],
    ['10 MB is cut by the body limit, 20 KB by the guard', `RETURN '${'x'.repeat(20_000)}'`],
    ['nested brackets', `RETURN ${'('.repeat(30)}1${')'.repeat(30)}`],
    ['nested lists', `RETURN ${'['.repeat(30)}1${']'.repeat(30)}`],
    ['a long sum', `RETURN 1${'+1'.repeat(7_900)}`],
    ['many minus signs', `RETURN ${'-'.repeat(15_000)}1`],
    ['NOT NOT …', `RETURN ${'NOT '.repeat(4_000)}true`],
    ['a second query', 'RETURN 1; MATCH (t) DELETE t'],
    ['an own CYPHER prefix', 'CYPHER v=2 RETURN $v'],
    ['empty', ''],
    ['only a comment', '// nothing']
  ]
  for (const [what, query] of bad) {
    const started = Date.now()
    const answer = await ada.send({ path: '/tools/falkordb_query', body: { graphName, query, parameters: { v: 1 } } })
    t.equal(answer.status, 400, `${what}: ${answer.text.slice(0, 200)}`)
    t.match(answer.json.error.type, /^(QueryError|ValidationError)$/, what)
    t.ok(Date.now() - started < 3_000, `${what}: at once`)
  }
  t.strictSame(await count(), [{ n: 1, sum: 1 }], 'the database is well and nothing changed')
})

t.test('a caller\'s text is run as it is: a comment at its end eats nothing of ours', async t => {
  for (const query of ['MATCH (t:Thing) RETURN t.name AS name //', 'MATCH (t:Thing) RETURN t.name AS name // LIMIT 0']) {
    const { data, text } = await read(query)
    t.strictSame(data.data, [{ name: 'first' }], `${query} ${text}`)
  }
})
