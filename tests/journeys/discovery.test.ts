import t from 'tap'
import { openGateway, unique } from '../support/gateway.ts'
import { until } from '../support/until.ts'

const gateway = openGateway()
const metadataPaths = ['/.well-known/oauth-protected-resource', '/.well-known/oauth-protected-resource/mcp']

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

t.test('a client finds its way from the resource to the keys of the built-in sign-in, and the issuer is byte for byte the public URL', async t => {
  const { json: { authorization_servers: [server] } } = await gateway.send({ path: metadataPaths[1] as string })
  t.equal(server, gateway.url)
  for (const path of ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration']) {
    const { status, json } = await gateway.send({ path, headers: { 'X-Forwarded-Host': 'evil.example', 'X-Forwarded-Proto': 'http' } })
    t.equal(status, 200, path)
    t.equal(json.issuer, gateway.url)
    for (const name of ['authorization_endpoint', 'token_endpoint', 'registration_endpoint', 'jwks_uri']) t.ok(String(json[name]).startsWith(`${gateway.url}/`), `${path}: ${name} is ${json[name]}`)
  }
  const { json: { keys } } = await gateway.send({ path: '/.well-known/jwks.json' })
  t.ok(keys.length > 0)
  for (const key of keys) t.notOk('d' in key, 'no private part of a key')
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
  for (const path of ['/.well-known/oauth-authorization-server/mcp', '/.well-known/openid-configuration/mcp', '/mcp/.well-known/openid-configuration']) {
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
