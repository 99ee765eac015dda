import t from 'tap'
import { createIdentityReader } from '@gateway/common/identity.ts'
import { forwarded, openService, publicUrl, secret, startIssuer, trusting } from '../test-support.ts'

const issuer = await startIssuer(t)
const key = 'key-0123456789abcdefghijklmnopqrstuvwxyz'
const origin = 'https://app.example.com'
const service = openService(t, trusting(issuer, { MCP_API_KEY: key, MCP_API_KEY_TENANT: 'ops', MCP_API_KEY_SCOPES: 'graph:read', ALLOWED_ORIGINS: origin }))
const token = issuer.token()
const authorization = `Bearer ${token}`
const identityNames = ['x-tenant-id', 'x-user-id', 'x-client-id', 'x-auth-scopes', 'x-identity-assertion']

t.test('14: the tool service can read from the answer who is calling', async t => {
  const answer = await service.ask({ authorization })
  t.equal(answer.statusCode, 200)
  t.equal(answer.body, '')
  t.strictSame(createIdentityReader([secret])(answer.headers as Record<string, string>), {
    tenantId: 'acme', userId: 'ada', clientId: 'laptop', scopes: ['graph:read', 'graph:write'], issuer: issuer.url
  })
  t.equal(answer.headers['cache-control'], 'no-store')
})

t.test('14: headers that a client sends change nothing: not the identity, not the request id', async t => {
  const forged = { 'x-tenant-id': 'bob', 'x-user-id': 'bob', 'x-auth-scopes': 'graph:admin', 'x-identity-assertion': 'forged', 'x-request-id': 'forged-request-id' }
  const answer = await service.ask({ authorization, ...forged })
  t.match(answer.headers, { 'x-tenant-id': 'acme', 'x-user-id': 'ada', 'x-auth-scopes': 'graph:read graph:write' })
  t.match(answer.headers['x-request-id'], /^[0-9a-f-]{36}$/)
  const again = await service.ask({ authorization })
  t.not(answer.headers['x-request-id'], again.headers['x-request-id'])
})

t.test('14: a tenant and a subject of any characters arrive as themselves, in plain headers', async t => {
  const answer = await service.bearer(issuer.token({ tenant_id: 'a_b/ü', sub: 'ada\r\nx-tenant-id: bob', client_id: 'café' }))
  t.match(answer.headers, { 'x-tenant-id': 'a=5Fb=2F=C3=BC', 'x-user-id': 'ada%0D%0Ax-tenant-id%3A%20bob', 'x-client-id': 'caf%C3%A9' })
})

t.test('whatever method Traefik asks with, the answer is the same and no body is read', async t => {
  for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const) {
    const body = method === 'POST' ? { payload: '{ not json', headers: { 'content-type': 'application/json' } } : {}
    const answer = await service.decision.inject({ method, url: '/decision', ...body, headers: { ...body.headers, ...forwarded('/mcp'), authorization } })
    t.equal(answer.statusCode, 200, method)
  }
  t.equal((await service.decision.inject({ url: '/mcp', headers: { authorization } })).statusCode, 404, 'nothing else is there')
  t.equal((await service.decision.inject({ url: '/verify', headers: { authorization } })).statusCode, 404)
})

t.test('10: a credential in the query string is 400, whether good or bad, and stands in no log line', async t => {
  for (const uri of ['/mcp?token=SENTINEL', '/mcp?a=1&access_token=SENTINEL', '/tools/x?API_KEY=SENTINEL', '/mcp?apiKey=SENTINEL', '/mcp?x-api-key=SENTINEL', '/mcp?a=1;token=SENTINEL', '/mcp?%74oken=SENTINEL', '/mcp?token[]=SENTINEL', '/mcp?jwt=SENTINEL', '/mcp?token', '/mcp?a?&token=SENTINEL']) {
    for (const headers of [{}, { authorization }] as Array<Record<string, string>>) {
      const answer = await service.ask(headers, uri)
      t.equal(answer.statusCode, 400, uri)
      t.match(answer.json(), { error: { type: 'ValidationError', code: 'invalid_request' }, path: uri.split('?')[0] })
      t.notMatch(answer.body, 'SENTINEL')
    }
  }
  for (const uri of ['/mcp?tokens=3', '/mcp?cursor=token', '/tools/token', '/mcp?', '/mcp?page=1&limit=2']) t.equal((await service.ask({ authorization }, uri)).statusCode, 200, uri)
  t.notOk(service.lines.some(line => line.includes('SENTINEL')))
})

t.test('13: only the public host is answered', async t => {
  const withHost = (host: string) => service.ask({ authorization, 'x-forwarded-host': host })
  for (const host of ['graphs.example.com', 'graphs.example.com:443', 'GRAPHS.example.com']) t.equal((await withHost(host)).statusCode, 200, host)
  for (const host of ['evil.example', 'graphs.example.com.evil.example', 'graphs.example.com:8443', '127.0.0.1', '', 'graphs.example.com, evil.example']) {
    const answer = await withHost(host)
    t.equal(answer.statusCode, 403, host)
    t.match(answer.json(), { error: { type: 'ForbiddenError', code: 'host_not_allowed' } })
  }
  t.equal((await service.decision.inject({ url: '/decision', headers: { authorization } })).statusCode, 403, 'who does not say the host is not Traefik')
})

