import t from 'tap'
import fc from 'fast-check'
import { QueryError } from '@gateway/common/errors.ts'
import { guardQuery, maxQueryBytes } from './guard.ts'
import { maxDepth } from './nesting.ts'

const csv = 'FROM "https://192.0.2.1/x" AS row RETURN row'

t.test('19: LOAD CSV is refused in every spelling', async t => {
  for (const query of [
    `LOAD CSV ${csv}`, `load csv ${csv}`, `LoAd\tcSv ${csv}`, `LOAD/**/csv ${csv}`, `LOAD\nCSV ${csv}`, `LOAD\r\nCSV ${csv}`, `LOAD // x\nCSV ${csv}`, `LOAD /* ' */ /* " */ CSV ${csv}`,
    `LOAD CSV WITH HEADERS ${csv}`, `MATCH (n) LOAD CSV ${csv}`, `CALL { LOAD CSV ${csv} } RETURN 1`, `RETURN 1 UNION LOAD CSV ${csv}`, `WITH 'it\\'s' AS x LOAD CSV ${csv}`, `WITH "\\\\" AS x LOAD CSV ${csv}`,
    `WITH 1 AS \`a\\\` LOAD CSV ${csv}`, `WITH 1 AS x/* // */LOAD CSV ${csv}`, `WITH 1 AS x // */ /*\nLOAD CSV ${csv}`, `WITH '/*' AS x LOAD CSV ${csv} // */`, `WITH "//" AS x LOAD CSV ${csv}`,
    `WITH \`//\` AS x LOAD CSV ${csv}`, `WITH '\`' AS x LOAD CSV ${csv} WITH '\`' AS y RETURN y`, `USING PERIODIC COMMIT LOAD CSV ${csv}`, `RETURN 1 AS n LOAD CSV ${csv}`, `WITH 1 AS x/*/ LOAD CSV */LOAD CSV ${csv}`,
    `WITH 1.5LOAD CSV ${csv}`, `RETURN n.LOAD CSV ${csv}`, `WITH $x LOAD CSV ${csv}`, `WITH '\\\\'LOAD CSV ${csv}`
  ]) t.throws(() => guardQuery(query), { type: 'QueryError', code: 'load_csv_refused', details: { position: Number, hint: /UNWIND \$rows/ } }, query)
})

t.test('19: the same words elsewhere are accepted', async t => {
  for (const query of [
    'RETURN "LOAD CSV"', "RETURN 'load\\' csv'", 'RETURN 1 // LOAD CSV', 'RETURN /* LOAD CSV */ 1', 'RETURN 1 AS `LOAD CSV`', 'MATCH (n:LOAD) RETURN n.CSV', 'MATCH (n:LOAD {csv: 1}) RETURN n.load, n.csv',
    'MATCH (load)-[csv:CSV]->() RETURN load, csv', 'RETURN $load AS csv', 'WITH 1 AS load RETURN load AS csv', "RETURN 'a' + \"LOAD CSV FROM 'x'\"", 'RETURN "\\"LOAD CSV"', 'RETURN `a`.`LOAD CSV`', 'RETURN "// LOAD CSV \\\\"'
  ]) t.strictSame(guardQuery(query), { mayWrite: false }, query)
})

t.test('20: words that write count only where they could', async t => {
  for (const query of ['RETURN "CREATE a map"', "RETURN 'merge' // DELETE", 'RETURN 1 AS `SET`', 'RETURN n.create, n . delete', 'RETURN $merge', 'RETURN /* CALL */ 1', 'MATCH (n) RETURN n.set']) t.equal(guardQuery(query).mayWrite, false, query)
  for (const query of ['CREATE (n)', 'match (n) SET n.x = 1', 'MERGE (n)', 'MATCH (n) DETACH DELETE n', 'MATCH (n) REMOVE n.x', 'FOREACH (x IN [1] | CREATE (:A))', 'CALL db.labels()', 'DROP INDEX ON :A(b)', 'RETURN 1/**/CREATE (n)', 'MATCH (n)CREATE(m)', 'RETURN "x"CREATE (n)']) t.equal(guardQuery(query).mayWrite, true, query)
})

