import t from 'tap'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { openGateway } from '../support/gateway.ts'
import { runTable, type Row, type Scene } from '../support/arrivals.ts'
import { openSocket, readAnswers } from '../support/raw.ts'

const gateway = openGateway()
const ada = await gateway.person({ scope: 'graph:read' })
const path = '/api/mcp/metadata'
const { host } = new URL(gateway.url)
/** MAX_BODY_BYTES as it is without a setting. */
const maxBody = 4 * 1024 * 1024

const get = (lines: string, target = path) => ({ host, mark, auth }: Scene) => `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n${mark}${auth}${lines}Connection: close\r\n\r\n`
const post = (lines: string, body: string, signedIn = true) => ({ host, mark, auth }: Scene) => `POST /tools/test_headers HTTP/1.1\r\nHost: ${host}\r\n${mark}${signedIn ? auth : ''}Content-Type: application/json\r\n${lines}Connection: close\r\n\r\n${body}`
const row = (name: string, bytes: Row['bytes'], status: number | number[], reaches = 0): Row => ({ name, bytes, status: [status], reaches })

t.test('what is too large is refused where it is seen first', t => runTable(t, gateway, ada, [
  row('headers of 10 KB (control)', get(`X-Fill: ${'a'.repeat(10_000)}\r\n`), 200, 1),
  row('one header of 30 KB', get(`X-Fill: ${'a'.repeat(30_000)}\r\n`), 431),
  row('headers of 1 MB', get(`X-Fill: ${'a'.repeat(1_000)}\r\n`.repeat(1_000)), 431),
  row('1,000 headers of another name each', get(Array.from({ length: 1_000 }, (_, at) => `X-${at}: ${'a'.repeat(30)}\r\n`).join('')), 431),
  row('a header name of 30 KB', get(`${'X'.repeat(30_000)}: a\r\n`), 431),
  row('a credential of 30 KB', ({ host, mark }) => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${mark}Authorization: Bearer ${'a'.repeat(30_000)}\r\nConnection: close\r\n\r\n`, 431),
  row('a URL of 100 KB', get('', `${path}?x=${'a'.repeat(100_000)}`), 431),
  row('a path of 100 KB', get('', `/${'a'.repeat(100_000)}`), 431),
  row('a method of 100 KB', () => `${'G'.repeat(100_000)} / HTTP/1.1\r\n\r\n`, 431),
  row('a body beyond the limit', post(`Content-Length: ${maxBody + 1}\r\n`, 'a'.repeat(maxBody + 1)), 413, 1),
  // Of more than 256 KiB that nobody wants Go resets the connection, with the answer on its way or not: no row could tell which.
  row('a body of 200 KB without a credential', post('Content-Length: 200000\r\n', 'a'.repeat(200_000), false), 401),
  row('a chunked body beyond the limit', post('Transfer-Encoding: chunked\r\n', `${(maxBody + 1).toString(16)}\r\n${'a'.repeat(maxBody + 1)}\r\n0\r\n\r\n`), 413, 1),
  row('a length of 1 PB, and nothing sent', post('Content-Length: 1125899906842624\r\n', ''), 413, 1),
  row('a length of 1 PB without a credential, and nothing sent', post('Content-Length: 1125899906842624\r\n', '', false), 401),
  row('trailers of 1 MB', post('Transfer-Encoding: chunked\r\n', `2\r\n{}\r\n0\r\n${`X-Fill: ${'a'.repeat(1_000)}\r\n`.repeat(1_000)}\r\n`, false), 401)
]))

/** Sends the head, then a byte a second, until the server ends it. @returns seconds until then, and what was answered */
async function dribble (head: string, byte: string) {
  const socket = await openSocket(gateway, 'http/1.1')
  const started = performance.now()
  let text = ''
  socket.on('data', (chunk: Buffer) => { text += chunk.toString('latin1') })
  const ended = once(socket, 'close')
  socket.write(head)
  const timer = byte === '' ? undefined : setInterval(() => socket.write(byte), 1_000)
  await Promise.race([ended, sleep(45_000, undefined, { ref: false })])
  clearInterval(timer)
  const result = { closed: socket.destroyed, seconds: (performance.now() - started) / 1_000, statuses: readAnswers(text).answers.map(({ status }) => status) }
  socket.destroy()
  return result
}

t.test('who dribbles is cut off within 45 s, and nobody else notices', async t => {
  const start = `POST /tools/test_headers HTTP/1.1\r\nHost: ${host}\r\nAuthorization: ${ada.headers.authorization}\r\nContent-Type: application/json\r\n`
  const slow: Record<string, ReturnType<typeof dribble>> = {
    'a request line': dribble('G', 'E'),
    headers: dribble(`${start}X-Slow: `, 'a'),
    'a head that stops': dribble(start, ''),
    'a body with a length': dribble(`${start}Content-Length: 1000\r\n\r\n{`, ' '),
    'a body in chunks': dribble(`${start}Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n`, '1'),
    'a chunk of 1 PB without a credential': dribble(`POST /tools/test_headers HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\n\r\n4000000000000\r\n`, 'a'),
    'a body that stops': dribble(`${start}Content-Length: 1000\r\n\r\n{`, '')
  }
  const crowd = await Promise.all(Array.from({ length: 100 }, async () => {
    const socket = await openSocket(gateway, 'http/1.1')
    socket.write(start)
    return socket
  }))
  t.equal((await ada.send({ path })).status, 200, 'meanwhile a good call is answered')
  for (const [name, dribbling] of Object.entries(slow)) {
    const { closed, statuses, seconds } = await dribbling
    t.ok(closed, `${name}: the connection ends`, { seconds })
    t.notOk(statuses.includes(200), `${name}: nothing good is answered`, { statuses })
  }
  for (const socket of crowd) socket.destroy()
  t.equal((await ada.send({ path })).status, 200, 'afterwards as well')
})
