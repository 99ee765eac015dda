import t from 'tap'
import { openGateway, unique } from '../support/gateway.ts'
import { createSend, type Answer } from '../support/https.ts'
import { modernMessage, toolCalls } from '../support/rpc.ts'
import { claimsOf, headerOf, hmacWithPublicKey, signedByStranger, tampered, unsigned } from '../support/tokens.ts'

const gateway = openGateway()
const tenant = unique('acme')
const ada = await gateway.person({ tenant })
const now = () => Math.floor(Date.now() / 1000)

const call = (headers: Record<string, string>): Promise<Answer> => gateway.send({ path: '/tools/falkordb_health', body: {}, headers })
const bearer = (token: string) => call({ authorization: `Bearer ${token}` })

/** The published key that signed this token. */
async function publicKey () {
  const { json } = await createSend(gateway.issuerAccess.url, gateway.caFile)({ path: '/jwks' })
  const { kid } = headerOf(ada.token)
  return json.keys.find((key: { kid: string }) => key.kid === kid)
}

t.test('a good token opens every door', async t => {
  t.equal((await bearer(ada.token)).status, 200)
  for (const [era, request] of toolCalls('falkordb_health')) t.equal((await ada.send(request)).status, 200, era)
  t.equal((await ada.send({ path: '/api/mcp/graphs' })).status, 200)
  t.equal((await ada.send({ path: '/verify' })).status, 200)
})

t.test('6: no bad token opens any door, and the answer says that it was the token', async t => {
  const key = await publicKey()
  t.ok(key, 'the issuer publishes the key that signed')
  const usual = { tenant_id: tenant, sub: 'ada', scope: 'graph:read' }
  const [header, claims, signature] = ada.token.split('.') as [string, string, string]
  const bad: Record<string, string> = {
    'garbled: no JWT at all': 'garbage',
    'garbled: three parts of nothing': 'a.b.c',
    'garbled: half a signature': `${header}.${claims}.${signature.slice(0, signature.length / 2)}`,
    'garbled: no signature': `${header}.${claims}.`,
    'garbled: a fourth part': `${ada.token}.x`,
    'garbled: 10 KB': 'x'.repeat(10_000),
    'another tenant under the old signature': tampered(ada.token, { tenant_id: 'bob' }),
    expired: await gateway.mint({ ...usual, exp: now() - 120, iat: now() - 600 }),
    'not yet valid': await gateway.mint({ ...usual, nbf: now() + 600 }),
    'for a foreign audience': await gateway.mint({ ...usual, aud: 'https://other.example/mcp' }),
    'for the origin alone': await gateway.mint({ ...usual, aud: gateway.url }),
    'for no audience': await gateway.mint({ ...usual, aud: undefined }),
    'without expiry': await gateway.mint({ ...usual, exp: undefined }),
    'of another type of JWT': await gateway.mint(usual, { typ: 'logout+jwt' }),
    'under a key id that nobody published': await gateway.mint(usual, { kid: 'nobody' }),
    'with a critical extension': await gateway.mint(usual, { crit: ['b64'], b64: true }),
    'naming a foreign issuer': await gateway.mint({ ...usual, iss: 'https://evil.example' }),
    'of a foreign issuer': signedByStranger(ada.token, { iss: 'https://evil.example' }),
    'signed by a stranger under our key id': signedByStranger(ada.token),
    'signed by a stranger whose key comes along': signedByStranger(ada.token, {}, true),
    'alg none': unsigned(ada.token),
    'alg None': unsigned(ada.token, 'None'),
    'alg nOnE': unsigned(ada.token, 'nOnE'),
    'HS256 with the public key in PEM for a secret': hmacWithPublicKey(ada.token, key, 'pem'),
    'HS256 with the public key in JSON for a secret': hmacWithPublicKey(ada.token, key, 'jwk')
  }
  for (const [what, token] of Object.entries(bad)) {
    for (const path of ['/tools/falkordb_health', '/mcp', '/mcp/']) {
      const answer = await gateway.send({ path, body: modernMessage('tools/list').body, headers: { authorization: `Bearer ${token}` } })
      t.equal(answer.status, 401, `${what} at ${path}`)
      t.match(answer.json, { error: 'invalid_token', error_description: String }, what)
      t.match(answer.headers['www-authenticate'], /^Bearer .*error="invalid_token"/, what)
      t.match(answer.headers['www-authenticate'], `resource_metadata="${gateway.url}/.well-known/oauth-protected-resource/mcp"`, what)
      t.notMatch(answer.text + answer.headers['www-authenticate'], token, 'the token is not sent back')
    }
  }
})