t.test('28: each refusal says what, where, and how to write it instead', async t => {
  const deep = (open: string, close: string, times: number) => `RETURN ${open.repeat(times)}1${close.repeat(times)}`
  const refused: Array<[code: string, query: string, position: number]> = [
    ['query_has_nul', 'RETURN 1\0 LIMIT 1', 8], ['query_has_nul', 'RETURN "\0"', 8], ['query_not_unicode', 'RETURN "\ud800"', 8], ['query_empty', '  // nothing', 0], ['query_empty', '', 0],
    ['query_too_deep', deep('(', ')', maxDepth + 1), 7 + maxDepth], ['query_too_deep', deep('[', ']', maxDepth + 1), 7 + maxDepth], ['query_too_deep', deep('{a:', '}', maxDepth + 1), 7 + 3 * maxDepth], ['query_too_deep', deep('size(', ')', maxDepth + 1), 7 + 5 * maxDepth + 4],
    ['query_too_deep', deep('CASE WHEN ', ' THEN 1 END', maxDepth + 1), 7 + 10 * maxDepth],
    ['cypher_prefix_refused', 'CYPHER a=1 RETURN $a', 0], ['cypher_prefix_refused', ' /* x */ cypher RETURN 1', 9], ['cypher_prefix_refused', 'CYPHERa=1 RETURN $a', 0], ['cypher_prefix_refused', 'a=1 RETURN $a', 0], ['cypher_prefix_refused', '`a` = 1 RETURN $a', 0],
    ['query_prefix_refused', 'EXPLAIN MATCH (n) RETURN n', 0], ['query_prefix_refused', 'profile CREATE (n)', 0],
    ['query_has_several_statements', 'RETURN 1; RETURN 2', 10], ['query_has_several_statements', ';RETURN 1', 1],
    ['query_unterminated', 'RETURN "x', 7], ['query_unterminated', "RETURN 'x\\'", 7], ['query_unterminated', 'RETURN `x', 7], ['query_unterminated', 'RETURN /* x', 7], ['query_unterminated', 'RETURN "x\\', 7],
    ['query_bad_character', 'RETURN\u00a01', 6], ['query_bad_character', 'RETURN “x”', 7], ['query_bad_character', 'RETURN 1\rAS x', 8], ['query_bad_character', 'RETURN 1 // x\rLOAD CSV', 13], ['query_bad_character', 'RETURN 1\u200b', 8],
    ['query_bad_comment', 'CALL db./* x */labels()', 15], ['query_bad_comment', 'RETURN n // x\n.y', 14],
    ['query_range_too_long', 'UNWIND range(1,1000000000) AS x RETURN sum(x)', 7], ['query_range_too_long', 'RETURN size(range(-9000000, 9000000, 2))', 12], ['query_range_too_long', 'RETURN range ( 5 , - 2000000 , -1 )', 7]
  ]
  for (const [code, query, position] of refused) t.throws(() => guardQuery(query), { type: 'QueryError', status: 400, code, message: /\.$/, details: { position, line: Number, column: Number, hint: /\.$|…|10$|: / } }, `${code} ${JSON.stringify(query.slice(0, 60))}`)
  t.throws(() => guardQuery(`RETURN "${'ä'.repeat(maxQueryBytes / 2)}"`), { code: 'query_too_long' })
  t.throws(() => guardQuery('MATCH (n)\nRETURN "a\n" + \'b'), { code: 'query_unterminated', details: { line: 3, column: 5 } })
  for (const query of [deep('(', ')', maxDepth), 'RETURN 1;', 'RETURN 1 ;;', 'RETURN 1\r\n', 'RETURN range(1, 1000)', 'MATCH (cypher) RETURN cypher', 'RETURN "\r"', 'WITH 1 AS explain RETURN explain', 'MATCH (n) WHERE n.x = 1 RETURN n', `RETURN "${'x'.repeat(maxQueryBytes - 9)}"`]) t.ok(guardQuery(query), query.slice(0, 60))
})

