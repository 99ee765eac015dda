import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t from 'tap'
import { pino } from 'pino'
import { DatabaseError } from '@gateway/common/errors.ts'
import { until } from '../../../tests/support/until.ts'
import { createQuotas, type QuotaOptions } from './quotas.ts'
import { openAdmin, openFalkordb } from './test-database.ts'

const { url } = await openFalkordb(t)
const admin = await openAdmin(t, url)
const ask = (command: readonly string[]) => admin(...command) as Promise<unknown>
const megabyte = 2 ** 20

function open (t: Tap, options: Partial<QuotaOptions>) {
  const quotas = createQuotas({ maxGraphs: 0, maxMemoryBytes: 0, multiTenancy: true, ask, intervalMs: 5, ...options })
  t.teardown(() => quotas.close())
  return quotas
}
type Tap = Parameters<typeof openFalkordb>[0]

const fill = (key: string, nodes = 60_000) => ask(['GRAPH.QUERY', key, `UNWIND range(1, ${nodes}) AS i CREATE (:Filled {i: i, text: 'some forty characters that take some room'})`])
/** Asks until it is so: the looks come in the background. */
const refuses = (work: () => void) => {
  try {
    work()
    return false
  } catch {
    return true
  }
}

t.test('a tenant may have so many graphs; the next one is refused, and whoever deletes one may make one', async t => {
  const quotas = open(t, { maxGraphs: 2 })
  for (const key of ['count_1', 'count_2']) {
    await quotas.beforeCreate('count', key)
    await ask(['GRAPH.QUERY', key, 'CREATE ()'])
    quotas.wrote('count', key)
  }
  await t.rejects(quotas.beforeCreate('count', 'count_3'), { type: 'ForbiddenError', status: 403, code: 'quota_graphs', message: /may have 2 graphs.*Delete one with falkordb_delete_graph/, details: { maxGraphs: 2 } })
  await t.resolves(quotas.beforeCreate('count', 'count_2'), 'a graph that is there already is no further one')
  quotas.wrote('count', 'count_2')
  await t.resolves(quotas.beforeCreate('count_', 'count=5F_1'), 'another tenant has its own number')
  await ask(['GRAPH.DELETE', 'count_1'])
  await t.resolves(quotas.beforeCreate('count', 'count_3'))
})

t.test('first writes at the same time cannot pass together', async t => {
  for (const named of [true, false]) {
    const tenant = `parallel${named}`
    const quotas = open(t, { maxGraphs: 3 })
    const key = (n: number) => `${tenant}_${n}`
    const passed = (await Promise.allSettled(Array.from({ length: 20 }, async (_, n) => {
      await quotas.beforeCreate(tenant, named ? key(n) : undefined)
      return n
    }))).filter(({ status }) => status === 'fulfilled') as Array<PromiseFulfilledResult<number>>
    t.equal(passed.length, 3)
    // One fails, as a query with a syntax error does: its place is free again.
    const [failed, ...written] = passed.map(({ value }) => value)
    for (const n of written) await ask(['GRAPH.QUERY', key(n), 'CREATE ()'])
    for (const n of [failed, ...written]) quotas.wrote(tenant, named ? key(n!) : undefined)
    await t.resolves(quotas.beforeCreate(tenant, named ? key(100) : undefined))
    await t.rejects(quotas.beforeCreate(tenant, named ? key(101) : undefined), { code: 'quota_graphs' })
  }
  const quotas = open(t, { maxGraphs: 1 })
  await t.resolves(Promise.all([1, 2, 3].map(() => quotas.beforeCreate('same', 'same_1'))), 'three writes that make the same graph make one')
})

t.test('a graph that was just made is not missed because the list is a moment old', async t => {
  const answers: Array<(list: string[]) => void> = []
  const quotas = open(t, { maxGraphs: 1, ask: () => new Promise(resolve => { answers.push(resolve) }) })
  const first = quotas.beforeCreate('stale', 'stale_1')
  answers.shift()?.([])
  await first
  const second = quotas.beforeCreate('stale', 'stale_2')
  quotas.wrote('stale', 'stale_1')
  answers.shift()?.([])
  await t.rejects(second, { code: 'quota_graphs' })
})

