import t from 'tap'
import { openGateway } from '../support/gateway.ts'
import { rpcMessage } from '../support/https.ts'
import { legacyMessage, modernMessage, toolCalls } from '../support/rpc.ts'

const gateway = openGateway()
const ada = await gateway.person()
await ada.query('bodies', 'CREATE (:Start)')
const megabyte = 1_000_000

t.test('malformed JSON and JSON of another shape are 400, and the answer is JSON', async t => {
  for (const body of ['{', '', 'null', '[]', '42', '"text"', '{"jsonrpc":"2.0"', 'GET / HTTP/1.1', '\0', '{"a":1}{"b":2}']) {
    for (const path of ['/mcp', '/tools/falkordb_query', '/api/mcp/context']) {
      const answer = await ada.send({ method: 'POST', path, body, headers: { accept: 'application/json, text/event-stream' } })
      t.equal(answer.status, 400, `${JSON.stringify(body)} at ${path}`)
      t.ok(answer.json?.error, 'an error in JSON')
    }
  }
})

t.test('a member named __proto__ poisons nothing', async t => {
  const body = '{"graphName":"bodies","query":"RETURN 1 AS one","__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}}}'
  const answer = await ada.send({ path: '/tools/falkordb_query', body })
  t.equal(answer.status, 400)
})

t.test('another content type is 415', async t => {
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/xml', 'nonsense']) {
    for (const path of ['/mcp', '/tools/falkordb_query']) {
      const answer = await ada.send({ path, body: '{"graphName":"bodies","query":"RETURN 1"}', headers: { 'content-type': type, accept: 'application/json, text/event-stream' } })
      t.equal(answer.status, 415, `${type} at ${path}`)
      t.ok(answer.json?.error, 'an error in JSON')
    }
  }
})

t.test('another method is 405 and names the right one', async t => {
  for (const method of ['GET', 'DELETE', 'PUT', 'PATCH']) {
    for (const path of ['/mcp', '/mcp/', '/tools/falkordb_query', '/api/mcp/context']) {
      const answer = await ada.send({ method, path, headers: { accept: 'text/event-stream', 'content-type': 'application/json' } })
      t.equal(answer.status, 405, `${method} ${path}`)
      t.equal(answer.headers.allow, 'POST')
    }
  }
  t.equal((await ada.send({ method: 'POST', path: '/tools', body: {} })).status, 405)
})

t.test('a body of 10 MB is 413, with Content-Length and in chunks', async t => {
  const body = JSON.stringify({ graphName: 'bodies', query: 'RETURN size($s) AS size', parameters: { s: 'x'.repeat(10 * megabyte) } })
  for (const path of ['/mcp', '/tools/falkordb_query']) {
    const answer = await ada.send({ path, body })
    t.equal(answer.status, 413, path)
    const chunked = await ada.send({ path, body, headers: { 'transfer-encoding': 'chunked' } })
    t.equal(chunked.status, 413, `${path} in chunks`)
  }
  t.equal((await ada.send({ path: '/api/mcp/graphs' })).status, 200, 'and the next request is served')
})

t.test('a 10 MB body without a token is 401', async t => {
  const answer = await gateway.send({ path: '/mcp', body: 'x'.repeat(10 * megabyte) })
  t.equal(answer.status, 401)
})

t.test('an unknown method is JSON-RPC -32601 in both eras, an unknown tool an error that names those that exist', async t => {
  for (const [era, request] of [['2025', legacyMessage('nonsense/method')], ['2026-07-28', modernMessage('nonsense/method')]] as const) {
    t.equal(rpcMessage(await ada.send(request)).error?.code, -32601, era)
  }
  for (const [era, request] of toolCalls('falkordb_nonsense')) {
    const message = rpcMessage(await ada.send(request))
    t.ok(message.error !== undefined || message.result?.isError === true, era)
  }
  const rest = await ada.send({ path: '/tools/falkordb_nonsense', body: {} })
  t.equal(rest.status, 404)
  t.match(rest.json, { error: { type: 'NotFoundError', message: /falkordb_query/ }, path: '/tools/falkordb_nonsense', tenant: ada.tenant, requestId: String })
})

t.test('wrong arguments are refused in words that mend the call', async t => {
  const wrong: Array<[args: Record<string, unknown>, hint: RegExp]> = [
    [{}, /graphName.*missing/],
    [{ graphName: 'g' }, /query.*missing/],
    [{ graphName: 1, query: 'RETURN 1' }, /graphName.*string/],
    [{ graphName: 'g', query: ['RETURN 1'] }, /query.*string/],
    [{ graphName: 'g', query: 'RETURN 1', limit: 0 }, /limit/],
    [{ graphName: 'g', query: 'RETURN 1', limit: 1e9 }, /limit/],
    [{ graphName: 'g', query: 'RETURN 1', timeoutMs: 1e9 }, /timeoutMs/],
    [{ graphName: 'g', query: 'RETURN 1', tenant: 'bob' }, /tenant/],
    [{ graphName: 'g', query: 'RETURN 1', cursor: 'abc' }, /cursor/],
    [{ graphName: 'g', query: 'RETURN 1', parameters: [] }, /parameters/]
  ]
  for (const [args, hint] of wrong) {
    const rest = await ada.send({ path: '/tools/falkordb_query', body: args })
    t.equal(rest.status, 400, JSON.stringify(args))
    t.match(rest.json, { error: { type: 'ValidationError', message: hint } })
    const { isError, text } = await ada.call('falkordb_query', args)
    t.ok(isError)
    t.match(text, hint)
  }
})
