import t, { type Test } from 'tap'
import { randomBytes } from 'node:crypto'
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import type { Send } from '../../tests/support/https.ts'
import { authorizePath, Browser, exchange, pkce, refresh, register, signIn, tokensOf, type Registered, type SignedIn } from '../../tests/support/sign-in.ts'
import { until } from '../../tests/support/until.ts'
import { ada, startOpenid } from '../../tests/support/upstreams/openid.ts'
import { ringInValkey } from './keys/ring-in-valkey.ts'
import { replaceAll, rotate } from './keys/rotating.ts'
import { testClock } from './keys/test-support.ts'
import { openReplicas, type Replica } from './test-replicas.ts'
import { gatewaySecret } from './test-support.ts'
import { visit } from './upstreams/test-support.ts'

t.setTimeout(120_000)

const publishedBy = async (send: Send) => (await send({ path: '/.well-known/jwks.json' })).json as { keys: Array<{ kid: string, alg: string }> }
/** By what a replica publishes in this moment, as verify would read it. */
const verifiedBy = async (send: Send, token: string) => await jwtVerify(token, createLocalJWKSet(await publishedBy(send) as never)).then(() => true, () => false)
const kidOf = (token: string) => String(decodeProtectedHeader(token).kid)

/** A client that keeps refreshing, each time at the other replica; each token is good by the keys of both. */
function refresher (t: Test, send: Send, replicas: readonly Replica[], client: Registered, first: string) {
  let token = first
  const step = async (what: string) => {
    const { access_token: access, refresh_token: next } = tokensOf(await refresh(send, client, token))
    token = next
    for (const [index, replica] of replicas.entries()) t.ok(await verifiedBy(replica.send, access), `${what}: good by the keys of replica ${index + 1}`)
    return access
  }
  return Object.assign(step, { latest: () => token })
}

/** A sign-in that waits at its first page, and one at its consent page. */
async function underWay (send: Send, origin: string, client: Registered) {
  const redirectUri = client.redirect_uris[0]!
  const one = new Browser(send, origin)
  const other = new Browser(send, origin)
  const [{ verifier, challenge }, second] = [pkce(), pkce()]
  const signInPage = await one.open(authorizePath({ clientId: client.client_id, redirectUri, challenge }))
  const consentPage = await other.press(await other.open(authorizePath({ clientId: client.client_id, redirectUri, challenge: second.challenge })), 'upstream', 'local', { name: 'grace' })
  const codeOf = (left: URL | undefined) => String(left?.searchParams.get('code'))
  return {
    finish: async () => {
      const consented = await other.press(consentPage, 'decision', 'allow', { tenant: 'acme' })
      const signedIn = await one.press(await one.press(signInPage, 'upstream', 'local', { name: 'hedy' }), 'decision', 'allow', { tenant: 'acme' })
      return await Promise.all([
        exchange(send, { client, redirectUri, code: codeOf(consented.left), verifier: second.verifier }),
        exchange(send, { client, redirectUri, code: codeOf(signedIn.left), verifier })
      ])
    }
  }
}

/** Who is signed in is asked nothing when another code is wanted. */
const stillSignedIn = async (send: Send, origin: string, { client, browser }: SignedIn) => await exchange(send, await signIn(send, origin, { client, browser }))

const rules = { algorithm: 'RS256', accessTokenSeconds: 600, cookieSeconds: 28_800 } as const

t.test('keys are rotated while clients refresh and people sign in: each request succeeds at each replica, before, between and after the two phases', async t => {
  const clock = testClock()
  const { send, origin, replicas } = await openReplicas(t, { clock })
  const client = await register(send)
  const done = await signIn(send, origin, { tenant: 'acme', client })
  const begun = await underWay(send, origin, client)
  const step = refresher(t, send, replicas, client, (await exchange(send, done)).refresh_token)
  const former = await step('before')

  await rotate(ringInValkey(replicas[0]!.client, [gatewaySecret]), rules, clock.seconds)
  await until('each replica to publish the next key', async () => (await Promise.all(replicas.map(({ send }) => publishedBy(send)))).every(({ keys }) => keys.length === 2))
  const between = await step('announced')
  t.equal(kidOf(between), kidOf(former), 'the next key is published and does not sign yet')
  clock.moveTo(clock.seconds + 31)
  const after = await step('the turn')
  t.not(kidOf(after), kidOf(former))
  for (const { send } of replicas) t.ok(await verifiedBy(send, between), 'tokens of the former key are good')
  t.equal((await begun.finish()).length, 2, 'pages that were open all the while')
  t.ok((await stillSignedIn(send, origin, done)).access_token, 'whose browser is signed in, still is')

  // As long as a token of it can live, and a minute for clocks.
  clock.moveTo(clock.seconds + 600 + 58)
  for (const { send } of replicas) t.ok(await verifiedBy(send, between), 'until the last of them has expired')
  clock.moveTo(clock.seconds + 5)
  for (const { send } of replicas) t.strictSame((await publishedBy(send)).keys.map(({ kid }) => kid), [kidOf(after)], 'then the former key goes')
  t.equal(kidOf(await step('the end')), kidOf(after))
  t.ok((await stillSignedIn(send, origin, done)).access_token, 'the cookie of the former key is good as long as the session')
})

