import t from 'tap'
import { Type } from 'typebox'
import { DatabaseError, NotFoundError, QueryError, TimeoutError } from '@gateway/common/errors.ts'
import type { GraphCall, GraphResult } from '../graph/database.ts'
import { allTools } from '../tools/index.ts'
import { defineTool } from '../tools/tool.ts'
import { caller, clients, fakeDatabase, headersOf, modernRpc, rpc, testApp, toolCall } from '../test-support.ts'

const ada = caller('acme')
const reader = caller('acme', 'graph:read')
const eras = ['legacy', 'modern'] as const
const empty: GraphResult = { columns: [], rows: [], truncated: false, statistics: {} }
const errorOf = (reply: { json: () => unknown }) => {
  const { result } = reply.json() as { result: { isError?: boolean, structuredContent?: unknown, content: [{ text: string }] } }
  return { ...result, error: (JSON.parse(result.content[0].text) as { error: { type: string, code: string, message: string, details?: object } }).error }
}

t.test('11: the v1 SDK and the v2 SDK in both eras list and call tools on one URL', async t => {
  const { app } = testApp(fakeDatabase({ query: async () => ({ ...empty, columns: ['n'], rows: [[1]] }) }))
  t.teardown(() => app.close())
  const url = `${await app.listen({ port: 0 })}/mcp`
  for (const [name, connect] of Object.entries(clients)) {
    const client = await connect(url, ada)
    const { tools } = await client.listTools()
    t.strictSame(tools.map(tool => tool.name), allTools.map(tool => tool.name), name)
    const result = await client.callTool({ name: 'falkordb_query', arguments: { graphName: 'films', query: 'RETURN 1 AS n' } })
    t.match(result, { structuredContent: { success: true, data: [{ n: 1 }], tenant: 'acme', graphName: 'films', resolvedGraphName: 'acme_films' }, content: [{ type: 'text', text: /\nn\n1\n/ }] }, name)
    await client.close()
  }
})

