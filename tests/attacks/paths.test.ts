import t from 'tap'
import { openGateway } from '../support/gateway.ts'
import { runTable, type Row } from '../support/arrivals.ts'

const gateway = openGateway()
const ada = await gateway.person({ scope: 'graph:read' })

const message = '{"jsonrpc":"2.0","id":1,"method":"ping"}'
const post = (target: string, signedIn: boolean): Row['bytes'] => ({ host, mark, auth }) =>
  `POST ${target} HTTP/1.1\r\nHost: ${host}\r\n${mark}${signedIn ? auth : ''}Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\nContent-Length: ${message.length}\r\nConnection: close\r\n\r\n${message}`
/** With a good credential as well it is no way to the tool service. */
const nowhere = (target: string, status: number | number[] = 404): Row => ({ name: `${JSON.stringify(target.slice(0, 80))} with a credential`, bytes: post(target, true), status: [status] })
/** Another way to write /mcp: it asks for a credential as /mcp does. */
const same = (target: string): Row[] => [
  { name: `${JSON.stringify(target)} with a credential`, bytes: post(target, true), status: [200], reaches: 1 },
  { name: `${JSON.stringify(target)} without one`, bytes: post(target, false), status: [401] }
]

t.test('a path is the tool service\'s, and asks for a credential, or it is nothing', t => runTable(t, gateway, ada, [
  ...['/mcp', '/mcp/', '//mcp', '/mcp//', '/./mcp', '/mcp/.', '/x/../mcp', '/%6dcp', '/mcp?', '/mcp?x=/../health', '/health/../mcp', '/verify/..//mcp'].flatMap(same),
  ...['/mcpx', '/mcp;x', '/mcp;x=1', '/mcp/../x', '/mcp/..', '/mcp/x', '/MCP', '/Mcp', '/%4dcp', '/mcp.', '/mcp/..;/mcp', '/.well-known/..;/mcp', '/mcp%20', '/mcp%09', '/mcp%0d%0a', '/mcp%c0%af', '/%c0%ae%c0%ae/mcp', '/mcp%ef%bc%8fx', '/mcp%e3%80%82',
    '/mcp,x', '/mcp:80', '/mcp~', '/mcp*', '/mcp\'', '/mcp"', '/tools/a/b', '/tools/..;/mcp', '/api/mcp', '/api/mcp/', '/API/mcp/metadata'].map(target => nowhere(target)),
  ...['/mcp%2f', '/mcp%2Fx', '/%2fmcp', '/mcp%5c', '/mcp%00', '/mcp%3b', '/mcp%3fx', '/mcp%23', '/mcp%252f', '/%252e%252e/mcp', '/%2e%2e%2fmcp', '/mcp%', '/mcp%zz', '/mcp%2', '/mcp\tx', '/mcp\0', '/mcp x', '/mcp\x7f'].map(target => nowhere(target, 400)),
  nowhere('/mcp\\x', [400, 404]),
  nowhere('/mcp\\..\\health', [400, 404]),
  nowhere('/mcp#x', [400, 404]),
  nowhere('mcp', 400),
  nowhere('', 400),
  nowhere('?x', 400),
  nowhere('/mcp\xff', [400, 404]),
  nowhere(`/mcp/${'../'.repeat(500)}x`),
  nowhere(`/${'a/'.repeat(3_000)}mcp`),
  nowhere(`/${'%2e%2e/'.repeat(50)}mcpx`),
  // What only insiders are asked.
  ...['/decision', '/decision/', '/too-many-requests', '/too-many-requests?url=x', '/ready', '/ready/decision', '/ready/verify', '/ready/mcp', '/live', '/metrics', '/ping', '/api/rawdata', '/api/overview', '/dashboard/', '/debug/pprof/', '/mint', '/mcp/../decision', '/verify/../metrics', '//decision', '/%64ecision'].map(target => nowhere(target)),
  ...['/decision', '/metrics', '/ready', '/live', '/api/rawdata'].map((target): Row => ({ name: `GET ${target}`, bytes: ({ host, mark, auth }) => `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n${mark}${auth}Connection: close\r\n\r\n`, status: [404] }))
]))