t.test('without tenants everybody shares one number', async t => {
  const { url } = await openFalkordb(t)
  const admin = await openAdmin(t, url)
  const quotas = open(t, { maxGraphs: 1, multiTenancy: false, ask: command => admin(...command) })
  await admin('GRAPH.QUERY', 'films', 'CREATE ()')
  await t.rejects(quotas.beforeCreate('default', 'books'), { code: 'quota_graphs', message: /may have 1 graph here/ })
})

t.test('FalkorDB away: nothing is made, with the error that says so', async t => {
  const away = new DatabaseError('database_unavailable', 'FalkorDB does not answer')
  const quotas = open(t, { maxGraphs: 1, ask: async () => { throw away } })
  await t.rejects(quotas.beforeCreate('acme', 'acme_1'), away)
})

t.test('a tenant whose graphs take too much may only remove, until it is below again', async t => {
  const quotas = open(t, { maxMemoryBytes: 4 * megabyte })
  const create = () => quotas.beforeWrite('big', 'CREATE (:More)')
  await fill('big_1')
  await fill('big_2')
  await fill('neighbour_1', 10)
  t.doesNotThrow(create, 'nobody has looked yet')
  quotas.wrote('big')
  quotas.wrote('neighbour')
  await until('the refusal', () => refuses(create))
  t.throws(create, { type: 'ForbiddenError', status: 403, code: 'quota_memory', message: /more memory than the 4 MB.*DELETE.*falkordb_delete_graph/, details: { maxMemoryBytes: 4 * megabyte } })
  t.doesNotThrow(() => quotas.beforeWrite('neighbour', 'CREATE ()'))

  for (const query of [
    'MATCH (n) DETACH DELETE n', 'MATCH (n:Filled) DELETE n', 'MATCH (n) REMOVE n.text', 'DROP INDEX ON :Filled(i)', "CALL db.idx.fulltext.drop('Filled')",
    "MATCH (n {text: 'CREATE'}) DELETE n // SET", 'MATCH (n:Set)-[:MERGE]->(m {create: 1}) WHERE n.set = $create DELETE n', 'MATCH (n) FOREACH (m IN [n] | DELETE m)',
    "CALL db.idx.fulltext.queryNodes('Filled', 'room') YIELD node DELETE node", 'CALL { MATCH (n) RETURN n } DELETE n', 'MATCH (n) WHERE n.`SET` = 1 DELETE n', 'RETURN 1'
  ]) t.doesNotThrow(() => quotas.beforeWrite('big', query), query)
  for (const query of [
    'create ()', 'MERGE (:A)', 'MATCH (n) SET n.text = $text', 'MATCH (n) SET n:Label', 'MATCH (n) DELETE n CREATE (:M)', 'MATCH (n) FOREACH (i IN range(1, 9) | CREATE ())', 'CREATE INDEX FOR (n:A) ON (n.i)',
    "CALL db.idx.fulltext.createNodeIndex('A', 'text')", 'CALL `db.idx.fulltext`.createNodeIndex("A", "t")', 'CALL something.new()', 'CALL { CREATE (n) RETURN n } RETURN 1', 'MATCH (n)/**/SET/**/n.a=1', 'MATCH (n {a:1}) SET n.x = {b:2}'
  ]) t.throws(() => quotas.beforeWrite('big', query), { code: 'quota_memory' }, query)

  await ask(['GRAPH.QUERY', 'big_1', 'MATCH (n) DELETE n'])
  await ask(['GRAPH.DELETE', 'big_2'])
  quotas.wrote('big')
  await until('leave to write', () => !refuses(create))
  t.pass('removing has been noticed')
})

t.test('after a restart of the gateway the first write of a tenant has it looked at', async t => {
  await fill('restarted_1')
  const quotas = open(t, { maxMemoryBytes: 2 * megabyte })
  t.doesNotThrow(() => quotas.beforeWrite('restarted', 'CREATE ()'))
  quotas.wrote('restarted')
  await until('the refusal', () => refuses(() => quotas.beforeWrite('restarted', 'CREATE ()')))
  t.pass('it was over before')
})

