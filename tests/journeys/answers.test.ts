/** Each refusal of the contract as a client gets it, to the byte where a client decides by it: status, body, headers. */
import t, { type Test } from 'tap'
import { openGateway, unique } from '../support/gateway.ts'
import { createSend, rpcMessage, type Answer, type Request } from '../support/https.ts'
import { legacyMessage, modernMessage } from '../support/rpc.ts'
import { signedByStranger, tampered, unsigned } from '../support/tokens.ts'

const gateway = openGateway()
// Set by the runner for the stack under test.
const origin = String(process.env.ALLOWED_ORIGINS).split(',')[0] as string
const user = unique('ada')
const ada = await gateway.person({ user })
const reader = await gateway.person({ user: unique('reader'), scope: 'graph:read' })
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const mint = (claims: Record<string, unknown>) => gateway.mint({ tenant_id: ada.tenant, sub: user, scope: 'graph:read', ...claims })

/** The ways in: a call, under the token or other headers that are tried. */
const ways: Record<string, Request> = {
  'POST /mcp, 2025': legacyMessage('tools/list'),
  'POST /mcp, 2026-07-28': modernMessage('tools/list'),
  'GET /mcp': { path: '/mcp', headers: { accept: 'text/event-stream' } },
  'REST, GET': { path: '/api/mcp/graphs' },
  'REST, POST': { path: '/tools/falkordb_health', body: {} }
}

const metadata = `resource_metadata="${gateway.url}/.well-known/oauth-protected-resource/mcp"`
/** RFC 6750 section 3.1: who sends no credential is told no error code. */
const challenge = `Bearer ${metadata}, scope="graph:read graph:write"`
/** RFC 6750 section 3 and RFC 9728 section 5.1, in any order. */
const invalidToken = [/^Bearer /, /error="invalid_token"/, /error_description="[^"]+"/, new RegExp(metadata.replace(/[/.?]/g, '\\$&')), /scope="graph:read graph:write"/]

interface Refusal {
  headers: Record<string, string> | readonly string[]
  status: number
  /** Of a 401: the body of OAuth, and what WWW-Authenticate says. */
  challenge?: string | RegExp[]
  type?: string
  code?: string
  query?: string
}

const refusals: Record<string, Refusal> = {
  'no credential': { headers: {}, status: 401, challenge },
  'an empty one': { headers: { authorization: '' }, status: 401, challenge },
  'another scheme': { headers: { authorization: 'Basic YWRhOmFkYQ==' }, status: 401, challenge },
  'no token at all': { headers: bearer('garbage'), status: 401, challenge: invalidToken },
  'an unknown API key': { headers: { 'x-api-key': 'garbage' }, status: 401, challenge: invalidToken },
  'an expired token': { headers: bearer(await mint({ iat: 1_000_000_000, exp: 1_000_000_600 })), status: 401, challenge: invalidToken },
  'a token for another audience': { headers: bearer(await mint({ aud: 'https://elsewhere.example' })), status: 401, challenge: invalidToken },
  'a token of an unknown issuer': { headers: bearer(await mint({ iss: 'https://elsewhere.example' })), status: 401, challenge: invalidToken },
  'a token without a signature': { headers: bearer(unsigned(ada.token)), status: 401, challenge: invalidToken },
  'a stranger\'s signature': { headers: bearer(signedByStranger(ada.token)), status: 401, challenge: invalidToken },
  'a claim changed': { headers: bearer(tampered(ada.token, { tenant_id: 'bob' })), status: 401, challenge: invalidToken },
  'no tenant in the token': { headers: bearer(await mint({ tenant_id: undefined })), status: 403, type: 'TenantError', code: 'tenant_missing' },
  'a tenant that the token does not grant': { headers: { ...ada.headers, 'x-requested-tenant': 'bob' }, status: 403, type: 'TenantError', code: 'tenant_not_granted' },
  'a foreign Origin': { headers: { ...ada.headers, origin: 'https://evil.example' }, status: 403, type: 'ForbiddenError', code: 'origin_not_allowed' },
  'a foreign Host': { headers: { ...ada.headers, host: 'evil.example' }, status: 403, type: 'ForbiddenError', code: 'host_not_allowed' },
  'a credential in the query string': { headers: ada.headers, query: '?access_token=SENTINEL', status: 400, type: 'ValidationError', code: 'invalid_request' },
  'a token and an API key': { headers: { ...ada.headers, 'x-api-key': 'x' }, status: 400, type: 'ValidationError', code: 'invalid_request' },
  'two tokens': { headers: ['Authorization', `Bearer ${ada.token}`, 'Authorization', `Bearer ${ada.token}`], status: 400, type: 'ValidationError', code: 'invalid_request' }
}

/** What every refusal has, whatever it refuses. */
function isRefusal (t: Test, answer: Answer, path: string, readableBy: string | undefined, { status, challenge, type, code }: Refusal) {
  const { headers, json, text } = answer
  t.equal(answer.status, status, text)
  t.match(headers['content-type'], /^application\/json/)
  t.equal(headers['cache-control'], 'no-store')
  t.match(headers['x-request-id'], /^[0-9a-f-]{36}$/)
  t.equal(headers['access-control-allow-origin'], readableBy, 'who may read it')
  if (readableBy !== undefined) {
    t.match(headers.vary, /origin/i)
    const exposed = String(headers['access-control-expose-headers']).toLowerCase().split(/, */)
    for (const name of ['www-authenticate', 'retry-after', 'x-request-id', 'mcp-session-id']) t.ok(exposed.includes(name), `${name} is exposed`)
  }
  for (const name of ['x-tenant-id', 'x-identity-assertion', 'server', 'x-powered-by']) t.equal(headers[name], undefined, name)
  t.notMatch(text, /SENTINEL|127\.0\.0\.1|node_modules|eyJ/)
  if (status === 401) {
    t.strictSame(Object.keys(json).sort(), ['error', 'error_description'])
    t.equal(json.error, 'invalid_token')
    const told = String(headers['www-authenticate'])
    if (typeof challenge === 'string') t.equal(told, challenge)
    else for (const pattern of challenge ?? []) t.match(told, pattern)
    return
  }
  t.strictSame(Object.keys(json).sort(), ['error', 'path', 'requestId', 'tenant', 'timestamp'])
  t.match(json, { error: { type, code, message: String }, path, requestId: headers['x-request-id'] })
  t.equal(new Date(json.timestamp).toISOString(), json.timestamp)
}

