import t, { type Test as Tap } from 'tap'
import { openGateway, unique } from '../support/gateway.ts'

t.setTimeout(290_000)

const gateway = openGateway()
const greedy = await gateway.person({ tenant: unique('greedy') })
const modest = await gateway.person({ tenant: unique('modest') })
await Promise.all([greedy, modest].map(one => one.query('own', 'CREATE (:Own {n: 1})')))

const endless = 'UNWIND range(1, 1000000) AS x UNWIND range(1, 1000000) AS y RETURN sum(x * y)'
const ask = (query: string, timeoutMs: number, parameters = {}) => greedy.send({ path: '/tools/falkordb_query', body: { graphName: 'own', query, timeoutMs, parameters } })

/** Asks for the other tenant until the given calls have ended. @returns the slowest answer in ms */
async function servedMeanwhile (t: Tap, calls: Array<Promise<unknown>>): Promise<{ answers: number, slowest: number }> {
  const state = { running: true }
  const ended = Promise.all(calls).finally(() => { state.running = false })
  const wrong: string[] = []
  let answers = 0
  let slowest = 0
  while (state.running) {
    const started = performance.now()
    const { data, isError, text } = await modest.query('own', 'MATCH (o:Own) RETURN o.n AS n')
    if (isError || data.data[0]?.n !== 1) wrong.push(text)
    slowest = Math.max(slowest, performance.now() - started)
    answers++
  }
  await ended
  t.strictSame(wrong, [], 'every answer of the other tenant is right')
  return { answers, slowest }
}

t.test('23: the limits are set on FalkorDB and read back', async t => {
  const { limits, warnings } = (await greedy.call('falkordb_server_info')).data
  t.strictSame(warnings, [])
  const setting = async (name: string) => Number((await gateway.falkordb('GRAPH.CONFIG', 'GET', name)).split('\n').at(-1)?.replace(/^:/, ''))
  t.equal(await setting('RESULTSET_SIZE'), limits.maxRows + 1)
  t.equal(await setting('TIMEOUT_DEFAULT'), limits.queryTimeoutMs)
  t.equal(await setting('TIMEOUT_MAX'), limits.queryTimeoutMaxMs)
  t.equal(await setting('QUERY_MEM_CAPACITY'), limits.queryMemoryBytes)
})

t.test('23: a query without end is stopped at its time, while another tenant is answered', { timeout: 60_000 }, async t => {
  const started = Date.now()
  const call = ask(endless, 3_000)
  const { answers, slowest } = await servedMeanwhile(t, [call])
  const answer = await call
  t.equal(answer.status, 504, answer.text)
  t.match(answer.json, { error: { type: 'TimeoutError', message: String } })
  t.ok(Date.now() - started < 10_000, `${Date.now() - started} ms`)
  t.ok(answers >= 10, `${answers} answers for the other tenant`)
  t.ok(slowest < 2_000, `the slowest took ${Math.round(slowest)} ms`)
})

t.test('23: a write without end is stopped and leaves nothing', { timeout: 60_000 }, async t => {
  const answer = await ask('UNWIND range(1, 1000000) AS x UNWIND range(1, 1000000) AS y WITH sum(x * y) AS s CREATE (:Late {s: s})', 2_000)
  t.ok([502, 504].includes(answer.status), answer.text)
  t.match(answer.json.error.type, /^(TimeoutError|DatabaseError)$/)
  const late = await modest.query('own', 'MATCH (o:Own) RETURN count(o) AS n')
  t.strictSame(late.data.data, [{ n: 1 }], 'others go on')
})

t.test('23: a query that wants more memory than it may have fails, and the database lives', { timeout: 60_000 }, async t => {
  const call = ask('UNWIND range(1, 1000000) AS x RETURN size(collect($pad + toString(x)))', 20_000, { pad: 'x'.repeat(1_000) })
  await servedMeanwhile(t, [call])
  const answer = await call
  t.equal(answer.status, 400, answer.text.slice(0, 200))
  t.match(answer.json, { error: { type: 'QueryError', message: /memory/ } })
  t.strictSame((await greedy.query('own', 'MATCH (o:Own) RETURN o.n AS n')).data.data, [{ n: 1 }], 'its own data is still there')
})

t.test('23: one tenant cannot take every place: more calls than it may have at once are told to come back', { timeout: 90_000 }, async t => {
  const calls = Array.from({ length: 24 }, () => ask(endless, 2_000))
  const { slowest } = await servedMeanwhile(t, calls)
  const statuses = (await Promise.all(calls)).map(({ status }) => status)
  t.ok(statuses.every(status => [429, 504].includes(status)), statuses.join(' '))
  t.ok(slowest < 5_000, `another tenant waited ${Math.round(slowest)} ms at most`)
})
