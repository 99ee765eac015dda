import t from 'tap'
import fc from 'fast-check'
import { GraphEdge, GraphNode, GraphPath, GraphPoint } from './graph/values/elements.ts'
import { headerLine, rowLine } from './table.ts'

const ada = new GraphNode(12, ['Person'], { name: 'Ada', born: 1815 })
const bob = new GraphNode({ $int64: '9007199254740993' }, ['Person', 'odd `label`'], {})
const knows = new GraphEdge(3, 'KNOWS', 12, { $int64: '9007199254740993' }, { since: 2001 })
const likes = new GraphEdge(4, 'LIKES', { $int64: '9007199254740993' }, 12, {})

t.test('each kind of value reads as in Cypher', async t => {
  const cells: Array<[unknown, string]> = [
    ['Ada', 'Ada'], ['Zoë Ω 東京', 'Zoë Ω 東京'], ['It is (mostly) fine, 100%: yes!', 'It is (mostly) fine, 100%: yes!'],
    [1815, '1815'], [-0.5, '-0.5'], [true, 'true'], [null, 'null'],
    [{ $int64: '9007199254740993' }, '9007199254740993'], [{ $float: 'NaN' }, 'NaN'], [{ $float: '-Infinity' }, '-Infinity'], [{ $float: '100000000000000000' }, '100000000000000000.0'], [{ $float: '1e+300' }, '1e+300'],
    [{ $date: '2026-11-20' }, '2026-11-20'], [{ $datetime: '2026-11-20T12:34:56' }, '2026-11-20T12:34:56'], [{ $time: '12:34:56' }, '12:34:56'], [{ $duration: 'P1Y2M' }, 'P1Y2M'],
    [{ $vecf32: [0.5, -0.25] }, 'vecf32([0.5, -0.25])'], [new GraphPoint(32.5, 34.25), 'point({latitude: 32.5, longitude: 34.25})'],
    [['a', 1, null, ['b']], '["a", 1, null, ["b"]]'], [{ name: 'Ada', 'a b': [1], $x: true }, '{name: "Ada", `a b`: [1], `$x`: true}'], [{ $map: { $date: 'x' } }, '{`$date`: "x"}'], [{}, '{}'],
    [ada, '(#12:Person {name: "Ada", born: 1815})'], [bob, '(#9007199254740993:Person:`odd ``label```)'], [new GraphNode(7, [], {}), '(#7)'],
    [knows, '[#3:KNOWS #12→#9007199254740993 {since: 2001}]'], [likes, '[#4:LIKES #9007199254740993→#12]'],
    [new GraphPath([ada, bob, ada], [knows, likes]), '(#12:Person {name: "Ada", born: 1815})-[#3:KNOWS {since: 2001}]->(#9007199254740993:Person:`odd ``label```)-[#4:LIKES]->(#12:Person {name: "Ada", born: 1815})'],
    [new GraphPath([bob, ada], [knows]), '(#9007199254740993:Person:`odd ``label```)<-[#3:KNOWS {since: 2001}]-(#12:Person {name: "Ada", born: 1815})'],
    [new GraphPath([ada], []), '(#12:Person {name: "Ada", born: 1815})'],
    [{ identity: 1, labels: ['A'], properties: {} }, '{identity: 1, labels: ["A"], properties: {}}']
  ]
  for (const [value, cell] of cells) t.equal(rowLine([value]), cell)
})

t.test('text that could be taken for something else stands in quotes', async t => {
  const quoted = ['', ' ', ' a', 'a ', 'a | b', '1815', '-1', '.5', '2026-11-20', 'null', 'TRUE', 'NaN', 'Infinity', 'P1Y2M', 'PT1H', 'p1y', 'true', 'nan', 'point(1)', 'ends with a blank ', 'point({latitude: 1})', 'vecf32([1])', '[1]', '{a: 1}', '(#12:Person)', '"a"', "'a'", 'a\\n', '<data>', 'a <b>', '`a`', '#12', '🦊']
  for (const text of quoted) t.equal(rowLine([text]), JSON.stringify(text))
  t.equal(rowLine(['two\nlines\tand\u2028more\u{e0041}']), '"two\\nlines\\tand\\u2028more\\u{e0041}"')
  t.equal(rowLine(['👩\u200d🚀', 'a❤\ufe0f', 'می\u200cخواهم']), '"👩\u200d🚀" | a❤\ufe0f | می\u200cخواهم', 'emoji and scripts that need joiners are left whole')
})

t.test('cells and columns can always be told apart', async t => {
  t.equal(headerLine(['n.name', 'count(n)', 'a | b', 'x\ny', '']), 'n.name | count(n) | "a | b" | "x\\ny" | ""')
  const outsideQuotes = /^(?:[^"|]|"(?:[^"\\]|\\.)*")*$/
  fc.assert(fc.property(fc.string({ unit: 'binary' }), text => outsideQuotes.test(rowLine([text])) && rowLine([text, text]) === `${rowLine([text])} | ${rowLine([text])}`), { numRuns: 1_000 })
  fc.assert(fc.property(fc.string(), fc.string(), (a, b) => a === b || rowLine([a]) !== rowLine([b])), { numRuns: 1_000 })
  t.pass()
})