for (const [what, refusal] of Object.entries(refusals)) {
  t.test(`${what} is ${refusal.status}`, async t => {
    for (const [way, request] of Object.entries(ways)) {
      await t.test(way, async t => {
        const tried = Array.isArray(refusal.headers) ? [...Object.entries(request.headers ?? {}).flat(), ...refusal.headers, 'Origin', origin] : { ...request.headers as Record<string, string>, origin, ...refusal.headers as Record<string, string> }
        const answer = await gateway.send({ ...request, path: `${request.path}${refusal.query ?? ''}`, headers: tried })
        isRefusal(t, answer, request.path, what === 'a foreign Origin' ? undefined : origin, refusal)
      })
    }
  })
}

t.test('a scope that lacks is 403 with all scopes that the call needs, in both eras and REST', async t => {
  const args = { graphName: 'g', query: 'CREATE (:A)' }
  for (const [way, request] of Object.entries({
    2025: legacyMessage('tools/call', { name: 'falkordb_query', arguments: args }),
    '2026-07-28': modernMessage('tools/call', { name: 'falkordb_query', arguments: args }),
    REST: { path: '/tools/falkordb_query', body: args } as Request
  })) {
    const answer = await reader.send({ ...request, headers: { ...request.headers as Record<string, string>, origin } })
    t.equal(answer.status, 403, way)
    t.match(answer.headers['www-authenticate'], /^Bearer .*error="insufficient_scope".*scope="[^"]*graph:write/)
    t.match(answer.headers['www-authenticate'], metadata)
    t.equal(answer.headers['access-control-allow-origin'], origin)
  }
})

t.test('what is no way in is told so', async t => {
  for (const [request, expected] of [
    [{ path: '/nowhere' }, { status: 404, type: 'NotFoundError', code: 'route_not_found' }],
    [{ path: '/decision' }, { status: 404, type: 'NotFoundError', code: 'route_not_found' }],
    [{ path: '/too-many-requests?url=https://evil.example/x' }, { status: 404, type: 'NotFoundError', code: 'route_not_found' }],
    [{ path: '/verify', body: {} }, { status: 405, type: 'ValidationError', code: 'method_not_allowed' }],
    [{ path: '/verify', method: 'DELETE' }, { status: 405, type: 'ValidationError', code: 'method_not_allowed' }]
  ] as Array<[Request, Omit<Refusal, 'headers'>]>) {
    const answer = await gateway.send({ ...request, headers: { ...ada.headers, origin } })
    isRefusal(t, answer, request.path.split('?')[0] as string, origin, { headers: {}, ...expected })
    if (expected.status === 405) t.equal(answer.headers.allow, 'GET, HEAD')
  }
})

t.test('a good call is answered by the same rules', async t => {
  for (const [way, request] of Object.entries(ways)) {
    if (way === 'GET /mcp') continue
    const answer = await ada.send({ ...request, headers: { ...request.headers as Record<string, string>, origin } })
    t.equal(answer.status, 200, `${way}: ${answer.text}`)
    t.equal(answer.headers['access-control-allow-origin'], origin)
    t.match(answer.headers['x-request-id'], /^[0-9a-f-]{36}$/)
    for (const name of ['x-tenant-id', 'x-identity-assertion', 'authorization']) t.equal(answer.headers[name], undefined, name)
    if (way.startsWith('POST /mcp')) t.ok(rpcMessage(answer).result.tools.length > 0)
  }
  const answer = await gateway.send({ path: '/verify', headers: { ...ada.headers, origin } })
  t.equal(answer.status, 200)
  t.equal(answer.headers['cache-control'], 'no-store')
  t.match(answer.json, { tenant: ada.tenant, user })
})

const container = gateway.mode === 'compose' && 'all clients have one address before containers'
t.test('429: who sends too much at once is told when to come back, and nobody else is shut out', { skip: container }, async t => {
  // An address that no other test has.
  const flood = createSend(gateway.url, gateway.caFile, '127.9.9.9')
  let refused: Answer | undefined
  for (let round = 0; refused === undefined && round < 40; round++) {
    const answers = await Promise.all(Array.from({ length: 250 }, () => flood({ ...legacyMessage('tools/list'), headers: { origin, accept: 'application/json, text/event-stream' } })))
    refused = answers.find(({ status }) => status === 429)
  }
  isRefusal(t, refused as Answer, '/mcp', origin, { headers: {}, status: 429, type: 'RateLimitError', code: 'too_many_requests' })
  t.match(refused?.headers['retry-after'], /^[1-9]\d*$/)
  t.equal((refused as Answer).json.tenant, null)
  t.equal((await gateway.send({ path: '/health' })).status, 200)
  t.equal((await flood({ method: 'OPTIONS', path: '/mcp', headers: { origin, 'Access-Control-Request-Method': 'POST' } })).headers['access-control-allow-origin'], origin, 'preflight is not counted')
})
