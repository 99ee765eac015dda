/** The socket to FalkorDB: bounded replies, TLS, and what may not be taken for an answer. */
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import t from 'tap'
import { makePair } from '@gateway/common/test-certificate.ts'
import { until } from '../../../../tests/support/until.ts'
import { freePort } from '../../../../dev/free-port.ts'
import { asker, codeOf, openAdmin, openDatabase, openFalkordb, type Teardown } from '../test-database.ts'
import { addressOf, Wire } from './wire.ts'

const { url } = await openFalkordb(t)

t.test('27: a reply that is too large is cut at the socket, and the tenant goes on', async t => {
  const bounded = await openDatabase(t, url, { maxReplyBytes: 200_000 })
  const { read, write } = asker(bounded, 'large')
  await write('UNWIND range(1, 900) AS i CREATE (:N {i: i})')
  const large = 'UNWIND range(1, 900) AS x RETURN x, "a text of which there are a few too many, so that the reply grows and grows and grows until it is far too large, in fact several hundred thousand bytes, more than anybody would like to read in one go, or could" + x + "a text of which there are a few too many, so that the reply grows" AS text'
  await t.rejects(read(large), { type: 'QueryError', code: 'result_too_large', status: 400, details: { hint: /LIMIT/ } })
  t.strictSame((await read('MATCH (n:N) RETURN count(n)')).rows, [[900]], 'the next call goes through')
  await t.rejects(write(`CREATE (:Kept) WITH 1 AS one ${large}`), { type: 'DatabaseError', code: 'result_too_large', message: /what it wrote is kept/ })
  t.strictSame((await read('MATCH (n:Kept) RETURN count(n)')).rows, [[1]], 'what it wrote is there')
  t.equal((await read('UNWIND range(1, 900) AS x RETURN x')).rows.length, 900, 'a reply below the limit is whole')
})

t.test('27: memory never holds more than the limit of a reply that has no end', async t => {
  let sent = 0
  const { address } = await openServer(t, async socket => {
    await once(socket, 'data')
    socket.write('*1000000000\r\n')
    const piece = Buffer.from('$60000\r\n' + 'x'.repeat(60_000) + '\r\n')
    while (!socket.destroyed && sent < 200_000_000) {
      sent += piece.length
      if (!socket.write(piece)) await Promise.race([once(socket, 'drain'), once(socket, 'close')])
    }
  })
  const wire = await Wire.open(address, 1_000_000)
  await t.rejects(wire.send(['PING']), { message: /more than 1000000 bytes/ })
  t.equal(wire.open, false)
  // What the buffers of two sockets take is sent and never read.
  t.ok(sent < 50_000_000, `${sent} bytes were sent`)
})

t.test('27: nor does a reply of few bytes and very many values fill the memory: one that ends is cut like one that has no end', async t => {
  const bounded = await openDatabase(t, url, { maxReplyBytes: 200_000 })
  const { read } = asker(bounded, 'tiny')
  const empty = Array(5_000).fill([])
  await asker(bounded, 'tiny').write('CREATE ()')
  await t.rejects(read('RETURN $empty', { empty }), { type: 'QueryError', code: 'result_too_large', status: 400 })
  t.strictSame((await read('RETURN $empty', { empty: empty.slice(0, 2_000) })).rows, [[empty.slice(0, 2_000)]], 'the next call goes through, and so do fewer values')
})

t.test('what nobody asked for ends the connection, so that no answer can be another’s', async t => {
  const early = await openServer(t, async socket => { socket.write('-ERR max number of clients reached\r\n') })
  const first = await Wire.open(early.address, 1_000)
  await until('the loss', () => !first.open)
  await t.rejects(first.send(['PING']), { message: /connection is closed/ })
  const twice = await openServer(t, async socket => {
    await once(socket, 'data')
    socket.write('+ONE\r\n+TWO\r\n')
  })
  const second = await Wire.open(twice.address, 1_000)
  await t.rejects(second.send(['PING']), { message: /more than one reply/ })
  await t.rejects(second.send(['PING']), { message: /connection is closed/ })
})

t.test('a command waits for nobody’s answer but its own', async t => {
  const { address } = await openServer(t, async () => {})
  const wire = await Wire.open(address, 1_000)
  const first = wire.send(['PING'])
  await t.rejects(wire.send(['PING']), { message: /an answer is owed/ })
  wire.destroy()
  await t.rejects(first, { message: /given up/ })
})

t.test('where nobody listens that is said', async t => {
  await t.rejects(Wire.open(addressOf(`redis://127.0.0.1:${await freePort()}`), 1_000), { code: 'ECONNREFUSED' })
})

t.test('an address is read from its URL', async t => {
  t.strictSame(addressOf('redis://host'), { host: 'host', port: 6379, tls: false, username: undefined, password: undefined })
  t.strictSame(addressOf('rediss://u%3A:p%40%2F@[::1]:7000'), { host: '::1', port: 7000, tls: true, username: 'u:', password: 'p@/' })
  t.strictSame(addressOf('redis://:only@host:1'), { host: 'host', port: 1, tls: false, username: undefined, password: 'only' })
})

t.test('rediss:// is TLS to a server whose certificate is for that name', async t => {
  const { cert, key } = await makePair()
  const dir = await mkdtemp(join(tmpdir(), 'falkordb-tls-'))
  t.teardown(() => rm(dir, { recursive: true }))
  await Promise.all([writeFile(join(dir, 'cert.pem'), cert), writeFile(join(dir, 'key.pem'), key)])
  const port = await freePort()
  const plainPort = await freePort()
  const start = async () => {
    const server = await openFalkordb(t, { port: plainPort })
    const admin = await openAdmin(t, server.url)
    await admin('CONFIG', 'SET', 'tls-cert-file', join(dir, 'cert.pem'), 'tls-key-file', join(dir, 'key.pem'), 'tls-ca-cert-file', join(dir, 'cert.pem'), 'tls-auth-clients', 'no', 'tls-port', String(port))
    await admin('ACL', 'SETUSER', 'default', '>sesame')
    return { server, admin }
  }
  const { server } = await start()
  const tls = `rediss://:sesame@localhost:${port}`
  await t.rejects(Wire.open(addressOf(tls), 1_000), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }, 'a certificate that nobody vouches for')
  const before = getCACertificates('default')
  t.teardown(() => setDefaultCACertificates(before))
  setDefaultCACertificates([...before, cert])
  await t.rejects(Wire.open(addressOf(`rediss://127.0.0.1:${port}`), 1_000), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' }, 'a certificate for another name')
  const database = await openDatabase(t, tls)
  const { read, write } = asker(database, 'tls')
  await write('CREATE (:N {text: $text})', { text: 'ü'.repeat(50_000) })
  t.strictSame((await read('MATCH (n:N) RETURN n.text')).rows, [['ü'.repeat(50_000)]])
  await server.stop()
  await until('the loss', () => !database.up)
  t.equal(await codeOf(read('RETURN 1')), 'database_unavailable')
  await start()
  await until('the connection', () => database.up)
  await until('a write', async () => await codeOf(write('CREATE (:Back)')) === 'ok')
  t.strictSame((await read('MATCH (n) RETURN labels(n)')).rows, [[['Back']]])
})

async function openServer (t: Teardown, serve: (socket: Socket) => Promise<void>) {
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket.on('error', () => {}))
    serve(socket).catch(() => socket.destroy())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { address: addressOf(`redis://127.0.0.1:${(server.address() as AddressInfo).port}`) }
}
