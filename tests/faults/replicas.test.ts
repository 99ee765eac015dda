import t from 'tap'
import { sumMetric } from '../support/control.ts'
import { openGateway } from '../support/gateway.ts'
import { until } from '../support/until.ts'

t.setTimeout(290_000)

const gateway = openGateway()
const ada = await gateway.person()
await ada.query('counters', 'CREATE (:Counter {n: 0})')

t.test('12: any replica answers, and when one dies in the middle no call fails twice', { timeout: 90_000 }, async t => {
  t.ok(gateway.replicas() >= 2, 'there are two replicas')
  const client = await ada.client('v1 SDK')
  t.teardown(() => client.close())
  const failedTwice: string[] = []
  const count = { answered: 0, failedOnce: 0, stopped: false }
  const attempt = async () => {
    const answer = await client.call('falkordb_read_query', { graphName: 'counters', query: 'MATCH (c:Counter) RETURN c.n AS n' })
    if (answer.isError) throw new Error(answer.text)
    count.answered++
  }
  const worker = async () => {
    while (!count.stopped) {
      await attempt().catch(async (first: Error) => {
        count.failedOnce++
        // A dying process keeps its sockets for some tens of milliseconds; any client waits at least that long.
        await new Promise(resolve => setTimeout(resolve, 250))
        await attempt().catch((second: Error) => failedTwice.push(`${first.message} / ${second.message}`))
      })
    }
  }
  const workers = Array.from({ length: 4 }, worker)
  const enough = async (more: number) => {
    const goal = count.answered + more
    await until(`${more} more answers`, async () => count.answered >= goal, 20)
  }
  await enough(100)
  const served = (await gateway.metrics('mcp')).map(text => sumMetric(text, 'mcp_tool_calls_total', 'falkordb_read_query'))
  t.ok(served.every(count => count > 0), `round robin: ${served.join(' and ')} calls`)

  await gateway.killReplica(0)
  await enough(300)
  await gateway.replicaBack(0)
  await enough(100)
  count.stopped = true
  await Promise.all(workers)
  t.strictSame(failedTwice, [])
  t.comment(`${count.answered} calls answered, ${count.failedOnce} had to be sent again`)
})

t.test('12: the replica that came back takes calls again', { timeout: 60_000 }, async t => {
  const served = async () => sumMetric(String((await gateway.metrics('mcp'))[0]), 'mcp_tool_calls_total')
  const before = await served()
  for (let n = 0; n < 400 && await served() === before; n++) await ada.send({ path: '/tools/falkordb_health', body: {} })
  t.ok(await served() > before)
})
