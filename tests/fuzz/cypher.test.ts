/**
 * The guard under hostile Cypher: what it lets through neither ends FalkorDB nor keeps another tenant waiting. It has a FalkorDB of its own,
 * so `npx tap tests/fuzz/cypher.test.ts` runs it alone; 1,500 queries, or 100,000 where FUZZ_MINUTES are set, or FUZZ_RUNS; FUZZ_SEED as everywhere.
 */
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { GatewayError } from '@gateway/common/errors.ts'
import { guardQuery } from '../../services/mcp/graph/guard.ts'
import { openAdmin, openDatabase, openFalkordb } from '../../services/mcp/graph/test-database.ts'
import { hostileQuery, killers, type HostileQuery } from './cypher-queries.ts'
import { inputs } from './runs.ts'

// 100,000 queries take about ten minutes on two cores.
t.setTimeout(60 * 60_000)

/** Short, for what a query takes of memory is bounded by its time: see docs/cypher.md. */
const timeoutMs = 300
/** The longest that another tenant may wait, ms. */
const bound = 5_000

const server = await openFalkordb(t, { memoryBytes: 4 * 2 ** 30 })
const database = await openDatabase(t, server.url, { timeoutDefaultMs: timeoutMs, timeoutMaxMs: 1_000 })
const admin = await openAdmin(t, server.url)
const call = { maxRows: 100, timeoutMs }
const fresh = async () => {
  await admin('GRAPH.DELETE', 'mallory_g').catch(() => {})
  await admin('GRAPH.QUERY', 'mallory_g', 'UNWIND range(0, 19) AS i CREATE (:P {id: i, name: "n" + i})')
  await admin('GRAPH.QUERY', 'mallory_g', 'MATCH (a:P), (b:P) WHERE a.id < b.id AND (a.id + b.id) % 3 = 0 CREATE (a)-[:R {w: 1}]->(b)')
}
await fresh()
await admin('GRAPH.QUERY', 'ada_g', 'CREATE (:X {v: 1})')

t.test('each query that has ended or frozen FalkorDB once is refused', async t => {
  for (const { query, parameters } of killers) t.throws(() => guardQuery(query, parameters), { code: /^query_|_refused$/, details: { position: Number, hint: String } }, query.slice(0, 100))
})

t.test('23: FalkorDB lives on and answers other tenants, whatever Cypher one tenant sends', async t => {
  const counts = new Map<string, number>()
  const count = (what: string) => counts.set(what, (counts.get(what) ?? 0) + 1)
  const running = new Set<HostileQuery>()
  const late: HostileQuery[] = []
  // What ended FalkorDB may have ended itself a moment before.
  const recent: HostileQuery[] = []
  const shown = (queries: Iterable<HostileQuery>) => [...queries].map(({ query, parameters }) => `${JSON.stringify(query).slice(0, 3_000)} ${JSON.stringify(parameters)?.slice(0, 300)}`).join('\n')
  let failure = ''
  let slowest = 0
  let over = false

  const neighbour = (async () => {
    for (;;) {
      if (over || failure !== '') return
      const start = performance.now()
      const answered = await database.query({ ...call, tenant: 'ada', key: 'ada_g', query: 'MATCH (n:X) RETURN n.v', parameters: {}, mode: 'read', timeoutMs: 1_000 }).then(() => true, () => false)
      const took = performance.now() - start
      slowest = Math.max(slowest, took)
      if (!answered || took > bound) failure ||= `another tenant was ${answered ? `answered after ${Math.round(took)} ms` : 'not answered'} while these ran:\n${shown([...running, ...recent])}`
      await delay(20)
    }
  })()

  async function attack (input: HostileQuery) {
    count('all')
    let mayWrite: boolean
    try {
      mayWrite = guardQuery(input.query, input.parameters).mayWrite
    } catch (error) {
      if (!(error instanceof GatewayError)) failure ||= `the guard failed: ${String(error)}\n${shown([input])}`
      return count(`refused: ${(error as GatewayError).code}`)
    }
    running.add(input)
    const start = performance.now()
    try {
      await database.query({ ...call, tenant: 'mallory', key: 'mallory_g', query: input.query, parameters: input.parameters, mode: mayWrite ? 'write' : 'read' })
      count('run')
    } catch (error) {
      if (!(error instanceof GatewayError)) failure ||= `no error of the gateway: ${String(error)}\n${shown([input])}`
      count(`error: ${(error as GatewayError).code}`)
      if (performance.now() - start > timeoutMs + 900) late.push(input)
    }
    running.delete(input)
    recent.unshift(input)
    recent.length = Math.min(recent.length, 8)
    if (server.process.exitCode !== null || server.process.signalCode !== null) failure ||= `FalkorDB has ended (${server.process.signalCode ?? server.process.exitCode}) while these ran:\n${shown([...running, ...recent])}`
  }

  const source = inputs(t, 'Cypher', hostileQuery, { short: 1_500, long: 100_000 })
  let tried = 0
  const worker = async () => {
    for (let next = source.next(); next.done !== true && failure === ''; next = source.next()) {
      await attack(next.value)
      // The event loop's turn, for refusals alone give none; and a small graph, whatever was written.
      if (++tried % 20 === 0) await delay(0)
      if (tried % 400 === 0) await fresh().catch(error => { failure ||= `the graph could not be made anew: ${String(error)}` })
    }
  }
  await Promise.all([worker(), worker(), worker(), worker()])
  over = true
  await neighbour
  const all = counts.get('all') ?? 0
  const refused = [...counts].reduce((sum, [what, times]) => what.startsWith('refused') ? sum + times : sum, 0)
  t.comment(Object.fromEntries([...counts].sort()))
  t.comment(`${all} queries, of which ${all - refused} reached FalkorDB; ${late.length} ended later than their time; the other tenant waited ${Math.round(slowest)} ms at most`)
  t.equal(failure, '', 'nothing was found')
  if (failure !== '') return
  t.equal(server.process.exitCode ?? server.process.signalCode, null, 'the same process runs')
  t.equal(await admin('PING'), 'PONG')
  t.ok(all - refused > all / 4 && (counts.get('run') ?? 0) > all / 20, 'a quarter of them reached FalkorDB, and some of these ran to their end')
  t.ok([...counts.keys()].filter(what => what.startsWith('refused')).length > 5, 'others were refused, for all kinds of reasons')
})
