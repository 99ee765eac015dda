import t from 'tap'
import { DatabaseError, NotFoundError, QueryError, RateLimitError, TimeoutError } from '@gateway/common/errors.ts'
import type { GraphResult } from '../graph/database.ts'
import { allTools } from '../tools/index.ts'
import { caller, fakeDatabase, headersOf, rpc, testApp, toolCall } from '../test-support.ts'

const ada = caller('acme')
const reader = caller('acme', 'graph:read')
const rows: GraphResult = { columns: ['n'], rows: [[{ identity: 1, labels: ['A'], properties: {} }]], truncated: false, statistics: { nodesCreated: 1 } }
const post = (url: string, payload: object, identity = ada) => ({ method: 'POST' as const, url, headers: headersOf(identity), payload })

t.test('the REST twin gives what MCP gives', async t => {
  const { app, config } = testApp(fakeDatabase({ query: async () => rows, keys: async () => ['acme_films', 'acme_maps'] }))
  const structured = async (name: string, args: object) => (await app.inject(toolCall('modern', ada, name, args))).json().result.structuredContent
  const get = async (url: string) => (await app.inject({ url, headers: headersOf(ada) })).json()
  const query = { graphName: 'films', query: 'CREATE (n) RETURN n' }

  t.strictSame((await app.inject(post('/api/mcp/context', query))).json(), await structured('falkordb_query', query))
  t.strictSame((await app.inject(post('/tools/falkordb_query', query))).json(), await structured('falkordb_query', query))
  t.strictSame(await get('/api/mcp/graphs'), await structured('falkordb_list_graphs', {}))
  t.strictSame(await get('/api/mcp/graphs?limit=1'), await structured('falkordb_list_graphs', { limit: 1 }))
  t.strictSame(await get('/api/mcp/metadata'), await structured('falkordb_server_info', {}))
  t.match((await app.inject({ method: 'POST', url: '/tools/falkordb_health', headers: headersOf(ada) })).json(), { success: true, status: 'ok' })

  const listed = (await app.inject(rpc(ada, 'tools/list'))).json().result.tools
  const { tools } = await get('/tools')
  t.strictSame(tools.map(({ scope, ...tool }: { scope: string }) => tool), listed.map((tool: object) => tool))
  t.strictSame(tools.map(({ scope }: { scope: string }) => scope), allTools.map(tool => tool.spec(config).scope))
})

t.test('each error has its status and the REST body', async t => {
  const failures = [
    [new QueryError('syntax_error', 'Wrong.', { details: { position: 3 } }), 400],
    [new NotFoundError('graph_not_found', 'No such graph.'), 404],
    [new RateLimitError('tenant_busy', 'Too many.', { retryAfter: 2 }), 429],
    [new DatabaseError('database_away', 'Away.'), 502],
    [new TimeoutError('query_timeout', 'Too slow.'), 504],
    [new TypeError('sentinel-inner'), 500]
  ] as const
  for (const [failure, status] of failures) {
    const { app } = testApp(fakeDatabase({ query: async () => { throw failure } }))
    const reply = await app.inject(post('/api/mcp/context', { graphName: 'films', query: 'RETURN 1' }))
    t.equal(reply.statusCode, status)
    const body = reply.json()
    t.strictSame(Object.keys(body).sort(), ['error', 'path', 'requestId', 'tenant', 'timestamp'])
    t.match(body, { error: { type: String, code: String, message: String }, path: '/api/mcp/context', tenant: 'acme', requestId: reply.headers['x-request-id'] })
    t.notMatch(reply.body, /sentinel-inner/)
    t.equal(reply.headers['retry-after'], status === 429 ? '2' : undefined)
  }
})

t.test('29: a failure is told to the log once, with its cause, and a refusal without what it quotes', async t => {
  const query = async () => { throw new DatabaseError('database_failed', 'Failed.', { cause: new Error('the inner reason') }) }
  for (const [failure, level, count] of [[query, 50, 1], [async () => { throw new QueryError('syntax_error', 'Wrong: SENTINEL.') }, 50, 0]] as const) {
    const { app, lines } = testApp(fakeDatabase({ query: failure }))
    await app.inject(post('/tools/falkordb_query', { graphName: 'films', query: 'RETURN 1' }))
    const told = lines.map(line => JSON.parse(line)).filter(line => line.level >= level)
    t.equal(told.length, count)
    if (count > 0) t.match(told[0], { tool: 'falkordb_query', code: 'database_failed', err: { message: 'the inner reason' } })
    t.equal(lines.filter(line => line.includes('tool call')).length, 1)
    t.notOk(lines.some(line => line.includes('SENTINEL')))
  }
})

