/** The guard beside the real thing: nothing that it accepts makes FalkorDB connect anywhere or think for seconds. */
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import t from 'tap'
import fc from 'fast-check'
import { guardQuery } from './guard.ts'
import { tokens } from './lexer.ts'
import { openAdmin, openFalkordb } from './test-database.ts'

const { url } = await openFalkordb(t)
const admin = await openAdmin(t, url)
await admin('GRAPH.QUERY', 'g', 'CREATE (:LOAD {CSV: 1, load: 2, `LOAD CSV`: 3})')

let connections = 0
const listener = createServer(socket => {
  connections++
  socket.destroy()
}).listen(0, '127.0.0.1')
await once(listener, 'listening')
t.teardown(() => listener.close())
const address = `https://127.0.0.1:${(listener.address() as AddressInfo).port}/x`
const loadCsv = `CSV FROM '${address}' AS r RETURN r`

const run = (query: string, header = '') => admin('GRAPH.RO_QUERY', 'g', header + query, 'TIMEOUT', '1000').then(() => 'ok', error => String(error.message))
const accepted = (query: string) => {
  try {
    guardQuery(query)
    return true
  } catch {
    return false
  }
}

t.test('19: FalkorDB does connect for LOAD CSV in a read-only query, so that the next test can fail', async t => {
  for (const query of [`LOAD ${loadCsv}`, `load/**/${loadCsv}`, `LOAD\n${loadCsv}`, `WITH '\\'' AS x LOAD // '\n${loadCsv}`, `WITH '${address}' AS u LOAD CSV FROM u AS r RETURN r`, `CALL { LOAD ${loadCsv} } RETURN 1`]) {
    const before = connections
    await run(query)
    t.ok(connections > before, query)
    t.notOk(accepted(query), query)
  }
})

t.test('19: no text that the guard accepts makes FalkorDB connect', { timeout: 120_000 }, async t => {
  connections = 0
  const piece = fc.constantFrom("'", '"', '`', '\\', "\\'", '\\"', '\\\\', '\\`', '/*', '*/', '//', '\n', '\r\n', ' ', '\t', '\f', '\v', 'WITH 1 AS x ', 'RETURN 1 AS y ', "'a'", '"b"', '`c`', 'LOAD', 'load ', 'CSV', '$', '.', ':', ';', '\\u0027', '\\u0022', '\\x27', '/**/', 'CYPHER ', 'x=1 ', 'AS ', '+', '1', 'ä', 'UNION ')
  const load = fc.constantFrom(`LOAD ${loadCsv}`, `LOAD/**/${loadCsv}`, `LOAD\n${loadCsv}`, `LOAD // '"\`\n${loadCsv}`)
  const around = fc.array(piece, { maxLength: 8 }).map(pieces => pieces.join(''))
  let ran = 0
  await fc.assert(fc.asyncProperty(fc.constantFrom('', 'RETURN 1 AS x ', 'WITH 1 AS x ', 'RETURN '), around, load, around, async (head, before, loading, after) => {
    const query = head + before + loading + after
    if (!accepted(query)) return
    ran++
    await run(query)
    await run(query, 'CYPHER `p`=1 ')
    if (connections > 0) throw new Error(`connected: ${JSON.stringify(query)}`)
  }), { numRuns: 4_000 })
  t.ok(ran > 100, `${ran} of them were accepted and ran`)
  t.equal(connections, 0)
})

t.test('19: the words in strings, comments, names and labels run', async t => {
  for (const query of ['RETURN "LOAD CSV"', 'RETURN 1 // LOAD CSV', 'RETURN /* LOAD CSV */ 1', 'RETURN 1 AS `LOAD CSV`', 'MATCH (n:LOAD) RETURN n.CSV', 'MATCH (n:LOAD {CSV: 1}) RETURN n.load, n.`LOAD CSV`', 'WITH 1 AS load RETURN load AS csv']) {
    t.ok(accepted(query), query)
    t.equal(await run(query), 'ok', query)
  }
})

t.test('strings, names and comments end for FalkorDB where they end for the guard', async t => {
  for (const literal of ["'a\\'b'", '"a\\"b"', "'a\\\\'", '"\\\\"', "'\\`'", "'a\nb'", "'//'", "'/*'", '"\\u0027"', '"\\x"', "'\\\\\\''", '"\t"', "''"]) {
    t.ok(accepted(`RETURN ${literal} AS x`), literal)
    t.equal(await run(`RETURN ${literal} AS x`), 'ok', literal)
    t.equal(await run(`RETURN ${literal} AS x /* ' " \` */ // ' " \``), 'ok', literal)
  }
  for (const name of ['`a`', '`a//b`', '`/*`', "`'`", '`a\\`', '`a b`', '`\n`']) t.equal(await run(`WITH 1 AS ${name} RETURN ${name}`), 'ok', name)
  // What the guard calls unfinished or no Cypher is that for FalkorDB as well.
  for (const query of ["RETURN 'x", 'RETURN "x\\"', 'RETURN `x', 'RETURN /* x', 'RETURN 1 AS `a``b`', 'RETURN\u00a01', 'RETURN 1\rAS x', 'RETURN “x”', 'RETURN 1; RETURN 2', '']) t.match(await run(query), /errMsg|more than one statement|empty query|Invalid/, query)
})