t.test('13: a program without Origin and the pages of configured origins pass, a foreign Origin is 403', async t => {
  for (const allowed of [publicUrl, origin]) t.equal((await service.ask({ authorization, origin: allowed })).statusCode, 200, allowed)
  for (const foreign of ['https://evil.example', 'null', '', 'http://app.example.com', `${origin}.evil.example`, `${origin}/`, `${origin}:8443`, `${origin}, https://evil.example`]) {
    const answer = await service.ask({ authorization, origin: foreign })
    t.equal(answer.statusCode, 403, foreign)
    t.match(answer.json(), { error: { type: 'ForbiddenError', code: 'origin_not_allowed' } })
  }
  t.equal((await service.ask({ origin: 'https://evil.example' })).statusCode, 403, 'before any credential is looked at')
})

t.test('no credential is 401 that leads to the sign-in, without an error code', async t => {
  for (const headers of [{}, { authorization: '' }, { authorization: 'Bearer' }, { authorization: 'Bearer ' }, { authorization: 'Basic YWRhOmFkYQ==' }, { authorization: token }, { 'x-api-key': '' }] as Array<Record<string, string>>) {
    const answer = await service.ask(headers)
    t.equal(answer.statusCode, 401, JSON.stringify(headers))
    t.equal(answer.headers['www-authenticate'], `Bearer resource_metadata="${publicUrl}/.well-known/oauth-protected-resource/mcp", scope="graph:read graph:write"`)
    t.match(answer.json(), { error: 'invalid_token', error_description: /Authorization: Bearer/ })
    for (const name of identityNames) t.equal(answer.headers[name], undefined)
  }
})

t.test('CHALLENGE_SCOPES are asked for as they are written', async t => {
  const service = openService(t, trusting(issuer, { CHALLENGE_SCOPES: 'api://graphs/read offline' }))
  t.match((await service.ask()).headers['www-authenticate'], 'scope="api://graphs/read offline"')
})

t.test('more than one credential is 400', async t => {
  for (const headers of [{ authorization, 'x-api-key': key }, { authorization: `Bearer ${key}`, 'x-api-key': key }, { authorization: `${authorization}, ${authorization}` }] as Array<Record<string, string>>) {
    const answer = await service.ask(headers)
    t.equal(answer.statusCode, 400, Object.keys(headers).join())
    t.match(answer.json(), { error: { type: 'ValidationError', code: 'invalid_request' } })
  }
})

t.test('an API key opens the door of its tenant with its scopes, in either header', async t => {
  const expected = { 'x-tenant-id': 'ops', 'x-user-id': 'api-key', 'x-client-id': 'api-key', 'x-auth-scopes': 'graph:read' }
  for (const headers of [{ 'x-api-key': key }, { authorization: `Bearer ${key}` }, { authorization: `bearer   ${key}` }] as Array<Record<string, string>>) {
    const answer = await service.ask(headers)
    t.equal(answer.statusCode, 200, Object.keys(headers).join())
    t.match(answer.headers, expected)
  }
  for (const wrong of [`${key}x`, key.slice(0, -1), key.toUpperCase(), 'x']) {
    for (const headers of [{ 'x-api-key': wrong }, { authorization: `Bearer ${wrong}` }] as Array<Record<string, string>>) {
      const answer = await service.ask(headers)
      t.equal(answer.statusCode, 401)
      t.match(answer.headers['www-authenticate'], 'error="invalid_token"')
    }
  }
  t.equal((await service.ask({ 'x-api-key': token })).statusCode, 401, 'a token is no API key')
  t.equal((await service.ask({ 'x-api-key': 'x'.repeat(9000) })).statusCode, 401)
  t.match((await service.metrics('auth_decisions_total{outcome="allowed"')).join(), 'issuer="api-key"')
})

t.test('where no API key is configured none is right', async t => {
  const service = openService(t, trusting(issuer))
  for (const value of ['undefined', 'null', key]) {
    t.equal((await service.ask({ 'x-api-key': value })).statusCode, 401)
    t.equal((await service.ask({ authorization: `Bearer ${value}` })).statusCode, 401)
  }
})

t.test('with an API key alone, every token is of an unknown issuer', async t => {
  const service = openService(t, { MCP_API_KEY: key, ENABLE_MULTI_TENANCY: 'false' })
  t.match((await service.ask({ 'x-api-key': key })).headers, { 'x-tenant-id': 'default', 'x-auth-scopes': 'graph:read graph:write' })
  t.match((await service.bearer(token)).json(), { error: 'invalid_token', error_description: /issuer/ })
  t.match(await service.health.ready(), { ready: true })
})
