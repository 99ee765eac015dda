import { once } from 'node:events'
import { request as httpRequest, type ServerResponse } from 'node:http'
import { connect, type ClientHttp2Session, type IncomingHttpHeaders } from 'node:http2'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { makePair } from '@gateway/common/test-certificate.ts'
import { forwarded, openService, publicUrl, resource, startIssuer, trusting, trustingAll } from './test-support.ts'

const issuer = await startIssuer(t)
const service = openService(t, trusting(issuer))
const metadataPaths = ['/.well-known/oauth-protected-resource', '/.well-known/oauth-protected-resource/mcp']
const host = new URL(publicUrl).host
const get = (url: string, headers: Record<string, string> = {}) => service.open.inject({ url, headers: { host, ...headers } })

t.test('1: a client without a token reads how to sign in', async t => {
  for (const path of metadataPaths) {
    const answer = await get(path)
    t.equal(answer.statusCode, 200, path)
    t.match(answer.headers, { 'content-type': /^application\/json/, 'cache-control': 'public, max-age=300' })
    t.strictSame(answer.json(), {
      resource, scopes_supported: ['graph:read', 'graph:write', 'graph:admin'], bearer_methods_supported: ['header'], resource_name: 'FalkorDB MCP gateway', authorization_servers: [issuer.url]
    })
  }
})

t.test('2: the root and the path-inserted form are one document', async t => {
  const [root, inserted] = await Promise.all(metadataPaths.map(path => get(path)))
  t.equal(root?.body, inserted?.body)
})

t.test('5: a forged host changes no public URL', async t => {
  const honest = await get(metadataPaths[0] as string)
  const forged = { host: 'evil.example', 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'http', forwarded: 'host=evil.example' }
  const misled = await get(metadataPaths[0] as string, forged)
  t.equal(misled.body, honest.body)
  const refused = await service.ask({ forwarded: 'host=evil.example', host: 'evil.example' })
  t.equal(refused.statusCode, 401)
  t.match(refused.headers['www-authenticate'], `resource_metadata="${publicUrl}/`)
})

t.test('scopes are named as their issuer names them; with an API key alone no authorization server is', async t => {
  const two = openService(t, trustingAll([{ issuer: issuer.url, tenants: ['*'] }, { issuer: 'https://b.example', jwks_uri: `${issuer.url}/keys`, tenants: ['b'], scope_mapping: { 'api.read': 'graph:read' } }], { CHALLENGE_SCOPES: 'graph:read' }))
  const both = (await two.open.inject(metadataPaths[0] as string)).json()
  t.strictSame(both.authorization_servers, [issuer.url, 'https://b.example'])
  t.strictSame(both.scopes_supported, ['graph:read', 'graph:write', 'graph:admin', 'api.read'])
  const alone = openService(t, { MCP_API_KEY: 'key-0123456789abcdefghijklmnopqrstuvwxyz', MCP_API_KEY_TENANT: 'ops' })
  t.notOk('authorization_servers' in (await alone.open.inject(metadataPaths[0] as string)).json())
})

t.test('the built-in sign-in is the first authorization server, under the public URL', async t => {
  const both = openService(t, trustingAll([{ issuer: issuer.url, tenants: ['*'] }], { OAUTH_URL: issuer.url }))
  const document = (await both.open.inject(metadataPaths[0] as string)).json()
  t.strictSame(document.authorization_servers, [publicUrl, issuer.url])
  const off = openService(t, trusting(issuer, { OAUTH_URL: issuer.url, OAUTH_REPLICAS: '0' }))
  for (const path of metadataPaths) t.equal((await off.open.inject(path)).body, (await get(path)).body, 'off, nothing is different')
})

t.test('health is public and says nothing of the inside', async t => {
  const answer = await get('/health')
  t.equal(answer.statusCode, 200)
  t.strictSame(answer.json(), { status: 'ok' })
})

t.test('/verify tells a client what its own token is worth, and hands out no identity headers', async t => {
  const exp = Math.floor(Date.now() / 1000) + 90
  const answer = await get('/verify', { authorization: `Bearer ${issuer.token({ exp })}` })
  t.equal(answer.statusCode, 200)
  t.strictSame(answer.json(), { tenant: 'acme', user: 'ada', client: 'laptop', scopes: ['graph:read', 'graph:write'], issuer: issuer.url, expires_at: new Date(exp * 1000).toISOString() })
  for (const name of ['x-tenant-id', 'x-user-id', 'x-client-id', 'x-auth-scopes', 'x-identity-assertion']) t.equal(answer.headers[name], undefined, name)
  t.equal(answer.headers['cache-control'], 'no-store')
  t.equal((await get('/verify', { authorization: `Bearer ${issuer.token({ exp: 1e300 })}` })).statusCode, 401, 'an expiry beyond all memory of revocations')
})

t.test('/verify asks the same as every call does', async t => {
  const authorization = `Bearer ${issuer.token()}`
  t.equal((await get('/verify')).statusCode, 401)
  t.match((await get('/verify')).headers['www-authenticate'], /^Bearer resource_metadata=/)
  t.equal((await get('/verify?token=x', { authorization })).statusCode, 400, '10: a credential in the query string')
  t.equal((await get('/verify', { authorization, origin: 'https://evil.example' })).statusCode, 403, '13: a foreign Origin')
  t.equal((await get('/verify', { authorization, host: 'evil.example', 'x-forwarded-host': host })).statusCode, 403, '13: a foreign host')
  t.equal((await get('/verify', { authorization: `Bearer ${issuer.token({ tenant_id: undefined })}` })).statusCode, 403)
})