t.test('28: every tool has a title, all four hints, and schemas that allow nothing unknown', async t => {
  const { app } = testApp(fakeDatabase({}))
  for (const make of [rpc, modernRpc]) {
    const { tools } = (await app.inject(make(ada, 'tools/list'))).json().result
    t.equal(tools.length, allTools.length)
    for (const tool of tools) {
      t.match(tool, {
        title: String,
        description: /Example: \{|no arguments: \{\}/,
        annotations: { title: String, readOnlyHint: Boolean, destructiveHint: Boolean, idempotentHint: Boolean, openWorldHint: false },
        inputSchema: { type: 'object', additionalProperties: false },
        outputSchema: { type: 'object', additionalProperties: false }
      }, tool.name)
      t.equal(tool.annotations.readOnlyHint, !['falkordb_query', 'falkordb_profile', 'falkordb_delete_graph'].includes(tool.name))
    }
  }
})

t.test('a list in 2026-07-28 is for the caller alone: cacheScope is private', async t => {
  const { app } = testApp(fakeDatabase({}))
  for (const method of ['tools/list', 'server/discover']) {
    const reply = await app.inject(modernRpc(ada, method))
    t.match(reply.json().result, { cacheScope: 'private', ttlMs: Number })
    t.equal(reply.headers['cache-control'], 'no-store')
  }
})

t.test('TOOLS_HIDDEN takes a tool away from lists and calls', async t => {
  const { app } = testApp(fakeDatabase({}), { settings: { TOOLS_HIDDEN: 'falkordb_query' } })
  const { tools } = (await app.inject(rpc(ada, 'tools/list'))).json().result
  t.notOk(tools.some((tool: { name: string }) => tool.name === 'falkordb_query'))
  for (const era of eras) t.match((await app.inject(toolCall(era, ada, 'falkordb_query', {}))).json(), { error: { code: -32602 } })
})

t.test('a call without its scope is 403 insufficient_scope in both eras, and nothing runs', async t => {
  const { app } = testApp(fakeDatabase({}))
  for (const era of eras) {
    const reply = await app.inject(toolCall(era, { ...ada, scopes: [] }, 'falkordb_read_query', { graphName: 'films', query: 'RETURN 1' }))
    t.equal(reply.statusCode, 403)
    t.match(reply.json(), { error: 'insufficient_scope' })
    t.match(reply.headers['www-authenticate'], /^Bearer error="insufficient_scope".* scope="graph:read".* resource_metadata="https:\/\/graphs\.example\.com\/\.well-known\/oauth-protected-resource\/mcp"/)
  }
})

t.test('a write by a reader is 403 that names all scopes, before anything ran', async t => {
  const asked: unknown[] = []
  const { app } = testApp(fakeDatabase({ writes: async ({ tenant, key, query, parameters }) => asked.push({ tenant, key, query, parameters }) > 0 }))
  for (const era of eras) {
    const reply = await app.inject(toolCall(era, reader, 'falkordb_query', { graphName: 'films', query: 'CREATE (:Film {t: $t})', parameters: { t: 1 } }))
    t.equal(reply.statusCode, 403)
    t.match(reply.headers['www-authenticate'], /error="insufficient_scope".*scope="graph:read graph:write"/)
  }
  t.strictSame(asked, eras.map(() => ({ tenant: 'acme', key: 'acme_films', query: 'CREATE (:Film {t: $t})', parameters: { t: 1 } })))
})

t.test('a write by a reader to a graph that does not exist is a matter of scope as well, a procedure is not', async t => {
  const missing = async () => { throw new NotFoundError('graph_not_found', 'There is no such graph.') }
  const { app } = testApp(fakeDatabase({ writes: missing, query: missing }))
  for (const era of eras) {
    t.equal((await app.inject(toolCall(era, reader, 'falkordb_query', { graphName: 'films', query: 'MERGE (:Film)' }))).statusCode, 403)
    t.match(errorOf(await app.inject(toolCall(era, reader, 'falkordb_query', { graphName: 'films', query: 'CALL db.labels()' }))).error, { type: 'NotFoundError' })
  }
})

t.test('20: words of a write inside strings, names and labels need no scope for writing', async t => {
  const modes: string[] = []
  const { app } = testApp(fakeDatabase({ writes: async () => false, query: async call => { modes.push(call.mode); return empty } }))
  const queries = ["RETURN 'Create a map and DELETE it' AS text", 'MATCH (n:`SET`) RETURN n', '// MERGE\nRETURN 1', 'MATCH (n) RETURN n.set', 'MATCH (n:Create) RETURN n', 'CALL db.labels()']
  for (const query of queries) t.equal((await app.inject(toolCall('legacy', reader, 'falkordb_query', { graphName: 'films', query }))).statusCode, 200, query)
  t.strictSame([...new Set(modes)], ['read'])
})

t.test('a writer writes with GRAPH.QUERY and reads with GRAPH.RO_QUERY, so that a misspelt name creates no graph', async t => {
  const calls: Array<Omit<GraphCall, 'signal'>> = []
  const { app } = testApp(fakeDatabase({ query: async ({ signal, ...call }) => { calls.push(call); return signal ? empty : Promise.reject(new TypeError('no signal')) } }))
  const run = (name: string, args: object) => app.inject(toolCall('modern', ada, name, { graphName: 'films', ...args }))
  await run('falkordb_query', { query: 'MATCH (n) RETURN n', limit: 5, timeoutMs: 700 })
  await run('falkordb_query', { query: 'CREATE (n)', parameters: { a: [1] } })
  await run('falkordb_read_query', { query: 'CREATE (n)' })
  t.strictSame(calls, [
    { key: 'acme_films', query: 'MATCH (n) RETURN n', parameters: undefined, mode: 'read', timeoutMs: 700, maxRows: 5, tenant: 'acme' },
    { key: 'acme_films', query: 'CREATE (n)', parameters: { a: [1] }, mode: 'write', timeoutMs: 10_000, maxRows: 1_000, tenant: 'acme' },
    { key: 'acme_films', query: 'CREATE (n)', parameters: undefined, mode: 'read', timeoutMs: 10_000, maxRows: 1_000, tenant: 'acme' }
  ])
})

t.test('28: errors reach the model as isError with type, code, position and hint', async t => {
  const { app } = testApp(fakeDatabase({ query: async () => { throw new QueryError('syntax_error', "Invalid input 'RETRUN'.", { details: { position: 10, hint: 'Did you mean RETURN?' } }) } }))
  for (const era of eras) {
    const reply = await app.inject(toolCall(era, ada, 'falkordb_query', { graphName: 'films', query: 'MATCH (n) RETRUN n' }))
    t.equal(reply.statusCode, 200)
    t.match(errorOf(reply), { isError: true, structuredContent: undefined, error: { type: 'QueryError', code: 'syntax_error', message: /RETRUN/, details: { position: 10, hint: /RETURN/ } } })
  }
})

t.test('bad arguments are ValidationErrors that name them; a cursor on a query is one', async t => {
  const { app } = testApp(fakeDatabase({}))
  const rows: Array<[string, object, RegExp]> = [
    ['falkordb_query', { graphName: 'films', query: 'RETURN 1', cursor: 'x' }, /Unknown argument "cursor"/],
    ['falkordb_read_query', { graphName: 'films', query: 'RETURN 1', cursor: 'x' }, /not one of this query/],
    ['falkordb_query', { query: 'RETURN 1' }, /"graphName" is missing/],
    ['falkordb_query', { graphName: 'films', query: 'RETURN 1', limit: 1001 }, /"limit" must be <= 1000/],
    ['falkordb_query', { graphName: 'films', query: 'RETURN 1', timeoutMs: 60_001 }, /"timeoutMs" must be <= 60000/],
    ['falkordb_query', { graphName: 'a/b', query: 'RETURN 1' }, /name/],
    ['falkordb_query', { graphName: '', query: 'RETURN 1' }, /name/],
    ['falkordb_query', { graphName: 'x'.repeat(10_000), query: 'RETURN 1' }, /name/],
    ['falkordb_list_graphs', { cursor: '*' }, /cursor/],
    ['falkordb_health', { verbose: true }, /Unknown argument "verbose"/]
  ]
  for (const era of eras) {
    for (const [name, args, message] of rows) {
      t.match(errorOf(await app.inject(toolCall(era, ada, name, args))), { isError: true, error: { type: 'ValidationError', message } }, `${era} ${name} ${JSON.stringify(args).slice(0, 60)}`)
    }
  }
})

t.test('an error inside a tool never shows what it was about', async t => {
  const inner = new Error('connect ECONNREFUSED redis://user:sentinel-password@secret-host:6379')
  for (const thrown of [inner, new DatabaseError('database_away', 'FalkorDB does not answer; try again soon.', { cause: inner })]) {
    const { app } = testApp(fakeDatabase({ query: async () => { throw thrown } }))
    for (const era of eras) {
      const reply = await app.inject(toolCall(era, ada, 'falkordb_query', { graphName: 'films', query: 'RETURN 1' }))
      t.notMatch(reply.body, /sentinel-password|secret-host|ECONNREFUSED|\.ts:|stack/)
      t.match(errorOf(reply), { isError: true, error: { type: thrown === inner ? 'InternalError' : 'DatabaseError' } })
    }
  }
})

t.test('a fault while scopes are looked at stops the call, is logged, and shows nothing', async t => {
  const { app, lines } = testApp(fakeDatabase({ writes: async () => { throw new TypeError('sentinel-inner') } }))
  for (const era of eras) {
    const reply = await app.inject(toolCall(era, reader, 'falkordb_query', { graphName: 'films', query: 'CREATE (n)' }))
    t.equal(reply.statusCode, 500)
    t.notMatch(reply.body, /sentinel-inner/)
  }
  t.ok(lines.some(line => line.includes('"level":50') && line.includes('sentinel-inner')))
})

t.test('29: calls are counted by tool and outcome, with refusal, time-out and a missing database apart', async t => {
  const failures = { ok: undefined, refused: new QueryError('syntax_error', 'x'), timeout: new TimeoutError('query_timeout', 'x'), database_down: new DatabaseError('database_away', 'x'), failed: new TypeError('x') }
  for (const [outcome, failure] of Object.entries(failures)) {
    const { app, metrics } = testApp(fakeDatabase({ query: async () => { if (failure !== undefined) throw failure; return empty } }))
    await app.inject(toolCall('modern', ada, 'falkordb_query', { graphName: 'films', query: 'RETURN 1' }))
    t.strictSame(await metrics('mcp_tool_calls_total{'), [`mcp_tool_calls_total{tool="falkordb_query",outcome="${outcome}"} 1`])
    t.strictSame(await metrics('mcp_tool_call_duration_seconds_count'), ['mcp_tool_call_duration_seconds_count{tool="falkordb_query"} 1'])
    t.strictSame(await metrics('graph_query_duration_seconds_count'), ['graph_query_duration_seconds_count{mode="read"} 1'])
    t.strictSame(await metrics('falkordb_up'), ['falkordb_up 1'])
  }
  const { app, metrics } = testApp(fakeDatabase({}))
  for (const era of eras) {
    await app.inject(toolCall(era, ada, `made-up-${era}`, {}))
    await app.inject(toolCall(era, { ...ada, scopes: [] }, 'falkordb_query', {}))
  }
  t.strictSame(await metrics('mcp_tool_errors_total{'), ['mcp_tool_errors_total{tool="unknown",type="NotFoundError"} 2', 'mcp_tool_errors_total{tool="falkordb_query",type="ScopeError"} 2'])
})

t.test('29: no query text, parameter value or result appears in a log line, at any level', async t => {
  const quoting = new QueryError('syntax_error', "Invalid input 'sentinel-query'.", { cause: new Error('errCtx: MATCH (sentinel-query)') })
  for (const failure of [undefined, quoting]) {
    const { app, lines } = testApp(fakeDatabase({ query: async () => { if (failure) throw failure; return { ...empty, columns: ['a'], rows: [['sentinel-row']] } } }))
    const args = { graphName: 'films', query: "RETURN 'sentinel-query'", parameters: { p: 'sentinel-parameter' } }
    for (const era of eras) await app.inject(toolCall(era, ada, 'falkordb_query', args))
    await app.inject({ method: 'POST', url: '/api/mcp/context', headers: headersOf(ada), payload: args })
    await app.inject({ method: 'POST', url: '/api/mcp/context', headers: headersOf(ada), payload: { ...args, 'sentinel-name': 1 } })
    t.ok(lines.length >= 6)
    t.equal(lines.find(line => line.includes('sentinel')), undefined)
  }
})

t.test('identity comes from the assertion: lying protocol headers change nothing', async t => {
  const { app } = testApp(fakeDatabase({}))
  const lying = rpc({ ...ada, scopes: [] }, 'tools/call', { name: 'falkordb_query', arguments: { graphName: 'films', query: 'RETURN 1' } }, { 'mcp-method': 'tools/list', 'mcp-name': 'falkordb_health' })
  t.equal((await app.inject(lying)).statusCode, 403)
})

t.test('a batch of the 2025-03-26 revision is answered as a batch; one call without scope refuses all of it', async t => {
  const { app } = testApp(fakeDatabase({}))
  const ping = { jsonrpc: '2.0', id: 1, method: 'ping' }
  const health = { jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'falkordb_health', arguments: {} } }
  const send = (identity: typeof ada, payload: object[]) => app.inject({ ...rpc(identity, ''), payload: JSON.stringify(payload) })
  t.match((await send(ada, [ping, health])).json(), [{ id: 1, result: {} }, { id: 2, result: { structuredContent: { success: true } } }])
  t.equal((await send({ ...ada, scopes: [] }, [ping, health])).statusCode, 403)
  const cancel = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 2 } }
  t.match((await send(ada, [health, cancel])).json(), { id: 2, result: { structuredContent: { success: true } } }, 'a cancellation of its own call does not leave it open')
  t.equal((await send(ada, [cancel])).statusCode, 202)
})

