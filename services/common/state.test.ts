import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { setTimeout as delay } from 'node:timers/promises'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { until } from '../../tests/support/until.ts'
import { startValkey } from '../../tests/support/valkey.ts'
import { freePort } from '../../dev/free-port.ts'
import { connectOnce, openState, stateUrlFault } from './state.ts'
import { makePair } from './test-certificate.ts'

/** A state that ends with the test, and what it logs from `info` on. */
function open (t: Test, url: string) {
  const lines: Array<{ level: number, msg: string }> = []
  const state = openState(url, pino({ level: 'info' }, { write: line => lines.push(JSON.parse(line)) }))
  t.teardown(() => state.close())
  return { state, lines, text: () => JSON.stringify(lines) }
}

t.test('what one publishes all others hear, and commands are answered', async t => {
  const { url } = await startValkey(t)
  const [one, other] = [open(t, url).state, open(t, url).state]
  const heard: string[] = []
  other.subscribe('news', message => heard.push(message))
  await until('both to be connected', () => one.connected && other.connected)
  await one.client.publish('news', 'hello')
  await until('the message', () => heard.length === 1)
  t.strictSame(heard, ['hello'])
  await one.client.set('a', '1')
  t.equal(await other.client.get('a'), '1')
})

t.test('a killed Valkey: commands fail at once and are not run later, one line tells of it, and both connections come back', async t => {
  const port = await freePort()
  const first = await startValkey(t, { port, dir: t.testdir() })
  const { state, lines } = open(t, first.url)
  const heard: string[] = []
  let connections = 0
  state.subscribe('news', message => heard.push(message))
  state.onConnect(() => { connections++ })
  await until('the first connection', () => state.connected)
  process.kill(first.pid, 'SIGKILL')
  await until('the loss', () => !state.connected)
  await t.rejects(state.client.set('queued', '1'))
  await t.rejects(state.client.multi().set('queued', '1').exec())
  await until('some attempts', () => lines.some(({ level }) => level >= 50))

  const second = await startValkey(t, { port, dir: t.testdir() })
  await until('the second connection', () => connections === 2)
  t.ok(state.connected)
  t.equal(await state.client.get('queued'), null)
  await state.client.publish('news', 'again')
  await until('the message', () => heard.length === 1)
  t.strictSame(lines.map(({ msg }) => msg), ['connected to Valkey', 'Valkey is away; trying to reach it again', 'Valkey is back'])
  t.ok(second.pid)
})

t.test('it opens without a Valkey, and finds one that comes later', async t => {
  const port = await freePort()
  const { state, lines } = open(t, `redis://127.0.0.1:${port}`)
  await until('the first failure to be told', () => lines.length === 1)
  t.notOk(state.connected)
  await t.rejects(state.client.get('a'))
  await startValkey(t, { port })
  await until('the connection', () => state.connected)
})

t.test('a Valkey that hangs is noticed, its callers are let go, and it is found again when it wakes', async t => {
  const { url, pid } = await startValkey(t)
  const { state } = open(t, url)
  t.teardown(() => process.kill(pid, 'SIGCONT'))
  await until('the connection', () => state.connected)
  process.kill(pid, 'SIGSTOP')
  const hanging = state.client.get('a')
  await t.rejects(hanging)
  await until('the silence to be noticed', () => !state.connected, 10)
  await delay(3_000)
  process.kill(pid, 'SIGCONT')
  await until('the connection', () => state.connected)
  t.equal(await state.client.get('a'), null)
})

t.test('a server that accepts and never answers does not hold it up: neither the next attempt nor the end', { timeout: 30_000 }, async t => {
  const sockets: Socket[] = []
  const silent = createServer(socket => sockets.push(socket.resume().on('error', () => {}))).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    silent.close()
  })
  const { port } = silent.address() as AddressInfo
  const { state } = open(t, `redis://127.0.0.1:${port}`)
  await until('a second attempt of both', () => sockets.length >= 4)
  await state.close()
  await until('all of them to be let go', () => sockets.every(socket => socket.destroyed), 5)
  await t.rejects(connectOnce(`redis://127.0.0.1:${port}`), /does not answer/)
})

t.test('a password is used, and stands in no line', async t => {
  const { url } = await startValkey(t)
  const admin = await connectOnce(url)
  await admin.sendCommand(['CONFIG', 'SET', 'requirepass', 'p@ss/word'])
  admin.destroy()
  const good = open(t, url.replace('redis://', 'redis://:p%40ss%2Fword@'))
  await until('the connection', () => good.state.connected)
  const bad = open(t, url.replace('redis://', 'redis://:wrong-pass@'))
  await until('the refusal', () => bad.lines.length > 0)
  t.match(bad.text(), /WRONGPASS/)
  t.notMatch(bad.text(), 'wrong-pass')
  await t.rejects(connectOnce(url), /NOAUTH/)
})

t.test('rediss:// is TLS, and a certificate of a stranger is refused', async t => {
  const { cert, key } = await makePair()
  const dir = t.testdir()
  writeFileSync(join(dir, 'cert.pem'), cert)
  writeFileSync(join(dir, 'key.pem'), key)
  const tlsPort = await freePort()
  await startValkey(t, { args: ['--tls-port', String(tlsPort), '--tls-cert-file', join(dir, 'cert.pem'), '--tls-key-file', join(dir, 'key.pem'), '--tls-auth-clients', 'no'] })
  await t.rejects(connectOnce(`rediss://localhost:${tlsPort}`), /self-signed/)
  const usual = getCACertificates('default')
  setDefaultCACertificates([...usual, cert])
  t.teardown(() => setDefaultCACertificates(usual))
  const { state } = open(t, `rediss://localhost:${tlsPort}`)
  await until('the connection', () => state.connected)
  t.equal(await state.client.ping(), 'PONG')
})

t.test('what is wrong with a URL is said without its password', async t => {
  const good = ['redis://valkey:6379', 'rediss://user:p%40ss@valkey.example', 'redis://[::1]:6379/2', 'redis://:secret@valkey:6379/']
  for (const url of good) t.equal(stateUrlFault('VALKEY_URL', url), undefined, url)
  const bad = {
    'valkey:6379': /must be like redis:/,
    'http://:secret@valkey': /must be like redis:/,
    'redis://:se/cret@valkey:6379': /percent-encoded/,
    'redis://:secret%@valkey': /encodes no character/,
    'redis://:secret@valkey/db': /number of a database/,
    'redis://:secret@valkey?tls=true': /number of a database/,
    'redis://': /names no host/
  }
  for (const [url, words] of Object.entries(bad)) {
    t.match(stateUrlFault('VALKEY_URL', url), words, url)
    t.notMatch(stateUrlFault('VALKEY_URL', url), /se\/?cret/, url)
  }
})