t.test('FalkorDB takes parameters from the front of a text, which is why those are refused', async t => {
  for (const query of ['CYPHER v=2 RETURN $v', 'CYPHERv=2 RETURN $v']) t.equal(await run(query), 'ok', query)
  t.equal(await run('w=2 RETURN $w', 'CYPHER v=1 '), 'ok')
  for (const query of ['CYPHER v=2 RETURN $v', 'CYPHERv=2 RETURN $v', 'w=2 RETURN $w', ' `w` = 2 RETURN $w', '// c\nCYPHER v=2 RETURN $v']) t.notOk(accepted(query), query)
})

t.test('the longest and deepest that the guard accepts is parsed within seconds', { timeout: 120_000 }, async t => {
  // Each pair is put around the text as often, and the whole repeated as often, as the guard allows.
  const pairs: Array<[string, string]> = [['(', ')'], ['[', ']'], ['{a:', '}'], ['size(', ')'], ['CASE WHEN ', ' THEN 1 END'], ['NOT ', ''], ['-', ''], ['a[', ']'], ['[x IN ', ' | x]'], ['any(x IN ', ' WHERE true)'], ['reduce(s=0, x IN ', ' | s)'], ['(a {b:', '})-->()'],
    ['1 + ', ''], ['1 ^ ', ''], ['a OR ', ''], ['a AND ', ''], ['1 = ', ''], ['a STARTS WITH ', ''], ['a.end[', ']'], ['NOT and = ', ''], ['case + ', ''], ['1e-5[', ']'], ['filter(x IN a WHERE ', ')'], ['exists((a {b:', '}))']]
  const query = fc.tuple(fc.uniqueArray(fc.constantFrom(...pairs), { minLength: 1, maxLength: 3 }), fc.constantFrom('', '1', 'a', '%'), fc.constantFrom(', ', ' + ', ' RETURN ', ' OR ')).map(([set, middle, separator]) => {
    let inner: string = middle
    for (let index = 0, refused = 0; refused < set.length && index < 200; index++) {
      const [open, close] = set[index % set.length]!
      const next = open + inner + close
      if (accepted(`RETURN ${next}`)) {
        inner = next
        refused = 0
      } else refused++
    }
    let times = 1
    while (times < 2_000 && accepted(`RETURN ${(inner + separator).repeat(times * 2)}${inner}`)) times *= 2
    return `RETURN ${(inner + separator).repeat(times - 1)}${inner}`
  })
  let slowest = 0
  await fc.assert(fc.asyncProperty(query, async query => {
    const start = performance.now()
    await admin('GRAPH.EXPLAIN', 'g', query).catch(() => {})
    const took = performance.now() - start
    slowest = Math.max(slowest, took)
    if (took > 8_000) throw new Error(`${Math.round(took)} ms: ${query.slice(0, 500)}`)
  }), { numRuns: 40, endOnFailure: true })
  t.comment(`slowest: ${Math.round(slowest)} ms`)
  t.pass()
})

t.test('a comment between the parts of a procedure’s name would end FalkorDB, and is refused', async t => {
  for (const comment of ['/**/', '// x\n']) {
    const refused = [`CALL db${comment}.labels()`, `CALL db.${comment}labels()`, `RETURN a${comment}.b(1)`, `RETURN a . ${comment} b(1)`, `CALL db /**/ ${comment}.labels()`]
    for (const query of refused) t.notOk(accepted(query), query)
  }
  // Between any other two words FalkorDB lives with one.
  const queries = [
    'MATCH (n:A:B {x: $p, `y`: 1.5e3})-[r:R|:S*1..3 {z: "s"}]->(m)<--(k) WHERE NOT n.x.y = -1 AND n.b IS NOT NULL OR m.c STARTS WITH "a" AND m.d IN [1, 2] XOR n.e =~ "x" RETURN DISTINCT n.x AS a, count(*), m {.x, y: 1, .*} ORDER BY a DESC SKIP 1 LIMIT $q',
    'CALL db.idx.fulltext.queryNodes("A", "b") YIELD node AS n, score RETURN n',
    'MATCH p = shortestPath((a)-[*]->(b)) RETURN [x IN nodes(p) WHERE x.a | x.b], reduce(s = 0, x IN [1] | s + x), CASE a.x WHEN 1 THEN 2 ELSE 3 END, a[1..2]',
    'MERGE (n:A {x: 1}) ON CREATE SET n.y = 1 WITH n FOREACH (x IN [1] | CREATE (:B)) REMOVE n.x, n:A DETACH DELETE n RETURN n UNION ALL RETURN 1 AS n', 'CREATE INDEX FOR (n:A) ON (n.x)', 'RETURN algo.x.y(1)'
  ]
  for (const query of queries) {
    for (const { start } of [...tokens(query), { start: query.length }]) {
      for (const comment of [' /**/ ', '// x\n', '/**//**/']) {
        const text = query.slice(0, start) + comment + query.slice(start)
        if (accepted(text)) await admin('GRAPH.EXPLAIN', 'g', text).catch(() => {})
      }
    }
  }
  t.equal(await admin('PING'), 'PONG')
  t.equal(await run('MATCH (n:LOAD) RETURN n'), 'ok', 'the graph is still there: it was not restarted')
})
