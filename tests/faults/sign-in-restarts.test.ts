import t, { type Test } from 'tap'
import { sumMetric } from '../support/control.ts'
import { openGateway, unique } from '../support/gateway.ts'
import { authorizePath, Browser, exchange, pkce, refresh, register, tokensOf } from '../support/sign-in.ts'
import { until } from '../support/until.ts'

t.setTimeout(290_000)

const gateway = openGateway()
const { send, url: origin } = gateway
const all = (work: (index: number) => Promise<void>) => Promise.all(Array.from({ length: gateway.oauthReplicas() }, (_, index) => work(index)))
const call = async (token: string) => (await send({ path: '/tools/falkordb_list_graphs', body: {}, headers: { authorization: `Bearer ${token}` } })).status

/** Resolves when the door leads to every replica, and each of them has its store. */
const signInBack = () => until('the sign-in', async () => {
  const answers = await Promise.all(Array.from({ length: 4 }, () => send({ path: '/.well-known/oauth-authorization-server' })))
  const metrics = await gateway.metrics('oauth').catch(() => [''])
  return answers.every(({ status }) => status === 200) && metrics.every(text => sumMetric(text, 'state_up') === 1)
}, 60)

/** What is done between two steps; `work` is asked while the part is away. */
type Interruption = (meanwhile?: () => Promise<void>) => Promise<void>

/** Registers, signs in, and refreshes, with something in between each two steps. */
async function walk (t: Test, interrupt: Interruption) {
  const client = await register(send)
  await interrupt()
  const browser = new Browser(send, origin)
  const { verifier, challenge } = pkce()
  const redirectUri = client.redirect_uris[0]!
  const link = authorizePath({ clientId: client.client_id, redirectUri, challenge, resource: gateway.mcpUrl })
  const signInPage = await browser.open(link)
  await interrupt()
  const consentPage = await browser.press(signInPage, 'upstream', 'local', { name: unique('ada') })
  await interrupt()
  const allowed = await browser.press(consentPage, 'decision', 'allow', { tenant: 'acme' })
  await interrupt()
  let tokens = await exchange(send, { client, redirectUri, verifier, code: String(allowed.left?.searchParams.get('code')) })
  t.equal(await call(tokens.access_token), 200)
  await interrupt(async () => {
    const { status, json, headers } = await refresh(send, client, tokens.refresh_token)
    t.match({ status, json, later: headers['retry-after'] }, { status: 503, json: { error: 'temporarily_unavailable' }, later: /^\d+$/ }, 'a refresh meanwhile')
    t.match(await new Browser(send, origin).open(link), { status: 503, text: /load this page again/ }, 'a page meanwhile')
    for (const path of ['/.well-known/oauth-authorization-server', '/.well-known/jwks.json']) t.equal((await send({ path })).status, 200, path)
    t.equal(await call(tokens.access_token), 200, 'access tokens go on')
  })
  for (let n = 0; n < 2; n++) {
    const before = tokens
    tokens = tokensOf(await refresh(send, client, tokens.refresh_token))
    t.equal(await call(tokens.access_token), 200)
    t.equal(await call(before.access_token), 200, 'keys survive, so a token of before is good')
    if (n === 0) await interrupt()
  }
  t.match((await browser.open('/account')).text, 'A test client', 'still signed in')
}

t.test('8: all replicas of the sign-in are killed between each two steps, and nobody has to begin anew', { timeout: 180_000 }, async t => {
  await walk(t, async () => {
    await all(gateway.killOauth)
    await all(gateway.oauthBack)
    await signInBack()
  })
})

t.test('8: Valkey is killed between each two steps: meanwhile each answer says to come back, and nothing that was acknowledged is lost', { timeout: 180_000 }, async t => {
  await walk(t, async meanwhile => {
    await gateway.killValkey()
    try {
      if (meanwhile) {
        await until('the outage to be seen', async () => (await gateway.metrics('oauth')).every(text => sumMetric(text, 'state_up') === 0))
        await meanwhile()
      }
    } finally {
      await gateway.valkeyBack()
    }
    await signInBack()
  })
})

for (const part of ['verify', 'traefik'] as const) {
  t.test(`8: ${part} is restarted between each two steps`, { timeout: 240_000, skip: gateway.restart === undefined && 'as a process it ends with the whole stack: tests/stack/sign-in-restart.test.ts' }, async t => {
    await walk(t, async () => {
      await gateway.restart!(part)
      await signInBack()
    })
  })
}
