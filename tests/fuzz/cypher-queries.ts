/** Hostile Cypher: by a grammar, and by changes of ordinary queries and of those that have ended or frozen FalkorDB. */
import fc from 'fast-check'
import { cypherCorpus } from '../support/cypher-corpus.ts'
import { textChange } from './mutations.ts'

export interface HostileQuery { query: string, parameters: unknown }

/** Each ended FalkorDB 4.16, or held a thread for longer than any time-out, where nothing stood before it. */
export const killers: HostileQuery[] = [
  'UNWIND range(1,1000000000) AS x RETURN sum(x)', 'RETURN size(range(1, 1000000000))', 'UNWIND range(1, 31622*31622) AS x RETURN sum(x)', 'WITH 31622 AS k UNWIND range(1, k*k) AS x RETURN sum(x)', 'UNWIND range(1,$b) AS x RETURN sum(x)',
  'MATCH (p:P {id: 1}) UNWIND range(1, p.id * 1000000000) AS x RETURN sum(x)', 'RETURN [a IN range(1,100000) | [b IN range(1,100000) | a*b]]', 'RETURN size([a IN range(1,1000000) | size([b IN range(1,1000000) | a*b])])',
  'WITH range(1,1000000) AS r RETURN size([a IN r | size([b IN r | a*b])])', 'WITH range(1,100000) AS a RETURN size([x IN a WHERE x IN a])', 'RETURN reduce(s=0, a IN range(1,1000000) | s + reduce(t=0, b IN range(1,1000000) | t+b))',
  'RETURN all(a IN range(1,1000000) WHERE all(b IN range(1,1000000) WHERE b>0))', "RETURN size(reduce(s='xxxxxxxxxx', i IN range(1,40) | s+s))",
  'RETURN size(reduce(s=[1,2,3,4,5], i IN range(1,40) | s+s))', 'RETURN size(reduce(s=[1], i IN range(1,40) | [s,s]))', 'RETURN size(reduce(s=[], i IN range(1,100000) | s + i))', "RETURN size(reduce(s='', i IN range(1,1000000) | s + 'abcdefghij'))",
  `WITH 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' AS x ${'WITH x+x AS x '.repeat(26)}RETURN size(x)`, "WITH 'x' AS s RETURN size(replace(s,'x',s))", 'RETURN size(replace($text, "x", $text))',
  "MATCH (a:P {id: 0}), (b:P {id: 9}) CALL algo.SPpaths({sourceNode: a, targetNode: b, pathCount: 1000000000, weightProp: 'w', maxLen: 40}) YIELD path RETURN count(path)", 'MATCH (a:P {id: 0}) CALL algo.SSpaths({sourceNode: a, pathCount: 1000000000}) YIELD path RETURN count(path)',
  `MATCH (n) ${Array.from({ length: 400 }, (_, i) => `OPTIONAL MATCH (n)-->(m${i}) `).join('')}RETURN 1`, `MATCH ${Array.from({ length: 2_000 }, (_, i) => `(n${i})`).join(',')} RETURN 1`,
  `RETURN ${'('.repeat(22)}1${')'.repeat(22)}`, `RETURN ${'['.repeat(30)}1${']'.repeat(30)}`, `RETURN 1${'+1'.repeat(8_000)}`, `RETURN ${'-'.repeat(16_000)}1`, `RETURN ${'NOT '.repeat(4_000)}true`, 'MATCH (a)-[*9223372036854775807]->(b) RETURN count(b)', 'MATCH (a)-[r:R*1000000000]-(b) RETURN count(b)', 'CALL algo.labelPropagation({maxIterations: 1000000000}) YIELD node RETURN *', 'MATCH (n:P:Q)-[*1..3]->(n) RETURN count(*)', 'MATCH (n:P)<-[r:R*]-(n:Q) RETURN n', 'MATCH (n:P:Q) WHERE (n)-->() RETURN n', 'MATCH (n:P) MATCH (`n`:Q)-->(m) WITH n, m WHERE m.id > 1 OR NOT ((m)<-[:R {w: 1}]-()<--(n)) RETURN n', 'CALL algo.labelPropagation({maxIterations: 1000}) YIELD node RETURN *', `"MATCH (a)-[:R]-(n) RETURN n.id, CASE WHEN n.risk > 0.8 THEN 'high' WHEN n.risk > ${'[x IN '.repeat(20)}0${' | x]'.repeat(20)} THEN 'm' END"`, 'CALL db./**/labels()',
  `CALL { "MATCH (a)-[:R]-(n) RETURN n.id, CASE WHEN n.risk > 0.8 THEN 'high' WHEN n.risk > ${'[x IN '.repeat(20)}0${' | x]'.repeat(20)} THEN 'm' END" } RETURN 1`,
  'MATCH (n:P) CALL { RETURN 1 AS z } /* x */ WITH n, z RETURN *', 'MATCH (n:P) FOREACH (y IN [1] | CREATE (:T)) // x\n WITH DISTINCT * RETURN n',
  'CALL { CALL db.labels() } RETURN 1', 'MATCH (n) CALL { UNWIND [1] AS x CALL db.labels() YIELD label } RETURN n', 'CALL { CALL { CALL db.labels() YIELD label AS set WHERE label <> "}" } RETURN 1 } RETURN 1', 'RETURN {a:range(1, 1000000000)}', 'RETURN {k:reduce(s = [], x IN range(1,30) | s + 10 + s)}',
  'CREATE VECTOR INDEX FOR (c:C) ON (c.e) OPTIONS {dimension: 2, similarityFunction: [x IN [1] | x]}', "CREATE VECTOR INDEX FOR (c:C) ON (c.e) OPTIONS {dimension: 2, similarityFunction: 'cosine', M: 1}", "CREATE FULLTEXT INDEX FOR (c:C) ON (c.t) OPTIONS {stopwords: [x IN ['a'] | x]}",
  'RETURN reduce(s = 0, x IN range(1,30) | s + $text + s)', "RETURN size(reduce(s=9223372036854775807, i IN range(1,1000000) | s + 'abcdefghij'))", "RETURN size(reduce(s = ['xxxxxxxxxx'], i IN range(1,40) | [s[0] + s[0]])[0])", "RETURN size(reduce(s = ['xxxxxxxxxx'], i IN range(1,40) | [s[9223372036854775807] + s[0]])[0])", "RETURN size(reduce(s = {a:'xxxxxxxxxx'}, i IN range(1,40) | {a:s.a+s.a}).a)", 'RETURN size(reduce(s=[1], i IN range(1,40) | [y IN [1,2] | s]))', 'RETURN size(reduce(s="xxxxxxxxxx", i IN range(1,40) | string.join([s,s],"")))', 'RETURN size(reduce(s="xxxxxxxxxx", i IN range(1,40) | replace("aa","a",s)))', "RETURN size(reduce(s=['x'], i IN range(1,40) | [y IN s | y + y]))",
  ...['[s,s]', '{a:s,b:s}', '[s[0]+s[0]]', 'string.join([s,s], "")', '[x IN [1,2] | s]', 'replace("aa","a",s)', 's AS a, s AS b WITH a + b'].map(step => `WITH ['xxxxxxxxxx'] AS s ${`WITH ${step} AS s `.repeat(40)}RETURN size(s)`), `MATCH (n:P {id: 1}) ${'SET n.name = n.name + n.name '.repeat(40)}`,
  'LOAD CSV FROM "https://192.0.2.1/x" AS row RETURN row'
].map(query => ({ query, parameters: { b: 1_000_000_000, text: 'x'.repeat(300_000) } }))

