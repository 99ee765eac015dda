import t from 'tap'
import { openGateway, unique } from '../support/gateway.ts'
import type { Request } from '../support/https.ts'
import { until } from '../support/until.ts'

const gateway = openGateway()
const metadataPaths = ['/.well-known/oauth-protected-resource', '/.well-known/oauth-protected-resource/mcp']
const serverPaths = ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration']
// Set by the runner for the stack under test.
const allowed = String(process.env.ALLOWED_ORIGINS).split(',')[0] as string
/** How a request may lie about the way that it came. */
const forgeries: Array<Record<string, string>> = [
  { 'X-Forwarded-Host': 'evil.example', 'X-Forwarded-Proto': 'http', 'X-Forwarded-Port': '1' },
  { 'X-Original-Host': 'evil.example', 'X-Host': 'evil.example', Forwarded: 'host=evil.example;proto=http' },
  { 'X-Forwarded-Prefix': '/evil', 'X-Forwarded-Uri': '/evil', 'X-Original-Url': '/evil', 'X-Rewrite-Url': '/evil' }
]

t.test('1: a client without a token reads how to sign in', async t => {
  for (const path of metadataPaths) {
    const answer = await gateway.send({ path })
    t.equal(answer.status, 200, path)
    t.match(answer.headers['content-type'], /^application\/json/)
    t.ok(answer.json.authorization_servers.length > 0, 'names at least one authorization server')
    t.notOk(answer.json.scopes_supported.includes('offline_access'), 'offline_access is not asked for')
  }
})

t.test('2: the root and the path-inserted form are one document', async t => {
  const [root, inserted] = await Promise.all(metadataPaths.map(path => gateway.send({ path })))
  t.equal(root?.text, inserted?.text)
})

t.test('6: the resource is exactly the URL that a person types', async t => {
  const { json } = await gateway.send({ path: metadataPaths[1] as string })
  t.equal(json.resource, gateway.mcpUrl)
  t.strictSame(json.authorization_servers, [gateway.url, gateway.issuer], 'the built-in sign-in first')
})

t.test('1, 3, 5: a client finds its way from the resource to the authorization server, without a token, whatever host a request claims', async t => {
  const { json: { authorization_servers: [server] } } = await gateway.send({ path: metadataPaths[1] as string })
  t.equal(server, gateway.url)
  for (const path of serverPaths) {
    const honest = await gateway.send({ path })
    t.match(honest, { status: 200, headers: { 'content-type': /^application\/json/ } }, path)
    t.equal(honest.json.issuer, gateway.url, `${path}: the issuer is the public URL byte for byte (RFC 8414 section 3.3)`)
    for (const headers of forgeries) {
      const misled = await gateway.send({ path, headers })
      t.match({ status: misled.status, text: misled.text }, { status: 200, text: honest.text }, `${path} with ${JSON.stringify(headers)}`)
    }
  }
})

t.test('7: the metadata say what clients look for before they begin: S256, iss, both ways to be a client, no secret needed', async t => {
  for (const path of serverPaths) {
    const { json } = await gateway.send({ path })
    t.strictSame(json.code_challenge_methods_supported, ['S256'], path)
    t.strictSame(json.response_types_supported, ['code'])
    t.equal(json.authorization_response_iss_parameter_supported, true, 'RFC 9207')
    t.equal(json.client_id_metadata_document_supported, true)
    t.ok(json.registration_endpoint)
    for (const [list, wanted] of Object.entries({ token_endpoint_auth_methods_supported: ['none', 'client_secret_basic', 'private_key_jwt'], grant_types_supported: ['authorization_code', 'refresh_token', 'client_credentials'], scopes_supported: ['graph:read', 'graph:write', 'graph:admin'] })) {
      for (const value of wanted) t.ok(json[list].includes(value), `${path}: ${value} among ${list}`)
    }
    for (const grant of ['implicit', 'password']) t.notOk(json.grant_types_supported.includes(grant), `RFC 9700: no ${grant}`)
  }
})

t.test('every endpoint that the metadata name is here and answers, and none is named that is not', async t => {
  const byGet = ['authorization_endpoint', 'jwks_uri']
  for (const path of serverPaths) {
    const { json } = await gateway.send({ path })
    const named = Object.entries(json as Record<string, unknown>).filter(([name, value]) => /_(?:endpoint|uri)$/.test(name) && typeof value === 'string') as Array<[string, string]>
    t.strictSame(named.map(([name]) => name).sort(), ['authorization_endpoint', 'introspection_endpoint', 'jwks_uri', 'registration_endpoint', 'revocation_endpoint', 'token_endpoint'], path)
    for (const [name, endpoint] of named) {
      t.ok(endpoint.startsWith(`${gateway.url}/`), `${name} is ${endpoint}`)
      const { status } = await gateway.send(byGet.includes(name) ? { path: endpoint.slice(gateway.url.length) } : { method: 'POST', path: endpoint.slice(gateway.url.length), headers: { 'Content-Type': 'application/x-www-form-urlencoded' }, body: 'x=y' })
      t.ok(status !== 404 && status !== 405 && status < 500, `${name} answers ${status}`)
    }
  }
  const { json: { keys } } = await gateway.send({ path: '/.well-known/jwks.json' })
  t.ok(keys.length > 0)
  for (const key of keys) for (const part of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) t.notOk(part in key, `no ${part}, which is private`)
})

