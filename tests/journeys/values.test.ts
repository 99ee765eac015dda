import t from 'tap'
import { deepStrictEqual } from 'node:assert/strict'
import fc from 'fast-check'
import { openGateway } from '../support/gateway.ts'

const gateway = openGateway()
const ada = await gateway.person()
const graphName = 'values'
await ada.query(graphName, 'CREATE (:Start)')

/** What comes back when a value goes in as a parameter. */
async function echo (value: unknown) {
  const answer = await ada.send({ path: '/tools/falkordb_read_query', body: { graphName, query: 'RETURN $v AS v', parameters: { v: value } } })
  return answer.status === 200 ? { value: answer.json.data[0].v } : { status: answer.status, error: answer.json.error }
}

t.test('21: strings, numbers, lists and maps come back exactly as they went in', async t => {
  const text = fc.string({ unit: 'grapheme', maxLength: 40 }).filter(s => !s.includes('\0') && s.isWellFormed())
  const key = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,12}$/).filter(name => name !== '__proto__')
  const value = fc.letrec(tie => ({
    any: fc.oneof({ depthSize: 'small' }, text, fc.integer(), fc.maxSafeInteger(), fc.boolean(), fc.constant(null), tie('list'), tie('map')),
    list: fc.array(tie('any'), { maxLength: 4 }),
    map: fc.dictionary(key, tie('any'), { maxKeys: 4, noNullPrototype: true })
  })).any
  let came = 0
  await fc.assert(fc.asyncProperty(value, async sent => {
    deepStrictEqual(await echo(sent), { value: sent })
    came++
  }), { numRuns: 150 })
  t.equal(came, 150)
})

t.test('21: text that looks like Cypher stays text', async t => {
  for (const sent of ['"', '\\', '\\"', '\\\\"', '" RETURN 1 //', "' OR 1=1", '$v', '`', '\n\r\t\b\f', '\u2028', '\u0001', '}) MATCH (n) DETACH DELETE n //', 'CYPHER x=1 ', '', '🦊', '\u200b']) {
    t.strictSame(await echo(sent), { value: sent }, encodeURIComponent(sent))
  }
})

t.test('21: names that are none are refused at every depth, and inject nothing', async t => {
  await ada.query(graphName, 'CREATE (:Secret {secret: "hidden"})')
  const bad = ['v=1 MATCH (n) RETURN n.secret AS v //', 'a b', 'a-b', '1a', '', 'a\0', 'a`', 'a.b', 'ä', '$a', 'a: 1}']
  for (const name of bad) {
    for (const parameters of [{ [name]: 1 }, { v: { [name]: 1 } }, { v: [{ deep: { [name]: 1 } }] }]) {
      const answer = await ada.send({ path: '/tools/falkordb_read_query', body: { graphName, query: 'RETURN 1 AS one', parameters } })
      t.equal(answer.status, 400, JSON.stringify(parameters))
      t.match(answer.json, { error: { type: 'ValidationError', code: 'invalid_parameters' } })
      t.notMatch(answer.text, 'hidden')
    }
  }
})

t.test('21: what FalkorDB cannot hold is refused, and the message teaches', async t => {
  const refused: Array<[sent: unknown, hint: RegExp]> = [
    ['a\0b', /NUL|null character|\\u0000/i],
    [['deep', { in: 'x\0' }], /NUL|null character|\\u0000/i],
    ['\ud800', /surrogate|Unicode/i],
    [9007199254740992, /\$int64/],
    [-9007199254740992, /\$int64/],
    [9223372036854775808, /\$int64/],
    [{ $int64: '9223372036854775808' }, /int64|64/],
    [{ $int64: '-9223372036854775809' }, /int64|64/],
    [{ $int64: '1e3' }, /int64/],
    [{ $int64: 12 }, /int64/],
    [{ $float: 'nonsense' }, /float/],
    [{ $date: 'tomorrow' }, /date/],
    [{ $unknown: 1 }, /\$map|\$unknown/]
  ]
  for (const [sent, hint] of refused) {
    const answer = await echo(sent)
    t.equal(answer.status, 400, JSON.stringify(sent))
    t.match(answer.error, { type: 'ValidationError', message: hint }, JSON.stringify(sent))
  }
  // NaN is no JSON: a client that writes it sends no JSON at all.
  const nan = await ada.send({ path: '/tools/falkordb_read_query', body: `{"graphName":"${graphName}","query":"RETURN $v AS v","parameters":{"v":NaN}}` })
  t.equal(nan.status, 400)
})

t.test('22: 9007199254740993 survives both ways, as do the ends of int64', async t => {
  for (const digits of ['9007199254740993', '-9007199254740993', '9223372036854775807', '-9223372036854775808', '9007199254740992']) {
    t.strictSame(await echo({ $int64: digits }), { value: { $int64: digits } }, digits)
    const { data } = await ada.query(graphName, 'CREATE (n:Big {n: $n}) RETURN n.n AS n, n.n = $n AS same', { n: { $int64: digits } })
    t.strictSame(data.data, [{ n: { $int64: digits }, same: true }], `${digits} through a node`)
  }
  for (const n of [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 0, -1]) t.strictSame(await echo(n), { value: n })
  const literal = await ada.query(graphName, 'RETURN 9007199254740993 AS n')
  t.strictSame(literal.data.data, [{ n: { $int64: '9007199254740993' } }], 'written in the query')
})

