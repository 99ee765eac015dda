import t, { type Test } from 'tap'
import type { LightMyRequestResponse } from 'fastify'
import { forwarded, makeKey, mint, now, openService, publicUrl, startIssuer, trusting } from '../test-support.ts'

const issuer = await startIssuer(t)
const host = new URL(publicUrl).host

/** Asks until the answer is 429: a window may end meanwhile. @returns the answer, and how often it was another one */
async function untilLimited (ask: () => Promise<LightMyRequestResponse>, most: number) {
  for (let before = 0; before < most; before++) {
    const answer = await ask()
    if (answer.statusCode === 429) return { answer, before }
  }
  throw new Error(`${most} calls were within the limit`)
}

function isContract429 (t: Test, answer: LightMyRequestResponse, code: string, tenant: string | null) {
  t.equal(answer.statusCode, 429)
  t.match(answer.headers['content-type'], /^application\/json/)
  t.equal(answer.headers['cache-control'], 'no-store')
  const seconds = Number(answer.headers['retry-after'])
  t.ok(Number.isInteger(seconds) && seconds >= 1 && seconds <= 10, `Retry-After: ${seconds}`)
  t.match(answer.json(), { error: { type: 'RateLimitError', code, message: /Retry-After/ }, path: '/mcp', timestamp: /^\d{4}-/, requestId: /^[0-9a-f-]{36}$/ })
  t.equal(answer.json().tenant, tenant)
  for (const name of ['x-tenant-id', 'x-identity-assertion', 'www-authenticate']) t.equal(answer.headers[name], undefined, name)
}

t.test('16: beyond its limit a subject gets 429 with the contract\'s JSON, and another user behind the same address passes', async t => {
  const service = openService(t, trusting(issuer, { SUBJECT_REQUESTS_PER_SECOND: '1' }))
  const [ada, bob] = [issuer.token(), issuer.token({ sub: 'bob' })]
  const { answer, before } = await untilLimited(() => service.bearer(ada), 25)
  t.ok(before >= 10, `${before} calls before`)
  isContract429(t, answer, 'subject_limited', 'acme')
  t.equal((await service.bearer(bob)).statusCode, 200)
  t.match((await service.metrics('auth_decisions_total{outcome="refused",reason="subject_limited"')).length, 1)
})

t.test('16: neither another address nor another token gives a subject a second limit, and /verify asks the same', async t => {
  const service = openService(t, trusting(issuer, { SUBJECT_REQUESTS_PER_SECOND: '1' }))
  let call = 0
  const ask = () => service.ask({ authorization: `Bearer ${issuer.token({ jti: String(call++) })}`, 'x-forwarded-for': `198.51.100.${call}` })
  const { answer } = await untilLimited(ask, 25)
  isContract429(t, answer, 'subject_limited', 'acme')
  const { answer: own } = await untilLimited(() => service.open.inject({ url: '/verify', headers: { host, authorization: `Bearer ${issuer.token()}` } }), 25)
  t.match(own.json(), { error: { type: 'RateLimitError', code: 'subject_limited' } })
})

t.test('the users of a tenant share its limit', async t => {
  const service = openService(t, trusting(issuer, { TENANT_REQUESTS_PER_SECOND: '1' }))
  const tokens = ['ada', 'bob', 'eve'].map(sub => issuer.token({ sub }))
  let call = 0
  const { answer } = await untilLimited(() => service.bearer(tokens[call++ % 3] as string), 25)
  isContract429(t, answer, 'tenant_limited', 'acme')
  t.equal((await service.bearer(issuer.token({ tenant_id: 'other' }))).statusCode, 200)
})

t.test('who guesses at credentials is told to wait before anything is verified; a known credential from the same address passes', async t => {
  const service = openService(t, trusting(issuer, { ADDRESS_FAILURES_PER_SECOND: '1', SHARED_EGRESS_RANGES: '203.0.113.0/24' }))
  const known = issuer.token()
  t.equal((await service.bearer(known)).statusCode, 200)
  const stranger = makeKey('first')
  const guess = (address = '198.51.100.7') => service.ask({ authorization: `Bearer ${mint(stranger, issuer.claims({ jti: Math.random() }))}`, 'x-forwarded-for': address })
  const { answer, before } = await untilLimited(guess, 25)
  t.ok(before >= 10, `${before} guesses before`)
  isContract429(t, answer, 'address_limited', null)
  t.equal((await service.bearer(known)).statusCode, 200, 'a known credential')
  t.equal((await guess('198.51.100.8')).statusCode, 401, 'another address')
  for (let n = 0; n < 30; n++) t.equal((await guess('203.0.113.9')).statusCode, 401, 'an address that many callers share')
})

t.test('to send none, or one of its own that has expired, is no guess', async t => {
  const service = openService(t, trusting(issuer, { ADDRESS_FAILURES_PER_SECOND: '1' }))
  const expired = issuer.token({ iat: now() - 900, exp: now() - 300 })
  for (let n = 0; n < 30; n++) {
    t.equal((await service.ask()).statusCode, 401)
    t.equal((await service.bearer(expired)).statusCode, 401)
  }
  t.equal((await service.bearer(issuer.token())).statusCode, 200)
})

t.test('a flood of calls beyond a limit is no flood of the audit log, and every call is in its numbers', async t => {
  const service = openService(t, trusting(issuer, { SUBJECT_REQUESTS_PER_SECOND: '1', ADDRESS_FAILURES_PER_SECOND: '1' }))
  const token = issuer.token()
  const statuses = await Promise.all(Array.from({ length: 300 }, () => service.bearer(token).then(({ statusCode }) => statusCode)))
  for (let n = 0; n < 300; n++) statuses.push((await service.ask({ authorization: `Bearer garbage${n}` })).statusCode)
  await service.audit.close()
  const lines = service.lines.map(line => JSON.parse(line)).filter(({ status }) => status === 429)
  const told = lines.filter(({ audit }) => audit === 'refused')
  const counted = lines.filter(({ audit }) => audit === 'refused_again')
  t.ok(told.length <= 6, `${told.length} lines at once`)
  t.equal(told.length + counted.reduce((sum, { times }) => sum + times, 0), statuses.filter(status => status === 429).length)
  t.match(counted.find(({ reason }) => reason === 'subject_limited'), { tenant: 'acme', subject: 'ada', issuer: issuer.url })
  t.match(counted.find(({ reason }) => reason === 'address_limited'), { address: forwarded('/')['x-forwarded-for'] })
})
