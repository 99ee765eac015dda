/** Values on their way through a real FalkorDB and back. */
import t from 'tap'
import fc from 'fast-check'
import { asker, openAdmin, openDatabase, openFalkordb } from '../test-database.ts'
import type { GraphEdge, GraphNode, GraphPath } from './elements.ts'

const { url } = await openFalkordb(t)
const database = await openDatabase(t, url)
const admin = await openAdmin(t, url)
const { read, write } = asker(database, 'acme')
await write('CREATE (:Start)')

const echo = async (value: unknown) => (await read('RETURN $v AS v', { v: value })).rows[0]?.[0]

const text = fc.string({ unit: 'binary', maxLength: 30 }).filter(value => !value.includes('\0') && value.isWellFormed())
const name = fc.oneof(fc.stringMatching(/^[A-Za-z_]\w{0,8}$/), fc.constantFrom('cypher', 'CYPHERx', 'null', 'true', '__proto__', 'constructor', 'toString', 'RETURN', 'date', 'key', 'Key', 'KEY', '_', '_1'))
// FalkorDB answers with 15 significant digits.
const double = fc.double({ noNaN: true, noDefaultInfinity: true }).map(value => Number(value.toPrecision(15))).filter(value => Number.isFinite(value) && !Number.isInteger(value) && Math.abs(value) > 1e-290)
const bigDouble = fc.double({ min: 2 ** 53, max: 1e300, noNaN: true }).map(value => ({ $float: String(Number(value.toPrecision(15))) })).filter(({ $float }) => !Number.isSafeInteger(Number($float)))
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).filter(value => value > 2n ** 53n || value < -(2n ** 53n)).map(value => ({ $int64: String(value) }))
const day = fc.date({ min: new Date('0000-01-01'), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true }).map(date => new Date(Math.floor(date.getTime() / 1000) * 1000).toISOString())
const temporal = fc.oneof(
  day.map(iso => ({ $date: iso.slice(0, 10) })),
  // FalkorDB cannot parse the second before 1970: its C library says -1 both for that and for a failure.
  day.map(iso => ({ $datetime: iso.slice(0, 19) })).filter(({ $datetime }) => $datetime !== '1969-12-31T23:59:59'),
  day.map(iso => ({ $time: iso.slice(11, 19) })),
  fc.tuple(fc.nat(99), fc.nat(11), fc.integer({ min: 1, max: 27 }), fc.integer({ min: 1, max: 23 })).map(([y, m, d, h]) => ({ $duration: `P${y ? `${y}Y` : ''}${m ? `${m}M` : ''}${d}DT${h}H` }))
)
const special = fc.oneof(fc.constantFrom('NaN', 'Infinity', '-Infinity').map($float => ({ $float })), fc.array(fc.integer({ min: -512, max: 512 }).map(n => n / 8), { minLength: 1, maxLength: 4 }).map($vecf32 => ({ $vecf32 })))
const plain = fc.oneof(text, fc.maxSafeInteger(), double, fc.boolean(), fc.constant(null), int64, bigDouble)

const tree = (leaf: fc.Arbitrary<unknown>) => fc.letrec<{ any: unknown }>(tie => ({
  any: fc.oneof({ depthSize: 'small', withCrossShrink: true }, leaf, fc.array(tie('any'), { maxLength: 4 }), fc.array(fc.tuple(name, tie('any')), { maxLength: 4 }).map(nullMap), fc.tuple(name, tie('any')).map(([key, value]) => ({ $map: nullMap([[`$${key}`, value]]) })))
})).any
const nullMap = (entries: Array<[string, unknown]>) => entries.reduce((map, [key, value]) => Object.assign(map, { [key]: value }), Object.create(null) as Record<string, unknown>)
// `{ ['__proto__']: … }` is an own property, but Object.assign would set the prototype of an ordinary object; these maps have none.
const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b)

