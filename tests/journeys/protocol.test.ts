import t from 'tap'
import { connect, eras } from '../support/clients.ts'
import { openGateway, unique } from '../support/gateway.ts'
import { rpcMessage } from '../support/https.ts'
import { legacyMessage, modernMessage, toolCalls } from '../support/rpc.ts'

const gateway = openGateway()
const ada = await gateway.person()
const reader = await gateway.person({ tenant: ada.tenant, user: 'reader', scope: 'graph:read' })
await ada.query('films', 'CREATE (:Film {title: "Alien", year: 1979})')

const spokenBy: Record<string, RegExp> = { 'v1 SDK': /^2025-/, 'v2 SDK, legacy': /^2025-/, 'v2 SDK, auto': /^2026-07-28$/, 'v2 SDK, 2026-07-28': /^2026-07-28$/ }

for (const era of eras) {
  t.test(`11: ${era}: lists the tools, writes and reads at the one URL`, async t => {
    const client = await ada.client(era)
    t.teardown(() => client.close())
    t.match(client.protocolVersion(), spokenBy[era])
    const names = (await client.listTools()).map(tool => tool.name)
    const tools = ['query', 'read_query', 'list_graphs', 'schema', 'search', 'explain', 'profile', 'delete_graph', 'server_info', 'health']
    t.strictSame(names.filter(name => name.startsWith('falkordb_')), tools.map(name => `falkordb_${name}`))

    const graphName = unique('graph')
    const written = await client.call('falkordb_query', { graphName, query: 'CREATE (f:Film {title: $title}) RETURN f', parameters: { title: 'Brazil' } })
    t.notOk(written.isError, written.text)
    t.match(written.data, { success: true, graphName, tenant: ada.tenant, resolvedGraphName: `${ada.tenant}_${graphName}`, truncated: false })
    const read = await client.call('falkordb_read_query', { graphName, query: 'MATCH (f:Film) RETURN f.title AS title' })
    t.strictSame(read.data.data, [{ title: 'Brazil' }])
    t.match(read.text, 'Brazil', 'a readable copy')
  })

  t.test(`a client without a good token is refused: ${era}`, async t => {
    await t.rejects(connect(era, gateway.mcpUrl, {}))
    await t.rejects(connect(era, gateway.mcpUrl, { authorization: 'Bearer garbage' }))
  })

  t.test(`scope step-up: ${era}: a write with a reader's token is HTTP 403 with every scope that it needs`, async t => {
    const client = await reader.client(era)
    t.teardown(() => client.close())
    t.notOk((await client.call('falkordb_query', { graphName: 'films', query: 'MATCH (f:Film) RETURN f.title' })).isError, 'reading is allowed')
    await t.rejects(client.call('falkordb_query', { graphName: 'films', query: 'CREATE (:Film)' }))
  })
}

t.test('scope step-up in both eras and by REST: 403 with WWW-Authenticate', async t => {
  const write = { graphName: 'films', query: 'MATCH (f:Film) SET f.year = 0' }
  const rest = ['REST', { path: '/tools/falkordb_query', body: write }] as const
  for (const [era, request] of [...toolCalls('falkordb_query', write), rest]) {
    const answer = await reader.send(request)
    t.equal(answer.status, 403, era)
    t.match(answer.headers['www-authenticate'], /^Bearer .*error="insufficient_scope"/, era)
    t.match(answer.headers['www-authenticate'], /scope="graph:read graph:write"/, era)
    t.match(answer.headers['www-authenticate'], `resource_metadata="${gateway.url}/.well-known/oauth-protected-resource/mcp"`, era)
  }
  const { data } = await ada.call('falkordb_read_query', { graphName: 'films', query: 'MATCH (f:Film) RETURN f.year AS year' })
  t.strictSame(data.data, [{ year: 1979 }], 'nothing changed')
})