t.test('queries that FalkorDB’s parser takes seconds or its life for are refused', async t => {
  const long = (head: string, unit: string, tail: string) => head + unit.repeat(Math.floor((maxQueryBytes - head.length - tail.length) / unit.length)) + tail
  for (const query of [
    long('RETURN ', '-', '1'), long('RETURN ', '+ ', '1'), long('RETURN ', 'NOT ', 'true'), long('RETURN 1', '+1', ''), long('MATCH ', '(),', '() RETURN 1'), long('', 'MATCH () ', 'RETURN 1'), long('MATCH ()', '-[*]-()', ' RETURN 1'), long('MATCH ()', '-->()', ' RETURN 1'),
    long('RETURN ', '(', ''), long('RETURN ', 'CASE ', ''), long('RETURN ', '[x IN ', ''), long('', 'MERGE (:A) ', ''), `RETURN ${'(-'.repeat(8)}1${')'.repeat(8)}`, `RETURN ${'[x IN '.repeat(9)}`, `RETURN ${'1 + 1 ^ ('.repeat(6)}`, `RETURN ${'NOT and = ('.repeat(6)}`,
    long('RETURN ', `${'('.repeat(12)}1${')'.repeat(12)}+`, '1'), `RETURN ${'CASE WHEN end THEN '.repeat(13)}`, 'RETURN ' + '-'.repeat(18) + '1'
  ]) t.throws(() => guardQuery(query), { type: 'QueryError', code: /^query_too_(?:deep|complex|many_tokens)$/ }, query.slice(0, 50))
})

t.test('what people and models write is accepted', async t => {
  for (const query of [
    'MATCH (p:Person {name: $name})-[:ACTED_IN]->(m)<-[:ACTED_IN]-(co) WHERE NOT (p)-[:KNOWS]->(co) AND p <> co RETURN co.name, count(*) AS n ORDER BY n DESC LIMIT 10',
    'MATCH (n:Case) WHERE n.status IN ["a", "b"] AND (n.p > 3 OR (n.due < $now AND NOT n.done)) RETURN n.case, CASE WHEN n.p > 5 THEN "x" ELSE CASE n.x WHEN 1 THEN -1 ELSE n.end END END AS level',
    'MATCH (n) WHERE (n.a = 1 AND (n.b = 2 OR (n.c = 3 AND (n.d = 4 OR (n.e = 5 AND n.f IN [1, 2]))))) RETURN n',
    `UNWIND [${Array.from({ length: 300 }, (_, i) => `{id: ${i}, name: 'n ${i}', tags: ['a']}`).join(', ')}] AS row MERGE (n:T {id: row.id}) SET n += row`,
    `MATCH (n) WHERE n.id IN [${Array.from({ length: 2_500 }, (_, i) => i).join(',')}] AND n.x > 2 RETURN n`,
    `MATCH (a) RETURN ${Array.from({ length: 40 }, (_, i) => `sum(CASE WHEN a.x = ${i} AND a.y IS NOT NULL THEN coalesce(a.v, -1.5e-3) ELSE 0 END) AS s${i}`).join(', ')}`,
    'MATCH path = shortestPath((a:A {id: 1})-[:X|Y*1..5]->(b)) RETURN [n IN nodes(path) | n {.id, labels: labels(n)}], reduce(t = 0, r IN relationships(path) | t + r.w * -1)',
    `CREATE ${Array.from({ length: 300 }, (_, i) => `(n${i}:P {i: ${i}})`).join(', ')}`,
    `MATCH (n) WHERE ${Array.from({ length: 60 }, (_, i) => `NOT n.p${i} = -${i}`).join(' AND ')} RETURN n`
  ]) t.ok(guardQuery(query), query.slice(0, 50))
})

t.test('any text is judged in linear time, and by a QueryError or not at all', async t => {
  const piece = fc.constantFrom('(', ')', '[', '{', '}', '"', "'", '`', '\\', '//', '/*', '*/', '\n', ' ', 'LOAD', 'CSV', 'CASE', 'END', 'NOT ', '-', '=', ';', '$', '.', '1e5', 'x', '🦊', '\ud800', '\0', '\r')
  fc.assert(fc.property(fc.array(piece, { maxLength: 60 }), pieces => {
    try {
      guardQuery(pieces.join(''))
    } catch (error) {
      if (!(error instanceof QueryError)) throw error
    }
  }), { numRuns: 3_000 })
  const before = process.cpuUsage()
  for (const unit of ['"\\', '/*', '//', "'", '`a', '$', ' \t', '\\', 'a.', '1.', '..', '=~', '\r\n', '1e', '[', 'CASE ', '"', '/', '*/', 'é', '\n//']) {
    try {
      guardQuery(unit.repeat(maxQueryBytes / unit.length))
    } catch (error) {
      if (!(error instanceof QueryError)) throw error
    }
  }
  t.ok(process.cpuUsage(before).user < 1_500_000, 'all of them in CPU time')
})
