import t from 'tap'
import { connect as connectTls } from 'node:tls'
import { connect } from 'node:net'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createSend } from '../support/https.ts'
import { openGateway } from '../support/gateway.ts'
import { sumMetric } from '../support/control.ts'
import { family, listening } from '../support/processes.ts'
import { readStack } from '../support/stack-file.ts'

const gateway = openGateway()
const { hostname, port } = new URL(gateway.url)

t.test('nothing of the stack listens beyond this machine', { skip: gateway.mode === 'compose' && 'containers listen on networks of their own' }, async t => {
  const { services } = readStack()
  const pids = [services.traefik, services.verify, services.falkordb, services.valkey, ...services.mcp].map(part => part.pid as number)
  const families = await Promise.all(pids.map(pid => family(pid)))
  const ports = await listening(families.flat())
  t.ok(ports.length >= 6, `${ports.length} open ports are seen`)
  for (const { address, port, pid } of ports) t.equal(address, '127.0.0.1', `port ${port} of process ${pid}`)
})

t.test('29: metrics are on an internal port, and not behind the public door', async t => {
  const ada = await gateway.person()
  await ada.send({ path: '/tools/falkordb_health', body: {} })
  await ada.send({ path: '/tools/falkordb_read_query', body: { graphName: 'nowhere', query: 'RETURN 1' } })
  t.equal((await gateway.send({ path: '/metrics' })).status, 404)
  t.equal((await ada.send({ path: '/metrics' })).status, 404)

  const [verify] = await gateway.metrics('verify')
  t.ok(sumMetric(String(verify), 'auth_decisions_total') > 0)
  const texts = await gateway.metrics('mcp')
  const sum = (name: string, labels: string) => texts.reduce((total, text) => total + sumMetric(text, name, labels), 0)
  t.ok(sum('mcp_tool_calls_total', 'tool="falkordb_health",outcome="ok"') > 0, 'calls by tool and outcome')
  t.ok(sum('mcp_tool_errors_total', 'tool="falkordb_read_query",type="NotFoundError"') > 0, 'errors by type')
  t.ok(texts.every(text => sumMetric(text, 'falkordb_up') === 1), 'falkordb_up')
  for (const text of [String(verify), ...texts]) t.notMatch(text, ada.tenant, 'no tenant as a label')
})

t.test('port 80 only redirects, to the configured address', { skip: readStack().services.traefik.httpUrl === undefined && 'this stack opens no port 80' }, async t => {
  const answer = await createSend(String(readStack().services.traefik.httpUrl))({ path: '/mcp?x=1', headers: { Host: 'evil.example' } })
  t.ok([301, 308].includes(answer.status), String(answer.status))
  t.match(answer.headers.location, new RegExp(`^${gateway.url}/mcp`))
  t.notMatch(String(answer.headers.location), 'evil.example')
})

t.test('TLS below 1.2 and plain HTTP are refused at the public port', async t => {
  const old = connectTls({ host: hostname, port: Number(port), servername: hostname, ca: readFileSync(gateway.caFile), maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' })
  const [error] = await once(old, 'error').catch(thrown => [thrown])
  t.match(error.message, /protocol version|alert|unsupported/i)
  old.destroy()

  const plain = connect(Number(port), hostname)
  plain.write(`GET /mcp HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`)
  const [chunk] = await once(plain, 'data')
  t.match(String(chunk), /^HTTP\/1\.[01] 4\d\d/)
  t.notMatch(String(chunk), /mcp|error/, 'no service of ours was asked')
  plain.destroy()
})

t.test('a request of which two servers could read different lengths or names is refused', async t => {
  const exchange = async (bytes: string) => {
    const socket = connectTls({ host: hostname, port: Number(port), servername: hostname, ca: readFileSync(gateway.caFile) })
    await once(socket, 'secureConnect')
    let text = ''
    socket.setEncoding('latin1').on('data', (chunk: string) => { text += chunk })
    socket.write(bytes)
    await Promise.race([once(socket, 'close'), new Promise(resolve => setTimeout(resolve, 1_000))])
    socket.destroy()
    return text
  }
  const head = (...lines: string[]) => ['POST /mcp HTTP/1.1', `Host: ${hostname}:${port}`, ...lines, '', ''].join('\r\n')
  const second = `GET /health HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`
  for (const lines of [
    ['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'], ['Content-Length: 5', 'Content-Length: 6'],
    ['Content-Length: -1'], ['Content-Length: +5'], ['Transfer-Encoding: xchunked'], ['Transfer-Encoding : chunked'], ['X: y\rTransfer-Encoding: chunked'], ['X-Tenant-Id\t: bob']
  ]) {
    const answer = await exchange(`${head(...lines)}0\r\n\r\n${second}`)
    // 501: RFC 9112 section 6.1, for a transfer coding that nobody knows.
    t.match(answer, /^HTTP\/1\.1 (400|501)/, lines.join(' + '))
    t.equal(answer.match(/HTTP\/1\.1 \d{3}/g)?.length, 1, 'one answer, and the connection ends')
  }
})