t.test('21: every value comes back as it went in', async t => {
  await fc.assert(fc.asyncProperty(tree(plain), async sent => {
    const came = await echo(sent)
    if (!same(came, sent)) throw new Error(`${JSON.stringify(sent)} came back as ${JSON.stringify(came)}`)
  }), { numRuns: 600 })
  t.pass()
})

t.test('21: dates, times, durations, vectors and NaN come back too, at any depth', async t => {
  await fc.assert(fc.asyncProperty(tree(fc.oneof(plain, temporal, special)), async sent => {
    const came = await echo(sent)
    if (!same(came, sent)) throw new Error(`${JSON.stringify(sent)} came back as ${JSON.stringify(came)}`)
  }), { numRuns: 400 })
  t.pass()
})

t.test('21: a map with a key that begins with $ among others is a map, in parameters as in results', async t => {
  for (const sent of [{ $int64: '1', y: 2 }, { $x: { $date: '2026-01-01' }, $y: 1 }, { $map: { $int64: '9007199254740993' } }, { $map: { $map: 1 } }, { $map: { $map: { $map: { $x: 1 } } } }, { $map: { $date: { $date: '2026-01-01' } } }]) t.same(await echo(sent), sent, JSON.stringify(sent))
  await t.rejects(read('RETURN 1', { $x: 1 }), { code: 'invalid_parameters' }, 'a parameter itself has no such name')
})

t.test('keys that only a query can write arrive as they are', async t => {
  const { rows } = await read('RETURN {`a b`: 1, `ä`: {`"`: 2}, `\\`: [], `$one`: {`$only`: 3}} AS m')
  t.equal(JSON.stringify(rows), JSON.stringify([[{ 'a b': 1, ä: { '"': 2 }, '\\': [], $one: { $map: { $only: 3 } } }]]))
})

/** Every kind of value that a property can have. */
const property = fc.oneof(text, fc.maxSafeInteger(), double, bigDouble, fc.boolean(), int64, temporal, special, fc.array(fc.oneof(text, fc.maxSafeInteger(), double, fc.boolean(), int64, temporal), { maxLength: 3 }))

t.test('21: nodes, edges and paths have their properties as they were sent, whatever the type', async t => {
  const query = 'MATCH p = (x:From)-[r:LINK]->(y:To) RETURN x, r, p, y.w, {list: [r.v, properties(x)]}, id(x), id(y)'
  await fc.assert(fc.asyncProperty(property, property, async (v, w) => {
    await write('CREATE (:From {v: $v, w: $w})-[:LINK {v: $v, `__proto__`: $w}]->(:To {w: $v})', { v, w })
    const [row] = (await read(query)).rows
    const [x, r, p, value, made, from, to] = row as [GraphNode, GraphEdge, GraphPath, unknown, unknown, number, number]
    const edgeProperties = nullMap([['v', v], ['__proto__', w]])
    const whole = {
      x: { identity: from, labels: ['From'], properties: { v, w } },
      r: { identity: r.identity, type: 'LINK', source: from, target: to, properties: edgeProperties },
      y: { identity: to, labels: ['To'], properties: { w: v } }
    }
    if (!same([x, r, p, value, made], [whole.x, whole.r, { nodes: [whole.x, whole.y], edges: [whole.r] }, v, { list: [v, { v, w }] }])) throw new Error(`${JSON.stringify([v, w])} came back as ${JSON.stringify(row)}`)
    await write('MATCH (n) WHERE n:From OR n:To DELETE n')
  }), { numRuns: 150 })
  t.pass()
})

