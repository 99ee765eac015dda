import t from 'tap'
import { revocationsKey } from '@gateway/common/revocations.ts'
import { askToken, Browser, authorizePath, claimsOf, exchange, pkce, refresh, register, signIn, tokensOf } from '../../tests/support/sign-in.ts'
import { openOauth } from './test-support.ts'

t.test('a person signs in, allows a client, and it gets a token for their tenant', async t => {
  const { send, origin } = await openOauth(t)
  const done = await signIn(send, origin, { tenant: 'acme', scope: 'graph:read graph:write' })
  t.equal(done.callback.searchParams.get('iss'), origin, 'RFC 9207')
  t.equal(done.callback.searchParams.get('state'), 'st')
  const tokens = await exchange(send, done)
  const claims = claimsOf(tokens.access_token)
  t.match(claims, { iss: origin, aud: `${origin}/mcp`, sub: 'local:ada', tenant_id: 'acme', scope: 'graph:read graph:write', client_id: done.client.client_id, jti: String, gid: String })
  t.equal(claims.exp - claims.iat, 600)
  t.equal(tokens.token_type, 'Bearer')
  t.ok(tokens.refresh_token)
})

t.test('a refresh token is good once: its successor works, itself only within the grace without harm, later it ends the grant', async t => {
  const { send, origin, client } = await openOauth(t, { env: { REFRESH_REUSE_GRACE_S: '0' } })
  const done = await signIn(send, origin, { tenant: 'acme' })
  const first = await exchange(send, done)
  const second = tokensOf(await refresh(send, done.client, first.refresh_token))
  t.not(second.refresh_token, first.refresh_token)
  const reused = await refresh(send, done.client, first.refresh_token)
  t.equal(reused.status, 400)
  t.equal(reused.json.error, 'invalid_grant')
  t.match(await client.zRange(revocationsKey, 0, -1), [/"kind":"grant"/], 'its access tokens are refused from now on')
  t.equal((await refresh(send, done.client, second.refresh_token)).json.error, 'invalid_grant', 'and so is its successor')
})

t.test('within the grace a token that was just used is refused, and nothing else happens', async t => {
  const { send, origin, client } = await openOauth(t)
  const done = await signIn(send, origin, { tenant: 'acme' })
  const first = await exchange(send, done)
  const answers = await Promise.all(Array.from({ length: 8 }, () => refresh(send, done.client, first.refresh_token)))
  t.equal(answers.filter(({ status }) => status === 200).length, 1, 'exactly one wins')
  for (const { status, json } of answers.filter(({ status }) => status !== 200)) t.match({ status, error: json.error }, { status: 400, error: 'invalid_grant' })
  t.equal(await client.zCard(revocationsKey), 0)
  const { refresh_token: next } = answers.find(({ status }) => status === 200)!.json
  t.equal((await refresh(send, done.client, next)).status, 200)
})

t.test('a code is good once: used again it ends what it was exchanged for', async t => {
  const { send, origin } = await openOauth(t)
  const done = await signIn(send, origin, { tenant: 'acme' })
  const tokens = await exchange(send, done)
  const again = await askToken(send, { grant_type: 'authorization_code', client_id: done.client.client_id, code: done.code, redirect_uri: done.redirectUri, code_verifier: done.verifier })
  t.equal(again.json.error, 'invalid_grant')
  t.equal((await refresh(send, done.client, tokens.refresh_token)).json.error, 'invalid_grant')
})

t.test('a token is for the tenant that was chosen, and nobody chooses one that is not theirs', async t => {
  const { send, origin } = await openOauth(t)
  const client = await register(send)
  const browser = new Browser(send, origin)
  const { challenge } = pkce()
  const path = authorizePath({ clientId: client.client_id, redirectUri: client.redirect_uris[0]!, challenge })
  const page = await browser.press(await browser.open(path), 'upstream', 'local', { name: 'ada' })
  t.match(page.text, 'acme')
  t.match(page.text, 'globex')
  for (const tenant of ['', 'initech']) {
    const refused = await browser.press(page, 'decision', 'allow', { tenant })
    t.equal(refused.status, 400, `tenant ${JSON.stringify(tenant)}`)
    t.equal(refused.left, undefined)
  }
  const allowed = await browser.press(page, 'decision', 'allow', { tenant: 'globex' })
  t.ok(allowed.left?.searchParams.get('code'))
})

t.test('who says no sends the client access_denied, at its own redirect', async t => {
  const { send, origin } = await openOauth(t)
  const client = await register(send)
  const browser = new Browser(send, origin)
  const path = authorizePath({ clientId: client.client_id, redirectUri: client.redirect_uris[0]!, challenge: pkce().challenge })
  const cancelled = await browser.press(await browser.open(path), 'decision', 'deny')
  t.equal(cancelled.left?.searchParams.get('error'), 'access_denied')
  const page = await browser.press(await browser.open(path), 'upstream', 'local', { name: 'ada' })
  const denied = await browser.press(page, 'decision', 'deny')
  t.equal(denied.left?.searchParams.get('error'), 'access_denied')
  t.equal(denied.left?.searchParams.get('iss'), origin)
})

