/** The way between Traefik and verify, in a stack of its own in which both show certificates (INTERNAL_MTLS). */
import t from 'tap'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { connect as connectHttp2 } from 'node:http2'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { makeCertificates } from '../../deploy/certificates.ts'
import { sumMetric } from '../support/control.ts'
import { startDevStack } from '../support/dev-stack.ts'
import { openGateway, type Person } from '../support/gateway.ts'
import { createSend } from '../support/https.ts'
import { connectionsTo, family, listening } from '../support/processes.ts'
import { readStack } from '../support/stack-file.ts'
import { until } from '../support/until.ts'

t.setTimeout(290_000)
const stack = await startDevStack({ INTERNAL_MTLS: 'true', LOG_LEVEL: 'info' })
t.teardown(async () => { await stack.stop() })
process.env.GATEWAY_STACK = stack.path
const gateway = openGateway()
const dir = dirname(stack.path)
const { services } = readStack()
const file = (name: string) => readFileSync(join(dir, name))
/** verify's TLS ports: the decision's and the public routes'. */
const metricsPort = Number(new URL(String(services.verify.metrics)).port)
const ports = (await listening(await family(services.verify.pid as number))).map(({ port }) => port).filter(port => port !== metricsPort)
/** Nobody's calls are beyond a limit of one tenant or one address. */
const callers = await Promise.all(Array.from({ length: 20 }, async (_, index) => ({ person: await gateway.person({ user: `caller-${index}` }), send: createSend(gateway.url, gateway.caFile, `127.3.0.${index + 1}`) })))
const call = ({ person, send }: { person: Person, send: typeof gateway.send }) => send({ path: '/tools/falkordb_health', body: {}, headers: person.headers })

t.test('many calls of many clients share a few connections from Traefik to verify, and none is thrown away', async t => {
  const before = sumMetric(String((await gateway.metrics('verify'))[0]), 'auth_decisions_total', 'outcome="allowed"')
  const statuses: number[] = []
  await Promise.all(callers.map(async caller => { for (let calls = 0; calls < 100; calls++) statuses.push((await call(caller)).status) }))
  t.equal(statuses.length, 2_000)
  t.strictSame(new Set(statuses), new Set([200]))
  t.equal(sumMetric(String((await gateway.metrics('verify'))[0]), 'auth_decisions_total', 'outcome="allowed"') - before, 2_000, 'verify was asked about each')
  t.equal(ports.length, 2)
  for (const port of ports) {
    const { established, timeWait } = await connectionsTo(port)
    t.ok(established <= 8, `${established} connections to ${port}`)
    t.ok(timeWait < 50, `${timeWait} thrown away`)
  }
})

t.test('who shows no client certificate of the stack\'s own authority gets no answer from verify', async t => {
  const ask = (port: number, options: object) => new Promise(resolve => {
    const session = connectHttp2(`https://127.0.0.1:${port}`, { ca: file('ca.pem'), ...options })
    for (const event of ['error', 'close']) session.once(event, () => resolve('refused'))
    const request = session.request({ ':path': '/health' })
    request.on('error', () => resolve('refused'))
    request.on('response', headers => {
      resolve(headers[':status'])
      session.destroy()
    })
  })
  for (const port of ports) {
    t.equal(await ask(port, {}), 'refused')
    t.equal(await ask(port, { cert: file('edge.pem'), key: file('edge.key') }), 'refused', 'a server\'s certificate')
    t.not(await ask(port, { cert: file('traefik.pem'), key: file('traefik.key') }), 'refused')
  }
})

t.test('HTTP/1 is spoken on the internal port for metrics and health only', async t => {
  for (const port of ports) {
    const socket = connectTls({ port, host: '127.0.0.1', ca: file('ca.pem'), cert: file('traefik.pem'), key: file('traefik.key'), ALPNProtocols: ['http/1.1'] })
    const [error] = await once(socket, 'error').catch(thrown => [thrown])
    t.match(String(error), /no application protocol/i)
  }
  t.equal((await createSend(String(services.verify.metrics))({ path: '/ready' })).status, 200)
})

t.test('renewed certificates are taken up by all that run, and no call fails meanwhile', async t => {
  const shown = async (port: number, options: object = {}) => {
    const socket = connectTls({ port, host: 'localhost', ca: file('ca.pem'), ALPNProtocols: ['h2'], ...options })
    await once(socket, 'secureConnect')
    const serial = socket.getPeerX509Certificate()?.serialNumber
    socket.destroy()
    return serial
  }
  const client = { cert: file('traefik.pem'), key: file('traefik.key') }
  const publicPort = Number(new URL(gateway.url).port)
  const now = async () => Promise.all([...ports.map(port => shown(port, client)), shown(publicPort)])
  const before = await now()

  const renewed = new AbortController()
  const statuses: number[] = []
  const load = Promise.all(callers.slice(0, 4).map(async caller => { while (!renewed.signal.aborted) statuses.push((await call(caller)).status) }))
  const fresh = mkdtempSync(join(tmpdir(), 'renewed-'))
  t.teardown(() => rmSync(fresh, { recursive: true }))
  try {
    for (const name of ['ca.pem', 'ca.key']) copyFileSync(join(dir, name), join(fresh, name))
    await makeCertificates({ dir: fresh })
    for (const name of ['verify', 'traefik', 'edge']) for (const end of ['key', 'pem']) renameSync(join(fresh, `${name}.${end}`), join(dir, `${name}.${end}`))
    process.kill(services.traefik.pid as number, 'SIGHUP')
    await until('the renewed certificates', async () => (await now()).every((serial, index) => serial !== before[index]))
    // Calls that begin when all is renewed.
    const done = statuses.length
    await until('some more calls', async () => statuses.length >= done + 100)
  } finally {
    renewed.abort()
  }
  await load
  t.ok(statuses.length > 100)
  t.strictSame(new Set(statuses), new Set([200]))
  const ends = sumMetric(String((await gateway.metrics('verify'))[0]), 'tls_certificate_expiry_seconds')
  t.ok(ends > Date.now() / 1000 + 800 * 24 * 60 * 60, 'the metrics say when it ends')
})
