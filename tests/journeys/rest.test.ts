/** The REST twin as somebody with curl and /openapi.json meets it. */
import t, { type Test } from 'tap'
import { makeExampleGraphs } from '../support/examples.ts'
import { openGateway, unique } from '../support/gateway.ts'
import type { Answer } from '../support/https.ts'

const gateway = openGateway()
// Set by the runner for the stack under test.
const origin = String(process.env.ALLOWED_ORIGINS).split(',')[0] as string
const scopes = ['graph:read', 'graph:write', 'graph:admin']
const ada = await gateway.person({ tenant: unique('ada'), scope: scopes.join(' ') })
await makeExampleGraphs(ada)

interface Tool { name: string, scope: string, example: Record<string, unknown> }
const described = (await gateway.send({ path: '/openapi.json' })).json
const tools: Tool[] = Object.entries<any>(described.paths).filter(([path]) => path.startsWith('/tools/')).map(([path, { post }]) =>
  ({ name: path.slice('/tools/'.length), scope: post.security[0].bearer[0], example: post.requestBody.content['application/json'].example }))

/** Without what no two runs share: times and ages, and in a text what is counted in fractions. */
const lasting = (value: unknown) => JSON.parse(JSON.stringify(value, (key, inner) =>
  /time|latency|cached|^ms$/i.test(key) ? undefined : typeof inner === 'string' ? inner.replace(/\d+\.\d+/g, 'some') : inner))

/** What holds for every answer of a tool. */
function isOfTools (t: Test, answer: Answer, status: number, what: string) {
  t.equal(answer.status, status, `${what}: ${answer.text.slice(0, 300)}`)
  t.match(answer.headers['content-type'], /^application\/json/, what)
  t.equal(answer.headers['cache-control'], 'no-store', what)
  t.match(answer.headers['x-request-id'], /^[0-9a-f-]{36}$/, what)
}

/** What holds for every refusal beside. */
function isRefusal (t: Test, answer: Answer, status: number, type: string, path: string) {
  isOfTools(t, answer, status, path)
  t.strictSame(Object.keys(answer.json ?? {}).sort(), ['error', 'path', 'requestId', 'tenant', 'timestamp'], path)
  t.match(answer.json, { error: { type, code: String, message: String }, path, requestId: answer.headers['x-request-id'] })
}

t.test('each tool gives by REST what it gives by MCP', async t => {
  t.ok(tools.length >= 5)
  for (const { name, example } of tools) {
    // The example of falkordb_delete_graph deletes.
    if (name === 'falkordb_delete_graph') await makeExampleGraphs(ada)
    const rest = await ada.send({ path: `/tools/${name}`, body: example })
    if (name === 'falkordb_delete_graph') await makeExampleGraphs(ada)
    const mcp = await ada.call(name, example)
    isOfTools(t, rest, 200, name)
    t.notOk(mcp.isError, mcp.text)
    t.strictSame(lasting(rest.json), lasting(mcp.data), name)
  }
})

t.test('the shortcuts give what their tools give', async t => {
  const query = { graphName: 'movies', query: 'MATCH (m:Movie) RETURN m.title AS title' }
  t.strictSame((await ada.send({ path: '/api/mcp/context', body: query })).json.data, [{ title: 'Alien' }])
  t.strictSame((await ada.send({ path: '/api/mcp/graphs?limit=1' })).json.graphs, ['movies'])
  t.match((await ada.send({ path: '/api/mcp/metadata' })).json, { success: true, tenant: ada.tenant, scopes })
})

t.test('a tool says the same of itself in /openapi.json, GET /tools and MCP', async t => {
  const listed = await (await ada.client()).listTools()
  const { tools: contracts } = (await ada.send({ path: '/tools' })).json
  for (const { name, scope } of tools) {
    const contract = contracts.find((contract: Tool) => contract.name === name)
    const mcp = listed.find(tool => tool.name === name)
    t.equal(contract?.scope, scope, name)
    t.strictSame(contract?.inputSchema, mcp?.inputSchema, name)
    t.strictSame(contract?.inputSchema, described.components.schemas[`${name}.arguments`], name)
    t.strictSame(contract?.outputSchema, described.components.schemas[`${name}.result`], name)
  }
})

t.test('a scope that lacks is 403 and names all that the tool needs', async t => {
  for (const [granted, calls] of [
    ['graph:read', [...tools.filter(({ scope }) => scope !== 'graph:read'), { name: 'falkordb_query', scope: 'graph:write', example: { graphName: 'movies', query: 'CREATE (:Movie)' } }]],
    ['graph:read graph:write', tools.filter(({ scope }) => scope === 'graph:admin')]
  ] as const) {
    const person = await gateway.person({ tenant: ada.tenant, scope: granted })
    for (const { name, scope, example } of calls) {
      const path = `/tools/${name}`
      const answer = await person.send({ path, body: example })
      isRefusal(t, answer, 403, 'ScopeError', path)
      const needed = scopes.slice(0, scopes.indexOf(scope) + 1)
      t.match(answer.json, { error: { code: 'insufficient_scope', details: { required: needed } }, tenant: ada.tenant })
      t.match(answer.headers['www-authenticate'], `scope="${needed.join(' ')}"`, name)
      t.match(answer.headers['www-authenticate'], `resource_metadata="${gateway.url}/.well-known/oauth-protected-resource/mcp"`, name)
    }
  }
})

