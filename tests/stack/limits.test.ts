/** The limits that verify holds, through Traefik. A stack of its own: no other test could live with limits so low. */
import t, { type Test } from 'tap'
import { startDevStack } from '../support/dev-stack.ts'
import { openGateway } from '../support/gateway.ts'
import { createSend, type Answer } from '../support/https.ts'
import { until } from '../support/until.ts'

t.setTimeout(290_000)

/** A second; ten times as many pass in ten seconds. */
const limit = 2
const stack = await startDevStack({ SUBJECT_REQUESTS_PER_SECOND: String(limit), ADDRESS_FAILURES_PER_SECOND: String(limit), LOG_LEVEL: 'info' })
t.teardown(() => stack.stop())
process.env.GATEWAY_STACK = stack.path
const gateway = openGateway()

/** A call from one of this machine's own addresses, each of which is another client. */
const ask = (authorization: string, address = '127.0.0.1', forwarded?: string) =>
  createSend(gateway.url, gateway.caFile, address)({ path: '/tools/falkordb_health', body: {}, headers: { authorization, ...(forwarded !== undefined && { 'X-Forwarded-For': forwarded }) } })

/** Calls until it is told to wait: a window may end meanwhile. @returns the answer, and how many calls had another one */
async function untilLimited (call: (index: number) => Promise<Answer>): Promise<{ answer: Answer, before: number }> {
  for (let before = 0; before < limit * 10 * 3; before++) {
    const answer = await call(before)
    if (answer.status === 429) return { answer, before }
  }
  throw new Error('all calls were within the limit')
}

function isContract429 (t: Test, { status, headers, json }: Answer, code: string) {
  t.equal(status, 429)
  t.match(headers['content-type'], /^application\/json/)
  const seconds = Number(headers['retry-after'])
  t.ok(Number.isInteger(seconds) && seconds >= 1 && seconds <= 10, `Retry-After: ${seconds}`)
  t.match(json, { error: { type: 'RateLimitError', code, message: String }, timestamp: /^\d{4}-/, path: '/tools/falkordb_health', requestId: String })
  return seconds
}

t.test('16: two users behind one address have separate limits; neither another address nor a forged X-Forwarded-For gives one a second limit', async t => {
  const [ada, bob] = await Promise.all([gateway.person({ user: 'ada' }), gateway.person({ user: 'bob' })])
  const { answer, before } = await untilLimited(index => ask(ada.headers.authorization, `127.0.0.${index % 3 + 1}`, `198.51.100.${index}`))
  t.ok(before >= limit * 10, `${before} calls before`)
  const seconds = isContract429(t, answer, 'subject_limited')
  t.equal(answer.json.tenant, ada.tenant)
  t.equal((await ask(bob.headers.authorization)).status, 200, 'another user at the same address')
  await until('the limit to end', async () => (await ask(ada.headers.authorization)).status === 200, seconds + 10)
})

t.test('16: who guesses at credentials is told to wait, whatever X-Forwarded-For says; known callers at that address and strangers elsewhere are not meant', async t => {
  const known = await gateway.person({ user: 'carol' })
  const [here, elsewhere] = ['127.0.0.7', '127.0.0.8']
  t.equal((await ask(known.headers.authorization, here)).status, 200)
  const { answer, before } = await untilLimited(index => ask(`Bearer garbage${index}`, here, `198.51.100.${index}`))
  t.ok(before >= limit * 10, `${before} guesses before`)
  isContract429(t, answer, 'address_limited')
  t.equal((await ask(known.headers.authorization, here)).status, 200, 'a caller who is known')
  t.equal((await ask('Bearer garbage', elsewhere, here)).status, 401, 'another address, which names the first one')
})