t.test('14: no public path hands out identity headers, the decision\'s own least of all', async t => {
  const authorization = `Bearer ${issuer.token()}`
  for (const path of ['/decision', '/decision/', '//decision', '/verify', '/health', '/mcp', ...metadataPaths]) {
    const answer = await service.open.inject({ url: path, headers: { ...forwarded('/mcp'), host, authorization } })
    for (const name of ['x-tenant-id', 'x-identity-assertion']) t.equal(answer.headers[name], undefined, `${path}: ${name}`)
  }
})

t.test('everything else is a JSON 404, and another method on a path that exists a 405', async t => {
  for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS'] as const) {
    for (const url of ['/', '/decision', '/token', '/.well-known/jwks.json', '/live', '/metrics', '/health/x', '/%00', '/%']) {
      const answer = await service.open.inject({ method, url, ...(method === 'POST' && { payload: 'x'.repeat(3_000_000), headers: { 'content-type': 'text/odd' } }) })
      t.equal(answer.statusCode, 404, `${method} ${url}`)
      t.match(answer.json(), { error: { type: 'NotFoundError', code: 'route_not_found' }, requestId: String })
    }
  }
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'] as const) {
    for (const url of ['/health', '/verify?x=1', ...metadataPaths]) {
      const answer = await service.open.inject({ method, url })
      t.equal(answer.statusCode, 405, `${method} ${url}`)
      t.equal(answer.headers.allow, 'GET, HEAD')
      t.match(answer.json(), { error: { type: 'ValidationError', code: 'method_not_allowed' } })
    }
  }
})

interface Http2Answer { headers: IncomingHttpHeaders, body: string }

function ask (session: ClientHttp2Session, headers: Record<string, string | string[]>): Promise<Http2Answer> {
  return new Promise((resolve, reject) => {
    const stream = session.request(headers)
    let answer: IncomingHttpHeaders = {}
    let body = ''
    stream.setEncoding('utf8')
    stream.on('response', headers => { answer = headers })
    stream.on('data', chunk => { body += chunk })
    stream.on('end', () => resolve({ headers: answer, body }))
    stream.on('error', reject)
    stream.end()
  })
}

t.test('over TLS, as Traefik asks', async t => {
  const { cert, key } = await makePair()
  const dir = t.testdir({ 'verify.pem': cert, 'verify.key': key })
  const service = openService(t, trusting(issuer, { VERIFY_TLS_CERT: `${dir}/verify.pem`, VERIFY_TLS_KEY: `${dir}/verify.key` }))
  await service.decision.listen({ host: '127.0.0.1', port: 0 })
  const { port } = service.decision.server.address() as AddressInfo
  const authorization = `Bearer ${issuer.token()}`
  const trust = { ca: cert, servername: 'localhost' }
  const openSession = (t: { teardown: (end: () => void) => void }) => {
    const session = connect(`https://127.0.0.1:${port}`, trust)
    t.teardown(() => session.destroy())
    return session
  }

  const openPlain = async (t: Test) => {
    const service = openService(t, trusting(issuer))
    await service.decision.listen({ host: '127.0.0.1', port: 0 })
    return (service.decision.server.address() as AddressInfo).port
  }

  await t.test('HTTP/2 carries many decisions on one connection', async t => {
    const session = openSession(t)
    const answers = await Promise.all(Array.from({ length: 50 }, () => ask(session, { ':path': '/decision', ...forwarded('/mcp'), authorization })))
    for (const { headers } of answers) t.match(headers, { ':status': 200, 'x-tenant-id': 'acme', 'x-identity-assertion': String })
    t.match((await ask(session, { ':path': '/decision', ...forwarded('/mcp') })).headers, { ':status': 401, 'www-authenticate': /^Bearer / })
  })

  await t.test('two headers of one kind are 400', async t => {
    const session = openSession(t)
    t.match((await ask(session, { ':path': '/decision', ...forwarded('/mcp'), 'x-api-key': ['one', 'two'] })).headers, { ':status': 400 })
    const plain = await openPlain(t)
    const headers = [...Object.entries(forwarded('/mcp')).flat(), 'Authorization', 'Bearer garbage', 'AUTHORIZATION', authorization, 'Host', 'verify']
    const status = await new Promise((resolve, reject) => {
      httpRequest({ host: '127.0.0.1', port: plain, path: '/decision', headers }, response => { response.resume().on('end', () => resolve(response.statusCode)) }).on('error', reject).end()
    })
    t.equal(status, 400, 'over HTTP/1.1 without TLS, as on one machine')
  })

  await t.test('a stop answers what is in flight and does not wait for the peer to hang up', async t => {
    const session = openSession(t)
    // An unknown key makes this decision wait for its issuer.
    const { promise: asked, resolve } = Promise.withResolvers<ServerResponse>()
    issuer.answer = (_request, response) => resolve(response)
    const inFlight = ask(session, { ':path': '/decision', ...forwarded('/mcp'), authorization: `Bearer ${issuer.token({}, { kid: 'unknown' })}` })
    const held = await asked
    const hungUp = once(session, 'close')
    const stopped = service.decision.close()
    held.writeHead(500).end('{}')
    t.match((await inFlight).headers, { ':status': 503, 'retry-after': /^\d+$/ })
    await Promise.all([stopped, hungUp])
  })
})
