import t from 'tap'
import { openGateway } from '../support/gateway.ts'
import { connectSse, openSse } from '../support/legacy-sse.ts'
import { until } from '../support/until.ts'

t.setTimeout(290_000)

const gateway = openGateway()
const ada = await gateway.person()
const works = async (client: Awaited<ReturnType<typeof connectSse>>) => (await client.call('falkordb_list_graphs', {}, { timeout: 5_000 }).catch(() => ({ isError: true }))).isError === false

t.test('12: the replica that holds a stream dies: its client opens another by itself and goes on', { timeout: 120_000 }, async t => {
  // One of them is on it, whichever replica it is.
  const clients = await Promise.all(Array.from({ length: 4 }, () => connectSse(gateway, ada)))
  t.teardown(async () => { await Promise.all(clients.map(client => client.close())) })
  t.strictSame(await Promise.all(clients.map(works)), [true, true, true, true])
  await gateway.killReplica(0)
  for (const client of clients) await until('the client to go on', () => works(client))
  await gateway.replicaBack(0)
})

t.test('Valkey dies: streams end at once and new ones are 503 that name /mcp, which goes on; when it is back, so are they', { timeout: 120_000 }, async t => {
  const client = await connectSse(gateway, ada)
  t.teardown(() => client.close())
  const stream = await openSse(gateway, ada.headers)
  await gateway.killValkey()
  let away = true
  t.teardown(() => away && gateway.valkeyBack())
  await stream.ended
  await until('each replica to notice', async () => {
    const answers = await Promise.all(Array.from({ length: 4 }, () => ada.send({ path: stream.endpoint!, body: { jsonrpc: '2.0', id: 1, method: 'ping' } })))
    return answers.every(({ status }) => status === 503)
  })
  const refused = await ada.send({ path: '/sse' })
  t.match([refused.status, refused.headers['retry-after'], refused.json.error], [503, /^\d+$/, { type: 'UnavailableError', message: /\/mcp/ }])
  t.match(await ada.call('falkordb_list_graphs'), { isError: false })

  await gateway.valkeyBack()
  away = false
  await until('the client to go on', () => works(client), 60)
})