const nested = (depth: number, map: boolean): unknown => depth === 0 ? 1 : map ? { a: nested(depth - 1, map) } : [nested(depth - 1, map)]
const wide = (keys: number) => Object.fromEntries(Array.from({ length: keys }, (_, i) => [`k${i}`, i]))

const anyParameters = fc.oneof(
  { weight: 6, arbitrary: fc.constant<unknown>({ p: 3, q: 'text', list: [1, 2, 3], map: { a: 1 } }) },
  { weight: 2, arbitrary: fc.record({ p: fc.constantFrom<unknown>(1e9, -1e15, 9_007_199_254_740_991, { $int64: '9223372036854775807' }, { $float: 'NaN' }, '9', null, [1e9]), q: fc.constantFrom('', 'x'.repeat(20_000), '\0', '\ud800', '`$p` // "'), list: fc.constantFrom<unknown>(Array.from({ length: 20_000 }, (_, i) => i), [], [[[]]]), map: fc.constantFrom<unknown>(wide(2_000), {}) }) },
  { weight: 1, arbitrary: fc.constantFrom<unknown>({ p: nested(1_000, false) }, { p: nested(1_000, true) }, { p: nested(30, true) }, { p: wide(30_000) }, { 'p=1 RETURN 1 //': 1 }, { p: 1e20 }, null, [], 'x', { p: { $date: '2026-11-20' }, q: { $vecf32: [1, 2] } }) }
)

