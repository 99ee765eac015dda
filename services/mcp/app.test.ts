import t from 'tap'
import { createIdentityWriter } from '@gateway/common/identity.ts'
import { caller, fakeDatabase, headersOf, publicUrl, rpc, testApp } from './test-support.ts'

const ada = caller('acme')
const everyRoute = [
  ['POST', '/mcp'], ['GET', '/mcp'], ['POST', '/mcp/'], ['DELETE', '/mcp/'], ['POST', '/api/mcp/context'], ['GET', '/api/mcp/graphs'],
  ['GET', '/api/mcp/metadata'], ['GET', '/tools'], ['POST', '/tools/falkordb_health'], ['GET', '/nothing/here'], ['OPTIONS', '/mcp'], ['TRACE', '/tools']
] as const

t.test('14: a direct call without an assertion is refused on every path and method', async t => {
  const { app } = testApp(fakeDatabase({}))
  const plain = { 'x-tenant-id': 'acme', 'x-user-id': 'ada', 'x-client-id': 'tests', 'x-auth-scopes': 'graph:read graph:write graph:admin' }
  for (const [method, url] of everyRoute) {
    for (const headers of [{}, plain, { ...plain, 'x-identity-assertion': '' }]) {
      const reply = await app.inject({ method, url, headers })
      t.equal(reply.statusCode, 401, `${method} ${url}`)
      if (method !== 'TRACE') t.equal(reply.json().error, 'invalid_token')
      t.match(reply.headers['www-authenticate'], `resource_metadata="${publicUrl}/.well-known/oauth-protected-resource/mcp"`)
    }
  }
})

t.test('14: plain headers that differ from the assertion in any way are refused', async t => {
  const { app } = testApp(fakeDatabase({}))
  const good = headersOf(ada)
  const forgeries: Array<Record<string, string>> = [
    { 'x-tenant-id': 'bob' }, { 'x-tenant-id': '' }, { 'x-tenant-id': 'acme, bob' }, { 'x-tenant-id': 'acme, acme' }, { 'X-TENANT-ID': 'Acme' },
    { 'x-auth-scopes': 'graph:read graph:write graph:admin' }, { 'x-user-id': 'eve' }, { 'x-client-id': 'other' }
  ]
  for (const forged of forgeries) {
    const headers = { ...good, ...Object.fromEntries(Object.entries(forged).map(([name, value]) => [name.toLowerCase(), value])) }
    t.equal((await app.inject({ url: '/tools', headers })).statusCode, 401, JSON.stringify(forged))
  }
  const { 'x-tenant-id': _, ...without } = good
  t.equal((await app.inject({ url: '/tools', headers: without })).statusCode, 401, 'a missing tenant')
  t.equal((await app.inject({ url: '/tools', headers: good })).statusCode, 200, 'the true headers pass')
})

t.test('14: an assertion that verify did not sign, or signed long ago, is refused', async t => {
  const { app } = testApp(fakeDatabase({}))
  const foreign = createIdentityWriter(['another-secret-0123456789-abcdefghij'])(ada)
  t.equal((await app.inject({ url: '/tools', headers: foreign })).statusCode, 401, 'another key')

  const [header = '', , signature = ''] = (headersOf(ada)['x-identity-assertion'] ?? '').split('.')
  const claims = Buffer.from(JSON.stringify({ sub: 'ada', tenant: 'acme', client_id: 'tests', scope: 'graph:read graph:write', idp: 'x', aud: 'falkordb-mcp-gateway/mcp', iss: 'falkordb-mcp-gateway/verify', iat: Date.now() / 1000, exp: Date.now() / 1000 + 30 })).toString('base64url')
  const none = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url')
  for (const assertion of [`${header}.${claims}.${signature}`, `${none}.${claims}.`]) {
    t.equal((await app.inject({ url: '/tools', headers: { ...headersOf(ada), 'x-identity-assertion': assertion } })).statusCode, 401)
  }

  const old = headersOf(ada)
  const later = Date.now() + 120_000
  t.capture(Date, 'now', () => later)
  t.equal((await app.inject({ url: '/tools', headers: old })).statusCode, 401, 'two minutes later')
})

t.test('only /live and /ready answer without an identity', async t => {
  const { app } = testApp(fakeDatabase({}))
  t.strictSame((await app.inject('/live')).json(), { live: true })
  t.strictSame((await app.inject('/ready')).json(), { ready: true, checks: { falkordb: 'ok' } })
})

t.test('/ready is 503 while FalkorDB is away, /live is not', async t => {
  const { app } = testApp(fakeDatabase({ ping: async () => { throw new Error('connect ECONNREFUSED secret-host:6379') } }))
  const ready = await app.inject('/ready')
  t.equal(ready.statusCode, 503)
  t.strictSame(ready.json(), { ready: false, checks: { falkordb: 'away' } })
  t.equal((await app.inject('/live')).statusCode, 200)
})

t.test('/ready shows limits that the database did not take, as a warning', async t => {
  const { app } = testApp(fakeDatabase({ info: async () => ({ version: '8', module: '4', limits: {}, warnings: ['TIMEOUT_MAX could not be set'] }) }))
  const ready = await app.inject('/ready')
  t.equal(ready.statusCode, 200)
  t.strictSame(ready.json().checks, { falkordb: 'ok', limits: 'warning: TIMEOUT_MAX could not be set' })
})

