/** Who counts as the client at the door: without proxies, behind them, and among many at one address; and the words of each 429. Each address of 127.0.0.0/8 is another client. */
import t, { type Test } from 'tap'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { sumMetric } from '../support/control.ts'
import { startDevStack } from '../support/dev-stack.ts'
import { openGateway, unique, type Gateway } from '../support/gateway.ts'
import { createSend, type Answer, type Send } from '../support/https.ts'
import { until } from '../support/until.ts'

t.setTimeout(290_000)
const proxy = '127.0.0.2'
/** Requests per second; ten times as many pass at once. */
const flood = 10
const burst = flood * 10

async function open (t: Test, settings: Record<string, string>): Promise<Gateway> {
  const stack = await startDevStack({ FLOOD_REQUESTS_PER_SECOND: String(flood), LOG_LEVEL: 'info', ...settings })
  t.teardown(async () => { await stack.stop() })
  process.env.GATEWAY_STACK = stack.path
  return openGateway()
}

/** More than pass at once. */
async function statuses (send: Send, headers: (index: number) => Record<string, string> = () => ({})): Promise<Set<number>> {
  const answers = await Promise.all(Array.from({ length: burst * 3 }, (_, index) => send({ path: '/mcp', headers: headers(index) })))
  return new Set(answers.map(({ status }) => status))
}

t.test('behind trusted proxies', async t => {
  const gateway = await open(t, { TRUSTED_PROXIES: proxy })
  const from = (address: string) => createSend(gateway.url, gateway.caFile, address)
  /** The address that verify judged the call by. */
  const judgedBy = async ({ headers }: Answer) => {
    const id = String(headers['x-request-id'])
    let line: string | undefined
    await until(`the audit line of ${id}`, async () => {
      line = (await gateway.logs('verify')).split('\n').find(line => line.includes(id) && line.includes('"address"'))
      return line !== undefined
    })
    return /"address":"([^"]*)"/.exec(String(line))?.[1]
  }

  await t.test('verify hears the client that the proxy names, and never one that a client names itself', async t => {
    for (const [peer, forwarded, client] of [
      ['127.0.0.3', undefined, '127.0.0.3'],
      ['127.0.0.3', '198.51.100.7', '127.0.0.3'],
      [proxy, '198.51.100.7', '198.51.100.7'],
      [proxy, '203.0.113.1, 198.51.100.7', '198.51.100.7'],
      [proxy, `198.51.100.7, ${proxy}`, '198.51.100.7'],
      [proxy, '2001:db8::7', '2001:db8::7'],
      [proxy, undefined, proxy]
    ] as const) {
      const answer = await from(peer)({ path: '/mcp', headers: { ...(forwarded && { 'X-Forwarded-For': forwarded }) } })
      t.equal(answer.status, 401)
      t.equal(await judgedBy(answer), client, `${peer} says ${forwarded}`)
    }
  })

  await t.test('of a request as a proxy describes it nothing else is believed', async t => {
    const answer = await from(proxy)({ path: '/mcp?access_token=x', headers: { 'X-Forwarded-Uri': '/health', 'X-Forwarded-Method': 'GET', 'X-Forwarded-Host': 'evil.example', 'X-Forwarded-For': '198.51.100.7' } })
    t.equal(answer.status, 400, 'the credential in the query string was seen, and the host as it came')
    t.equal(answer.json?.path, '/mcp')
  })

  await t.test('the flood guard counts a client whom a proxy names, not the proxy', async t => {
    const send = from(proxy)
    t.strictSame(await statuses(send, () => ({ 'X-Forwarded-For': '198.51.100.8' })), new Set([401, 429]))
    t.equal((await send({ path: '/mcp', headers: { 'X-Forwarded-For': '198.51.100.9' } })).status, 401, 'another behind the same proxy')
    const forging = await statuses(send, index => ({ 'X-Forwarded-For': `203.0.113.${index % 250}, 198.51.100.10` }))
    t.ok(forging.has(429), 'whatever the client says before it')
  })

  await t.test('clients whom a proxy does not name share no bucket: one of them would shut the others out', async t => {
    t.strictSame(await statuses(from(proxy)), new Set([401]))
  })

  await t.test('a client without a proxy cannot dodge the guard by naming others', async t => {
    const forging = await statuses(from('127.0.0.3'), index => ({ 'X-Forwarded-For': `203.0.113.${index % 250}`, 'X-Real-Ip': `203.0.113.${index % 250}` }))
    t.ok(forging.has(429))
    t.equal((await from('127.0.0.4')({ path: '/mcp' })).status, 401, 'nobody else is shut out')
  })

  await t.test('a proxy that speaks the PROXY protocol names the client too', async t => {
    const { hostname, port } = new URL(gateway.url)
    /** Many requests on one connection of a client. */
    async function ask (client: string, requests: number): Promise<string[]> {
      const raw = connect({ port: Number(port), host: '127.0.0.1', localAddress: proxy })
      await once(raw, 'connect')
      raw.write(`PROXY TCP4 ${client} 127.0.0.1 4000 ${port}\r\n`)
      const socket = connectTls({ socket: raw, servername: hostname, ca: readFileSync(gateway.caFile) })
      await once(socket, 'secureConnect')
      const request = (last: boolean) => `GET /health HTTP/1.1\r\nHost: ${hostname}:${port}\r\n${last ? 'Connection: close\r\n' : ''}\r\n`
      socket.write(Array.from({ length: requests }, (_, index) => request(index === requests - 1)).join(''))
      let text = ''
      socket.setEncoding('latin1').on('data', (chunk: string) => { text += chunk })
      await once(socket, 'close')
      return text.match(/HTTP\/1\.1 (\d{3})/g) ?? []
    }
    t.ok((await ask('198.51.100.20', burst * 3)).includes('HTTP/1.1 429'))
    t.strictSame(await ask('198.51.100.21', 1), ['HTTP/1.1 200'], 'another behind the same proxy')
  })
})