const number = fc.constantFrom('0', '1', '2', '3', '10', '100', '1000', '20000', '1000000', '1000000000', '-1', '9223372036854775807', '1e3', '1.5', '0x7F', '99999999999999999999')
const { expression } = fc.letrec<{ expression: string }>(tie => {
  const e = tie('expression')
  const two = fc.tuple(e, e)
  return {
    expression: fc.oneof({ maxDepth: 4, depthSize: 'small', withCrossShrink: true },
      fc.constantFrom('x', 'y', 'a', 'b', 'n', 'n.id', 'n.name', 'm', '$p', '$q', '$list', '$map', 'null', 'true', "'text'", '"a\\"b"', '[]', '{}', 'labels(n)', 'keys(n)', 'n.`odd`', '*'), number,
      fc.tuple(two, fc.constantFrom('+', '-', '*', '/', '%', '^', '=', '<>', '<', ' AND ', ' OR ', ' XOR ', ' IN ', ' STARTS WITH ', ' CONTAINS ', '=~')).map(([[l, r], op]) => `${l}${op}${r}`),
      fc.tuple(number, fc.constantFrom('5', '30', '1000', 'size(y)', '$p')).map(([l, r]) => `range(${l},${r})`), two.map(([l, r]) => `range(${l},${r})`), fc.tuple(e, e, number).map(([l, r, s]) => `range(${l},${r},${s})`),
      two.map(([l, r]) => `[x IN ${l} | ${r}]`), fc.tuple(e, e, e).map(([l, w, r]) => `[y IN ${l} WHERE ${w} | ${r}]`), fc.tuple(e, e, e).map(([i, l, b]) => `reduce(s = ${i}, x IN ${l} | ${b})`), two.map(([l, b]) => `reduce(s = '', x IN ${l} | s + ${b})`), two.map(([l, b]) => `reduce(s = ${l}, x IN range(1,30) | s + ${b} + s)`),
      fc.tuple(fc.constantFrom('any', 'all', 'none', 'single'), e, e).map(([f, l, w]) => `${f}(x IN ${l} WHERE ${w})`), fc.tuple(e, e, e).map(([w, a, b]) => `CASE WHEN ${w} THEN ${a} ELSE ${b} END`),
      fc.tuple(fc.constantFrom('size', 'toString', 'toInteger', 'reverse', 'head', 'tail', 'abs', 'keys', 'split', 'replace', 'substring', 'coalesce', 'collect', 'count', 'sum', 'nodes', 'length', 'toUpper', 'list.sort', 'list.dedup', 'string.join', 'string.matchRegEx', 'point', 'date', 'duration', 'vecf32', 'id', 'left', 'right', 'trim', 'typeOf', 'exists', 'properties', 'toJSON', 'rand', 'sqrt', 'pow', 'hasLabels'), fc.array(e, { maxLength: 3 })).map(([f, args]) => `${f}(${args.join(',')})`),
      fc.array(e, { maxLength: 4 }).map(list => `[${list.join(',')}]`), fc.array(e, { maxLength: 3 }).map(list => `{${list.map((item, i) => `k${i}:${item}`).join(',')}}`), two.map(([l, i]) => `${l}[${i}]`), fc.tuple(e, number, number).map(([l, a, b]) => `${l}[${a}..${b}]`), e.map(x => `(${x})`), e.map(x => `NOT ${x}`), e.map(x => `-${x}`), e.map(x => `${x} IS NULL`),
      fc.constantFrom('[(n)-->(m) | m]', '[(n)-[*1..3]-(m) | m.id]', '(n)-->()', 'shortestPath((a)-[*]->(b))', 'exists((n)-[:R]->())')
    )
  }
})

