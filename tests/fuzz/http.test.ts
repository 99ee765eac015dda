/** The whole HTTP surface through the real Traefik under random requests and random bytes: no fault, and no part of the gateway ends. */
import { connect } from 'node:tls'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { openGateway } from '../support/gateway.ts'
import { readStack } from '../support/stack-file.ts'
import { textChange } from './mutations.ts'
import { fuzz, patience } from './runs.ts'

t.setTimeout(patience)

const gateway = openGateway()
const ada = await gateway.person()
const { hostname, port, host } = new URL(gateway.url)
const ca = readFileSync(gateway.caFile)
const pids = () => {
  const { verify, mcp } = readStack().services
  return [verify.pid, ...mcp.map(({ pid }) => pid)]
}
const before = pids()

/** Sends bytes as they are. @returns all that came back, until the other side ends or is silent for a while */
const exchange = (bytes: string) => new Promise<string>(resolve => {
  const socket = connect({ host: hostname, port: Number(port), ca, servername: hostname === '127.0.0.1' ? '' : hostname, ALPNProtocols: ['http/1.1'] })
  let text = ''
  socket.setEncoding('latin1')
  // A request that is never whole has no answer: the server waits for the rest.
  socket.setTimeout(300, () => socket.destroy())
  socket.on('data', (chunk: string) => { text += chunk })
  // A reset is an answer too.
  socket.on('error', () => socket.destroy())
  socket.on('close', () => resolve(text))
  socket.on('secureConnect', () => socket.write(Buffer.from(bytes, 'latin1')))
})

/** One value nine times of ten, for of a request that is wrong in many ways only the first is met. */
const mostly = <T>(usual: T, ...others: T[]) => fc.oneof({ weight: 9, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(...others) })

const path = fc.oneof(
  fc.constantFrom('/mcp', '/verify', '/tools/falkordb_health', '/tools/falkordb_query', '/api/mcp/graphs', '/api/mcp/context'),
  fc.constantFrom('/mcp', '/mcp/', '/verify', '/health', '/ready', '/metrics', '/decision', '/tools/falkordb_query', '/tools/x', '/api/mcp/graphs', '/api/mcp/context', '/.well-known/oauth-protected-resource', '/.well-known/oauth-protected-resource/mcp', '/authorize', '*', '', 'https://evil.example/mcp', '//', '/mcp/..//%2e%2e/metrics', '/%00', '/mcp;x', '/mcp?token=x', `/${'a'.repeat(5_000)}`),
  fc.webPath(), fc.string({ maxLength: 30 }).map(text => `/${text}`)
).chain(text => fc.oneof({ weight: 3, arbitrary: fc.constant(text) }, { weight: 1, arbitrary: textChange.map(change => change(text)) }))
const method = fc.oneof(fc.constantFrom('GET', 'POST'), fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH', 'TRACE', 'get', 'X-ODD'), fc.stringMatching(/^[A-Z]{1,12}$/))
const field = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(`Authorization: Bearer ${ada.token}`, 'Authorization: Bearer a.b.c', 'Authorization: Basic eA==', 'X-API-Key: x', 'Content-Type: application/json', 'Content-Type: text/plain', 'Accept: application/json, text/event-stream', 'MCP-Protocol-Version: 2026-07-28', 'Mcp-Method: tools/list', 'Mcp-Session-Id: x', 'Transfer-Encoding: chunked', 'Transfer-Encoding: gzip, chunked', 'Content-Length: 5', 'Content-Length: -1', 'Expect: 100-continue', 'Connection: X-Tenant-Id', 'Upgrade: websocket', 'Origin: null', 'Origin: https://evil.example', 'X-Tenant-Id: bob', 'X_Tenant_Id: bob', 'Range: bytes=0-', 'Accept-Encoding: gzip') },
  { weight: 3, arbitrary: fc.tuple(fc.stringMatching(/^[A-Za-z-]{1,16}$/), fc.string({ unit: 'binary-ascii', maxLength: 40 })).map(([name, value]) => `X-${name}: ${value.replace(/[^\t\x20-\x7e]/g, '')}`) },
  { weight: 1, arbitrary: fc.tuple(fc.string({ maxLength: 16 }), fc.string({ unit: 'binary', maxLength: 40 })).map(([name, value]) => `${name}: ${value}`) }
)
const body = fc.oneof(fc.constant(''), fc.json(), fc.string({ unit: 'binary', maxLength: 200 }), fc.constant('{"jsonrpc":"2.0","id":1,"method":"tools/list"}'), fc.constant('5\r\nhello\r\n0\r\n\r\n'), fc.constant('['.repeat(5_000)))
const request = fc.record({ method, path, fields: fc.array(field, { maxLength: 3 }), body, authorized: fc.boolean(), host: mostly(host, 'evil.example', '', `${host}.`, host.toUpperCase()), counted: mostly(true, false), ends: mostly('\r\n', '\n', '\r') })
  .map(({ method, path, fields, body, authorized, host, counted, ends }) => [
    `${method} ${path} HTTP/1.1`, `Host: ${host}`, 'Connection: close',
    ...(authorized ? [`Authorization: Bearer ${ada.token}`] : []), ...fields, ...(counted ? [`Content-Length: ${Buffer.byteLength(body)}`] : []), '', body
  ].join(ends))
const bytes = fc.oneof({ weight: 10, arbitrary: request }, { weight: 1, arbitrary: fc.tuple(request, textChange).map(([text, change]) => change(text)) }, { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 300 }) })

/**
 * 501 and 505 mean a transfer coding or a version that Traefik does not know. Where it meets a chunk that is none while it hands a body on,
 * it says 500 in these words of its own; a fault of a service behind it never looks so.
 */
const ownToTraefik = (status: string, bytes: string, answer: string) =>
  status === '501' || status === '505' || (status === '500' && /transfer-encoding/i.test(bytes) && answer.endsWith('\r\n\r\nInternal Server Error'))

const statuses = new Map<number, number>()
t.test('no request makes the gateway fail', async t => {
  await fuzz(t, 'requests', bytes, 300, async bytes => {
    const answer = await exchange(bytes)
    // The first line of each answer: what follows the body of one may be the next.
    for (const [, status] of answer.matchAll(/(?:^|\r\n|[^\r\n])HTTP\/1\.[01] (\d{3}) /g)) {
      statuses.set(Number(status), (statuses.get(Number(status)) ?? 0) + 1)
      if (Number(status) >= 500 && !ownToTraefik(String(status), bytes, answer)) throw new Error(answer.slice(0, 400))
    }
  })
  t.ok([200, 400, 401, 404].every(status => statuses.has(status)), `answers of many kinds: ${JSON.stringify(Object.fromEntries(statuses))}`)
})

t.test('the same processes go on, and serve a good caller', async t => {
  t.strictSame(pids(), before)
  t.equal((await ada.send({ path: '/tools/falkordb_health', body: {} })).status, 200)
  t.equal((await ada.query('films', 'CREATE (f:Film) RETURN f')).isError ?? false, false)
  t.equal((await ada.send({ path: '/verify' })).status, 200)
})
