import t from 'tap'
import { sumMetric } from '../support/control.ts'
import { openGateway, unique } from '../support/gateway.ts'
import { askToken, exchange, refresh, register, signIn, tokensOf } from '../support/sign-in.ts'
import { until } from '../support/until.ts'

t.setTimeout(290_000)

const gateway = openGateway()
const { send, url: origin } = gateway
const served = async () => (await gateway.metrics('oauth')).map(text => sumMetric(text, 'http_requests_total', 'route="/token",status="200"'))

t.test('12: two replicas answer in turn, whatever was begun at which', { timeout: 60_000 }, async t => {
  t.equal(gateway.oauthReplicas(), 2)
  const before = await served()
  const done = await signIn(send, origin, { name: unique('ada'), tenant: 'acme' })
  let tokens = await exchange(send, done)
  for (let n = 0; n < 19; n++) tokens = tokensOf(await refresh(send, done.client, tokens.refresh_token))
  const after = await served()
  t.strictSame(after.map((count, index) => count - before[index]!), [10, 10])
})

t.test('9: the same refresh token twice at once: exactly one wins, the other is told invalid_grant only', { timeout: 90_000 }, async t => {
  // One grant asks for 30 tokens a minute at most: 4 of them.
  for (let connection = 0; connection < 4; connection++) {
    const done = await signIn(send, origin, { name: unique('ada'), tenant: 'acme' })
    let token = (await exchange(send, done)).refresh_token
    for (let n = 0; n < 10; n++) {
      const answers = await Promise.all([0, 1].map(() => refresh(send, done.client, token)))
      t.strictSame(answers.map(({ status }) => status).sort(), [200, 400])
      t.equal(answers.find(({ status }) => status === 400)!.json.error, 'invalid_grant')
      token = answers.find(({ status }) => status === 200)!.json.refresh_token
    }
    t.equal((await refresh(send, done.client, token)).status, 200, 'the last successor')
  }
  const { client, code, redirectUri, verifier } = await signIn(send, origin, { name: unique('ada'), tenant: 'acme' })
  const answers = await Promise.all([0, 1].map(() => askToken(send, { grant_type: 'authorization_code', client_id: client.client_id, code, redirect_uri: redirectUri, code_verifier: verifier })))
  t.ok(answers.filter(({ status }) => status === 200).length <= 1, 'a code: one at most')
  for (const { json } of answers.filter(({ status }) => status === 200)) t.equal((await refresh(send, client, json.refresh_token)).json.error, 'invalid_grant', 'and its grant has ended')
})

t.test('12: each replica is stopped and started again while people sign in and clients refresh: no request fails', { timeout: 150_000 }, async t => {
  const failed: string[] = []
  const count = { flows: 0, stopped: false }
  const client = await register(send)
  const worker = async () => {
    while (!count.stopped) {
      try {
        const done = await signIn(send, origin, { name: unique('ada'), tenant: 'acme', client })
        let tokens = await exchange(send, done)
        for (let n = 0; n < 3; n++) tokens = tokensOf(await refresh(send, client, tokens.refresh_token))
        if ((await done.browser.open('/account')).status !== 200) throw new Error('the account page')
        count.flows++
      } catch (error) {
        failed.push((error as Error).message.slice(0, 200))
      }
    }
  }
  const workers = Array.from({ length: 4 }, worker)
  const enough = async (more: number) => {
    const goal = count.flows + more
    await until(`${more} more sign-ins`, async () => count.flows >= goal, 40)
  }
  try {
    await enough(20)
    for (const index of [0, 1]) {
      await gateway.stopOauth(index)
      await gateway.oauthBack(index)
      const before = (await served())[index]!
      await until('the new replica to be sent requests', async () => (await served())[index]! > before)
      await enough(20)
    }
  } finally {
    count.stopped = true
    await Promise.all(workers)
  }
  t.strictSame(failed, [])
  t.comment(`${count.flows} sign-ins of some ten requests each`)
})