t.test('a caller without any scope is told which one to ask for', async t => {
  const nobody = await gateway.person({ scope: 'openid profile' })
  for (const [era, request] of toolCalls('falkordb_list_graphs')) {
    const answer = await nobody.send(request)
    t.equal(answer.status, 403, era)
    t.match(answer.headers['www-authenticate'], /scope="graph:read/, era)
  }
})

t.test('a header that lies about the method or the tool grants nothing', async t => {
  const body = legacyMessage('tools/call', { name: 'falkordb_query', arguments: { graphName: 'films', query: 'CREATE (:Film)' } })
  const lying = await reader.send({ ...body, headers: { accept: 'application/json, text/event-stream', 'Mcp-Method': 'tools/list', 'Mcp-Name': 'falkordb_health' } })
  t.equal(lying.status, 403)
  const modern = modernMessage('tools/call', { name: 'falkordb_query', arguments: { graphName: 'films', query: 'RETURN 1' } })
  const mismatched = await ada.send({ ...modern, headers: { ...modern.headers as Record<string, string>, 'Mcp-Name': 'falkordb_health' } })
  t.equal(mismatched.status, 400)
  t.equal(rpcMessage(mismatched).error.code, -32020)
})

t.test('28: every tool has a title and all four hints, and those that read say so', async t => {
  const client = await ada.client('v2 SDK, 2026-07-28')
  t.teardown(() => client.close())
  const tools = (await client.listTools()).filter(tool => tool.name.startsWith('falkordb_'))
  for (const tool of tools) {
    t.ok(tool.title, `${tool.name} has a title`)
    t.match(tool.annotations, { readOnlyHint: Boolean, destructiveHint: Boolean, idempotentHint: Boolean, openWorldHint: Boolean }, tool.name)
    t.ok(tool.outputSchema, `${tool.name} has an output schema`)
    t.equal(tool.annotations?.readOnlyHint, !['falkordb_query', 'falkordb_profile', 'falkordb_delete_graph'].includes(tool.name), tool.name)
  }
})

t.test('28: an error teaches: where the fault is and what to do', async t => {
  const { isError, text } = await ada.call('falkordb_read_query', { graphName: 'films', query: 'MATCH (f:Film RETURN f' })
  t.ok(isError)
  const { error } = JSON.parse(text)
  t.match(error, { type: 'QueryError', message: String, details: { position: Number } })
  t.ok(error.details.hint, 'a hint')
  const missing = await ada.call('falkordb_read_query', { graphName: 'flims', query: 'MATCH (f) RETURN f' })
  t.match(JSON.parse(missing.text).error, { type: 'NotFoundError', message: /falkordb_list_graphs/ })
})

t.test('lists and results that depend on the tenant stay out of shared caches', async t => {
  const answer = await ada.send(modernMessage('tools/list'))
  t.equal(rpcMessage(answer).result.cacheScope, 'private')
  for (const request of [modernMessage('tools/list'), { path: '/api/mcp/graphs' }, { path: '/tools' }]) {
    t.match((await ada.send(request)).headers['cache-control'], /no-store|private/)
  }
})

t.test('the REST twin gives what the tool gives', async t => {
  const query = { graphName: 'films', query: 'MATCH (f:Film) RETURN f.title AS title, f.year AS year' }
  const [context, tool, mcp] = await Promise.all([
    ada.send({ path: '/api/mcp/context', body: query }),
    ada.send({ path: '/tools/falkordb_read_query', body: query }),
    ada.call('falkordb_query', query)
  ])
  t.strictSame(context.json.data, [{ title: 'Alien', year: 1979 }])
  t.strictSame(tool.json.data, context.json.data)
  t.strictSame(mcp.data.data, context.json.data)
  t.ok((await ada.send({ path: '/api/mcp/graphs' })).json.graphs.includes('films'))
  t.equal((await ada.send({ path: '/api/mcp/metadata' })).json.tenant, ada.tenant)
  const listed = (await ada.send({ path: '/tools' })).json.tools.map((one: { name: string }) => one.name)
  t.ok(listed.includes('falkordb_query'))
})

t.test('the REST error body has the form of the contract', async t => {
  const answer = await ada.send({ path: '/tools/falkordb_read_query?x=1', body: { graphName: 'nowhere', query: 'RETURN 1' } })
  t.equal(answer.status, 404)
  t.match(answer.json, { error: { type: 'NotFoundError', code: String, message: String }, timestamp: /^\d{4}-\d\d-\d\dT/, path: '/tools/falkordb_read_query', tenant: ada.tenant, requestId: answer.headers['x-request-id'] })
})