t.test('21: vectors and points hold 32-bit numbers, and what came back goes in again unchanged', async t => {
  const single = fc.float({ noNaN: true, noDefaultInfinity: true }).map(value => Number(value.toPrecision(6))).filter(value => Math.abs(value) < 1e38 && (value === 0 || Math.abs(value) > 1e-30))
  await fc.assert(fc.asyncProperty(fc.array(single, { minLength: 1, maxLength: 5 }), fc.float({ min: -90, max: 90, noNaN: true }), fc.float({ min: -180, max: 180, noNaN: true }), async (values, latitude, longitude) => {
    const vector = await echo({ $vecf32: values }) as { $vecf32: number[] }
    for (const [index, value] of values.entries()) {
      if (Math.abs(Number(value) - Number(vector.$vecf32[index])) > Math.abs(value) * 1e-6) throw new Error(`${value} came back as ${vector.$vecf32[index]}`)
    }
    const [[point]] = (await read('RETURN point($p)', { p: { latitude, longitude } })).rows as [[{ latitude: number, longitude: number }]]
    const again = (await read('RETURN point($p)', { p: { ...point } })).rows[0]?.[0]
    if (!same(again, point) || !same(await echo(vector), vector)) throw new Error(JSON.stringify([vector, point, again]))
    if (Math.abs(point.latitude - latitude) > 1e-4 || Math.abs(point.longitude - longitude) > 1e-4) throw new Error(JSON.stringify([latitude, longitude, point]))
  }), { numRuns: 150 })
  const odd = await echo({ $vecf32: [{ $float: 'NaN' }, { $float: 'Infinity' }, { $float: '-Infinity' }, 0, 1e20, 2 ** 60] })
  t.match(odd, { $vecf32: [{ $float: 'NaN' }, { $float: 'Infinity' }, { $float: '-Infinity' }, 0, Number, 2 ** 60] })
  t.same(await echo(odd), odd)
})

t.test('21: what is stored in a node is what was sent', async t => {
  await fc.assert(fc.asyncProperty(fc.oneof(text, fc.maxSafeInteger(), double, fc.boolean(), int64, temporal, fc.array(plain.filter(value => value !== null), { maxLength: 3 })), async sent => {
    const { rows } = await write('CREATE (n:V {v: $v, `__proto__`: $v}) WITH n MATCH (m:V) WHERE id(m) = id(n) DELETE m RETURN m, m.v', { v: sent })
    const [node, value] = rows[0] as [{ properties: Record<string, unknown> }, unknown]
    if (!same(value, sent) || !same(node.properties.v, sent) || !same(Object.getOwnPropertyDescriptor(node.properties, '__proto__')?.value, sent)) throw new Error(JSON.stringify([sent, node, value]))
  }), { numRuns: 200 })
  t.pass()
})

t.test('21: no name and no text of a parameter is ever read as Cypher', async t => {
  await write('CREATE (:Secret {secret: "hidden"})')
  for (const hostile of ['v=1 MATCH (n) RETURN n.secret AS v //', 'a b', '', 'a`', 'a`=1 x', 'ä', '$$a', '$', 'a: 1}', 'a\0', '1a', 'a-b']) {
    for (const parameters of [{ [hostile]: 1 }, { v: { [hostile]: 1, z: 1 } }, { v: [{ deep: { [hostile]: { $date: '2026-01-01' } } }] }]) {
      await t.rejects(read('RETURN $v', parameters), { type: 'ValidationError', code: 'invalid_parameters' }, JSON.stringify(parameters))
    }
  }
  for (const hostile of ['"', '\\', '\\"', '" RETURN 1 //', "'", '`', '$v', '\u0000x'.slice(1), '}) MATCH (n) DETACH DELETE n //', 'CYPHER x=1 ', '\\u0000', '\\\n', 'x\\']) {
    t.equal(await echo(hostile), hostile)
    t.same(await echo([{ $date: '2026-01-01' }, hostile]), [{ $date: '2026-01-01' }, hostile])
  }
})