const hops = fc.constantFrom('-->', '--', '-[r]->', '-[:R*]->', '-[*1..3]-', '-[:R*..5]->', '<-[:R|S]-', '-[*0..]-', '-[:R {w: 1}]->', '-[:R*9223372036854775807]->')
const node = fc.constantFrom('(n)', '(m)', '(a:P)', '(b:P {id: 3})', '()', '(n:P:Q)', '(x {id: $p})', '(:P {name: $q})', '(`odd name`)', '(n {m: $map})')
const pattern = fc.tuple(node, fc.array(fc.tuple(hops, node), { maxLength: 4 })).map(([first, rest]) => first + rest.flat().join(''))
const projection = fc.tuple(fc.constantFrom('', 'DISTINCT '), fc.array(fc.tuple(expression, fc.constantFrom('x', 'y', 'n', 'a', 's', '`z z`')), { minLength: 1, maxLength: 3 })).map(([distinct, items]) => distinct + items.map(([e, name]) => `${e} AS ${name}`).join(', '))
const clause = fc.oneof(
  pattern.map(p => `MATCH ${p}`), pattern.map(p => `OPTIONAL MATCH ${p}`), fc.tuple(pattern, pattern, expression).map(([p, q, w]) => `MATCH ${p}, ${q} WHERE ${w}`), pattern.map(p => `MATCH p=${p} WITH p, n`),
  expression.map(e => `UNWIND ${e} AS x`), fc.tuple(number, number).map(([a, b]) => `UNWIND range(${a},${b}) AS y`), projection.map(p => `WITH ${p}`), fc.tuple(projection, expression).map(([p, w]) => `WITH ${p} WHERE ${w}`), fc.constant('WITH *'), fc.constant("WITH 'abc' AS s WITH s+s+s AS s"),
  pattern.map(p => `CREATE ${p.replace(/-\[\*.*?\]-/g, '-[:R]->')}`), fc.constantFrom('CREATE (:P {id: 5})-[:R {w: 1}]->(:P {id: 6})', 'MERGE (n:P {id: $p})', 'MERGE (n:P {id: 1}) ON CREATE SET n.x = 1 ON MATCH SET n += $map', 'SET n.x = $q', 'SET n = $map', 'DETACH DELETE n', 'REMOVE n.x', 'FOREACH (x IN range(1, 100) | CREATE (:P {id: x}))', 'DELETE n'),
  expression.map(e => `SET n.v = ${e}`), expression.map(e => `FOREACH (x IN ${e} | CREATE (:P {id: x}))`), fc.tuple(expression, expression).map(([e, f]) => `CALL { UNWIND ${e} AS q RETURN ${f} AS z }`),
  fc.constantFrom('CALL db.labels() YIELD label', 'CALL algo.pageRank("P", "R") YIELD node', 'CALL algo.WCC({}) YIELD node', 'CALL algo.betweenness({}) YIELD node', 'CALL algo.SPpaths({sourceNode: a, targetNode: b, pathCount: $p}) YIELD path', 'CALL algo.BFS(n, -1, NULL) YIELD nodes', 'CALL db.idx.fulltext.queryNodes("P", $q) YIELD node', 'CALL algo.labelPropagation({maxIterations: 1000000000}) YIELD node', 'CALL algo.MSF({}) YIELD edges', 'LOAD CSV FROM "file:///x" AS x', 'RETURN 1 UNION', 'RETURN 1 UNION ALL', 'CREATE INDEX FOR (n:P) ON (n.id)')
)
const returned = fc.tuple(fc.oneof(projection, expression, fc.constant('*')), fc.constantFrom('', '', ' LIMIT 10', ' ORDER BY x', ' ORDER BY n.id DESC SKIP 3 LIMIT $p', ' LIMIT 9223372036854775807', ';', ' SKIP 1000000000')).map(([what, rest]) => `RETURN ${what}${rest}`)
// With the variables that the expressions take, so that more than the parser is reached.
const beginning = fc.constantFrom('', '', 'MATCH (n:P)-->(m), (a:P {id: 1}), (b:P {id: 2}) WITH n, m, a, b, 1 AS x, [1, 2] AS y LIMIT 5', 'MATCH (n:P) WITH n, n AS m, n AS a, n AS b, 2 AS x, "text" AS y LIMIT 20', "WITH 1 AS x, [3, 4] AS y, {a: 1} AS n, 'm' AS m, [[1]] AS a, null AS b")
const grammar = fc.tuple(beginning, fc.array(clause, { maxLength: 4 }), returned).map(([first, clauses, end]) => [first, ...clauses, end].join(' ').trim())

