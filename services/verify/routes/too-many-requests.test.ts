import t from 'tap'
import { openService, startIssuer, trusting } from '../test-support.ts'
import type { Exceeded } from '../limits/limits.ts'

const issuer = await startIssuer(t)
const key = 'key-0123456789abcdefghijklmnopqrstuvwxyz'
const service = openService(t, trusting(issuer, { MCP_API_KEY: key, MCP_API_KEY_TENANT: 'ops' }))
const known = `Bearer ${issuer.token()}`
await service.ask({ authorization: known })

/** Limits that say what a test wants, and remember of whom. */
const asked: string[] = []
let exceeded: Exceeded | undefined
const blocked = new Map<string, number>()
service.gate.limits = {
  ...service.gate.limits,
  take: async () => { throw new Error('a refusal counts no call') },
  peek: async ({ tenantId, userId }) => {
    asked.push(`${tenantId}/${userId}`)
    return exceeded
  },
  failed: () => { throw new Error('a refusal is no guess at a credential') },
  blocked: address => blocked.get(address)
}
t.beforeEach(() => {
  exceeded = undefined
  asked.length = 0
  blocked.clear()
})

/** What Traefik's errors middleware asks: no X-Forwarded-For of its own. */
const words = (headers: Record<string, string> = {}, url = 'https://graphs.example.com/mcp?cursor=SENTINEL') =>
  service.decision.inject({ url: `/too-many-requests?url=${encodeURIComponent(url)}`, headers: { 'x-real-ip': '198.51.100.7', ...headers } })
const counted = async () => (await service.metrics('auth_decisions_total{outcome="refused",reason="too_many_requests"')).map(line => Number(line.split(' ').pop())).at(0) ?? 0

t.test('a request that the flood guard sent away is answered in the contract\'s JSON, with Retry-After, and counted once', async t => {
  const before = await counted()
  const answer = await words()
  t.equal(answer.statusCode, 429)
  t.match(answer.headers, { 'retry-after': '1', 'cache-control': 'no-store', 'content-type': /^application\/json/, 'x-request-id': String })
  t.match(answer.json(), { error: { type: 'RateLimitError', code: 'too_many_requests' }, path: '/mcp', tenant: null, requestId: answer.headers['x-request-id'] })
  t.equal(await counted(), before + 1)
  t.notMatch(answer.body, 'SENTINEL')
  t.notOk(service.lines.some(line => line.includes('SENTINEL')), 'the query string of the refused call is in no log line')
})

for (const [what, authorization, who] of [['a token', { authorization: known }, 'acme/ada'], ['an API key', { 'x-api-key': key }, 'ops/api-key']] as const) {
  t.test(`the limit of whom ${what} stands for is told again, and not counted a second time`, async t => {
    const before = await counted()
    for (const limit of ['tenant', 'subject'] as const) {
      exceeded = { limit, retryAfter: 7 }
      const answer = await words(authorization)
      t.equal(answer.statusCode, 429)
      t.equal(answer.headers['retry-after'], '7')
      t.match(answer.json(), { error: { code: `${limit}_limited` }, path: '/mcp', tenant: who.split('/')[0] })
    }
    t.strictSame(asked, [who, who])
    t.equal(await counted(), before)
  })
}

t.test('an address that guesses hears how long it must wait; a known credential from there does not', async t => {
  blocked.set('198.51.100.7', 9)
  const guessed = { authorization: `Bearer ${issuer.token({ sub: 'never seen' })}` }
  t.match((await words(guessed)).json(), { error: { code: 'address_limited' }, tenant: null })
  t.equal((await words(guessed)).headers['retry-after'], '9')
  t.match((await words({ ...guessed, 'x-real-ip': '203.0.113.9', 'x-forwarded-for': '198.51.100.7' })).json(), { error: { code: 'address_limited' } }, 'whom a trusted proxy names')
  t.match((await words({ authorization: known })).json(), { error: { code: 'too_many_requests' }, tenant: 'acme' })
})

t.test('without an address nobody is taken for blocked', async t => {
  blocked.set('', 9)
  const answer = await service.decision.inject({ url: '/too-many-requests', headers: { authorization: 'Bearer a.b.c' } })
  t.match(answer.json(), { error: { code: 'too_many_requests' }, path: '/' })
})

t.test('a call that was admitted met a full queue: its tenant and its request id are told', async t => {
  exceeded = { limit: 'tenant', retryAfter: 7 }
  const before = await counted()
  const admission = await service.ask({ authorization: known }).catch(() => undefined)
  t.equal(admission?.statusCode, 500, 'the stub counts no call')
  service.gate.limits.take = async () => undefined
  const { headers } = await service.ask({ authorization: known })
  const told = Object.fromEntries(Object.entries(headers).filter(([name]) => /^x-/.test(name))) as Record<string, string>
  const answer = await words(told)
  t.match(answer.json(), { error: { code: 'queue_full' }, tenant: 'acme', requestId: headers['x-request-id'] })
  t.equal(answer.headers['x-request-id'], headers['x-request-id'])
  t.equal(answer.headers['retry-after'], '1')
  t.match((await words({ ...told, 'x-tenant-id': 'bob' })).json(), { error: { code: 'too_many_requests' }, tenant: null }, 'plain headers alone are not believed')
  t.equal(await counted(), before + 1)
})

t.test('no credential makes it fail: it answers 429 whatever it is sent', async t => {
  for (const headers of [{ authorization: 'Bearer' }, { authorization: `Bearer ${'x'.repeat(9_000)}` }, { authorization: 'Bearer a.b.c', 'x-api-key': 'x' }, { 'x-identity-assertion': 'forged' }, { authorization: `Bearer ${issuer.token({ tenant_id: undefined })}` }] as Array<Record<string, string>>) {
    t.equal((await words(headers)).statusCode, 429, JSON.stringify(headers).slice(0, 60))
  }
  for (const url of ['', 'nonsense', 'https://x', `https://x/${'a'.repeat(5_000)}`, 'https://x/%00?']) t.equal((await words({}, url)).statusCode, 429)
  t.equal((await service.decision.inject('/too-many-requests?url=a&url=b')).json().path, '/')
})

t.test('it is no public path', async t => {
  t.equal((await service.open.inject('/too-many-requests')).statusCode, 404)
})