t.test('an app in a browser may discover, register and get tokens from an allowed origin, and from no other', async t => {
  const requests: Array<[path: string, method: string, request: Omit<Request, 'path'>]> = [
    ...[...serverPaths, '/.well-known/jwks.json'].map(path => [path, 'GET', {}] as [string, string, object]),
    ['/register', 'POST', { body: { redirect_uris: ['https://app.example/callback'], token_endpoint_auth_method: 'none' } }],
    ...['/token', '/revoke'].map(path => [path, 'POST', { headers: { 'Content-Type': 'application/x-www-form-urlencoded' }, body: 'client_id=nobody' }] as [string, string, object])
  ]
  const origins: Array<[origin: string, answer: string | undefined]> = [[allowed, allowed], [gateway.url, gateway.url], ...['https://evil.example', 'null', `${allowed}.evil.example`].map(origin => [origin, undefined] as [string, undefined])]
  for (const [path, method, request] of requests) {
    for (const [origin, wanted] of origins) {
      const what = `${method} ${path} from ${origin}`
      const preflight = await gateway.send({ method: 'OPTIONS', path, headers: { Origin: origin, 'Access-Control-Request-Method': method, 'Access-Control-Request-Headers': 'authorization, content-type, mcp-protocol-version' } })
      t.ok(preflight.status < 300, `${what}: preflight ${preflight.status}`)
      t.equal(preflight.headers['access-control-allow-origin'], wanted, `${what}: preflight`)
      const answer = await gateway.send({ ...request, method, path, headers: { ...request.headers as Record<string, string>, Origin: origin } })
      t.equal(answer.headers['access-control-allow-origin'], wanted, what)
      t.equal(answer.headers['access-control-allow-credentials'], undefined, `${what}: no cookies`)
    }
  }
})

t.test('29: what stands in the paths of a sign-in is in no log of Traefik', async t => {
  const secret = unique('Sentinel')
  for (const path of [`/register/${secret}`, `/authorize/${secret}`, `/interaction/${secret}`, `/callback/${secret}`, `/account/${secret}`]) t.ok((await gateway.send({ path })).status < 500, path)
  const marked = unique('/seen')
  await gateway.send({ path: marked })
  await until('the log', async () => (await gateway.logs('traefik')).includes(marked))
  t.notMatch(await gateway.logs('traefik'), secret)
})

t.test('a 401 leads to that document, and the document to the issuer of the tokens', async t => {
  const refused = await gateway.send({ method: 'POST', path: '/mcp', body: {} })
  t.equal(refused.status, 401)
  const [, url] = /resource_metadata="([^"]+)"/.exec(String(refused.headers['www-authenticate'])) ?? []
  t.equal(url, `${gateway.url}${metadataPaths[1]}`)
  t.match(refused.headers['www-authenticate'], /scope="graph:read graph:write"/)
  t.notMatch(refused.headers['www-authenticate'], /error=/, 'RFC 6750 section 3.1: no error code where no credential was sent')
  const { json } = await gateway.send({ path: new URL(String(url)).pathname })
  t.equal(json.resource, gateway.mcpUrl)
})

t.test('5: public URLs come from configuration, whatever host a request claims', async t => {
  const forged = { 'X-Forwarded-Host': 'evil.example', 'X-Forwarded-Proto': 'http', 'X-Forwarded-Port': '1', 'X-Original-Host': 'evil.example', Forwarded: 'host=evil.example;proto=http' }
  const honest = await gateway.send({ path: metadataPaths[0] as string })
  const misled = await gateway.send({ path: metadataPaths[0] as string, headers: forged })
  t.equal(misled.status, 200)
  t.equal(misled.text, honest.text)
  const refused = await gateway.send({ method: 'POST', path: '/mcp', body: {}, headers: forged })
  t.equal(refused.status, 401)
  t.match(refused.headers['www-authenticate'], `resource_metadata="${gateway.url}/`)
  t.notMatch(JSON.stringify(refused), 'evil.example')
})

t.test('3: forms of the metadata paths that are not these are a JSON 404 and never a 5xx', async t => {
  // RFC 8414 section 3.1: the path of an issuer goes behind the well-known name; this one has none.
  for (const path of [...serverPaths.flatMap(path => [`${path}/mcp`, `${path}/`, `${path}/mcp/`, `/mcp${path}`]), '/.well-known/jwks.json/mcp', '/.well-known/', '/jwks', '/.well-known/webfinger']) {
    for (const method of ['GET', 'POST']) {
      const answer = await gateway.send({ method, path, ...(method === 'POST' && { body: {} }) })
      t.equal(answer.status, 404, `${method} ${path}`)
      t.equal(answer.json?.error?.type, 'NotFoundError', `${method} ${path} in JSON`)
    }
  }
})

t.test('what is not built yet, and what nobody ever promised, is a JSON 404', async t => {
  for (const path of ['/', '/decision', '/metrics', '/live', '/ready', '/api/mcp/graphs/x', '/favicon.ico']) {
    const answer = await gateway.send({ path })
    t.equal(answer.status, 404, path)
    t.match(answer.json, { error: { type: 'NotFoundError', code: 'route_not_found' }, path, requestId: String }, path)
  }
})

t.test('health is public and says nothing of the inside', async t => {
  const answer = await gateway.send({ path: '/health' })
  t.equal(answer.status, 200)
  t.notMatch(answer.text, /127\.0\.0\.1|redis:|:\d{4}/)
})
