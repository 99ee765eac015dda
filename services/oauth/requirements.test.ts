/** The fourteen security requirements of an authorization server for MCP clients, each from outside: over HTTP, with a real Valkey, upstreams that speak their own protocol, and verify. */
import { once } from 'node:events'
import { createConnection, createServer, type AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { Browser, askToken, authorizePath, claimsOf, exchange, formsOf, pkce, refresh, register, signIn, tokensOf, type Page, type Registered } from '../../tests/support/sign-in.ts'
import { until } from '../../tests/support/until.ts'
import { startGithub } from '../../tests/support/upstreams/github.ts'
import { ada, startOpenid } from '../../tests/support/upstreams/openid.ts'
import { forwarded, makeKey, mint, now, openService, startIssuer } from '../verify/test-support.ts'
import { gatewaySecret, openOauth } from './test-support.ts'
import { visit } from './upstreams/test-support.ts'

const { send, origin, stateUrl } = await openOauth(t)
const native = { redirect_uris: ['http://127.0.0.1/callback'] }

interface Asking { scope?: string, more?: Record<string, string>, redirectUri?: string }

/** The request of a client, as the link that it opens. */
const asking = (client: Registered, { scope, more, redirectUri = String(client.redirect_uris[0]) }: Asking = {}) =>
  authorizePath({ clientId: client.client_id, redirectUri, challenge: pkce().challenge, resource: `${origin}/mcp`, ...(scope && { scope }), ...(more && { more }) })

/** A browser at the consent page of a client. */
async function atConsent (name = 'ada', client?: Registered) {
  const browser = new Browser(send, origin)
  const page = await browser.press(await browser.open(asking(client ?? await register(send))), 'upstream', 'local', { name })
  return { browser, page }
}

/** It stays here, and says so in words. */
function staysHere (t: Test, page: Page, status: number, what: string) {
  t.equal(page.status, status, what)
  t.equal(page.left, undefined, `${what}: nobody is sent away`)
  t.equal(page.headers.location, undefined, `${what}: no Location`)
}

const asks = /Allow access to your graphs/

t.test('oauth 1: a signed-in person is asked about each new client, by name and redirect host, and never sent on silently', async t => {
  const { browser } = await signIn(send, origin, { tenant: 'acme' })
  const client = await register(send, { client_name: 'Totally Claude', redirect_uris: ['https://evil.example/callback'] })
  for (const more of [{}, { prompt: 'consent' }, { max_age: '100000', scope: 'openid graph:read' }, { login_hint: 'local:ada' }] as Array<Record<string, string>>) {
    const page = await browser.open(asking(client, { more }))
    staysHere(t, page, 200, JSON.stringify(more))
    for (const words of [asks, 'Totally Claude', 'evil.example', 'Unverified']) t.match(page.text, words)
  }
  const silent = await browser.open(asking(client, { more: { prompt: 'none' } }))
  t.match(Object.fromEntries(silent.left?.searchParams ?? []), { error: 'consent_required', state: 'st' }, 'who must not be asked gets no code')
  t.equal(silent.left?.searchParams.get('code'), null)
})

t.test('oauth 2: nothing but a button of our own page leads to an upstream, and the page says first who asks, for what, and where one returns to', async t => {
  const { github, open } = await withUpstreams(t)
  const { send, origin } = open
  const client = await register(send, { client_name: 'A curious app' })
  const begin = async (browser: Browser) => await browser.open(authorizePath({ clientId: client.client_id, redirectUri: 'https://client.example/callback', challenge: pkce().challenge }))
  const browser = new Browser(send, origin)
  const page = await begin(browser)
  staysHere(t, page, 200, 'the first page')
  for (const words of ['A curious app', 'client.example', 'Read your graphs', 'Unverified']) t.match(page.text, words)

  const { action, fields } = formsOf(page.text)[0]!
  const query = new URLSearchParams({ ...fields, upstream: 'github' })
  for (const path of [action, `${action}?${query}`, `${page.path}?${query}`, '/callback/github', `/callback/github?${query}`, `/interaction/x/sign-in?${query}`]) {
    const answer = await browser.open(path)
    t.ok(answer.left === undefined && answer.status < 500, `GET ${path.split('?')[0]} stays here`)
  }
  const refusals: Record<string, [fields: Record<string, string>, headers: Record<string, string>]> = {
    'no token': [{ csrf: '' }, {}],
    'a token of nobody': [{ csrf: 'x'.repeat(43) }, {}],
    'the token of another sign-in': [{ csrf: formsOf((await begin(new Browser(send, origin))).text)[0]!.fields.csrf! }, {}],
    'a foreign Origin': [{}, { Origin: 'https://evil.example' }],
    'an Origin that begins like ours': [{}, { Origin: `${origin}.evil.example` }],
    'the Origin null': [{}, { Origin: 'null' }],
    'an empty Origin': [{}, { Origin: '', 'Sec-Fetch-Site': 'same-origin' }]
  }
  for (const [what, [more, headers]] of Object.entries(refusals)) staysHere(t, await browser.press(page, 'upstream', 'github', more, headers), 403, what)
  const form = (headers: Record<string, string>) => browser.ask('POST', action, new URLSearchParams({ ...fields, upstream: 'github' }).toString(), { 'Content-Type': 'application/x-www-form-urlencoded', ...headers })
  for (const headers of [{}, { 'Sec-Fetch-Site': 'cross-site' }, { 'Sec-Fetch-Site': 'same-site' }, { 'Sec-Fetch-Site': 'none' }] as Array<Record<string, string>>) t.equal((await form(headers)).status, 403, `no Origin, ${JSON.stringify(headers)}`)
  t.equal(github.asked.length, 0, 'GitHub has seen nobody')
  t.equal((await form({ 'Sec-Fetch-Site': 'same-origin' })).left?.origin, github.url, 'without Origin it is enough that the browser says where it comes from')
  t.equal((await browser.press(page, 'upstream', 'github')).left?.origin, github.url)
})

t.test('oauth 3: what was allowed to a web client is not asked again in the same session; more is; a native client always asks', async t => {
  const done = await signIn(send, origin, { tenant: 'acme', scope: 'graph:read' })
  const { browser, client } = done
  const again = await browser.open(asking(client, { scope: 'graph:read' }))
  t.ok(again.left?.searchParams.get('code'), 'the same once more goes through')
  const more = await browser.open(asking(client, { scope: 'graph:read graph:write' }))
  t.match(more.text, asks)
  t.match((await browser.press(more, 'decision', 'allow', { tenant: 'acme' })).left?.searchParams.get('code'), /./)
  t.ok((await browser.open(asking(client, { scope: 'graph:read graph:write' }))).left, 'what was added is remembered')
  t.match((await browser.open(asking(client, { more: { prompt: 'consent' } }))).text, asks, 'and a client may have it asked')
  t.match((await atConsent('ada', client)).page.text, asks, 'another browser has not allowed it')

  const app = await signIn(send, origin, { tenant: 'acme', browser, client: await register(send, native) })
  for (const attempt of [1, 2]) t.match((await browser.open(asking(app.client))).text, asks, `native, again ${attempt}`)
  t.match(Object.fromEntries((await browser.open(asking(app.client, { more: { prompt: 'none' } }))).left?.searchParams ?? []), { error: /_required$/ })
})

t.test('oauth 4: a redirect is the registered one, text by text; a native client may choose the port of its loopback address', async t => {
  const web = await register(send, { redirect_uris: ['https://app.example/callback'] })
  const app = await register(send, { redirect_uris: ['http://127.0.0.1/callback', 'com.example.app:/callback'] })
  const browser = new Browser(send, origin)
  const refused: Array<[Registered, string]> = [
    ...['https://app.example/callback/', 'https://app.example/callback?x=1', 'https://app.example/callback#x', 'https://app.example/callback/../evil', 'https://app.example/%63allback', 'https://app.example:8443/callback', 'https://app.example:443/callback', 'https://app.example./callback', 'https://APP.example/callback',
      'http://app.example/callback', 'https://evil.example/callback', 'https://app.example.evil.example/callback', 'https://app.example@evil.example/callback', 'https://app.example\\@evil.example/callback', '//app.example/callback', '/callback', 'javascript:alert(1)', 'data:text/html,x', 'http://127.0.0.1/callback', ' https://app.example/callback', 'https://app.example/callback\n', 'https://app.example/callback\0'].map(uri => [web, uri] as [Registered, string]),
    ...['http://localhost/callback', 'http://[::1]/callback', 'http://127.0.0.2/callback', 'http://127.1:80/callback', 'http://127.0.0.1:3000/other', 'http://127.0.0.1:3000/callback?x', 'http://127.0.0.1:3000/callback#x', 'https://127.0.0.1/callback', 'http://127.0.0.1.evil.example/callback', 'http://127.0.0.1:3000@evil.example/callback', 'http://evil@127.0.0.1/callback', 'http://127.0.0.1:99999/callback', 'com.example.app:/callback2', 'com.example.app://callback', 'com.example.app:/callback?x'].map(uri => [app, uri] as [Registered, string])
  ]
  for (const [client, redirectUri] of refused) staysHere(t, await browser.open(asking(client, { redirectUri })), 400, JSON.stringify(redirectUri))
  for (const [client, redirectUri] of [[web, 'https://app.example/callback'], [app, 'http://127.0.0.1:49152/callback'], [app, 'http://127.0.0.1/callback'], [app, 'com.example.app:/callback']] as Array<[Registered, string]>) {
    const answer = await browser.open(asking(client, { redirectUri, more: { prompt: 'none' } }))
    t.equal(answer.left?.searchParams.get('error'), 'login_required', `${redirectUri} is told`)
    t.ok(answer.left?.href.startsWith(redirectUri))
  }
})

t.test('oauth 5: an unknown client or redirect ends on a page, whatever the caller accepts', async t => {
  const client = await register(send)
  const known = asking(client)
  const requests = {
    'an unknown client': known.replace(client.client_id, 'nobody'),
    'no client': known.replace(/client_id=[^&]*&/, ''),
    'two clients': `${known}&client_id=${client.client_id}`,
    'an unregistered redirect': known.replace('client.example', 'evil.example'),
    'an unregistered redirect and another fault': known.replace('client.example', 'evil.example').replace('response_type=code', 'response_type=token'),
    'an unknown client that wants no page': `${known.replace(client.client_id, 'nobody')}&prompt=none`
  }
  for (const [what, path] of Object.entries(requests)) {
    for (const accept of ['text/html', 'application/json', '*/*']) {
      const answer = await send({ path, headers: { Accept: accept } })
      t.match({ status: answer.status, location: answer.headers.location, type: answer.headers['content-type'] }, { status: 400, location: undefined, type: /^text\/html/ }, `${what}, ${accept}`)
      t.notMatch(answer.text, /evil\.example|<script/, 'and nothing of it is shown')
    }
  }
})

t.test('oauth 5: a redirect that is named twice leads to the one that is registered, or nowhere', async t => {
  const twice = (client: Registered) => `${asking(client)}&redirect_uri=${encodeURIComponent('https://evil.example/')}`
  const one = await send({ path: twice(await register(send)) })
  t.match(one.headers.location, /^https:\/\/client\.example\/callback\?error=invalid_request&/)
  const several = await send({ path: twice(await register(send, { redirect_uris: ['https://client.example/callback', 'https://client.example/other'] })) })
  t.match({ status: several.status, location: several.headers.location }, { status: 400, location: undefined })
})

/** A service whose people come from GitHub or a company's OpenID provider. */
async function withUpstreams (t: Test) {
  const [github, openid] = await Promise.all([startGithub(), startOpenid()])
  t.teardown(() => Promise.all([github.close(), openid.close()]))
  const file = t.testdir({ 'members.json': JSON.stringify({ tenants: [{ tenant: 'acme', users: ['github:octocat', `keycloak:${ada().sub}`] }] }) })
  const open = await openOauth(t, {
    valkeyUrl: stateUrl,
    env: {
      TENANTS_FILE: `${file}/members.json`,
      LOCAL_SIGN_IN_TENANTS: '',
      GITHUB_URL: github.url,
      GITHUB_CLIENT_ID: github.clientId,
      GITHUB_CLIENT_SECRET: github.clientSecret,
      OIDC_ISSUER: openid.issuer,
      OIDC_CLIENT_ID: openid.clientId,
      OIDC_CLIENT_SECRET: openid.clientSecret,
      OIDC_ID: 'keycloak'
    }
  })
  github.callbacks.push(`${open.origin}/callback/github`)
  openid.callbacks.push(`${open.origin}/callback/keycloak`)
  return { github, openid, open }
}

t.test('oauth 6: what an upstream sends back counts once, in the browser, the sign-in and the way that it was asked for', async t => {
  const { open: { send, origin } } = await withUpstreams(t)
  const client = await register(send)
  const browser = new Browser(send, origin)
  const path = () => authorizePath({ clientId: client.client_id, redirectUri: 'https://client.example/callback', challenge: pkce().challenge })
  /** Where GitHub sends the browser that pressed its button. */
  const away = async (browser: Browser) => {
    const page = await browser.open(path())
    const { left } = await browser.press(page, 'upstream', 'github')
    return { page, callback: await visit(left!) }
  }
  const [one, other] = [await away(browser), await away(browser)]
  const { search } = one.callback
  const refused = async (browser: Browser, url: string, what: string) => {
    const page = await browser.open(url)
    staysHere(t, page, 400, what)
    t.match(page.text, /expired|used already/)
  }
  await refused(new Browser(send, origin), one.callback.href, 'another browser')
  const victim = new Browser(send, origin)
  await victim.open(path())
  await refused(victim, one.callback.href, 'another browser in the middle of a sign-in of its own')
  await refused(browser, `/callback/keycloak${search}`, 'another upstream')
  await refused(browser, `/callback/nobody${search}`, 'an upstream that there is not')
  await refused(browser, `${origin}/callback/github?code=x&state=made-up`, 'a state that nobody made')
  await refused(browser, `${one.callback.href}&state=x`, 'two states')
  await refused(browser, `/callback/github${search.replace(/state=[^&]*/, '')}`, 'no state')

  const arrived = await browser.open(one.callback.href)
  t.match(arrived.text, asks, 'in its own browser it counts')
  await refused(browser, one.callback.href, 'again')
  await refused(browser, `${one.page.path}/federated${other.callback.search}`, 'of another sign-in in the same browser')
  t.equal((await browser.press(arrived, 'decision', 'allow')).left?.searchParams.get('iss'), origin)
})

t.test('oauth 7: only our own consent page can say yes, and no page of ours can be framed', async t => {
  const { browser, page } = await atConsent()
  const other = await atConsent()
  const { csrf } = formsOf(other.page.text)[0]!.fields
  for (const [what, fields, headers] of [
    ['no token', { csrf: '' }, {}],
    ['a token of another interaction', { csrf: csrf! }, {}],
    ['a foreign Origin', {}, { Origin: 'https://evil.example' }],
    ['the Origin null', {}, { Origin: 'null' }]
  ] as Array<[string, Record<string, string>, Record<string, string>]>) {
    for (const decision of ['allow', 'deny', 'switch']) {
      const fieldsOf = { ...formsOf(page.text)[0]!.fields, tenant: 'acme', decision, ...fields }
      staysHere(t, await browser.submit(page.path + '/consent', fieldsOf, headers), 403, `${decision}: ${what}`)
    }
  }
  const { fields } = formsOf(page.text)[0]!
  const twice = await browser.ask('POST', `${page.path}/consent`, `csrf=${fields.csrf}&csrf=${fields.csrf}&decision=allow&tenant=acme`, { 'Content-Type': 'application/x-www-form-urlencoded', Origin: origin })
  staysHere(t, twice, 403, 'the token twice')
  staysHere(t, await new Browser(send, origin).submit(`${page.path}/consent`, { ...fields, decision: 'allow', tenant: 'acme' }), 400, 'the whole form from another browser')
  for (const [what, shown] of Object.entries({ consent: page, 'sign-in': await new Browser(send, origin).open(asking(await register(send))), account: await browser.open('/account'), error: await browser.open('/authorize'), refusal: twice })) {
    t.match(shown.headers, { 'content-security-policy': /frame-ancestors 'none'/, 'x-frame-options': 'DENY' }, what)
  }
  t.ok((await browser.press(page, 'decision', 'allow', { tenant: 'acme' })).left?.searchParams.get('code'), 'the page itself can still say it')
})

t.test('oauth 8: a metadata document is fetched from no address of this machine or network, and no id without a path is one', async t => {
  let connections = 0
  const inside = createServer(socket => {
    connections++
    socket.destroy()
  }).listen(0, '127.0.0.1')
  await once(inside, 'listening')
  t.teardown(() => inside.close())
  const { port } = inside.address() as AddressInfo
  for (const id of ['https://127.0.0.1/client.json', `https://127.0.0.1:${port}/client.json`, `https://localhost:${port}/client.json`, 'https://localhost/client.json', 'https://[::1]/client.json', 'https://[::ffff:127.0.0.1]/client.json', 'https://10.0.0.1/client.json', 'https://169.254.169.254/latest/meta-data', 'https://192.168.1.1/a', 'https://0x7f000001/a', 'https://2130706433/a',
    `http://127.0.0.1:${port}/client.json`, 'https://client.example', 'https://client.example/', 'https://client.example/a/../b', 'https://client.example/a#b', 'https://user@client.example/a']) {
    const answer = await send({ path: authorizePath({ clientId: id, redirectUri: 'https://client.example/callback', challenge: pkce().challenge }) })
    t.match({ status: answer.status, location: answer.headers.location }, { status: 400, location: undefined }, id)
    const token = await askToken(send, { grant_type: 'authorization_code', client_id: id, code: 'x', redirect_uri: 'https://client.example/callback', code_verifier: 'x'.repeat(43) })
    t.match({ status: token.status, error: token.json?.error }, { status: /^40[01]$/, error: 'invalid_client' }, `${id} at the token endpoint`)
  }
  t.equal(connections, 0, 'nothing inside was asked')
})

/** The service that judges tokens, with our keys and our Valkey. */
function openVerify (t: Test) {
  const service = openService(t, { PUBLIC_URL: origin, OAUTH_URL: origin, GATEWAY_SECRET: gatewaySecret, VALKEY_URL: stateUrl, ADDRESS_FAILURES_PER_SECOND: '0' })
  const ask = async (token: string) => await service.ask({ ...forwarded('/mcp'), 'x-forwarded-host': new URL(origin).host, 'x-forwarded-proto': 'http', authorization: `Bearer ${token}` })
  return { ask, ready: () => until('verify has its keys and revocations', async () => (await service.health.ready()).ready) }
}

t.test('oauth 9: the resource takes our access tokens, and nothing else that we sign or that looks like it', async t => {
  const verify = openVerify(t)
  await verify.ready()
  const done = await signIn(send, origin, { tenant: 'acme', scope: 'openid graph:read' })
  const tokens = await exchange(send, done)
  const good = await verify.ask(tokens.access_token)
  t.match({ status: good.statusCode, headers: good.headers }, { status: 200, headers: { 'x-tenant-id': 'acme', 'x-user-id': 'local%3Aada', 'x-auth-scopes': 'graph:read' } })
  t.ok(tokens.id_token)
  t.match(claimsOf(String(tokens.id_token)), { iss: origin, aud: done.client.client_id })
  const [header, payload, signed] = tokens.access_token.split('.') as [string, string, string]
  const changed = (claims: object) => Buffer.from(JSON.stringify({ ...claimsOf(tokens.access_token), ...claims })).toString('base64url')
  const unsigned = Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')
  const stranger = makeKey('stranger', 'RS256')
  // The same keys, of the same Valkey, for another public address.
  const elsewhere = await openOauth(t, { valkeyUrl: stateUrl })
  const foreign = await exchange(elsewhere.send, await signIn(elsewhere.send, elsewhere.origin, { tenant: 'acme' }))
  for (const [what, token] of Object.entries({
    'an ID token': String(tokens.id_token),
    'a refresh token': tokens.refresh_token,
    'one of another issuer with the same keys': foreign.access_token,
    'a registration access token': String(done.client.registration_access_token),
    'another tenant': `${header}.${changed({ tenant_id: 'globex' })}.${signed}`,
    'more scope': `${header}.${changed({ scope: 'graph:admin' })}.${signed}`,
    'no signature': `${unsigned}.${payload}.`,
    'a key of somebody else': mint(stranger, claimsOf(tokens.access_token)),
    'a key of somebody else under our name': mint({ ...stranger, kid: JSON.parse(Buffer.from(header, 'base64url').toString()).kid }, claimsOf(tokens.access_token))
  })) t.equal((await verify.ask(token)).statusCode, 401, what)
})

t.test('oauth 9: an access token that its client has revoked is refused within a second, and no other', async t => {
  const verify = openVerify(t)
  await verify.ready()
  const done = await signIn(send, origin, { tenant: 'acme' })
  const one = await exchange(send, done)
  const next = tokensOf(await refresh(send, done.client, one.refresh_token))
  t.equal((await verify.ask(one.access_token)).statusCode, 200)
  const answer = await send({ method: 'POST', path: '/revoke', headers: { 'Content-Type': 'application/x-www-form-urlencoded' }, body: new URLSearchParams({ client_id: done.client.client_id, token: one.access_token }).toString() })
  t.equal(answer.status, 200)
  await until('verify has heard of it', async () => (await verify.ask(one.access_token)).statusCode === 401)
  t.equal((await verify.ask(next.access_token)).statusCode, 200)
})

t.test('oauth 10: a token that names another issuer has nobody fetch anything', async t => {
  const verify = openVerify(t)
  await verify.ready()
  const attacker = await startIssuer(t)
  const claims = { ...attacker.claims(), aud: `${origin}/mcp`, exp: now() + 600 }
  t.equal((await verify.ask(mint(attacker.keys[0]!, claims))).statusCode, 401)
  t.equal((await verify.ask(mint(attacker.keys[0]!, { ...claims, iss: origin }, { jku: `${attacker.url}/keys`, x5u: `${attacker.url}/keys` }))).statusCode, 401)
  t.equal(attacker.fetches, 0)
})

t.test('oauth 11: who registers gets no right that is the operator\'s, at first or later', async t => {
  const metadata = { client_name: 'Greedy', redirect_uris: ['https://client.example/callback'], token_endpoint_auth_method: 'client_secret_post' }
  const refusals: Array<Record<string, unknown>> = [{ gateway_machine: true }, { gateway_tenant: 'acme' }, { gateway_anything: 1 }, { grant_types: ['client_credentials'], response_types: [] }, { grant_types: ['authorization_code', 'client_credentials'] }, { grant_types: ['implicit'], response_types: ['token'] }, { response_types: ['none'] }]
  for (const more of refusals) {
    const answer = await send({ method: 'POST', path: '/register', body: { ...metadata, ...more } })
    t.match({ status: answer.status, error: answer.json.error }, { status: 400, error: 'invalid_client_metadata' }, JSON.stringify(more))
  }
  const hidden = await send({ method: 'POST', path: '/register', body: JSON.stringify(metadata).replace('{', '{"__proto__":{"gateway_machine":true,"gateway_tenant":"acme","grant_types":["client_credentials"]},"constructor":{"prototype":{"gateway_machine":true}},') })
  const client = hidden.json as Registered
  t.equal(hidden.status, 201)
  for (const name of ['gateway_machine', 'gateway_tenant']) t.notMatch(hidden.text, name)
  const chosen = await register(send, { ...metadata, client_id: 'gateway-account-page', client_secret: 'chosen-by-the-client-itself-0123456789', client_id_issued_at: 1, scope: 'graph:read graph:admin' })
  t.not(chosen.client_id, 'gateway-account-page')
  t.not(chosen.client_secret, 'chosen-by-the-client-itself-0123456789')

  const machine = await askToken(send, { grant_type: 'client_credentials', client_id: client.client_id, client_secret: String(client.client_secret), scope: 'graph:admin' })
  t.match({ status: machine.status, error: machine.json.error }, { status: 400, error: 'unauthorized_client' })
  let bearer = client.registration_access_token
  const update = async (more: object) => {
    const answer = await send({ method: 'PUT', path: `/register/${client.client_id}`, headers: { Authorization: `Bearer ${bearer}` }, body: { ...metadata, client_id: client.client_id, ...more } })
    bearer = answer.json?.registration_access_token ?? bearer
    return answer
  }
  for (const more of [...refusals, { registration_access_token: 'x' }, { client_id: 'another' }, { client_secret: 'another' }]) t.equal((await update(more)).status, 400, `later: ${JSON.stringify(more)}`)
  t.equal((await update({ client_name: 'Renamed' })).json.client_name, 'Renamed')
})

t.test('oauth 12: every URL is that of PUBLIC_URL, whatever a request says of where it went', async t => {
  const lies: Record<string, string> = { Host: 'evil.example', 'X-Forwarded-Host': 'evil.example', 'X-Forwarded-Proto': 'https', 'X-Forwarded-Port': '444', 'X-Forwarded-Prefix': '/evil.example', 'X-Original-URL': 'https://evil.example/', Forwarded: 'host=evil.example;proto=https' }
  const ways: Array<Record<string, string>> = [...Object.entries(lies).map(([name, value]) => ({ [name]: value })), lies]
  const known = await send({ path: '/.well-known/oauth-authorization-server' })
  for (const value of Object.values(known.json as object).filter(value => typeof value === 'string' && value.startsWith('http'))) t.ok(value === 'https://modelcontextprotocol.io/specification' || value === origin || value.startsWith(`${origin}/`), value)
  const browser = new Browser(send, origin)
  const client = await register(send)
  for (const headers of ways) {
    for (const path of ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration']) t.strictSame((await send({ path, headers })).json, known.json, `${path} ${JSON.stringify(headers)}`)
    const registered = await send({ method: 'POST', path: '/register', headers, body: { redirect_uris: ['https://client.example/callback'], token_endpoint_auth_method: 'none' } })
    t.ok(registered.json.registration_client_uri.startsWith(`${origin}/register/`))
    const begun = await browser.ask('GET', asking(client), undefined, headers)
    t.match(begun.headers.location, /^\/interaction\//)
    t.notMatch(`${JSON.stringify(begun.headers)}${(await browser.ask('GET', String(begun.headers.location), undefined, headers)).text}`, 'evil.example')
  }
  const { hostname, port } = new URL(origin)
  const socket = createConnection(Number(port), hostname)
  socket.write('GET http://evil.example/.well-known/oauth-authorization-server HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n')
  const answer = await text(socket)
  t.match(answer, /^HTTP\/1\.1 200 /, 'a request line with a whole URL')
  t.notMatch(answer, 'evil.example')
})

t.test('oauth 13: a code or a refresh token that is used again ends the grant, and its access tokens at the resource', async t => {
  const impatient = await openOauth(t, { valkeyUrl: stateUrl, publicUrl: origin, env: { REFRESH_REUSE_GRACE_S: '0' } })
  const verify = openVerify(t)
  await verify.ready()
  const status = async (token: string) => (await verify.ask(token)).statusCode
  for (const [what, reuse] of Object.entries({
    'a refresh token': async (done: Awaited<ReturnType<typeof signIn>>, token: string) => await refresh(impatient.send, done.client, token),
    'a code': async ({ client, code, redirectUri, verifier }: Awaited<ReturnType<typeof signIn>>) => await askToken(impatient.send, { grant_type: 'authorization_code', client_id: client.client_id, code, redirect_uri: redirectUri, code_verifier: verifier })
  })) {
    const done = await signIn(send, origin, { tenant: 'acme' })
    const first = await exchange(send, done)
    const second = tokensOf(await refresh(impatient.send, done.client, first.refresh_token))
    t.equal(await status(second.access_token), 200)
    const again = await reuse(done, first.refresh_token)
    t.match({ status: again.status, error: again.json.error }, { status: 400, error: 'invalid_grant' }, what)
    for (const token of [first.access_token, second.access_token]) await until(`${what}: its access tokens are refused`, async () => await status(token) === 401)
    t.equal((await refresh(send, done.client, second.refresh_token)).json.error, 'invalid_grant', 'its newest refresh token as well')
    const other = await exchange(send, await signIn(send, origin, { tenant: 'acme' }))
    t.equal(await status(other.access_token), 200, 'another grant of the same person goes on')
  }
})

t.test('oauth 14: an access token for the resource opens nothing here', async t => {
  const done = await signIn(send, origin, { tenant: 'acme' })
  const { access_token: token, refresh_token: next } = await exchange(send, done)
  const bearer = { Authorization: `Bearer ${token}` }
  for (const method of ['GET', 'DELETE']) t.match(await send({ method, path: `/register/${done.client.client_id}`, headers: bearer }), { status: 401, json: { error: 'invalid_token' } })
  t.equal((await send({ path: `/account?access_token=${token}`, headers: bearer })).headers.location, '/account/sign-in', 'no page takes it for a session')
  t.match(await askToken(send, { grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange', client_id: done.client.client_id, subject_token: token, subject_token_type: 'urn:ietf:params:oauth:token-type:access_token' }), { status: 400, json: { error: 'unsupported_grant_type' } }, 'it cannot be exchanged for another')
  t.equal((await refresh(send, done.client, token)).json.error, 'invalid_grant', 'nor taken for a refresh token')
  t.equal((await refresh(send, done.client, next)).status, 200)
})
