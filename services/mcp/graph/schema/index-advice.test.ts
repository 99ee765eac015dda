/** Advice by the plans of a real FalkorDB. */
import t from 'tap'
import { caller, configOf } from '../../test-support.ts'
import { asker, openDatabase, openFalkordb } from '../test-database.ts'
import { indexAdvice } from './index-advice.ts'
import { readIndexes } from './indexes.ts'

const { url } = await openFalkordb(t)
const database = await openDatabase(t, url)
const { write } = asker(database, 'acme')
await write("CREATE (:P {i: 1, s: 'x', `odd key`: 1})-[:K {w: 1}]->(:Z {x: 1}), (:`x y` {s: 1})")
await write('CREATE INDEX FOR (n:P) ON (n.i)')
const indexes = await readIndexes({ caller: caller('acme'), config: configOf(), database }, 'acme_g')

async function advice (query: string) {
  const plan = await database.explain({ tenant: 'acme', key: 'acme_g', query, parameters: undefined, timeoutMs: 1_000 })
  return indexAdvice({ plan, query, indexes })
}

const lacksS = 'No index on :P(s), so every :P is read: CREATE INDEX FOR (n:P) ON (n.s)'

t.test('a label that is read whole for one property gets the statement of the index', async t => {
  const rows: Array<[query: string, notes: string[]]> = [
    ['MATCH (n:P) WHERE n.s = 3 RETURN n', [lacksS]],
    ['MATCH (n:P {s: 3}) RETURN n', [lacksS]],
    ['MATCH (:P {s: 3})-[r:K {w: 1}]->(m:Z {x: 1}) RETURN m', [lacksS]],
    ['MATCH (n:P:Z) WHERE 3 <= n.s RETURN n', [lacksS]],
    ['MATCH (n:P) WITH n WHERE n.s IN [1, 2] RETURN n', [lacksS]],
    ['MERGE (n:P {s: 3}) RETURN n', [lacksS]],
    ['MATCH (n:P {s: {a: 1}.a}) RETURN n', [lacksS]],
    ['MATCH (n:P) WHERE n./* a comment */s = 3 RETURN n'.replace('/* a comment */', ''), [lacksS]],
    ['MATCH (`a b`:`x y`) WHERE `a b`.s > 3 RETURN 1', ['No index on :`x y`(s), so every :`x y` is read: CREATE INDEX FOR (n:`x y`) ON (n.s)']],
    ['MATCH (n:P) WHERE n.`odd key` = 3 RETURN n', ['No index on :P(`odd key`), so every :P is read: CREATE INDEX FOR (n:P) ON (n.`odd key`)']],
    ['MATCH (n) WHERE n.s = 3 RETURN n', ['(n) has no label, so every node of the graph is read: name one, (n:Label).']]
  ]
  for (const [query, notes] of rows) t.strictSame(await advice(query), notes, query)
})

t.test('no false alarm: indexed, not served by an index, or no filter at all', async t => {
  for (const query of [
    'MATCH (n:P) WHERE n.i = 3 RETURN n', 'MATCH (n:P) WHERE 1 < n.i AND n.s = 3 RETURN n', 'MATCH (n:P) RETURN n ORDER BY n.s', 'MATCH (n:P) WHERE n.s <> 3 RETURN n',
    'MATCH (n:P) WHERE 3 <> n.s RETURN n', 'MATCH (n:P) WHERE toLower(n.s) = "a" RETURN n', 'MATCH (n:P) WHERE n.s + 1 = 3 RETURN n', 'MATCH (n:P) SET n.s = 3',
    "MATCH (n:P) WHERE n.i STARTS WITH 'a' RETURN n.s = 3 AS s", "CREATE (:P {s: 'WHERE n.s = 3'})", 'MATCH (n:P) RETURN count(n)', 'RETURN 1'
  ]) t.strictSame(await advice(query), [], query)
})

t.test('the plan of a profile gives the same advice', async t => {
  const query = 'MATCH (n:P) WHERE n.s = 3 RETURN n'
  const plan = await database.profile({ tenant: 'acme', key: 'acme_g', query, parameters: undefined, timeoutMs: 1_000 })
  t.strictSame(indexAdvice({ plan, query, indexes }), [lacksS])
})

t.test('all indexes are looked at once, however many patterns and comparisons a query has: nobody else waits for that', t => {
  let looks = 0
  const many = Array.from({ length: 100 }, (_, number) => ({ get kind () { looks++; return 'range' as const }, on: 'node' as const, label: `L${number}`, properties: ['s'] }))
  const query = `MATCH ${Array(50).fill('(n:L1)').join(', ')} WHERE ${Array(50).fill('n.s = 1').join(' AND ')} RETURN n`
  t.strictSame(indexAdvice({ plan: ['Results', '    Filter', '        Node By Label Scan | (n:L1)'], query, indexes: many }), [])
  t.equal(looks, many.length)
  t.end()
})