t.test('24: a foreign tenant meets none of the graphs, by no tool', async t => {
  await makeExampleGraphs(ada)
  const bob = await gateway.person({ tenant: unique('bob'), scope: scopes.join(' ') })
  for (const { name, example } of tools.filter(({ name, example }) => 'graphName' in example && name !== 'falkordb_query')) {
    const answer = await bob.send({ path: `/tools/${name}`, body: example })
    isRefusal(t, answer, 404, 'NotFoundError', `/tools/${name}`)
    t.notMatch(answer.text, ada.tenant)
  }
  t.strictSame((await bob.send({ path: '/api/mcp/graphs' })).json.graphs, [])
  t.strictSame((await ada.send({ path: '/api/mcp/graphs' })).json.graphs, ['movies', 'old-movies'], 'and nothing was deleted')
})

t.test('a tool that there is none of is 404 and names those that there are', async t => {
  for (const name of ['falkordb_nonsense', '__proto__', 'constructor', 'FALKORDB_QUERY', 'falkordb_query.']) {
    const answer = await ada.send({ path: `/tools/${name}`, body: {} })
    isRefusal(t, answer, 404, 'NotFoundError', `/tools/${name}`)
    t.match(answer.json, { error: { code: 'tool_not_found', message: /falkordb_query/ } })
  }
})

t.test('another method is 405 with those that serve; HEAD is a GET without its body', async t => {
  const paths = Object.entries<object>(described.paths)
  for (const [path, methods] of paths) {
    const allow = 'get' in methods ? 'GET, HEAD' : 'POST'
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'].filter(method => !(method.toLowerCase() in methods))) {
      const answer = await ada.send({ method, path })
      isRefusal(t, answer, 405, 'ValidationError', path)
      t.equal(answer.headers.allow, allow, `${method} ${path}`)
    }
    if (!('get' in methods)) continue
    const answer = await ada.send({ method: 'HEAD', path })
    isOfTools(t, answer, 200, `HEAD ${path}`)
    t.equal(answer.text, '')
  }
  t.equal(paths.length, tools.length + 4)
})

t.test('a body that is too large, of another type, or no object is refused by its own status', async t => {
  for (const path of ['/api/mcp/context', ...tools.map(({ name }) => `/tools/${name}`)]) {
    isRefusal(t, await ada.send({ path, body: '{}', headers: { 'content-type': 'text/plain' } }), 415, 'ValidationError', path)
    for (const body of ['null', '[]', '"{}"', '1', '{', '{"graphName":']) isRefusal(t, await ada.send({ path, body }), 400, 'ValidationError', path)
    isRefusal(t, await ada.send({ path, body: { surplus: true } }), 400, 'ValidationError', path)
  }
  const large = JSON.stringify({ graphName: 'movies', query: 'RETURN 1', parameters: { text: 'x'.repeat(5_000_000) } })
  for (const path of ['/api/mcp/context', '/tools/falkordb_query', '/tools/falkordb_health']) isRefusal(t, await ada.send({ path, body: large }), 413, 'ValidationError', path)
})

t.test('a tool without arguments needs no body, and GET /tools takes no argument', async t => {
  isOfTools(t, await ada.send({ method: 'POST', path: '/tools/falkordb_health', headers: { 'content-length': '0' } }), 200, 'no body')
  isRefusal(t, await ada.send({ path: '/tools?limit=1' }), 400, 'ValidationError', '/tools')
})

t.test('a page of an allowed origin reads answers, refusals and how long to wait', async t => {
  for (const [path, body, status] of [['/tools/falkordb_health', {}, 200], ['/tools/falkordb_nonsense', {}, 404], ['/api/mcp/graphs', undefined, 200]] as const) {
    const answer = await ada.send({ path, body, headers: { origin } })
    t.equal(answer.status, status)
    t.equal(answer.headers['access-control-allow-origin'], origin)
    t.match(answer.headers['access-control-expose-headers'], /WWW-Authenticate.*X-Request-Id.*Retry-After/)
    const preflight = await gateway.send({ method: 'OPTIONS', path, headers: { origin, 'Access-Control-Request-Method': body ? 'POST' : 'GET', 'Access-Control-Request-Headers': 'authorization, content-type, x-api-key' } })
    t.ok([200, 204].includes(preflight.status), 'preflight needs no token')
    t.equal(preflight.headers['access-control-allow-origin'], origin)
  }
})

t.test('/openapi.json and /docs are there for anybody, under the public URL, and the page may ask nobody for anything', async t => {
  const document = await gateway.send({ path: '/openapi.json', headers: { origin } })
  t.equal(document.status, 200)
  t.match(document.headers, { 'content-type': /^application\/json/, 'cache-control': 'public, max-age=300', 'access-control-allow-origin': origin })
  t.strictSame(document.json.servers, [{ url: gateway.url }])
  const page = await gateway.send({ path: '/docs' })
  t.equal(page.status, 200)
  t.match(page.headers, { 'content-type': /^text\/html/, 'content-security-policy': /^default-src 'none'; style-src 'sha256-[^']+'; base-uri 'none'/, 'x-content-type-options': 'nosniff' })
  for (const { name } of tools) t.match(page.text, `curl ${gateway.url}/tools/${name}`)
  for (const path of ['/openapi.json', '/docs']) t.equal((await gateway.send({ method: 'DELETE', path })).headers.allow, 'GET, HEAD')
})