t.test('somebody else can sign in from the consent page, and the former person is out', async t => {
  const { send, origin } = await openOauth(t)
  const client = await register(send)
  const browser = new Browser(send, origin)
  const path = authorizePath({ clientId: client.client_id, redirectUri: client.redirect_uris[0]!, challenge: pkce().challenge })
  let page = await browser.press(await browser.open(path), 'upstream', 'local', { name: 'ada' })
  page = await browser.press(page, 'decision', 'switch')
  page = await browser.press(page, 'upstream', 'local', { name: 'grace' })
  t.match(page.text, 'grace')
  t.notMatch(page.text, /\bada\b/)
  t.match((await browser.open('/account')).text, 'grace')
})

t.test('a person sees who acts for them, and disconnects one: its refresh fails from then on', async t => {
  const { send, origin, client } = await openOauth(t)
  const browser = new Browser(send, origin)
  const one = await signIn(send, origin, { tenant: 'acme', browser })
  const tokens = await exchange(send, one)
  const other = await signIn(send, origin, { tenant: 'globex', browser, client: await register(send, { client_name: 'Second client' }) })
  const page = await browser.open('/account')
  t.match(page.text, 'A test client')
  t.match(page.text, 'Second client')
  const gid = String(claimsOf(tokens.access_token).gid)
  const csrf = /name="csrf" value="([^"]+)"/.exec(page.text)?.[1] ?? ''
  const after = await browser.submit('/account/disconnect', { gid, csrf })
  t.equal(after.status, 200)
  t.notMatch(after.text, 'A test client')
  t.equal((await refresh(send, one.client, tokens.refresh_token)).json.error, 'invalid_grant')
  t.match(await client.zRange(revocationsKey, 0, -1), [gid])
  t.equal((await refresh(send, other.client, (await exchange(send, other)).refresh_token)).status, 200, 'the other one goes on')

  const stranger = new Browser(send, origin)
  await signIn(send, origin, { name: 'mallory', tenant: 'acme', browser: stranger })
  const theirs = await stranger.open('/account')
  t.notMatch(theirs.text, 'Second client')
  const attempt = await stranger.submit('/account/disconnect', { gid: String(claimsOf((await exchange(send, await signIn(send, origin, { tenant: 'acme', browser }))).access_token).gid), csrf: /name="csrf" value="([^"]+)"/.exec(theirs.text)?.[1] ?? '' })
  t.equal(attempt.status, 404, 'nobody ends what is another\'s')
})

t.test('the account page signs in by itself, and out again', async t => {
  const { send, origin } = await openOauth(t)
  const browser = new Browser(send, origin)
  let page = await browser.open('/account')
  page = await browser.press(page, 'upstream', 'local', { name: 'ada' })
  t.equal(page.path, '/account')
  t.match(page.text, 'No app is connected')
  const signedOut = await browser.submit('/account/sign-out', { csrf: /name="csrf" value="([^"]+)"/.exec(page.text)?.[1] ?? '' })
  t.match(signedOut.text, 'signed out')
  t.match((await browser.open('/account')).text, 'value="local"')
})

t.test('a client ends its tokens, and is told what its own are worth (RFC 7009, RFC 7662)', async t => {
  const { send, origin, client } = await openOauth(t)
  const done = await signIn(send, origin, { tenant: 'acme' })
  const tokens = await exchange(send, done)
  const post = (path: string, fields: Record<string, string>) => send({ method: 'POST', path, headers: { 'Content-Type': 'application/x-www-form-urlencoded' }, body: new URLSearchParams(fields).toString() })
  const own = { client_id: done.client.client_id }
  t.match((await post('/introspect', { ...own, token: tokens.access_token })).json, { active: true, tenant_id: 'acme', sub: 'local:ada' })
  t.strictSame((await post('/introspect', { client_id: (await register(send)).client_id, token: tokens.access_token })).json, { active: false }, 'another client learns nothing')
  t.match((await post('/introspect', { ...own, token: tokens.refresh_token })).json, { active: true })
  t.equal((await post('/revoke', { ...own, token: tokens.access_token })).status, 200)
  t.match(await client.zRange(revocationsKey, 0, -1), [`"id":"${claimsOf(tokens.access_token).jti}"`])
  t.equal((await post('/revoke', { ...own, token: tokens.refresh_token })).status, 200)
  t.match(await client.zRange(revocationsKey, 0, -1), [/"kind":"grant"|"kind":"token"/, /"kind":"grant"|"kind":"token"/])
  t.equal((await refresh(send, done.client, tokens.refresh_token)).json.error, 'invalid_grant')
})
