import t, { type Test } from 'tap'
import { nowSeconds, revoke } from '@gateway/common/revocations.ts'
import { Browser, authorizePath, claimsOf, exchange, pkce, refresh, register, signIn, tokensOf } from '../../../tests/support/sign-in.ts'
import { until } from '../../../tests/support/until.ts'
import { ada, startOpenid } from '../../../tests/support/upstreams/openid.ts'
import { openOauth } from '../test-support.ts'
import { visit } from '../upstreams/test-support.ts'

/** Signs Ada in through her company and returns her client's first tokens. */
async function connected (t: Test, env: Record<string, string> = {}) {
  const openid = await startOpenid()
  t.teardown(() => openid.close())
  const oauth = await openOauth(t, {
    env: {
      LOCAL_SIGN_IN: 'false',
      OIDC_ISSUER: openid.issuer,
      OIDC_CLIENT_ID: openid.clientId,
      OIDC_CLIENT_SECRET: openid.clientSecret,
      TENANT_FROM: 'groups',
      ALLOWED_ORGANISATIONS: 'oidc:/engineers',
      MEMBERSHIP_RECHECK_S: '0',
      ...env
    }
  })
  const { send, origin } = oauth
  openid.callbacks.push(`${origin}/callback/oidc`)
  openid.person = ada()
  const connect = async () => {
    const client = await register(send)
    const browser = new Browser(send, origin)
    const { verifier, challenge } = pkce()
    const redirectUri = client.redirect_uris[0]!
    const away = await browser.press(await browser.open(authorizePath({ clientId: client.client_id, redirectUri, challenge })), 'upstream', 'oidc')
    const page = await browser.open((await visit(away.left!)).href)
    const done = await browser.press(page, 'decision', 'allow')
    const code = String(done.left?.searchParams.get('code'))
    return { client, tokens: await exchange(send, { client, redirectUri, code, verifier }) }
  }
  return { ...oauth, openid, connect, ...await connect() }
}

t.test('who leaves the company is out at the next refresh, and stays out', async t => {
  const { send, openid, client, tokens } = await connected(t)
  t.match(claimsOf(tokens.access_token), { sub: /^oidc:/, tenant_id: 'engineers' })
  const second = tokensOf(await refresh(send, client, tokens.refresh_token))
  openid.withdraw(ada().sub)
  for (let time = 0; time < 2; time++) t.match((await refresh(send, client, second.refresh_token)).json, { error: 'invalid_grant' })
})

t.test('who leaves a group loses its tenant at the next refresh', async t => {
  const { send, openid, client, tokens } = await connected(t)
  openid.changeTo({ ...ada(), claims: { ...ada().claims, groups: ['/everybody'] } })
  t.match((await refresh(send, client, tokens.refresh_token)).json, { error: 'invalid_grant' })
})

t.test('while the company cannot be asked, refreshes go on for UPSTREAM_OUTAGE_S and no longer', async t => {
  const { send, openid, client, tokens } = await connected(t)
  openid.trouble.set('/protocol/token', 'error')
  t.equal((await refresh(send, client, tokens.refresh_token)).status, 200)
  const strict = await connected(t, { UPSTREAM_OUTAGE_S: '0' })
  strict.openid.trouble.set('/protocol/token', 'error')
  t.match((await refresh(strict.send, strict.client, strict.tokens.refresh_token)).json, { error: 'invalid_grant' })
  strict.openid.trouble.clear()
})

t.test('two clients of one person refresh in the same moment: the company is asked once, with a token that is good once', async t => {
  const { send, openid, client, tokens, connect } = await connected(t)
  const other = await connect()
  const before = openid.count('/protocol/token')
  const answers = await Promise.all([refresh(send, client, tokens.refresh_token), refresh(send, other.client, other.tokens.refresh_token)])
  t.strictSame(answers.map(({ status }) => status), [200, 200])
  t.equal(openid.count('/protocol/token') - before, 1)
})

t.test('what the company gave is nowhere to be read in Valkey', async t => {
  const { state: { client }, openid } = await connected(t)
  const given = openid.asked.length
  t.ok(given > 0)
  for await (const keys of client.scanIterator({ MATCH: 'oauth:account:*' })) {
    for (const key of keys) {
      const { memory } = JSON.parse(String(await client.get(key))) as { memory: string }
      t.match(memory, /^[A-Za-z0-9+/]+=*$/)
      t.throws(() => JSON.parse(Buffer.from(memory, 'base64').toString()), 'it is sealed')
    }
  }
})

t.test('whom the operator revokes is out at the next refresh, and is asked anew when they come back, in the same browser as well', async t => {
  const { send, origin, client: state, store } = await openOauth(t)
  const here = await signIn(send, origin, { tenant: 'acme' })
  const [first, elsewhere] = [await exchange(send, here), await signIn(send, origin, { tenant: 'acme' })]
  const other = await exchange(send, elsewhere)
  const gids = [first, other].map(({ access_token: token }) => String(claimsOf(token).gid))
  // Whole seconds: what is allowed in the second of a revocation is covered by it.
  const at = nowSeconds()
  await revoke(state, { kind: 'subject', issuer: origin, id: 'local:ada', at }, at + 3600)
  await until('the second after it', () => nowSeconds() > at)

  t.match((await refresh(send, here.client, first.refresh_token)).json, { error: 'invalid_grant' })
  const [ended, still] = [await store.grants.find(gids[0]!), await store.grants.find(gids[1]!)]
  t.equal(ended, undefined, 'nobody is shown a connection that is good for nothing')
  t.ok(still, 'the other one has not been refreshed')

  for (const { client, browser } of [here, elsewhere]) {
    const again = await signIn(send, origin, { tenant: 'acme', client, browser })
    const tokens = await exchange(send, again)
    t.notOk(gids.includes(String(claimsOf(tokens.access_token).gid)), 'it is another grant')
    t.equal((await refresh(send, client, tokens.refresh_token)).status, 200)
  }
  t.match((await refresh(send, elsewhere.client, other.refresh_token)).json, { error: 'invalid_grant' }, 'what was allowed before stays refused')
})

t.test('a person whom the operator revokes is signed out of every browser as well', async t => {
  const { send, origin, config, client, revocations } = await openOauth(t)
  const browser = new Browser(send, origin)
  const page = await browser.press(await browser.open('/account'), 'upstream', 'local', { name: 'ada' })
  t.equal(page.path, '/account')
  await revoke(client, { kind: 'subject', issuer: config.issuer, id: 'local:ada', at: nowSeconds() })
  const credential = { issuer: config.issuer, userId: 'local:ada', tokenId: undefined, grantId: undefined, issuedAt: 1 }
  await until('the revocation is known', () => revocations.covers(credential, ''))
  t.match((await browser.open('/account')).text, 'value="local"', 'asked who they are')
  const registered = await register(send)
  t.match((await browser.open(authorizePath({ clientId: registered.client_id, redirectUri: registered.redirect_uris[0]!, challenge: pkce().challenge }))).text, 'value="local"')
})
