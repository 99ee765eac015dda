import { setImmediate as settled } from 'node:timers/promises'
import t from 'tap'
import { openDatabase, openFalkordb } from '../test-database.ts'
import { GraphTurns } from './graph-turns.ts'

const patient = { ms: 60_000 }

/** Begins a call; `log` gets its name when its turn comes. */
function graph (turns: GraphTurns, log: string[] = []) {
  const ends = new Map<string, () => void>()
  const begin = (name: string, mode: 'read' | 'write', patience: { ms: number, signal?: AbortSignal } = patient) => turns.run('g', mode, patience, async () => {
    log.push(name)
    await new Promise<void>(resolve => ends.set(name, resolve))
  })
  return { log, begin, end: async (name: string) => { ends.get(name)?.(); await settled() } }
}

t.test('reads run together, a write alone, and nobody is overtaken', async t => {
  const turns = new GraphTurns()
  const { log, begin, end } = graph(turns)
  const all = [begin('read 1', 'read'), begin('read 2', 'read'), begin('write 1', 'write'), begin('read 3', 'read'), begin('write 2', 'write')]
  await settled()
  t.strictSame(log, ['read 1', 'read 2'])
  await end('read 1')
  t.equal(log.length, 2, 'a read still runs')
  for (const [ended, next] of [['read 2', 'write 1'], ['write 1', 'read 3'], ['read 3', 'write 2']] as const) {
    await end(ended)
    t.equal(log.at(-1), next)
  }
  await end('write 2')
  await Promise.all(all)
  t.equal(log.length, 5)
  t.equal(turns.graphs, 0)
})

t.test('a write that waits no longer holds up nobody', async t => {
  const turns = new GraphTurns()
  const { log, begin, end } = graph(turns)
  const gone = new AbortController()
  const first = begin('first', 'read')
  const impatient = begin('impatient', 'write', { ms: 10 })
  const leaving = begin('leaving', 'write', { ms: 60_000, signal: gone.signal })
  const behind = begin('behind', 'read')
  await t.rejects(impatient, { code: 'queue_full' })
  t.strictSame(log, ['first'])
  gone.abort(new Error('gone'))
  await t.rejects(leaving, { message: 'gone' })
  await settled()
  t.strictSame(log, ['first', 'behind'])
  await t.rejects(begin('late', 'write', { ms: 60_000, signal: gone.signal }), { message: 'gone' })
  await Promise.all([end('first'), end('behind')])
  await Promise.all([first, behind])
  await t.rejects(turns.run('g', 'write', patient, async () => { throw new Error('broken') }), { message: 'broken' }, 'work that fails ends its turn')
  t.equal(turns.graphs, 0)
})

t.test('23: a write that waits for a long read of its graph keeps no other tenant waiting', async t => {
  const { url } = await openFalkordb(t)
  const database = await openDatabase(t, url)
  const ask = (tenant: string, mode: 'read' | 'write', query: string) => database.query({ tenant, key: `${tenant}_g`, query, parameters: {}, mode, timeoutMs: 6_000, maxRows: 10 })
  await ask('mallory', 'write', 'UNWIND range(0, 300) AS i CREATE (:P {id: i})')
  await ask('ada', 'write', 'CREATE (:X {v: 1})')
  const ended: string[] = []
  const long = ask('mallory', 'read', 'MATCH (a), (b), (c), (d) WHERE a.id + b.id + c.id + d.id = -1 RETURN count(*)').catch(() => {}).then(() => ended.push('read'))
  const write = ask('mallory', 'write', 'CREATE (:Q)').catch(() => {}).then(() => ended.push('write'))
  // One after the other, so that FalkorDB has the write of mallory before the last of these.
  for (let time = 0; time < 20; time++) t.strictSame((await ask('ada', 'read', 'MATCH (x:X) RETURN x.v')).rows, [[1]])
  t.strictSame(ended, [], 'the long read and the write behind it go on')
  await Promise.all([long, write])
})