t.test('a batch that is too long is refused before any of it is looked at: one request does not fill the log', async t => {
  const { app, lines } = testApp(fakeDatabase({}))
  const unknown = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'no_such_tool', arguments: {} } }
  const reply = await app.inject({ ...rpc(ada, ''), payload: JSON.stringify(Array(2_000).fill(unknown)) })
  t.equal(reply.statusCode, 400)
  t.match(reply.json(), { error: { message: /100 messages/ } })
  t.ok(lines.length < 10, `${lines.length} lines`)
  t.equal((await app.inject({ ...rpc(ada, ''), payload: JSON.stringify(Array(100).fill({ jsonrpc: '2.0', id: 1, method: 'ping' })) })).statusCode, 200)
})

t.test('a notification is accepted without a body, and a subscription holds no stream', async t => {
  const { app } = testApp(fakeDatabase({}))
  const accepted = await app.inject({ ...rpc(ada, ''), payload: '{"jsonrpc":"2.0","method":"notifications/initialized"}' })
  t.equal(accepted.statusCode, 202)
  t.equal(accepted.body, '')
  t.match((await app.inject(modernRpc(ada, 'subscriptions/listen', { notifications: { toolsListChanged: true } }))).body, /"resultType":"complete"/)
})

/** Ends when the test lets it, and tells how far it is. */
function slowTool () {
  const gate = Promise.withResolvers<void>()
  const gone = Promise.withResolvers<void>()
  const started = Promise.withResolvers<void>()
  const tool = defineTool({
    name: 'slow',
    spec: () => ({
      name: 'slow',
      title: 'Slow',
      description: 'For tests.',
      scope: 'graph:read',
      hints: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
      input: Type.Object({}),
      output: Type.Object({})
    }),
    async handle (_args, { progress, signal }) {
      signal.addEventListener('abort', () => gone.resolve())
      await progress(1, 2, 'half')
      started.resolve()
      await Promise.race([gate.promise, gone.promise])
      return { structured: { aborted: signal.aborted }, text: 'done' }
    }
  })
  return { tool, gate, gone, started }
}