t.test('typed values are the same in parameters and results', async t => {
  for (const sent of [{ $date: '2026-11-20' }, { $float: 'NaN' }, { $float: 'Infinity' }, { $float: '-Infinity' }, { $map: { $int64: '1' } }]) {
    t.strictSame(await echo(sent), { value: sent }, JSON.stringify(sent))
  }
  t.match(await echo({ $vecf32: [0.5, -0.25] }), { value: { $vecf32: [0.5, -0.25] } })
  for (const sent of [{ $datetime: '2026-11-20T10:11:12' }, { $time: '10:11:12' }, { $duration: 'P1Y2M' }]) {
    const first = await echo(sent)
    t.ok(first.value, `${JSON.stringify(sent)}: ${JSON.stringify(first)}`)
    t.strictSame(await echo(first.value), first, 'what came back goes in again')
  }
})

t.test('nodes, edges, paths and points have the form of the contract', async t => {
  await ada.query('shapes', 'CREATE (:A:B {n: 1})-[:KNOWS {since: 1999}]->(:C {where: point({latitude: 32.5, longitude: 34.25})})')
  const { data, isError, text } = await ada.query('shapes', 'MATCH p = (a:A)-[k:KNOWS]->(c:C) RETURN a, k, p, c.where AS at')
  t.notOk(isError, text)
  const [row] = data.data
  t.match(row.a, { identity: Number, labels: ['A', 'B'], properties: { n: 1 } })
  t.match(row.k, { identity: Number, type: 'KNOWS', source: row.a.identity, target: Number, properties: { since: 1999 } })
  t.match(row.p, { nodes: [{ labels: ['A', 'B'] }, { labels: ['C'] }], edges: [{ type: 'KNOWS' }] })
  t.strictSame(row.at, { latitude: 32.5, longitude: 34.25 })
})

t.test('a column or a property named __proto__ is a name like any other', async t => {
  await ada.query('names', 'CREATE (:N {`__proto__`: "p", constructor: "c"})')
  const answer = await ada.send({ path: '/tools/falkordb_read_query', body: { graphName: 'names', query: 'MATCH (n:N) RETURN n.`__proto__` AS `__proto__`, n' } })
  t.equal(answer.status, 200, answer.text)
  t.match(answer.text, '"__proto__":"p"')
  t.match(answer.text, '"constructor":"c"')
})

t.test('27: a large result is its first rows, says that it is cut, and how to narrow it', async t => {
  const { limits } = (await ada.call('falkordb_server_info')).data
  const { data, text } = await ada.query(graphName, 'UNWIND range(1, 5000) AS n RETURN n')
  t.equal(data.data.length, limits.maxRows)
  t.strictSame(data.data.slice(0, 2), [{ n: 1 }, { n: 2 }])
  t.equal(data.truncated, true)
  t.match(data.advice + text, /narrow|filter|LIMIT/i)

  const wide = await ada.send({ path: '/mcp', headers: { accept: 'application/json, text/event-stream' }, body: { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'falkordb_query', arguments: { graphName, query: 'UNWIND range(1, 900) AS n RETURN n, $pad AS pad', parameters: { pad: 'x'.repeat(2_000) } } } } })
  t.equal(wide.status, 200)
  t.ok(wide.text.length < 150_000, `${wide.text.length} characters`)
  t.match(wide.text, /\\?"truncated\\?":true/)
})

t.test('27: limit is kept, and exactly as many rows as the limit are not called truncated', async t => {
  const limited = await ada.call('falkordb_read_query', { graphName, query: 'UNWIND range(1, 10) AS n RETURN n', limit: 3 })
  t.strictSame(limited.data.data, [{ n: 1 }, { n: 2 }, { n: 3 }])
  t.equal(limited.data.truncated, true)
  const exact = await ada.call('falkordb_read_query', { graphName, query: 'UNWIND range(1, 3) AS n RETURN n', limit: 3 })
  t.equal(exact.data.truncated, false)
  const { limits } = (await ada.call('falkordb_server_info')).data
  const full = await ada.query(graphName, `UNWIND range(1, ${limits.maxRows}) AS n RETURN n`)
  t.equal(full.data.data.length, limits.maxRows)
  t.equal(full.data.truncated, false)
  const one = await ada.query(graphName, `UNWIND range(1, ${limits.maxRows + 1}) AS n RETURN n`)
  t.equal(one.data.truncated, true, 'one more row is seen')
})

t.test('27: a single value larger than every bound is no answer of megabytes', async t => {
  const answer = await ada.send({ path: '/tools/falkordb_read_query', body: { graphName, query: 'RETURN $s AS s', parameters: { s: 'x'.repeat(1_000_000) } } })
  t.ok(answer.text.length < 150_000)
  t.equal(answer.json.truncated, true)
  const collected = await ada.send({ path: '/tools/falkordb_read_query', body: { graphName, query: 'UNWIND range(1, 100000) AS n RETURN collect(n) AS all' } })
  t.ok(collected.text.length < 150_000, 'collect() does not go round it')
})
