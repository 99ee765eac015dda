import t from 'tap'
import { openGateway, type Person } from '../support/gateway.ts'
import { toolCalls } from '../support/rpc.ts'
import { until } from '../support/until.ts'

t.setTimeout(290_000)

const gateway = openGateway()
const ada = await gateway.person()
const graphName = 'journal'

/** A write that takes about two seconds, or more on a busy machine: work first, then one node. */
const slowWrite = 'UNWIND range(1, 12000) AS x UNWIND range(1, 1000) AS y WITH sum(x * y % 7) AS work CREATE (:Entry {id: $id, work: work})'
const write = (id: string, by: Person = ada) => by.send({ path: '/tools/falkordb_query', body: { graphName, query: slowWrite, parameters: { id }, timeoutMs: 30_000 } })
const entries = async (id: string) => {
  const answer = await ada.send({ path: '/tools/falkordb_read_query', body: { graphName, query: 'MATCH (e:Entry {id: $id}) RETURN count(e) AS n', parameters: { id } } })
  return answer.status === 200 ? answer.json.data[0].n as number : answer.status
}
/** Resolves when every replica has its way to FalkorDB again. */
const serving = () => until('all replicas to serve again', async () => {
  const answers = await Promise.all(Array.from({ length: 8 }, () => ada.send({ path: '/tools/falkordb_health', body: {} })))
  return answers.every(({ status }) => status === 200)
}, 60)
const begin = () => ada.send({ path: '/tools/falkordb_query', body: { graphName, query: 'MERGE (:Start)' } })

t.beforeEach(async () => {
  await serving()
  await begin()
})

t.test('a write whose connection is cut is told as unknown, and never run a second time', { timeout: 90_000 }, async t => {
  const call = write('cut')
  await until('the write to run', async () => (await gateway.falkordb('GRAPH.INFO')).includes('Entry'), 10)
  // FalkorDB goes on with the query; only the way to it is cut.
  await gateway.falkordb('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
  const answer = await call
  t.equal(answer.status, 502, answer.text)
  t.match(answer.json, { error: { type: 'DatabaseError', code: 'write_outcome_unknown' } })

  await serving()
  await until('the write to end in FalkorDB', async () => await entries('cut') === 1, 20)
  // Were it sent again on the new connection, the second one would end within the time of the first.
  await write('after')
  t.equal(await entries('cut'), 1, 'once')
  t.equal(await entries('after'), 1)
})

t.test('FalkorDB dies in the middle of a write: at most one entry, and the gateway reconnects by itself', { timeout: 120_000 }, async t => {
  const call = write('killed')
  await until('the write to run', async () => (await gateway.falkordb('GRAPH.INFO')).includes('Entry'), 10)
  await gateway.killFalkordb()
  const answer = await call
  t.equal(answer.status, 502, answer.text)
  t.equal(answer.json.error.type, 'DatabaseError')

  await gateway.falkordbBack()
  await serving()
  await begin()
  const found = await entries('killed')
  t.ok(found === 0 || found === 1, `${found} entries`)
})

t.test('with FalkorDB away, the proxy stays and each call gets the contract\'s error at once', { timeout: 120_000 }, async t => {
  await gateway.killFalkordb()
  // It may be back within a second, so the calls go out at once.
  const started = Date.now()
  const read = { graphName, query: 'MATCH (n) RETURN count(n)' }
  const [rest, ...mcp] = await Promise.all([
    ada.send({ path: '/tools/falkordb_read_query', body: read }),
    ...toolCalls('falkordb_read_query', read).map(([, request]) => ada.send(request))
  ])
  t.ok(Date.now() - started < 5_000, `${Date.now() - started} ms`)
  t.equal(rest.status, 502, rest.text)
  t.match(rest.json, { error: { type: 'DatabaseError', code: String, message: String }, requestId: String })
  t.notMatch(rest.text, /127\.0\.0\.1|ECONN|redis|at .*\.ts/)
  for (const answer of mcp) {
    t.equal(answer.status, 200)
    t.match(answer.text, /DatabaseError/)
    t.match(answer.text, /"isError":true/)
  }
  t.equal((await gateway.send({ path: '/health' })).status, 200)
  t.equal((await gateway.send({ path: '/mcp', body: {} })).status, 401, 'authentication goes on')
  const afterwards = ada.send({ path: '/tools/falkordb_query', body: { graphName, query: 'CREATE (:Entry {id: "away"})' } })
  t.ok([200, 404, 502].includes((await afterwards).status))

  await gateway.falkordbBack()
  await serving()
  const found = await entries('away')
  t.ok(found === ((await afterwards).status === 200 ? 1 : 0) || found === 404, `a write refused while it was away does not run later: ${found}`)
})

t.test('a FalkorDB that hangs is a TimeoutError or DatabaseError in bounded time, and no write runs twice when it wakes', { timeout: 120_000 }, async t => {
  await gateway.pauseFalkordb()
  t.teardown(() => gateway.resumeFalkordb())
  const started = Date.now()
  const call = ada.send({ path: '/tools/falkordb_query', body: { graphName, query: 'CREATE (:Entry {id: "hung"})', timeoutMs: 2_000 } })
  t.equal((await gateway.send({ path: '/health' })).status, 200, 'health of the door is asked of nobody else')
  const answer = await call
  t.ok(Date.now() - started < 20_000, `${Date.now() - started} ms`)
  t.ok([502, 504].includes(answer.status), answer.text)
  t.match(answer.json.error.type, /^(TimeoutError|DatabaseError)$/)

  await gateway.resumeFalkordb()
  await serving()
  await write('awake')
  const found = Number(await entries('hung'))
  t.ok(found <= 1, `${found} entries`)
})