t.test('SHARED_EGRESS_RANGES', async t => {
  const gateway = await open(t, { SHARED_EGRESS_RANGES: '127.0.1.0/24, 2001:db8::/32', TRUSTED_PROXIES: proxy })
  const from = (address: string) => createSend(gateway.url, gateway.caFile, address)
  t.strictSame(await statuses(from('127.0.1.9')), new Set([401]), '16: cloud clients share addresses, and are not counted by them')
  t.ok((await statuses(from('127.0.2.9'))).has(429), 'others are')
  t.strictSame(await statuses(from(proxy), () => ({ 'X-Forwarded-For': '198.51.100.8' })), new Set([401]), 'through a proxy nobody is, for it cannot be told who is of those ranges')
})

t.test('without the flood guard', async t => {
  const gateway = await open(t, { FLOOD_REQUESTS_PER_SECOND: '0', TENANT_REQUESTS_PER_SECOND: '10', SUBJECT_REQUESTS_PER_SECOND: '5' })
  const refusals = async (total: string) => sumMetric(String((await gateway.metrics('verify'))[0]), 'auth_decisions_total', total)

  await t.test('FLOOD_REQUESTS_PER_SECOND=0: nobody is counted by address', async t => {
    t.strictSame(await statuses(createSend(gateway.url, gateway.caFile, '127.0.0.3')), new Set([401]))
  })

  await t.test('16: a limit of verify is told in its own words although Traefik drops them, and counted once', async t => {
    const tenant = unique('acme')
    const [ada, bob, eve] = await Promise.all(['ada', 'bob', 'eve'].map(user => gateway.person({ tenant, user: unique(user) })))
    // 5 calls a second of one, 10 of all of the tenant, averaged over 10 s.
    for (const [person, calls, code] of [[ada, 80, 'subject_limited'], [bob, 80, 'subject_limited'], [eve, 40, 'tenant_limited']] as const) {
      const answers = await Promise.all(Array.from({ length: calls }, () => person?.send({ path: '/tools/falkordb_health', body: {} })))
      const refused = answers.filter(answer => answer?.status === 429)
      t.ok(refused.length > 0, `${refused.length} of ${calls}`)
      for (const answer of refused) {
        t.match(answer?.json, { error: { type: 'RateLimitError', code }, path: '/tools/falkordb_health', tenant })
        t.match(answer?.headers['retry-after'], /^[1-9]\d*$/)
        t.equal(answer?.headers['cache-control'], 'no-store')
      }
      t.equal(await refusals(`reason="${code}"`) > 0, true)
    }
    t.equal(await refusals('reason="too_many_requests"'), 0, 'the flood guard has refused nobody')
  })

  await t.test('a full queue of the tool service is told with its tenant', async t => {
    const greedy = await gateway.person({ tenant: unique('greedy'), user: unique('ada') })
    await greedy.query('own', 'CREATE (:Own)')
    const query = 'UNWIND range(1, 1000000) AS x UNWIND range(1, 1000000) AS y RETURN sum(x * y)'
    const answers = await Promise.all(Array.from({ length: 30 }, () => greedy.send({ path: '/tools/falkordb_query', body: { graphName: 'own', query, timeoutMs: 500 } })))
    const refused = answers.filter(({ status }) => status === 429)
    t.ok(refused.length > 0)
    for (const { json, headers } of refused) {
      t.match(json, { error: { type: 'RateLimitError', code: 'queue_full' }, path: '/tools/falkordb_query', tenant: greedy.tenant, requestId: headers['x-request-id'] })
      t.match(headers['retry-after'], /^[1-9]\d*$/)
    }
    const id = String(refused[0]?.headers['x-request-id'])
    await until('the refused call in the log of the tool service', async () => (await gateway.logs('mcp')).includes(id))
  })
})
