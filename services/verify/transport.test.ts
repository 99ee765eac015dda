import { once } from 'node:events'
import { connect, type ClientHttp2Session } from 'node:http2'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import { createObservability } from '@gateway/common/service.ts'
import { until } from '../../tests/support/until.ts'
import { makeCertificates } from '../../deploy/certificates.ts'
import { loadVerifyConfig } from './config.ts'
import { forwarded, openService, startIssuer, trusting } from './test-support.ts'
import { openTransport } from './transport.ts'

const issuer = await startIssuer(t)
const day = 24 * 60 * 60 * 1000

/** verify's decision on a port of its own, with the certificates of a folder. */
async function listen (t: Test, settings: Record<string, string> = {}) {
  const dir = t.testdir()
  const files = await makeCertificates({ dir })
  const service = openService(t, trusting(issuer, { VERIFY_TLS_CERT: files.verify.cert, VERIFY_TLS_KEY: files.verify.key, VERIFY_TLS_CA: files.ca, ...settings }))
  const observability = createObservability('verify', 'silent')
  const transport = openTransport(service.config, [service.decision], observability)
  t.teardown(() => transport.close())
  await service.decision.listen({ host: '127.0.0.1', port: 0 })
  const { port } = service.decision.server.address() as AddressInfo
  const ca = readFileSync(files.ca)
  const session = (options = {}) => {
    const session = connect(`https://127.0.0.1:${port}`, { ca, ...options })
    t.teardown(() => session.destroy())
    return session
  }
  const expiry = async () => Number(/^tls_certificate_expiry_seconds (\S+)$/m.exec(await observability.registry.metrics())?.[1])
  return { dir, files, ca, port, session, transport, expiry }
}

/** The status of a decision; `refused` where the connection ends instead. */
function status (session: ClientHttp2Session): Promise<number | 'refused' | undefined> {
  return new Promise(resolve => {
    for (const event of ['error', 'close']) session.once(event, () => resolve('refused'))
    const request = session.request({ ':path': '/decision', ...forwarded('/mcp'), authorization: `Bearer ${issuer.token()}` })
    request.on('error', () => resolve('refused'))
    request.on('response', headers => {
      request.resume()
      resolve(headers[':status'])
    })
  })
}

const shown = async (session: ClientHttp2Session) => {
  if (session.connecting) await once(session, 'connect')
  return (session.socket as TLSSocket).getPeerX509Certificate()?.serialNumber
}

t.test('a renewed certificate is shown to new connections, while the old ones go on', async t => {
  const { dir, files, session, transport, expiry } = await listen(t)
  const old = session()
  t.equal(await status(old), 200)
  const before = await shown(old)
  const other = await makeCertificates({ dir: join(dir, 'other') })
  const [cert, key] = [readFileSync(other.verify.cert), readFileSync(other.verify.key)]

  await t.test('not between the two files, when they do not fit each other', async t => {
    writeFileSync(join(dir, 'new.key'), key)
    renameSync(join(dir, 'new.key'), files.verify.key)
    await until('the warning', async () => transport.status().startsWith('warning:'))
    t.match(transport.status(), 'VERIFY_TLS_KEY is not the key of VERIFY_TLS_CERT')
    t.equal(await shown(session()), before)
  })

  writeFileSync(join(dir, 'new.pem'), cert)
  renameSync(join(dir, 'new.pem'), files.verify.cert)
  const trust = { ca: readFileSync(other.ca) }
  await until('the new certificate', async () => await shown(session({ ...trust, rejectUnauthorized: false })) !== before)
  t.equal(await status(session(trust)), 200)
  t.equal(await status(old), 200, 'the connection that was there')
  t.equal(transport.status(), 'ok')
  t.equal(await expiry(), Math.floor(other.verify.expires.getTime() / 1000))
})

t.test('/ready warns of a certificate that ends within a week, and is not ready with one that has ended', async t => {
  const { transport, files } = await listen(t)
  t.equal(transport.status(), 'ok')
  for (const [left, said] of [[8 * day, /^ok$/], [6 * day, /^warning: the certificate ends .* has not been renewed$/], [-day, /^the certificate ended/]] as const) {
    const now = Date.now
    Date.now = () => files.verify.expires.getTime() - left
    try {
      t.match(transport.status(), said)
    } finally {
      Date.now = now
    }
  }
})

t.test('HTTP/2 alone is spoken: who knows no other than HTTP/1.1 gets no connection', async t => {
  const { port, ca } = await listen(t)
  for (const ALPNProtocols of [['http/1.1'], []]) {
    const socket = connectTls({ port, host: '127.0.0.1', ca, ALPNProtocols })
    const told = await new Promise(resolve => socket.once('data', resolve).once('error', resolve))
    t.match(String(told), /403 Forbidden|no application protocol/i)
    socket.destroy()
  }
})

t.test('INTERNAL_MTLS: without a client certificate of the stack\'s own authority nobody is answered', async t => {
  const { files, session } = await listen(t, { INTERNAL_MTLS: 'true' })
  const pair = ({ cert, key }: { cert: string, key: string }) => ({ cert: readFileSync(cert), key: readFileSync(key) })
  t.equal(await status(session(pair(files.traefik))), 200)
  const stranger = await makeCertificates({ dir: t.testdir() })
  for (const [what, options] of [['none', {}], ['another authority\'s', pair(stranger.traefik)], ['a server\'s', pair(files.verify)]] as const) {
    t.equal(await status(session(options)), 'refused', what)
  }
})

t.test('without INTERNAL_MTLS no client certificate is asked for', async t => {
  const { session } = await listen(t)
  t.equal(await status(session()), 200)
})

t.test('INTERNAL_MTLS without what it needs is a fault of the configuration', async t => {
  const { verify, ca } = await makeCertificates({ dir: t.testdir() })
  const base = { PUBLIC_URL: 'https://graphs.example.com', GATEWAY_SECRET: '0123456789abcdef0123456789abcdef', BEARER_ISSUER: 'https://login.example.com', INTERNAL_MTLS: 'true' }
  const tls = { VERIFY_TLS_CERT: verify.cert, VERIFY_TLS_KEY: verify.key }
  t.throws(() => loadVerifyConfig(base), /INTERNAL_MTLS is set without VERIFY_TLS_CERT/)
  t.throws(() => loadVerifyConfig({ ...base, ...tls }), /INTERNAL_MTLS is set without VERIFY_TLS_CA/)
  t.throws(() => loadVerifyConfig({ ...base, ...tls, VERIFY_TLS_CA: verify.cert }), /VERIFY_TLS_CA is no certificate of an authority/)
  t.equal(loadVerifyConfig({ ...base, ...tls, VERIFY_TLS_CA: ca }).tls?.clientCa, readFileSync(ca, 'utf8'))
})