/** Changes of the text as a whole. */
const change: fc.Arbitrary<(text: string) => string> = fc.oneof(
  textChange,
  fc.constantFrom<(text: string) => string>(text => text.replaceAll(' ', '/**/'), text => text.replaceAll(' ', ' // \'"`\n'), text => text.replaceAll(' ', '\r\n'), text => text.replaceAll(' ', '\t\n  '), text => text.replaceAll(' ', '\u00a0'), text => [...text].map((char, i) => i % 2 ? char.toUpperCase() : char.toLowerCase()).join(''), text => text.replaceAll("'", '"'), text => `${text}; ${text}`, text => `CYPHER p=1 ${text}`, text => `EXPLAIN ${text}`, text => `${text} UNION ${text}`, text => `CALL { ${text} } RETURN 1`, text => text.replaceAll(/\b([a-z])\b/g, '`$1`')),
  fc.tuple(fc.integer({ min: 2, max: 600 }), fc.nat(), fc.integer({ min: 1, max: 30 })).map(([times, at, length]) => (text: string) => {
    const from = at % (text.length + 1)
    return text.slice(0, from) + text.slice(from, from + length).repeat(times) + text.slice(from + length)
  }),
  fc.tuple(fc.constantFrom('(', '[', '{a:', 'NOT ', '-', 'CASE WHEN ', 'size(', '[x IN '), fc.integer({ min: 1, max: 40 }), fc.nat()).map(([open, times, at]) => (text: string) => {
    const spots = [...text.matchAll(/\b\d+\b/g)]
    const spot = spots[at % Math.max(1, spots.length)]
    const close: Record<string, string> = { '(': ')', '[': ']', '{a:': '}', 'CASE WHEN ': ' THEN 1 END', 'size(': ')', '[x IN ': ' | x]' }
    return spot === undefined ? text : `${text.slice(0, spot.index)}${open.repeat(times)}${spot[0]}${(close[open] ?? '').repeat(times)}${text.slice(spot.index + spot[0].length)}`
  }),
  fc.tuple(number, fc.nat()).map(([value, at]) => (text: string) => {
    let index = 0
    const count = text.match(/\b\d+\b/g)?.length ?? 0
    return text.replace(/\b\d+\b/g, digits => index++ === at % Math.max(1, count) ? value : digits)
  }),
  fc.tuple(expression, fc.nat()).map(([value, at]) => (text: string) => {
    const spots = [...text.matchAll(/\$\w+|\b\d+\b|'[^']*'/g)]
    const spot = spots[at % Math.max(1, spots.length)]
    return spot === undefined ? text : text.slice(0, spot.index) + value + text.slice(spot.index + spot[0].length)
  })
)

const corpus = cypherCorpus()
const changed = (from: readonly HostileQuery[]) => fc.tuple(fc.constantFrom(...from), fc.array(change, { maxLength: 3 }), fc.option(anyParameters, { freq: 3 })).map(([{ query, parameters }, changes, others]) => ({ query: changes.reduce((text, change) => change(text), query).slice(0, 40_000), parameters: others ?? parameters }))

export const hostileQuery: fc.Arbitrary<HostileQuery> = fc.oneof(
  { weight: 5, arbitrary: fc.tuple(grammar, anyParameters).map(([query, parameters]) => ({ query, parameters })) },
  { weight: 2, arbitrary: fc.tuple(grammar, change, anyParameters).map(([query, change, parameters]) => ({ query: change(query), parameters })) },
  { weight: 3, arbitrary: changed(corpus) },
  { weight: 2, arbitrary: changed(killers) }
)
