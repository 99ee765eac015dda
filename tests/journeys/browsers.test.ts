import t from 'tap'
import { openGateway } from '../support/gateway.ts'
import { toolCalls } from '../support/rpc.ts'

const gateway = openGateway()
const ada = await gateway.person()
// Set by the runner for the stack under test.
const allowed = String(process.env.ALLOWED_ORIGINS).split(',')[0] as string
const foreign = 'https://evil.example'
const preflight = (path: string, origin: string, method = 'POST') => gateway.send({
  method: 'OPTIONS', path, headers: { Origin: origin, 'Access-Control-Request-Method': method, 'Access-Control-Request-Headers': 'authorization, mcp-protocol-version, mcp-method, mcp-name, mcp-session-id, content-type' }
})

t.test('CORS preflight is answered before authentication, for configured origins', async t => {
  for (const path of ['/mcp', '/mcp/', '/api/mcp/context', '/tools/falkordb_query', '/.well-known/oauth-protected-resource/mcp', '/verify']) {
    const answer = await preflight(path, allowed)
    t.ok([200, 204].includes(answer.status), `${path} is ${answer.status}`)
    t.equal(answer.headers['access-control-allow-origin'], allowed, path)
    const headers = String(answer.headers['access-control-allow-headers']).toLowerCase()
    for (const name of ['authorization', 'mcp-protocol-version', 'mcp-method', 'mcp-name', 'mcp-session-id']) t.match(headers, name, path)
    t.match(answer.headers['access-control-allow-methods'], 'POST')
  }
})

t.test('CORS preflight gives a foreign origin nothing', async t => {
  for (const origin of [foreign, 'null', `${allowed}.evil.example`, allowed.replace('https', 'http')]) {
    const answer = await preflight('/mcp', origin)
    t.equal(answer.headers['access-control-allow-origin'], undefined, origin)
  }
})

t.test('a browser can read a 401: where to sign in is exposed to it', async t => {
  const answer = await gateway.send({ path: '/mcp', body: {}, headers: { Origin: allowed } })
  t.equal(answer.status, 401)
  t.equal(answer.headers['access-control-allow-origin'], allowed)
  t.match(String(answer.headers['access-control-expose-headers']).toLowerCase(), 'www-authenticate')
  t.match(String(answer.headers['access-control-expose-headers']).toLowerCase(), 'mcp-session-id')
})

t.test('13: the public host and configured origins pass, a foreign Origin is 403', async t => {
  for (const [era, request] of toolCalls('falkordb_health')) {
    const withOrigin = (origin: string) => ada.send({ ...request, headers: { ...request.headers as Record<string, string>, Origin: origin } })
    for (const origin of [gateway.url, allowed]) t.equal((await withOrigin(origin)).status, 200, `${origin} in ${era}`)
    for (const origin of [foreign, 'null', 'http://localhost', `${gateway.url}.evil.example`]) {
      const answer = await withOrigin(origin)
      t.equal(answer.status, 403, `${origin} in ${era}`)
      t.equal(answer.json?.error?.type, 'ForbiddenError')
    }
  }
  t.equal((await ada.send({ path: '/api/mcp/graphs', headers: { Origin: foreign } })).status, 403, 'REST as well')
})