t.test('a query cannot ask for the parameters that stand for a typed value: the guard has not seen them where it looks', async t => {
  const v = [{ $date: '2026-01-01' }, 1_000_000_000]
  for (const reference of ['$`gateway 1`', '$ `gateway 1`', '$/* x */`gateway 1`', 'a$`gateway 1`']) {
    await t.rejects(read(`UNWIND range(1, ${reference}) AS x RETURN sum(x), $v`, { v }), { type: 'ValidationError', code: 'invalid_parameters', message: /named by the gateway/ }, reference)
  }
  t.strictSame((await read('WITH 1 AS `gateway x` RETURN `gateway x`, $v', { v })).rows, [[1, v]])
})

t.test('a typed value that stands in a query a thousand times is refused before the query has been made', async t => {
  const v = Array(100_000).fill({ $float: 'NaN' })
  await t.rejects(read(`RETURN ${Array(3_000).fill('$v').join(',')}`, { v }), { type: 'ValidationError', code: 'invalid_parameters', message: /more dates, times, durations or vectors than fit/ })
  await t.rejects(read('RETURN $v', { v: Array(100_000).fill({ $date: '2026-01-01' }) }), { type: 'ValidationError', code: 'invalid_parameters', message: /more dates, times, durations or vectors than fit/ })
})

t.test('a parameter may be named like the word that begins the header', async t => {
  const { rows } = await read('RETURN $cypher, $CYPHERa, $Cypher_b, $a$b', { cypher: 1, CYPHERa: 2, Cypher_b: 3 }).catch(() => ({ rows: [] }))
  t.strictSame(rows, [], '$a$b is one name, and is missing')
  t.strictSame((await read('RETURN $cypher, $CYPHERa, $`Cypher_b`', { cypher: 1, CYPHERa: 2, Cypher_b: 3 })).rows, [[1, 2, 3]])
})

t.test('21: what FalkorDB cannot hold is refused, and the message says how to write it', async t => {
  const refused: Array<[unknown, RegExp]> = [
    ['a\0b', /NUL/], [['x', { y: '\0' }], /parameters\.v\[1\]\.y .*NUL/], ['\ud800', /surrogate/],
    [9007199254740992, /\{"\$int64": "9007199254740992"\}/], [1e300, /\$float/], [-9007199254740992, /\$int64/], [NaN, /\$float/], [Infinity, /\$float/],
    [{ $int64: '9223372036854775808' }, /int64/], [{ $int64: '-9223372036854775809' }, /int64/], [{ $int64: '1e3' }, /\$int64/], [{ $int64: 12 }, /\$int64/], [2n ** 63n, /int64/],
    [{ $float: 'nonsense' }, /\$float/], [{ $float: '1e999' }, /\$float/], [{ $date: 'tomorrow' }, /date/], [{ $date: '2026-11-31' }, /date/], [{ $datetime: '2026-11-20T12:34:56Z' }, /local/],
    [{ $time: '24:00:00' }, /time/], [{ $time: '12:34:56.5' }, /whole seconds/], [{ $duration: 'P' }, /duration/], [{ $duration: 'P1.5D' }, /whole/], [{ $vecf32: ['a'] }, /numbers/], [{ $vecf32: [] }, /numbers/],
    [{ $unknown: 1 }, /\$map/], [{ $map: 1 }, /object/], [new Date(), /no JSON/], [Buffer.from('x'), /no JSON/], [undefined, /no JSON/], [() => 1, /no JSON/],
    [Array.from({ length: 40 }).reduce(inner => [inner], 1), /deep/], [[{ $date: '2026-01-01' }, Array.from({ length: 40 }).reduce(inner => [inner], 1)], /deep/]
  ]
  for (const [sent, message] of refused) await t.rejects(echo(sent), { type: 'ValidationError', code: 'invalid_parameters', message }, String(message))
  await t.rejects(read('RETURN 1', [1]), { code: 'invalid_parameters' })
  await t.rejects(read('UNWIND $rows AS row RETURN row', { rows: Array.from({ length: 2_000 }, () => ({ day: { $date: '2026-01-01' } })) }), { code: 'invalid_parameters', message: /date\(row\.day\)/ })
})