t.test('a key that has leaked: NOW=true withdraws it, its tokens end, browsers sign in again, and clients go on by their refresh tokens', async t => {
  const { send, origin, replicas } = await openReplicas(t)
  const client = await register(send)
  const done = await signIn(send, origin, { tenant: 'acme', client })
  const first = await exchange(send, done)
  await replaceAll(ringInValkey(replicas[0]!.client, [gatewaySecret]), 'RS256', Date.now() / 1000)
  await until('each replica to have the new key', async () => (await Promise.all(replicas.map(({ send }) => publishedBy(send)))).every(({ keys }) => keys.length === 1 && keys[0]?.kid !== kidOf(first.access_token)))
  for (const { send } of replicas) t.notOk(await verifiedBy(send, first.access_token))
  await refresher(t, send, replicas, client, first.refresh_token)('after')
  t.match((await done.browser.open('/account')).text, 'value="local"', 'who was signed in signs in again')
})

t.test('ACCESS_TOKEN_ALG is changed by restarting one replica after the other: no request fails, and clients of before go on after the last key of before is gone', async t => {
  const clock = testClock()
  const { send, origin, replicas, replace } = await openReplicas(t, { clock })
  // One that names the algorithm of before, as a client may (RFC 7591 section 2).
  const client = await register(send, { id_token_signed_response_alg: 'RS256' })
  const done = await signIn(send, origin, { tenant: 'acme', client, scope: 'openid graph:read graph:write' })
  const first = await exchange(send, done)
  const step = refresher(t, send, replicas, client, first.refresh_token)
  await step('before')
  for (const index of [0, 1]) {
    const begun = await underWay(send, origin, client)
    await replace(index, { env: { ACCESS_TOKEN_ALG: 'ES256' } })
    await step(`replica ${index + 1} restarted`)
    await begun.finish()
  }
  await until('the new key to be published', async () => (await Promise.all(replicas.map(({ send }) => publishedBy(send)))).every(({ keys }) => keys.length === 2))
  t.equal(decodeProtectedHeader(await step('announced')).alg, 'RS256')
  const begun = await underWay(send, origin, client)
  clock.moveTo(clock.seconds + 31)
  t.equal(decodeProtectedHeader(await step('the turn')).alg, 'ES256')
  await begun.finish()
  clock.moveTo(clock.seconds + 700)
  for (const { send } of replicas) t.strictSame((await publishedBy(send)).keys.map(({ alg }) => alg), ['ES256'])
  await step('the former key is gone')
  const again = await signIn(send, origin, { client, browser: done.browser, scope: 'openid graph:read graph:write' })
  t.ok((await exchange(send, again)).access_token, 'a client that was registered before signs in anew')
})

t.test('GATEWAY_SECRET is changed to new,old and then to new, one replica after the other: sessions, what is remembered of people, and open pages survive', async t => {
  const openid = await startOpenid()
  t.teardown(() => openid.close())
  openid.person = ada()
  const env = {
    OIDC_ISSUER: openid.issuer,
    OIDC_CLIENT_ID: openid.clientId,
    OIDC_CLIENT_SECRET: openid.clientSecret,
    OIDC_SCOPES: 'openid profile email offline_access',
    // Each refresh asks the upstream, by what is sealed.
    MEMBERSHIP_RECHECK_S: '0',
    TENANT_FROM: 'groups',
    ALLOWED_ORGANISATIONS: 'oidc:/engineers'
  }
  const { send, origin, replicas, replace } = await openReplicas(t, { env })
  openid.callbacks.push(`${origin}/callback/oidc`)
  const client = await register(send)
  const browser = new Browser(send, origin)
  const { verifier, challenge } = pkce()
  const redirectUri = client.redirect_uris[0]!
  const away = await browser.press(await browser.open(authorizePath({ clientId: client.client_id, redirectUri, challenge })), 'upstream', 'oidc')
  const consent = await browser.open((await visit(away.left!)).href)
  t.match(consent.text, 'value="allow"')

  const asOf = async (secret: string) => { for (const index of [0, 1]) await replace(index, { env: { GATEWAY_SECRET: secret } }) }
  const next = randomBytes(32).toString('hex')
  await asOf(`${next},${gatewaySecret}`)
  const allowed = await browser.press(consent, 'decision', 'allow')
  const tokens = await exchange(send, { client, redirectUri, code: String(allowed.left?.searchParams.get('code')), verifier })
  const step = refresher(t, send, replicas, client, tokens.refresh_token)
  await step('with both: what was sealed by the old one')
  t.match((await browser.open('/account')).text, 'Ada', 'still signed in')

  await asOf(next)
  await step('with the new one alone')
  t.match((await browser.open('/account')).text, 'Ada', 'still signed in')
  openid.withdraw(openid.person.sub)
  t.equal((await refresh(send, client, step.latest())).json.error, 'invalid_grant', 'the upstream was really asked')
})
