/** Advice on slow reads, with FalkorDB's own plans. How long a query took is set here, as a test cannot rely on it. */
import t from 'tap'
import { DatabaseError } from '@gateway/common/errors.ts'
import type { GraphDatabase } from '../../graph/database.ts'
import { asker, openDatabase, openFalkordb } from '../../graph/test-database.ts'
import { caller, fakeDatabase, testApp, toolCall } from '../../test-support.ts'

const { url } = await openFalkordb(t)
const database = await openDatabase(t, url)
const { write } = asker(database, 'acme', 'people')
await write('UNWIND range(1, 50) AS n CREATE (:Person {name: toString(n)})')

const query = 'MATCH (p:Person) WHERE p.name = $name RETURN p.name AS name'

/** What one call is told, and how often a plan was asked for. */
async function notesOn (ms: number, name: string, args: object, changed: Partial<GraphDatabase> = {}) {
  let explained = 0
  const { app } = testApp(fakeDatabase({
    query: async call => {
      const result = await database.query(call)
      return { ...result, statistics: { ...result.statistics, executionTimeMs: ms } }
    },
    explain: call => {
      explained++
      return changed.explain?.(call) ?? database.explain(call)
    }
  }))
  t.teardown(() => app.close())
  const { structuredContent, isError } = (await app.inject(toolCall('modern', caller('acme'), name, { graphName: 'people', ...args }))).json().result
  t.notOk(isError)
  return { data: structuredContent.data, notes: structuredContent.notes, explained }
}

t.test('a slow read that scans a label is told which index is missing and how to create it', async t => {
  for (const tool of ['falkordb_read_query', 'falkordb_query']) {
    const { data, notes, explained } = await notesOn(250, tool, { query, parameters: { name: '7' } })
    t.strictSame(data, [{ name: '7' }])
    t.match(notes, [/^No index on :Person\(name\).*CREATE INDEX FOR \(n:Person\) ON \(n\.name\)/])
    t.equal(explained, 1)
  }
})

t.test('a quick read, a write, and a read that FalkorDB has an index for are told nothing', async t => {
  t.match(await notesOn(20, 'falkordb_read_query', { query, parameters: { name: '7' } }), { notes: undefined, explained: 0 })
  t.match(await notesOn(250, 'falkordb_query', { query: `${query.replace('RETURN', 'SET p.seen = true RETURN')}`, parameters: { name: '7' } }), { notes: undefined, explained: 0 })
  await write('CREATE INDEX FOR (p:Person) ON (p.name)')
  const { notes } = await notesOn(250, 'falkordb_read_query', { query: 'MATCH (p:Person {name: "7"}) RETURN p' })
  t.equal(notes, undefined)
})

t.test('where advice cannot be had the rows come all the same', async t => {
  const failing = { explain: async () => { throw new DatabaseError('database_unavailable', 'away') } }
  t.match(await notesOn(250, 'falkordb_read_query', { query, parameters: { name: '7' } }, failing), { data: [{ name: '7' }], notes: undefined, explained: 1 })
})