t.test('no credential at all is 401 without an error code', async t => {
  for (const headers of [{}, { authorization: '' }] as Array<Record<string, string>>) {
    const answer = await call(headers)
    t.equal(answer.status, 401)
    t.notMatch(answer.headers['www-authenticate'], /error=/)
    t.equal(answer.headers['x-tenant-id'], undefined)
  }
})

t.test('a credential in another form is 401 as well', async t => {
  for (const authorization of ['Bearer', 'Bearer ', `Basic ${Buffer.from(`ada:${ada.token}`).toString('base64')}`, ada.token, `Token ${ada.token}`, `Bearer ${ada.token}, Bearer ${ada.token}`]) {
    const answer = await call({ authorization })
    t.ok([400, 401].includes(answer.status), `${authorization.slice(0, 12)}… is ${answer.status}`)
  }
  const twice = await gateway.send({ method: 'POST', path: '/tools/falkordb_health', body: {}, headers: ['Authorization', 'Bearer garbage', 'Authorization', `Bearer ${ada.token}`] })
  t.ok([400, 401].includes(twice.status), `two Authorization headers are ${twice.status}`)
})

t.test('24: a token without a usable tenant is 403, never a shared graph', async t => {
  for (const tenantClaim of [undefined, '', null, 7, ['a', 'b'], {}, 'x'.repeat(129), '\ud800']) {
    const token = await gateway.mint({ sub: 'ada', scope: 'graph:read graph:write', tenant_id: tenantClaim })
    const answer = await bearer(token)
    t.equal(answer.status, 403, JSON.stringify(tenantClaim)?.slice(0, 20))
    t.match(answer.json, { error: { type: 'TenantError' }, requestId: String })
  }
})

t.test('10: a credential in the query string is 400 on every route, whether good or bad', async t => {
  for (const name of ['token', 'access_token', 'api_key']) {
    for (const path of ['/mcp', '/tools/falkordb_health', '/api/mcp/context']) {
      const answer = await gateway.send({ path: `${path}?${name}=${ada.token}`, body: {} })
      t.equal(answer.status, 400, `${path}?${name}=`)
      t.match(answer.text, 'invalid_request')
      t.notMatch(answer.text, ada.token)
    }
  }
  const both = await ada.send({ path: `/tools/falkordb_health?access_token=${ada.token}`, body: {} })
  t.equal(both.status, 400, 'beside a good header too')
})

t.test('/verify tells a client what its own token is worth, and hands out no identity headers', async t => {
  const answer = await ada.send({ path: '/verify' })
  t.match(answer.text, tenant)
  for (const name of ['x-tenant-id', 'x-user-id', 'x-client-id', 'x-auth-scopes', 'x-identity-assertion']) t.equal(answer.headers[name], undefined, name)
  t.equal((await gateway.send({ path: '/verify' })).status, 401)
  t.equal((await gateway.send({ path: '/verify', headers: { authorization: `Bearer ${unsigned(ada.token)}` } })).status, 401)
  t.notMatch(answer.text, String(claimsOf(ada.token).jti ?? ada.token), 'the token itself is not sent back')
})

t.test('MCP_API_KEY opens the door in either header, but not in both at once', async t => {
  const key = process.env.MCP_API_KEY
  if (!key) return t.fail('the stack under test must be started with MCP_API_KEY, and the tests know it')
  const byHeader = await gateway.send({ path: '/api/mcp/metadata', headers: { 'X-API-Key': key } })
  t.equal(byHeader.status, 200)
  t.equal(byHeader.json.tenant, process.env.MCP_API_KEY_TENANT)
  t.equal((await gateway.send({ path: '/api/mcp/metadata', headers: { authorization: `Bearer ${key}` } })).status, 200)
  t.equal((await gateway.send({ path: '/api/mcp/metadata', headers: { authorization: `Bearer ${key}`, 'X-API-Key': key } })).status, 400)
  t.equal((await ada.send({ path: '/api/mcp/metadata', headers: { 'X-API-Key': key } })).status, 400, 'nor beside a token')
  for (const wrong of [`${key}x`, key.slice(0, -1), key.toUpperCase(), '']) {
    const answer = await gateway.send({ path: '/api/mcp/metadata', headers: { 'X-API-Key': wrong } })
    t.equal(answer.status, 401, 'a wrong key')
  }
})