t.test('who is over and stays quiet is looked at again: an operator may have made room', async t => {
  await fill('quiet_1')
  const quotas = open(t, { maxMemoryBytes: 2 * megabyte })
  const create = () => quotas.beforeWrite('quiet', 'CREATE ()')
  quotas.wrote('quiet')
  await until('the refusal', () => refuses(create))
  await ask(['GRAPH.DELETE', 'quiet_1'])
  await until('leave to write', () => !refuses(create))
  t.pass('without a further write')
})

t.test('only tenants that wrote are looked at, once, and never two looks at once', async t => {
  let running = 0
  let most = 0
  const looked: string[] = []
  const quotas = open(t, {
    maxMemoryBytes: megabyte,
    intervalMs: 1,
    ask: async ([verb = '', , key = '']) => {
      most = Math.max(most, ++running)
      await new Promise(resolve => setTimeout(resolve, 3))
      running--
      if (verb === 'GRAPH.LIST') return ['a_1', 'a_2', 'a=5Fb_1', 'c_1']
      looked.push(key)
      return ['total_graph_sz_mb', '0']
    }
  })
  quotas.wrote('a')
  quotas.wrote('a')
  await until('the look at them', () => looked.length === 2)
  quotas.wrote('c')
  await until('the look at them', () => looked.length > 2)
  t.strictSame(looked, ['a_1', 'a_2', 'c_1'])
  t.equal(most, 1)
})

t.test('a database that does not tell is logged once, and looked at again when it does', async t => {
  const lines: Array<{ level: number, msg: string }> = []
  const logger = pino({ level: 'info' }, { write: line => lines.push(JSON.parse(line) as typeof lines[number]) }) as unknown as NonNullable<QuotaOptions['logger']>
  let failures = 0
  let away = true
  await fill('outage_1')
  const quotas = open(t, {
    maxMemoryBytes: 2 * megabyte,
    logger,
    ask: async command => {
      if (!away) return await ask(command)
      failures++
      throw new DatabaseError('database_unavailable', 'FalkorDB does not answer')
    }
  })
  const create = () => quotas.beforeWrite('outage', 'CREATE ()')
  quotas.wrote('outage')
  await until('some failures', () => failures > 3)
  t.doesNotThrow(create, 'who was not over is not refused for it')
  away = false
  await until('the refusal', () => refuses(create))
  t.strictSame(lines.map(({ level, msg }) => [level, msg]), [[40, 'FalkorDB does not tell how much memory a tenant takes; trying again'], [30, 'the tenant is over its quota of memory: it may only remove']])
})

t.test('many tenants are looked at a part at a time, and none is left out', async t => {
  const tenants = Array.from({ length: 900 }, (_, n) => `t${n}`)
  const seen = new Set<string>()
  const rounds: number[] = []
  const quotas = open(t, {
    maxMemoryBytes: megabyte,
    ask: async ([verb = '', , key = '']) => {
      if (verb === 'GRAPH.LIST') {
        rounds.push(0)
        return tenants.flatMap(tenant => [`${tenant}_1`, `${tenant}_2`, `${tenant}_3`])
      }
      rounds[rounds.length - 1]!++
      seen.add(key)
      return ['total_graph_sz_mb', '0']
    }
  })
  for (const tenant of tenants) quotas.wrote(tenant)
  await until('all of them to be looked at', () => seen.size === 2_700)
  t.ok(Math.max(...rounds) <= 1_000, `${rounds.join(', ')} graphs in a round`)
})

t.test('0 is no limit, and costs nothing', async t => {
  const quotas = open(t, { ask: async () => { throw new Error('it was asked') } })
  await quotas.beforeCreate('acme', 'acme_1')
  quotas.beforeWrite('acme', 'CREATE ()')
  quotas.wrote('acme')
  t.pass('nobody was asked')
})

t.test('it does not keep a process alive', async t => {
  const program = "import { createQuotas } from './quotas.ts'; createQuotas({ maxGraphs: 1, maxMemoryBytes: 1, multiTenancy: true, ask: async () => [] }).wrote('a')"
  const [code] = await once(spawn(process.execPath, ['--input-type=module', '-e', program], { cwd: import.meta.dirname, stdio: 'inherit' }), 'exit')
  t.equal(code, 0)
})