t.test('a call without its scope is 403 with a challenge that names all of them', async t => {
  const { app } = testApp(fakeDatabase({ writes: async () => true }))
  for (const url of ['/api/mcp/context', '/tools/falkordb_query']) {
    const reply = await app.inject(post(url, { graphName: 'films', query: 'CREATE (n)' }, reader))
    t.equal(reply.statusCode, 403)
    t.match(reply.json(), { error: { type: 'ScopeError', code: 'insufficient_scope', details: { required: ['graph:read', 'graph:write'] } } })
    t.match(reply.headers['www-authenticate'], /error="insufficient_scope", scope="graph:read graph:write"/)
  }
  t.equal((await app.inject({ url: '/api/mcp/graphs', headers: headersOf({ ...ada, scopes: [] }) })).statusCode, 403)
})

t.test('bad arguments, tools and query strings are refused in words', async t => {
  const { app } = testApp(fakeDatabase({ keys: async () => [] }))
  t.match((await app.inject(post('/tools/nothing', {}))).json(), { error: { type: 'NotFoundError', code: 'tool_not_found', message: /falkordb_query/ } })
  t.match((await app.inject(post('/tools/falkordb_query', { graphName: 'films', query: 'RETURN 1', cursor: 'x' }))).json(), { error: { type: 'ValidationError', message: /Unknown argument "cursor"/ } })
  for (const payload of ['[1]', 'null', '"text"', '1']) {
    for (const url of ['/api/mcp/context', '/tools/falkordb_health']) {
      const reply = await app.inject({ method: 'POST', url, headers: { 'content-type': 'application/json', ...headersOf(ada) }, payload })
      t.match(reply.json(), { error: { type: 'ValidationError', code: 'invalid_arguments', message: /must be object/ } }, `${payload} at ${url}`)
    }
  }
  t.match((await app.inject({ url: '/tools?limit=1', headers: headersOf(ada) })).json(), { error: { type: 'ValidationError', message: /Unknown argument "limit"/ } })
  for (const [query, message] of [['limit=x', /"limit" must be integer/], ['limit=0', /"limit" must be >= 1/], ['limit=1&limit=2', /"limit"/], ['all=1', /Unknown argument "all"/], ['cursor=%00', /cursor/]] as const) {
    const reply = await app.inject({ url: `/api/mcp/graphs?${query}`, headers: headersOf(ada) })
    t.equal(reply.statusCode, 400, query)
    t.match(reply.json(), { error: { type: 'ValidationError', message }, path: '/api/mcp/graphs' })
  }
})

t.test('24: the list of graphs holds the own tenant\'s only, page by page', async t => {
  const keys = ['a_one', 'a_two', 'a=5Fb_three', 'ab_four', 'a', '_', 'telemetry{a_one}', 'a_zwei', 'default']
  const { app } = testApp(fakeDatabase({ keys: async (_tenant, prefix) => keys.filter(key => key.startsWith(prefix)) }))
  const list = async (tenant: string, query = '') => (await app.inject({ url: `/api/mcp/graphs${query}`, headers: headersOf(caller(tenant)) })).json()
  t.match(await list('a'), { graphs: ['one', 'two', 'zwei'], tenant: 'a', truncated: false })
  t.match(await list('a_b'), { graphs: ['three'], tenant: 'a_b' })
  t.match(await list('b'), { graphs: [] })

  const pages: string[] = []
  let cursor: string | undefined
  do {
    const page = await list('a', `?limit=1${cursor ? `&cursor=${cursor}` : ''}`)
    pages.push(...page.graphs)
    cursor = page.nextCursor
    t.equal(page.truncated, cursor !== undefined)
  } while (cursor !== undefined)
  t.strictSame(pages, ['one', 'two', 'zwei'])
})

t.test('27: a list of very many graphs is cut and goes on with its cursor', async t => {
  const names = Array.from({ length: 900 }, (_, index) => `${'ü'.repeat(100)}${String(index).padStart(3, '0')}`)
  const { app } = testApp(fakeDatabase({ keys: async () => names.map(name => `acme_${name}`) }), { settings: { MAX_RESULT_BYTES: '16384' } })
  const seen: string[] = []
  let cursor: string | undefined
  do {
    const { result } = (await app.inject(toolCall('legacy', ada, 'falkordb_list_graphs', cursor === undefined ? {} : { cursor }))).json()
    t.ok(Buffer.byteLength(JSON.stringify(result.structuredContent)) + Buffer.byteLength(JSON.stringify(result.content[0].text)) <= 16_384)
    seen.push(...result.structuredContent.graphs)
    cursor = result.structuredContent.nextCursor
  } while (cursor !== undefined)
  t.strictSame(seen, names)
})

t.test('ENABLE_MULTI_TENANCY=false: every graph, without a prefix', async t => {
  const { app } = testApp(fakeDatabase({ keys: async (_tenant, prefix) => prefix === '' ? ['films', 'a_one'] : [] }), { settings: { ENABLE_MULTI_TENANCY: 'false' } })
  t.match((await app.inject({ url: '/api/mcp/graphs', headers: headersOf(caller('default')) })).json(), { graphs: ['a_one', 'films'] })
})