t.test('22: 9007199254740993 survives both ways, as do the ends of int64', async t => {
  for (const digits of ['9007199254740993', '-9007199254740993', '9223372036854775807', '-9223372036854775808', '9007199254740992']) {
    t.strictSame(await echo({ $int64: digits }), { $int64: digits })
    const { rows } = await write('CREATE (n:Big {n: $n}) RETURN n.n, n.n = $n', { n: { $int64: digits } })
    t.strictSame(rows, [[{ $int64: digits }, true]])
  }
  for (const number of [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 0]) t.equal(await echo(number), number)
  t.strictSame((await read('RETURN 9007199254740993, 9007199254740991')).rows, [[{ $int64: '9007199254740993' }, 9007199254740991]])
  t.equal(await echo({ $float: '3' }), 3)
  t.strictSame((await read('RETURN typeOf($f), typeOf($i)', { f: { $float: '3' }, i: 3 })).rows, [['Float', 'Integer']])
})

t.test('dates and durations read as FalkorDB itself writes them', async t => {
  const expressions = ['date("2026-11-20")', 'date("1969-12-31")', 'date("0999-01-01")', 'localtime("00:00:01")', 'localtime("23:59:59")', 'localdatetime("1901-02-03T04:05:06")', 'duration("P1Y2M10DT2H30M")', 'duration("P12M15D")', 'duration("PT59S")', 'duration({weeks: 3, days: 4})', 'duration("P1M") + duration("P1M")', 'date("2024-01-31") + duration("P1M")']
  for (const expression of expressions) {
    // Without --compact, FalkorDB writes the texts itself.
    const [, [[said]]] = await admin('GRAPH.RO_QUERY', 'acme_g', `RETURN ${expression}`) as unknown as [unknown, [[string]]]
    const [[came]] = (await read(`RETURN ${expression}`)).rows as [[Record<string, string>]]
    t.equal(Object.values(came)[0]?.replace(/^0(?=\d{3}-)/, ''), said, expression)
  }
  t.strictSame((await read('RETURN duration("P1D") - duration("P3D"), duration("PT0S"), date({year: 12345})')).rows, [[{ $duration: '-P2D' }, { $duration: 'PT0S' }, { $date: '+012345-01-01' }]])
})

t.test('nodes, edges, paths, points, maps and columns have the form of the contract', async t => {
  await write('CREATE (:A:B {n: 1})-[:KNOWS {since: 1999}]->(:C {at: point({latitude: 32.5, longitude: 34.25})})')
  const { columns, rows, statistics } = await read('MATCH p = (a:A)-[k:KNOWS]->(c:C) RETURN a, k, p, c.at AS at, {`$x`: 1} AS m, {`$x`: 1, y: 2} AS n, c.at AS `__proto__`')
  const [[a, k, p, at, m, n]] = rows as [any[]]
  t.strictSame(columns, ['a', 'k', 'p', 'at', 'm', 'n', '__proto__'])
  t.match(a, { identity: Number, labels: ['A', 'B'], properties: { n: 1 } })
  t.match(k, { identity: Number, type: 'KNOWS', source: a.identity, target: Number, properties: { since: 1999 } })
  t.match(p, { nodes: [{ labels: ['A', 'B'] }, { labels: ['C'] }], edges: [{ type: 'KNOWS' }] })
  t.strictSame({ ...at }, { latitude: 32.5, longitude: 34.25 })
  t.match(JSON.stringify([m, n]), '[{"$map":{"$x":1}},{"$x":1,"y":2}]')
  t.match(statistics, { cachedExecution: Boolean, executionTimeMs: Number })
  t.strictSame((await read('RETURN 0.0/0.0, 1/0.0, -1/0.0, 1e17, 0.1 + 0.2, -0.0')).rows, [[{ $float: 'NaN' }, { $float: 'Infinity' }, { $float: '-Infinity' }, { $float: '100000000000000000' }, 0.3, 0]])
})
