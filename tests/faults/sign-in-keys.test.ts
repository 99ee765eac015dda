import t from 'tap'
import { setTimeout as delay } from 'node:timers/promises'
import { openGateway, unique } from '../support/gateway.ts'
import { authorizePath, Browser, exchange, pkce, refresh, register, signIn, tokensOf } from '../support/sign-in.ts'
import { headerOf } from '../support/tokens.ts'
import { until } from '../support/until.ts'

t.setTimeout(290_000)

const gateway = openGateway()
const { send, url: origin } = gateway
const call = async (token: string) => await send({ path: '/tools/falkordb_list_graphs', body: {}, headers: { authorization: `Bearer ${token}` } })
const kidOf = (token: string) => String(headerOf(token).kid)

/** Somebody whose client calls all the time and refreshes as fast as one grant may. */
async function busyClient (failed: string[]) {
  const done = await signIn(send, origin, { name: unique('ada'), tenant: 'acme' })
  let tokens = await exchange(send, done)
  const first = tokens.access_token
  const seen = new Set([kidOf(first)])
  const state = { stopped: false }
  const refreshing = async () => {
    for (; !state.stopped; await delay(2_500)) {
      const answer = await refresh(send, done.client, tokens.refresh_token)
      if (answer.status !== 200) failed.push(`a refresh: ${answer.status} ${answer.text}`)
      else tokens = tokensOf(answer)
      seen.add(kidOf(tokens.access_token))
    }
  }
  const calling = async () => {
    for (; !state.stopped; await delay(20)) {
      for (const [which, token] of [['the newest token', tokens.access_token], ['the first token', first]] as const) {
        const answer = await call(token)
        if (answer.status !== 200) failed.push(`${which} (${kidOf(token)}): ${answer.status} ${answer.text.slice(0, 200)}`)
      }
    }
  }
  const work = Promise.all([refreshing(), calling()])
  return {
    ...done,
    first,
    /** Names of the keys that its tokens had. */
    seen,
    stop: async () => {
      state.stopped = true
      await work
      return tokens
    }
  }
}

t.test('make rotate-keys while clients call and refresh and people sign in: no request fails; then NOW=true ends all tokens of the former key', { timeout: 200_000 }, async t => {
  const failed: string[] = []
  const client = await register(send)
  const browser = new Browser(send, origin)
  const { verifier, challenge } = pkce()
  const redirectUri = client.redirect_uris[0]!
  const consentPage = await browser.press(await browser.open(authorizePath({ clientId: client.client_id, redirectUri, challenge })), 'upstream', 'local', { name: unique('grace') })
  const clients = await Promise.all([busyClient(failed), busyClient(failed), busyClient(failed)])
  t.match(await gateway.oauthCommand('rotate-keys'), /signs tokens from/)
  await t.rejects(gateway.oauthCommand('rotate-keys'), /under way/, 'a second one has to wait')
  await until('tokens of the next key at each client', async () => clients.every(({ seen }) => seen.size === 2), 60)
  const [latest] = await Promise.all(clients.map(one => one.stop()))
  t.strictSame(failed, [])
  t.equal((await call(clients[0]!.first)).status, 200, 'a token of the former key')

  const allowed = await browser.press(consentPage, 'decision', 'allow', { tenant: 'acme' })
  const tokens = await exchange(send, { client, redirectUri, verifier, code: String(allowed.left?.searchParams.get('code')) })
  t.equal((await call(tokens.access_token)).status, 200, 'a page that was open before the rotation')
  t.match((await clients[0]!.browser.open('/account')).text, 'A test client', 'who was signed in still is')

  t.match(await gateway.oauthCommand('rotate-keys', 'NOW=true'), /withdrawn/)
  const kids = async () => ((await send({ path: '/.well-known/jwks.json' })).json as { keys: Array<{ kid: string }> }).keys.map(({ kid }) => kid)
  await until('each replica to have the new key alone', async () => (await Promise.all(Array.from({ length: 4 }, kids))).every(published => published.length === 1 && !published.includes(kidOf(tokens.access_token))))
  const fresh = tokensOf(await refresh(send, client, tokens.refresh_token))
  // verify asks for an unknown key at most once in ten seconds.
  await until('verify to learn the new key', async () => (await call(fresh.access_token)).status === 200, 15)
  for (const token of [clients[0]!.first, latest!.access_token, tokens.access_token]) t.equal((await call(token)).status, 401)
})
