import { readFileSync } from 'node:fs'
import t from 'tap'
import { killers } from '../../../../tests/fuzz/cypher-queries.ts'
import { guardQuery, maxQueryBytes } from '../guard.ts'
import { maxDepth } from '../nesting.ts'
import { maxLeastHops } from './hops.ts'
import { maxIterations, maxPathCount, maxPathLength } from './paths.ts'
import { maxAppends, maxRange, maxRounds } from './ranges.ts'
import { maxOptionalMatches, maxPatternNodes, maxTokens } from './size.ts'

t.test('23, 28: each query that has ended or frozen FalkorDB is refused, saying where and what to write instead', async t => {
  for (const { query, parameters } of killers) t.throws(() => guardQuery(query, parameters), { code: /^query_|_refused$/, details: { position: Number, line: Number, column: Number, hint: String } }, query.slice(0, 100))
})

t.test('a range is judged by its parameters, and by what the query says of its variables', async t => {
  const rows: Array<[query: string, parameters: object, code: string | undefined]> = [
    ['UNWIND range(1, $n) AS i RETURN i', { n: 1_000 }, undefined], ['UNWIND range(1, $n) AS i RETURN i', { n: 1e8 }, 'query_range_too_long'], ['RETURN range(1, $n)', { n: { $int64: '900000000000' } }, 'query_range_too_long'],
    ['RETURN range($a * $b, 0)', { a: -40_000, b: 40_000 }, 'query_range_too_long'], ['RETURN range(1, 10 * $n + 5, 5)', { n: 100 }, undefined], ['RETURN range(1, $n)', {}, undefined],
    ['WITH $n AS k UNWIND range(1, k) AS i RETURN i', { n: 5 }, undefined], ['WITH $n AS k UNWIND range(1, k) AS i RETURN i', { n: 1e9 }, 'query_range_too_long'], ['UNWIND $list AS k RETURN range(1, k)', { list: [1, 5] }, undefined], ['UNWIND $list AS k RETURN range(1, k)', { list: [1, 1e9] }, 'query_range_too_long'],
    ['MATCH (n) RETURN range(0, n.count)', {}, 'query_range_unknown'], ['MATCH (n) RETURN range(0, (n.count) % 1000001)', {}, undefined], ['MATCH (n) RETURN range(n.year, n.year + 4)', {}, undefined], ['MATCH (n) RETURN range(n.a, n.b)', {}, 'query_range_unknown'],
    ['RETURN range(toInteger(rand() * 1000000000), toInteger(rand() * 1000000000))', {}, 'query_range_unknown'], ['UNWIND range(1, 9) AS i WITH i * 1000000000 AS i RETURN range(1, i)', {}, 'query_range_too_long'], ['MATCH (n) UNWIND range(1, 9) AS i WITH n.x AS i RETURN range(1, i)', {}, 'query_range_unknown'],
    ['WITH [1] AS a, [2] AS b RETURN range(0, size(a) + size(b) - 1)', {}, undefined], ['UNWIND range(1, 1000000) AS x UNWIND range(1, 1000000) AS y RETURN sum(x * y)', {}, undefined], ['UNWIND range(1, 1000000) AS x RETURN [y IN range(1, 3000) | [z IN range(1, 3000) | z]]', {}, 'query_loops_too_long'], ['WITH range(1, 3000) AS l RETURN [x IN l WHERE x IN l]', {}, 'query_loops_too_long'],
    ['MATCH (n) RETURN range(0, CASE WHEN n.count > 100 THEN 100 ELSE n.count END)', {}, undefined], ['MATCH (n) RETURN range(1, CASE WHEN n.a.b <= $n THEN n.a.b ELSE $n END)', { n: 50 }, undefined], ['MATCH (n) RETURN range(0, CASE WHEN n.count > 100 THEN 100 ELSE n.other END)', {}, 'query_range_unknown'],
    ['MATCH (n) RETURN range(0, CASE WHEN n.count < 100 THEN 100 ELSE n.count END)', {}, 'query_range_unknown'], ['MATCH (n) RETURN range(CASE WHEN n.count > 100 THEN 100 ELSE n.count END, 0)', {}, 'query_range_too_long'], ['MATCH (n) RETURN range(0, CASE WHEN n.count > 100 THEN 100 ELSE n.count END, -1)', {}, 'query_range_too_long'],
    ['RETURN range(0, CASE WHEN rand() > 1 THEN 1 ELSE rand() END * 1000000000)', {}, 'query_range_unknown'], ['RETURN `range`(1, 1000000000)', {}, 'query_range_too_long'], ['RETURN range(1, `x`)', {}, 'query_range_unknown'], ['MATCH (n:range) RETURN n.range', {}, undefined]
  ]
  for (const [query, parameters, code] of rows) {
    const said = (() => {
      try {
        guardQuery(query, parameters)
      } catch (error) {
        return (error as { code: string }).code
      }
    })()
    t.equal(said, code, `${query} ${JSON.stringify(parameters)}`)
  }
})

t.test('28: a reduce() as people write it passes', async t => {
  for (const body of ["text = '', x IN $words | text + x", "text = '', x IN $words | CASE WHEN text = '' THEN x ELSE text + ', ' + x END", 'seen = [], x IN $words | CASE WHEN x IN seen THEN seen ELSE seen + x END', 'all = [], x IN $words | all + [x, size(all)]', 'most = head($words), x IN $words | CASE WHEN x > most THEN x ELSE most END', 'f = [0, 1], i IN range(1, 50) | [f[1], f[0] + f[1]]',
    'a = {sum: 0, n: 0}, x IN $words | {sum: a.sum + x, n: a.n + 1}', 'p = 1, i IN range(1, 200000) | p * i % 1000003', 's = 0, x IN $words | s + x * x', 's = 0, i IN range(1, 20000) | CASE WHEN i % 3 = 0 THEN s + i ELSE s END', 'flat = [], l IN [[1], [2]] | flat + [x IN l WHERE NOT x IN flat | x]']) {
    t.ok(guardQuery(`RETURN reduce(${body}) AS r`, { words: [1, 2] }), body)
  }
})

t.test('maps of parameters that FalkorDB would take seconds for are refused', async t => {
  const wide = (keys: number) => Object.fromEntries(Array.from({ length: keys }, (_, i) => [`k${i}`, i]))
  t.ok(guardQuery('RETURN $m', { m: wide(9_000), rows: Array.from({ length: 10_000 }, () => ({ a: 1, b: 2, c: 3 })) }))
  t.throws(() => guardQuery('RETURN $m', { m: wide(30_000) }), { code: 'invalid_parameters' })
  t.throws(() => guardQuery('RETURN $m', { m: Array.from({ length: 200 }, () => wide(1_000)) }), { code: 'invalid_parameters' })
})

t.test('docs/cypher.md names the limits that hold', async t => {
  const page = readFileSync(new URL('../../../../docs/cypher.md', import.meta.url), 'utf8')
  for (const limit of [`${maxQueryBytes} bytes, ${maxTokens} words`, `| ${maxDepth} deep`, `| nodes in patterns | ${maxPatternNodes} |`, `| OPTIONAL MATCH | ${maxOptionalMatches} |`, `\`range()\` | ${maxRange} |`, `% ${maxRange + 1})`, `one another | ${maxRounds} |`, `alone | ${maxAppends} |`, `| ${maxPathCount}; more than one only with \`maxLen\` up to ${maxPathLength} |`, `| ${maxIterations} |`, `at least | ${maxLeastHops} |`]) t.match(page, limit, limit)
})
