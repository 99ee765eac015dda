import t from 'tap'
import { openGateway } from '../support/gateway.ts'
import { connectSse, openSse } from '../support/legacy-sse.ts'
import { queryThroughMcpRemote } from '../support/mcp-remote.ts'

t.setTimeout(120_000)

const gateway = openGateway()
const ada = await gateway.person()
const initialize = { jsonrpc: '2.0', id: 0, method: 'initialize', params: { protocolVersion: '2024-11-05', capabilities: {}, clientInfo: { name: 'old', version: '1' } } }

t.test('12: the v1 SDK at /sse lists and calls tools, whichever of the replicas is asked', async t => {
  t.ok(gateway.replicas() >= 2, 'there are two replicas')
  const [client, modern] = [await connectSse(gateway, ada), await ada.client('v2 SDK, 2026-07-28')]
  t.teardown(async () => { await Promise.all([client.close(), modern.close()]) })
  t.strictSame((await client.listTools()).map(({ name }) => name), (await modern.listTools()).map(({ name }) => name))
  const created = await client.call('falkordb_query', { graphName: 'films', query: 'CREATE (f:Film {title: $title}) RETURN f.title AS title', parameters: { title: 'Metropolis' } })
  t.strictSame(created.data.data, [{ title: 'Metropolis' }], created.text)
  for (let call = 0; call < 10; call++) {
    const { data } = await client.call('falkordb_read_query', { graphName: 'films', query: 'MATCH (f:Film) RETURN count(f) AS films, $call AS call', parameters: { call } })
    t.strictSame(data.data, [{ films: 1, call }])
  }
  t.match(await client.call('falkordb_read_query', { graphName: 'films', query: 'RETRUN 1' }), { isError: true, text: /QueryError/ })
})

t.test('17: progress passes the proxy as it happens', async t => {
  const client = await connectSse(gateway, ada)
  t.teardown(() => client.close())
  const started = performance.now()
  const arrivals: number[] = []
  const answer = await client.call('test_slow', { seconds: 3 }, { onprogress: () => arrivals.push(performance.now() - started) })
  t.strictSame(answer.data, { seconds: 3 })
  t.ok(arrivals.length >= 5, `${arrivals.length} reports`)
  t.ok((arrivals.at(-1) ?? 0) - (arrivals[0] ?? 0) > 1_500, 'spread over the time of the call, not all at its end')
})

t.test('17: an answer that takes 35 s, beyond every default of 30 s on the way, still comes', async t => {
  const client = await connectSse(gateway, ada)
  t.teardown(() => client.close())
  t.strictSame((await client.call('test_slow', { seconds: 35 }, { timeout: 60_000 })).data, { seconds: 35 })
})

t.test('24: two tenants side by side see each their own graphs and answers, never the other\'s', async t => {
  const people = [await gateway.person(), await gateway.person()]
  const clients = await Promise.all(people.map(person => connectSse(gateway, person)))
  t.teardown(async () => { await Promise.all(clients.map(client => client.close())) })
  await Promise.all(clients.map((client, at) => client.call('falkordb_query', { graphName: `of-${at}`, query: 'CREATE (:Secret {owner: $at})', parameters: { at } })))
  await Promise.all(clients.flatMap((client, at) => Array.from({ length: 20 }, async () => {
    const { data } = await client.call('falkordb_read_query', { graphName: `of-${at}`, query: 'MATCH (s:Secret) RETURN s.owner AS owner' })
    t.match(data, { tenant: people[at]!.tenant, data: [{ owner: at }] })
  })))
  for (const [at, client] of clients.entries()) {
    const graphs = (await client.call('falkordb_list_graphs')).text
    t.match(graphs, `of-${at}`)
    t.notMatch(graphs, `of-${1 - at}`)
  }
})

t.test('5: the stream names its endpoint relative to the address that was asked, and a foreign host changes nothing', async t => {
  const stream = await openSse(gateway, { ...ada.headers, 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example' })
  t.teardown(stream.close)
  t.match(stream.endpoint, /^\/messages\?sessionId=[\w-]{32}$/)
  t.match(stream.headers.get('content-type'), /^text\/event-stream/)
})

t.test('1, 13: /sse and /messages ask for a credential as /mcp does, and refuse a foreign origin', async t => {
  for (const [method, path] of [['GET', '/sse'], ['POST', '/messages?sessionId=x']] as const) {
    const nobody = await gateway.send({ method, path, ...(method === 'POST' && { body: initialize }) })
    t.equal(nobody.status, 401, path)
    t.match(nobody.headers['www-authenticate'], /^Bearer resource_metadata="/)
    const foreign = await ada.send({ method, path, headers: { Origin: 'https://evil.example' }, ...(method === 'POST' && { body: initialize }) })
    t.equal(foreign.status, 403, path)
  }
  t.equal((await gateway.send({ path: '/sse?token=x', headers: ada.headers })).status, 400, '10: no credential in a query')
})

t.test('each message is judged by its own token: a reader\'s write is 403, a revoked token 401, on a stream that was opened before', async t => {
  const tenant = await gateway.person()
  const reader = await gateway.person({ tenant: tenant.tenant, scope: 'graph:read' })
  const stream = await openSse(gateway, tenant.headers)
  t.teardown(stream.close)
  const write = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'falkordb_query', arguments: { graphName: 'g', query: 'CREATE (n)' } } }
  const refused = await reader.send({ path: stream.endpoint!, body: write })
  t.equal(refused.status, 403)
  t.match(refused.headers['www-authenticate'], /insufficient_scope/)
  t.equal((await tenant.send({ path: stream.endpoint!, body: initialize })).status, 202)
  await gateway.revoke(`TENANT=${tenant.tenant}`)
  let status = 202
  for (const end = Date.now() + 5_000; status !== 401 && Date.now() < end;) status = (await tenant.send({ path: stream.endpoint!, body: initialize })).status
  t.equal(status, 401)
})

t.test('mcp-remote --transport sse-only, as an old desktop configuration starts it, calls a tool', async t => {
  const { answer, said } = await queryThroughMcpRemote({ url: `${gateway.url}/sse`, caFile: gateway.caFile, person: ada, args: ['--transport', 'sse-only'], configDir: t.testdir() },
    { graphName: 'old-remote', query: 'CREATE (n:From {client: "mcp-remote"}) RETURN n.client AS client' })
  t.strictSame(answer.data.data, [{ client: 'mcp-remote' }], said)
})