t.test('17: progress arrives while a call runs, in both eras, and the answer after it', async t => {
  for (const [name, connect] of Object.entries(clients)) {
    const { tool, gate } = slowTool()
    const { app } = testApp(fakeDatabase({}), { tools: [tool] })
    t.teardown(() => app.close())
    const client = await connect(`${await app.listen({ port: 0 })}/mcp`, ada)
    const seen: unknown[] = []
    const onprogress = (progress: unknown) => {
      seen.push(progress)
      gate.resolve()
    }
    const call = client.callTool as (params: object, ...rest: unknown[]) => Promise<unknown>
    const request = { name: 'slow', arguments: {} }
    const result = await (name.startsWith('v1') ? call.call(client, request, undefined, { onprogress }) : call.call(client, request, { onprogress }))
    t.match(seen, [{ progress: 1, total: 2, message: 'half' }], name)
    t.match(result, { structuredContent: { aborted: false } }, name)
    await client.close()
  }
})

t.test('a tool learns that its client went away', async t => {
  for (const make of [rpc, modernRpc]) {
    const { tool, started, gone } = slowTool()
    const { app } = testApp(fakeDatabase({}), { tools: [tool] })
    t.teardown(() => app.close())
    const base = await app.listen({ port: 0 })
    const { headers, payload } = make(ada, 'tools/call', { name: 'slow', arguments: {} })
    const leave = new AbortController()
    const call = fetch(`${base}/mcp`, { method: 'POST', headers: headers as Record<string, string>, body: payload as string, signal: leave.signal })
    await started.promise
    leave.abort()
    await t.rejects(call, { name: 'AbortError' })
    await gone.promise
  }
})

t.test('a stop waits for the call that is running', async t => {
  const { tool, gate, started } = slowTool()
  const { app } = testApp(fakeDatabase({}), { tools: [tool] })
  const base = await app.listen({ port: 0 })
  const { headers, payload } = modernRpc(ada, 'tools/call', { name: 'slow', arguments: {} })
  const call = fetch(`${base}/mcp`, { method: 'POST', headers: headers as Record<string, string>, body: payload as string })
  await started.promise
  const closed = app.close()
  gate.resolve()
  t.match(await (await call).json(), { result: { structuredContent: { aborted: false } } })
  await closed
})
