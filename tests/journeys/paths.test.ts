import t from 'tap'
import { openGateway } from '../support/gateway.ts'
import { rpcMessage } from '../support/https.ts'
import { toolCalls } from '../support/rpc.ts'

const gateway = openGateway()
const ada = await gateway.person()

t.test('4: /mcp and /mcp/ both answer, and neither redirects', async t => {
  for (const path of ['/mcp', '/mcp/']) {
    for (const [era, request] of toolCalls('falkordb_health')) {
      const answer = await ada.send({ ...request, path })
      t.equal(answer.status, 200, `${path} in ${era}`)
      t.equal(rpcMessage(answer).result.structuredContent.status, 'ok')
    }
    t.equal((await gateway.send({ method: 'POST', path, body: {} })).status, 401, `${path} without a token`)
  }
})

t.test('a path that only looks like /mcp is a JSON 404 or a 400, with a good token as well', async t => {
  const confusing = [
    '/mcpx', '/mcp;x', '/mcp;x=1', '/mcp/x', '/mcp/../x', '/x/../mcpx', '/%6dcpx', '/MCP', '/mcp%2f', '/mcp%2Fx', '/mcp%00', '/mcp%3b', '/mcp%5c', '/mcp\\x',
    '/mcp/%2e%2e/x', '/%2e%2e/mcpx', '/.well-known/..;/mcp', '/verify/..;/mcp', '/health;/mcp', '/tools/..;/mcp', '/tools/a/b', '/tools/%2e%2e', '/tools/..%2fmcp', '/api/mcp', '/api/mcp/', '/api/mcp/context/x'
  ]
  for (const path of confusing) {
    const answer = await ada.send({ method: 'POST', path, body: { jsonrpc: '2.0', id: 1, method: 'ping' } })
    t.ok([400, 404].includes(answer.status), `${path} is ${answer.status}`)
    if (answer.status === 404) t.equal(answer.json?.error?.type, 'NotFoundError', `${path} in JSON`)
  }
})

t.test('no spelling of a path reaches a tool without a token', async t => {
  const spellings = ['/mcp', '//mcp', '/./mcp', '/x/../mcp', '/%6d%63%70', '/mcp?x=1', '/mcp/?', '/mcp#x', '/health/../mcp', '/verify/../mcp', '/.well-known/../mcp', '/tools/falkordb_health', '/tools//falkordb_health', '/api/mcp/context', '/api//mcp/context']
  for (const path of spellings) {
    const answer = await gateway.send({ method: 'POST', path, body: { jsonrpc: '2.0', id: 1, method: 'tools/list' } })
    t.ok([400, 401, 404].includes(answer.status), `${path} is ${answer.status}`)
    t.notMatch(answer.text, 'falkordb_query', path)
  }
})

t.test('an absolute target and a foreign Host do not lead elsewhere', async t => {
  const absolute = await gateway.send({ method: 'POST', path: 'https://evil.example/mcp', body: {} })
  t.ok(absolute.status >= 400 && absolute.status < 500, String(absolute.status))
  const foreign = await ada.send({ ...toolCalls('falkordb_health')[0]?.[1], path: '/mcp', headers: ['Host', 'evil.example', 'Accept', 'application/json, text/event-stream'] })
  t.ok(foreign.status >= 400 && foreign.status < 500, `13: a foreign Host is ${foreign.status}`)
  t.notMatch(foreign.text, 'structuredContent')
})