t.test('a wrong method is 405 and names the right one; an unknown path is the JSON 404', async t => {
  const { app } = testApp(fakeDatabase({}))
  const wrong = [
    ['GET', '/mcp', 'POST'], ['DELETE', '/mcp', 'POST'], ['PUT', '/mcp/', 'POST'], ['PATCH', '/mcp', 'POST'], ['OPTIONS', '/mcp', 'POST'],
    ['GET', '/api/mcp/context', 'POST'], ['POST', '/api/mcp/graphs', 'GET, HEAD'], ['DELETE', '/api/mcp/metadata', 'GET, HEAD'], ['POST', '/tools', 'GET, HEAD'], ['GET', '/tools/falkordb_query', 'POST']
  ] as const
  for (const [method, url, allow] of wrong) {
    // A content type without a body must not turn the answer into one about the body.
    const reply = await app.inject({ method, url, headers: { ...headersOf(ada), 'content-type': 'application/json' } })
    t.equal(reply.statusCode, 405, `${method} ${url}`)
    t.equal(reply.headers.allow, allow)
  }
  for (const url of ['/mcpx', '/mcp/x', '/mcp;x', '/MCP', '/api/mcp', '/api/mcp/context/', '/tools/a/b', '/', '/metrics']) {
    const reply = await app.inject({ method: 'POST', url, headers: headersOf(ada) })
    t.equal(reply.statusCode, 404, url)
    t.match(reply.json(), { error: { type: 'NotFoundError', code: 'route_not_found' }, path: url, tenant: 'acme' })
  }
})

t.test('4: /mcp and /mcp/ give the same answer, never a redirect', async t => {
  const { app } = testApp(fakeDatabase({}))
  const [plain, slash] = await Promise.all(['/mcp', '/mcp/'].map(url => app.inject({ ...rpc(ada, 'tools/list'), url })))
  t.equal(plain?.statusCode, 200)
  t.equal(slash?.statusCode, 200)
  t.equal(slash?.body, plain?.body)
})

t.test('bodies that cannot be read get the status of the contract: JSON-RPC on /mcp, the REST body elsewhere', async t => {
  const { app } = testApp(fakeDatabase({}), { settings: { MAX_BODY_BYTES: '2048' } })
  const bodies = [
    ['{"jsonrpc":', 'application/json', 400, 'invalid_json', -32700],
    ['', 'application/json', 400, 'invalid_json', -32700],
    ['{"__proto__":{"a":1}}', 'application/json', 400, 'invalid_json', -32700],
    ['{}', 'text/plain', 415, 'unsupported_media_type', -32000],
    ['a=1', 'application/x-www-form-urlencoded', 415, 'unsupported_media_type', -32000],
    [JSON.stringify('x'.repeat(4096)), 'application/json', 413, 'body_too_large', -32000]
  ] as const
  for (const [payload, type, status, code, rpcCode] of bodies) {
    const headers = { ...headersOf(ada), 'content-type': type, accept: 'application/json, text/event-stream' }
    const mcp = await app.inject({ method: 'POST', url: '/mcp', headers, payload })
    t.equal(mcp.statusCode, status, `${type} ${payload.slice(0, 20)}`)
    t.match(mcp.json(), { jsonrpc: '2.0', id: null, error: { code: rpcCode, data: { type: 'ValidationError', code } } })
    const rest = await app.inject({ method: 'POST', url: '/api/mcp/context', headers, payload })
    t.equal(rest.statusCode, status)
    t.match(rest.json(), { error: { type: 'ValidationError', code }, path: '/api/mcp/context', tenant: 'acme' })
  }
})

t.test('JSON that is no JSON-RPC message is refused, however deep', async t => {
  const { app } = testApp(fakeDatabase({}))
  const headers = { ...headersOf(ada), 'content-type': 'application/json', accept: 'application/json, text/event-stream' }
  for (const payload of ['null', '7', '"text"', '{}', '[]', '[1]', `${'['.repeat(50_000)}${']'.repeat(50_000)}`, '{"jsonrpc":"1.0","id":1,"method":"ping"}']) {
    const reply = await app.inject({ method: 'POST', url: '/mcp', headers, payload })
    t.equal(reply.statusCode, 400, payload.slice(0, 20))
    t.match(reply.json(), { jsonrpc: '2.0', error: { code: Number } })
  }
})

t.test('29: neither the assertion nor a header of a refused request appears in the log', async t => {
  const { app, lines } = testApp(fakeDatabase({}))
  const assertion = headersOf(ada)['x-identity-assertion'] ?? ''
  await app.inject({ url: '/tools?token=sentinel-token', headers: { authorization: 'Bearer sentinel-token', ...headersOf(ada) } })
  await app.inject({ method: 'POST', url: '/mcp', headers: { ...headersOf(ada), 'content-type': 'application/json', 'x-api-key': 'sentinel-token' }, payload: '{"sentinel-token":' })
  await app.inject({ url: '/tools', headers: { ...headersOf(ada), 'x-tenant-id': 'sentinel-token' } })
  t.ok(lines.length >= 3)
  t.notOk(lines.some(line => line.includes('sentinel-token') || line.includes(assertion.slice(0, 40))))
})
