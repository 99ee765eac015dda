/** What clients, browsers and thieves may try within the protocol: sessions, cookies, headers, the log, PKCE, tokens of others. */
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { SignJWT } from 'jose'
import t, { type Test } from 'tap'
import type { Answer } from '../../tests/support/https.ts'
import { Browser, askToken, authorizePath, claimsOf, exchange, formsOf, pkce, refresh, register, signIn, tokensOf, type Registered } from '../../tests/support/sign-in.ts'
import { openOauth } from './test-support.ts'

const { send, origin, lines, store } = await openOauth(t)

const asking = (client: Registered, more: Record<string, string> = {}, challenge = pkce().challenge) => authorizePath({ clientId: client.client_id, redirectUri: String(client.redirect_uris[0]), challenge, more })
const form = (path: string, fields: Record<string, string>, headers: Record<string, string> = {}) => send({ method: 'POST', path, headers: { 'Content-Type': 'application/x-www-form-urlencoded', ...headers }, body: new URLSearchParams(fields).toString() })
/** What a client is told, in the query or the fragment of its redirect. */
const told = ({ left }: { left: URL | undefined }) => Object.fromEntries([...left?.searchParams ?? [], ...new URLSearchParams(left?.hash.slice(1))])
const refused = (t: Test, answer: Answer, error: string, what: string, status = 400) => t.match({ status: answer.status, error: answer.json?.error, token: answer.json?.access_token }, { status, error, token: undefined }, what)

/** Values of the cookies that an answer sets, by name. */
const cookiesOf = ({ headers }: Pick<Answer, 'headers'>) => new Map((headers['set-cookie'] ?? []).map(line => [line.slice(0, line.indexOf('=')), line]))

t.test('a session that a stranger has put into a browser is worth nothing: its name changes with each sign-in', async t => {
  const client = await register(send)
  const path = asking(client)
  const session = (answer: Pick<Answer, 'headers'>) => cookiesOf(answer).get('gateway-session')?.split(';')[0]
  /** Goes through a sign-in by hand. @returns the session cookies that were set on the way */
  const through = async (cookie: string) => {
    const browser = new Browser(send, origin)
    const begun = await browser.ask('GET', path, undefined, cookie === '' ? {} : { Cookie: cookie })
    const page = await browser.open(String(begun.headers.location))
    const { action, fields } = formsOf(page.text).find(({ buttons }) => buttons.some(({ value }) => value === 'local'))!
    const posted = await browser.ask('POST', action, new URLSearchParams({ ...fields, upstream: 'local', name: 'ada' }).toString(), { 'Content-Type': 'application/x-www-form-urlencoded', Origin: origin })
    return session(await browser.ask('GET', String(posted.headers.location)))
  }
  const [one, other] = [await through(''), await through('')]
  t.match(one, /^gateway-session=./)
  t.not(one, other)
  const planted = await through('gateway-session=planted-by-a-stranger; gateway-session.sig=AAAAAAAAAAAAAAAAAAAAAAAAAAA')
  t.match(planted, /^gateway-session=./)
  t.notMatch(planted, 'planted')
  const names = new Set<string>()
  const browser = new Browser(async request => {
    const answer = await send(request)
    const named = session(answer)
    if (named !== undefined) names.add(named)
    return answer
  }, origin)
  await browser.press(await browser.open(path), 'upstream', 'local', { name: 'ada' })
  const before = [...names]
  await browser.press(await browser.open(asking(client, { prompt: 'login' })), 'upstream', 'local', { name: 'ada' })
  t.ok(names.size > before.length, 'each time anew')
  for (const former of before) t.equal((await send({ path: '/account', headers: { Cookie: former } })).headers.location, '/account/sign-in', 'and the former name leads nowhere')
})

t.test('who signs in as somebody else in a second tab is asked as that person in both, and no page with a script comes between', async t => {
  const client = await register(send)
  const browser = new Browser(send, origin)
  const [first, second] = [await browser.open(asking(client)), await browser.open(asking(client))]
  await browser.press(second, 'upstream', 'local', { name: 'grace' })
  const page = await browser.press(first, 'upstream', 'local', { name: 'ada' })
  t.equal(page.status, 200)
  t.match(page.text, /Allow access to your graphs/)
  t.match(page.text, 'ada')
  t.notMatch(page.text, /grace|<script/)
  t.match((await browser.press(page, 'decision', 'allow', { tenant: 'acme' })).left?.searchParams.get('code'), /./)
})

t.test('a consent page of a person who has signed out, or of the person before, decides nothing', async t => {
  for (const leave of [
    async (browser: Browser) => { await browser.submit('/account/sign-out', { csrf: formsOf((await browser.open('/account')).text)[0]!.fields.csrf! }) },
    async (browser: Browser, client: Registered) => { await browser.press(await browser.open(asking(client, { prompt: 'login' })), 'upstream', 'local', { name: 'grace' }) }
  ]) {
    const client = await register(send)
    const browser = new Browser(send, origin)
    const page = await browser.press(await browser.open(asking(client)), 'upstream', 'local', { name: 'hedy' })
    await leave(browser, client)
    const late = await browser.press(page, 'decision', 'allow', { tenant: 'acme' })
    t.equal(late.status, 400)
    t.equal(late.left, undefined)
    t.strictSame(await store.grants.ofAccount('local:hedy'), [])
  }
})

t.test('a form that is sent twice makes one connection', async t => {
  const client = await register(send)
  const browser = new Browser(send, origin)
  const page = await browser.press(await browser.open(asking(client)), 'upstream', 'local', { name: 'joan' })
  const body = new URLSearchParams({ ...formsOf(page.text)[0]!.fields, decision: 'allow', tenant: 'acme' }).toString()
  const post = () => browser.ask('POST', `${page.path}/consent`, body, { 'Content-Type': 'application/x-www-form-urlencoded', Origin: origin })
  const [one, other] = [await post(), await post()]
  t.equal(one.status, 303)
  t.equal(other.headers.location, one.headers.location)
  t.ok((await browser.open(String(one.headers.location))).left?.searchParams.get('code'))
  t.equal((await store.grants.ofAccount('local:joan')).length, 1)
})

t.test('cookies under https are Secure, HttpOnly, SameSite, and of this host alone; nobody gets one for looking', async t => {
  const publicUrl = 'https://localhost:8443'
  const { send } = await openOauth(t, { publicUrl })
  const seen = new Map<string, string>()
  const watched: typeof send = async request => {
    const answer = await send(request)
    for (const [name, line] of cookiesOf(answer)) if (!/expires=Thu, 01 Jan 1970/i.test(line)) seen.set(name, line)
    return answer
  }
  await signIn(watched, publicUrl, { tenant: 'acme', browser: new Browser(watched, publicUrl) })
  t.strictSame([...seen.keys()].filter(name => !name.endsWith('.sig')).sort(), ['__Host-gateway-session', '__Secure-gateway-interaction', '__Secure-gateway-resume'])
  for (const [name, line] of seen) {
    const attributes = line.split('; ').slice(1).map(part => part.toLowerCase())
    for (const wanted of ['secure', 'httponly', 'samesite=lax']) t.ok(attributes.includes(wanted), `${name}: ${wanted}`)
    t.notOk(attributes.some(part => part.startsWith('domain')), `${name}: no other host`)
    if (name.startsWith('__Host-')) t.ok(attributes.includes('path=/'), `${name}: its prefix asks for it`)
    else t.ok(attributes.some(part => /^path=\/(interaction|authorize)\/[\w-]+$/.test(part)), `${name}: of one sign-in`)
  }
  for (const path of ['/account', '/account/sign-in', '/account/signed-in', '/authorize', '/authorize/x', '/interaction/x', '/callback/github?state=x', '/nothing', '/.well-known/openid-configuration']) {
    t.equal((await send({ path })).headers['set-cookie'], undefined, path)
    const planted = await send({ path, headers: { Cookie: '__Host-gateway-session=x; __Host-gateway-session.sig=y' } })
    t.ok([...cookiesOf(planted).values()].every(line => /expires=Thu, 01 Jan 1970/i.test(line)), `${path}: at most a forged one is taken away`)
  }
})

t.test('every page keeps itself to itself, and what holds a token is stored by nobody', async t => {
  const client = await register(send)
  const browser = new Browser(send, origin)
  const signInPage = await browser.open(asking(client))
  const consent = await browser.press(signInPage, 'upstream', 'local', { name: 'ada' })
  const posted = await browser.ask('POST', `${consent.path}/consent`, new URLSearchParams({ ...formsOf(consent.text)[0]!.fields, decision: 'allow', tenant: 'acme' }).toString(), { 'Content-Type': 'application/x-www-form-urlencoded', Origin: origin })
  const resumed = await browser.ask('GET', String(posted.headers.location))
  const account = await browser.open('/account')
  const pages = { signInPage, consent, account, wrong: await browser.open('/authorize?client_id=x'), resumed: await browser.open('/authorize/x'), expired: await browser.open('/interaction/x'), refused: await browser.submit('/account/disconnect', {}), unknown: await browser.open('/account/x'), signedIn: await browser.open('/account/signed-in?error=x'), signedOut: await browser.submit('/account/sign-out', { csrf: formsOf(account.text)[0]!.fields.csrf! }) }
  for (const [what, { headers, text }] of Object.entries(pages)) {
    t.match(headers, {
      'content-type': /^text\/html; charset=utf-8/,
      'content-security-policy': /default-src 'none'.*frame-ancestors 'none'/,
      'x-frame-options': 'DENY',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'same-origin',
      'cache-control': 'no-store'
    }, what)
    t.notMatch(text, /<script|\son\w+=|javascript:|style=/i, what)
    t.equal(headers['access-control-allow-origin'], undefined, `${what}: no other origin may read it`)
  }
  t.match(resumed.left?.searchParams.get('code'), /./)
  const registered = await send({ method: 'POST', path: '/register', body: { redirect_uris: ['https://client.example/callback'], token_endpoint_auth_method: 'client_secret_post' } })
  const confidential = registered.json as Registered
  const done = await signIn(send, origin, { tenant: 'acme', client: confidential })
  const token = await askToken(send, { grant_type: 'authorization_code', client_id: confidential.client_id, client_secret: String(confidential.client_secret), code: done.code, redirect_uri: done.redirectUri, code_verifier: done.verifier })
  const own = { client_id: confidential.client_id, client_secret: String(confidential.client_secret) }
  const read = await send({ path: `/register/${confidential.client_id}`, headers: { Authorization: `Bearer ${confidential.registration_access_token}` } })
  const kept = { 'the way to our page': posted, 'the way to the client': resumed, registered, token, read, refreshed: await askToken(send, { grant_type: 'refresh_token', refresh_token: token.json.refresh_token, ...own }), introspected: await form('/introspect', { ...own, token: token.json.access_token }), failed: await askToken(send, {}) }
  for (const [what, { headers }] of Object.entries(kept)) t.equal(headers['cache-control'], 'no-store', what)
  t.equal(read.json.client_secret, undefined, 'a secret is told once')
})

t.test('no log line holds a code, token, secret, cookie, name of a person\'s or query, after everything that can happen', async t => {
  const { send, origin, lines } = await openOauth(t)
  const client = await register(send, { token_endpoint_auth_method: 'client_secret_post' })
  const browser = new Browser(send, origin)
  const cookies = new Set<string>()
  const watched: typeof send = async request => {
    const answer = await send(request)
    for (const line of cookiesOf(answer).values()) cookies.add(line.split(';')[0]!.split('=').slice(1).join('='))
    return answer
  }
  const done = await signIn(watched, origin, { tenant: 'acme', client, scope: 'openid graph:read', browser: new Browser(watched, origin), more: { state: 'state-of-the-client', nonce: 'nonce-of-the-client', login_hint: 'ada@example.com' } })
  const first = await exchange(send, done)
  const second = tokensOf(await refresh(send, client, first.refresh_token))
  await refresh(send, client, first.refresh_token)
  await exchange(send, done).catch(() => {})
  await askToken(send, { grant_type: 'refresh_token', client_id: client.client_id, client_secret: 'a-wrong-secret', refresh_token: second.refresh_token })
  await form('/introspect', { client_id: client.client_id, client_secret: String(client.client_secret), token: second.access_token })
  await form('/revoke', { client_id: client.client_id, client_secret: String(client.client_secret), token: second.access_token })
  await send({ path: `/register/${client.client_id}`, headers: { Authorization: `Bearer ${client.registration_access_token}x` } })
  await browser.open('/callback/github?code=code-of-an-upstream&state=state-of-an-upstream')
  await browser.open('/account?email=ada@example.com')
  await browser.open('/authorize?client_id=nobody&login_hint=ada@example.com')
  t.ok(lines.length > 20)
  for (const [what, value] of Object.entries({
    code: done.code,
    verifier: done.verifier,
    access: first.access_token,
    'next access': second.access_token,
    refresh: first.refresh_token,
    'next refresh': second.refresh_token,
    secret: String(client.client_secret),
    registration: String(client.registration_access_token),
    wrong: 'a-wrong-secret',
    state: 'state-of-the-client',
    nonce: 'nonce-of-the-client',
    address: 'ada@example.com',
    'code of an upstream': 'code-of-an-upstream',
    'state of an upstream': 'state-of-an-upstream',
    query: '?',
    parameter: 'login_hint'
  })) t.strictSame(lines.filter(line => line.includes(value)), [], what)
  for (const cookie of cookies) if (cookie !== '') t.strictSame(lines.filter(line => line.includes(cookie)), [], 'cookie')
})

t.test('an answer goes into the query or the fragment of the redirect, and into no page with a script', async t => {
  const { browser, client } = await signIn(send, origin, { tenant: 'acme' })
  const query = await browser.open(asking(client, { response_mode: 'query' }))
  t.ok(query.left?.searchParams.get('code'))
  const fragment = await browser.open(asking(client, { response_mode: 'fragment' }))
  t.match(fragment.left?.hash, /[#&]code=/)
  t.equal(fragment.left?.search, '')
  for (const mode of ['form_post', 'web_message', 'jwt', 'query.jwt', 'fragment.jwt', 'form_post.jwt', 'nothing', '__proto__']) {
    for (const more of [{}, { prompt: 'none' }, { request: 'x' }, { response_type: 'token' }] as Array<Record<string, string>>) {
      const answer = await browser.open(asking(client, { ...more, response_mode: mode }))
      t.ok(answer.left?.href.startsWith('https://client.example/callback'), `${mode} ${JSON.stringify(more)}`)
      t.match(`${answer.left?.search}${answer.left?.hash}`, /[?#&]error=(unsupported_response_mode|unsupported_response_type|request_not_supported)/)
      t.notMatch(answer.text, /<script|<form/)
    }
  }
  const known = (await send({ path: '/.well-known/oauth-authorization-server' })).json
  t.strictSame([known.response_modes_supported, known.response_types_supported, known.code_challenge_methods_supported], [['query', 'fragment'], ['code'], ['S256']], 'and the metadata says so')
})

t.test('prompt=none tells the client what is missing, and shows nothing', async t => {
  const client = await register(send)
  const browser = new Browser(send, origin)
  t.match(told(await browser.open(asking(client, { prompt: 'none' }))), { error: 'login_required', iss: origin, state: 'st' })
  await browser.press(await browser.open(asking(client)), 'upstream', 'local', { name: 'ada' })
  t.match(told(await browser.open(asking(client, { prompt: 'none' }))), { error: 'consent_required' })
  t.match(told(await browser.open(asking(client, { prompt: 'none login' }))), { error: 'invalid_request' })
  t.match(told(await browser.open(asking(client, { prompt: 'everything' }))), { error: 'invalid_request' })
})

t.test('max_age and id_token_hint are heeded: who signed in too long ago, or is somebody else, is asked to sign in', async t => {
  const done = await signIn(send, origin, { tenant: 'acme', scope: 'openid graph:read' })
  const { id_token: hint } = await exchange(send, done)
  const { browser, client } = done
  const open = async (more: Record<string, string>, there = browser) => await there.open(asking(client, { scope: 'openid graph:read', ...more }))
  t.ok((await open({ max_age: '3600' })).left, 'recent enough')
  t.ok((await open({ id_token_hint: String(hint) })).left, 'the same person')
  const grace = await signIn(send, origin, { name: 'grace', tenant: 'acme', scope: 'openid graph:read', client })
  t.match((await open({ id_token_hint: String(hint) }, grace.browser)).text, 'value="local"', 'another person')
  t.match(told(await open({ id_token_hint: String(hint), prompt: 'none' }, grace.browser)), { error: 'login_required' })
  for (const wrong of ['x', 'a.b.c', `${String(hint)}x`, (await exchange(send, grace)).access_token]) t.match(told(await open({ id_token_hint: wrong })), { error: 'invalid_request' }, 'a hint that we did not make')
  for (const age of ['x', '-1', '1.5', '1e400', '99999999999999999999']) {
    const answer = await open({ max_age: age })
    t.ok(answer.left === undefined || told(answer).error === 'invalid_request', `max_age=${age}`)
    t.ok(answer.status < 500)
  }
})

t.test('what this server does not do is refused in the standard\'s words', async t => {
  const client = await register(send)
  const browser = new Browser(send, origin)
  for (const [more, error] of [
    [{ request: 'eyJhbGciOiJub25lIn0.e30.' }, 'request_not_supported'],
    [{ request_uri: 'https://evil.example/request' }, 'request_uri_not_supported'],
    [{ request_uri: 'urn:ietf:params:oauth:request_uri:x' }, 'request_uri_not_supported'],
    [{ registration: '{}' }, 'registration_not_supported'],
    [{ response_type: 'token' }, 'unsupported_response_type'],
    [{ response_type: 'id_token' }, 'unsupported_response_type'],
    [{ response_type: 'code id_token' }, 'unsupported_response_type'],
    [{ response_type: 'none' }, /^(invalid_request|unauthorized_client)$/],
    [{ code_challenge_method: 'plain' }, 'invalid_request'],
    [{ code_challenge_method: '' }, 'invalid_request'],
    [{ code_challenge: '' }, 'invalid_request'],
    [{ code_challenge: 'short' }, 'invalid_request'],
    [{ resource: 'https://evil.example/mcp' }, 'invalid_target'],
    [{ resource: `${origin}/mcp/` }, 'invalid_target'],
    [{ resource: `${origin}/mcp#x` }, 'invalid_target'],
    [{ resource: 'x' }, 'invalid_target']
  ] as Array<[Record<string, string>, string | RegExp]>) t.match(told(await browser.open(asking(client, more))), { error, state: 'st' }, JSON.stringify(more))
  t.match(told(await browser.open(`${asking(client, { resource: `${origin}/mcp` })}&resource=${encodeURIComponent('https://evil.example/')}`)), { error: 'invalid_target' }, 'our resource and another')
  const page = await browser.open(asking(client, { claims: '{"userinfo":{"email":{"essential":true}},"access_token":{"tenant_id":{"value":"globex"}}}', tenant_id: 'globex', acr_values: 'x', ui_locales: 'xx', display: 'touch', scope: 'openid graph:read' }))
  t.strictSame([page.status, told(page)], [200, {}], 'claims and what else a client may say is no way to a tenant')
})

t.test('a resource named twice is one, also for who signs in as somebody else on the way', async t => {
  const client = await register(send)
  const browser = new Browser(send, origin)
  const resource = encodeURIComponent(`${origin}/mcp`)
  let page = await browser.open(`${asking(client)}&resource=${resource}&resource=${resource}`)
  page = await browser.press(page, 'upstream', 'local', { name: 'ada' })
  page = await browser.press(page, 'decision', 'switch')
  page = await browser.press(page, 'upstream', 'local', { name: 'grace' })
  t.match((await browser.press(page, 'decision', 'allow', { tenant: 'acme' })).left?.searchParams.get('code'), /./)
})

t.test('a code is for its own client, redirect and verifier; a guess of the verifier does not use it up', async t => {
  const done = await signIn(send, origin, { tenant: 'acme', client: await register(send, { redirect_uris: ['https://client.example/callback', 'https://client.example/other'] }) })
  const stranger = await register(send)
  const fields = { grant_type: 'authorization_code', client_id: done.client.client_id, code: done.code, redirect_uri: done.redirectUri, code_verifier: done.verifier }
  for (const [what, more] of Object.entries<Record<string, string>>({
    'another client': { client_id: stranger.client_id },
    'another redirect': { redirect_uri: 'https://client.example/other' },
    'a wrong verifier': { code_verifier: pkce().verifier },
    'the challenge as its verifier': { code_verifier: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM' },
    'a resource that is not ours': { resource: 'https://evil.example/mcp' }
  })) refused(t, await askToken(send, { ...fields, ...more }), what.includes('resource') ? 'invalid_target' : 'invalid_grant', what)
  for (const missing of ['code_verifier', 'code', 'redirect_uri']) {
    const { [missing as keyof typeof fields]: _, ...rest } = fields
    t.match((await askToken(send, rest)).json.error, /^invalid_(request|grant)$/, `no ${missing}`)
  }
})

t.test('a wrong verifier does not burn the code (RFC 7636 section 4.6 asks for an error, and no more)', async t => {
  const done = await signIn(send, origin, { tenant: 'acme' })
  refused(t, await askToken(send, { grant_type: 'authorization_code', client_id: done.client.client_id, code: done.code, redirect_uri: done.redirectUri, code_verifier: pkce().verifier }), 'invalid_grant', 'a guess')
  t.ok((await exchange(send, done)).access_token, 'its owner still gets the token')
})

t.test('a refresh token is for its own client, scope and resource, and a refusal leaves it as it was', async t => {
  const done = await signIn(send, origin, { tenant: 'acme', scope: 'graph:read' })
  const { refresh_token: token } = await exchange(send, done)
  const stranger = await register(send)
  refused(t, await refresh(send, stranger, token), 'invalid_grant', 'another client')
  refused(t, await refresh(send, done.client, token, { scope: 'graph:read graph:write' }), 'invalid_scope', 'more scope')
  refused(t, await refresh(send, done.client, token, { scope: 'graph:admin' }), 'invalid_scope', 'another scope')
  const next = tokensOf(await refresh(send, done.client, token, { scope: 'graph:read', resource: `${origin}/mcp` }))
  t.equal(next.scope, 'graph:read')
  refused(t, await refresh(send, done.client, next.refresh_token, { resource: 'https://evil.example/' }), 'invalid_target', 'another resource')
})

t.test('nobody ends or looks into the tokens of another client', async t => {
  const done = await signIn(send, origin, { tenant: 'acme' })
  const tokens = await exchange(send, done)
  const stranger = await register(send)
  for (const token of [tokens.access_token, tokens.refresh_token]) {
    for (const hint of ['access_token', 'refresh_token', 'x']) {
      t.strictSame((await form('/introspect', { client_id: stranger.client_id, token, token_type_hint: hint })).json, { active: false })
      t.ok((await form('/revoke', { client_id: stranger.client_id, token, token_type_hint: hint })).status < 500)
    }
  }
  t.equal((await form('/introspect', { client_id: done.client.client_id, token: tokens.access_token })).json.active, true)
  t.equal((await refresh(send, done.client, tokens.refresh_token)).status, 200, 'both go on')
})

t.test('the client of our own account page gets nothing from anybody\'s link: no code, no token, no consent', async t => {
  const { browser } = await signIn(send, origin, { name: 'kay', tenant: 'acme' })
  const link = (more: Record<string, string>) => `/authorize?${new URLSearchParams({ client_id: 'gateway-account-page', response_type: 'none', scope: 'openid', redirect_uri: `${origin}/account/signed-in`, ...more })}`
  t.equal((await browser.open(link({}))).path, '/account')
  for (const more of [{ scope: 'openid graph:admin' }, { prompt: 'consent' }, { scope: 'graph:read', prompt: 'consent', resource: `${origin}/mcp` }] as Array<Record<string, string>>) {
    const page = await browser.open(link(more))
    t.equal(page.status, 400, JSON.stringify(more))
    t.notMatch(page.text, 'value="allow"')
  }
  for (const more of [{ response_type: 'code' }, { response_type: 'code', code_challenge: pkce().challenge, code_challenge_method: 'S256' }] as Array<Record<string, string>>) t.notMatch((await browser.open(link(more))).path, 'code=')
  for (const grant of ['authorization_code', 'refresh_token', 'client_credentials']) t.equal((await askToken(send, { grant_type: grant, client_id: 'gateway-account-page', code: 'x', refresh_token: 'x', redirect_uri: `${origin}/account/signed-in`, code_verifier: pkce().verifier })).status, 400)
  t.equal((await store.grants.ofAccount('local:kay')).length, 1, 'the one that was allowed before')
})

t.test('a machine signs for this server, once, by its own key, and gets its own scopes and tenant only', async t => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { clientId } = await store.clients.create({ name: 'nightly', tenant: 'acme', scopes: ['graph:read'], jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'ES256' }] } })
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  const assertion = (claims: Record<string, unknown> = {}, key = privateKey) => new SignJWT({ iss: clientId, sub: clientId, aud: origin, jti: randomUUID(), exp: Math.floor(Date.now() / 1000) + 60, ...claims }).setProtectedHeader({ alg: 'ES256', kid: 'k1' }).sign(key)
  const ask = (signed: string, more: Record<string, string> = {}) => askToken(send, { grant_type: 'client_credentials', client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer', client_assertion: signed, ...more })
  const good = await assertion()
  const token = tokensOf(await ask(good))
  t.match(claimsOf(token.access_token), { tenant_id: 'acme', scope: 'graph:read', sub: clientId })
  refused(t, await ask(good), 'invalid_client', 'the same once more', 401)
  for (const [what, claims] of Object.entries<Record<string, unknown>>({
    'for another server': { aud: 'https://evil.example' },
    'for the resource': { aud: `${origin}/mcp` },
    expired: { exp: 1 },
    'without an end': { exp: undefined },
    'without an id': { jti: undefined },
    'by another issuer': { iss: 'machine-x' },
    'for a list without us': { aud: ['https://evil.example'] }
  })) refused(t, await ask(await assertion(claims)), 'invalid_client', what, 401)
  refused(t, await ask(await assertion({}, other)), 'invalid_client', 'by another key', 401)
  refused(t, await ask(await assertion(), { client_id: 'machine-x' }), 'invalid_request', 'under another name')
  refused(t, await ask(await assertion(), { scope: 'graph:admin' }), 'invalid_scope', 'more scope')
  refused(t, await ask(await assertion(), { resource: 'https://evil.example/' }), 'invalid_target', 'another resource')
  t.equal(claimsOf(tokensOf(await ask(await assertion({ tenant_id: 'globex' }), { tenant_id: 'globex' })).access_token).tenant_id, 'acme')
})

t.test('a client that changes to a secret is told it, once; its own secret is never told again', async t => {
  const client = await register(send)
  const answer = await send({ method: 'PUT', path: `/register/${client.client_id}`, headers: { Authorization: `Bearer ${client.registration_access_token}` }, body: { client_id: client.client_id, redirect_uris: client.redirect_uris, token_endpoint_auth_method: 'client_secret_post' } })
  t.equal(answer.status, 200)
  t.match(answer.json.client_secret, /^[\w-]{20,}$/)
  const changed = answer.json as Registered
  t.ok((await exchange(send, await signIn(send, origin, { tenant: 'acme', client: changed }))).access_token, 'it is the one that counts')
  const again = await send({ method: 'PUT', path: `/register/${client.client_id}`, headers: { Authorization: `Bearer ${changed.registration_access_token}` }, body: { client_id: client.client_id, redirect_uris: client.redirect_uris, token_endpoint_auth_method: 'client_secret_post', client_name: 'Renamed' } })
  t.match({ status: again.status, name: again.json.client_name, secret: again.json.client_secret }, { status: 200, name: 'Renamed', secret: undefined })
})

t.test('tokens are revoked and told of as JSON, whatever an HTTP library accepts', async t => {
  const done = await signIn(send, origin, { tenant: 'acme' })
  const { access_token: token } = await exchange(send, done)
  const own = { client_id: done.client.client_id, token }
  const accept = { Accept: 'text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2' }
  t.match((await form('/introspect', own, accept)).json, { active: true })
  t.equal((await form('/revoke', own, accept)).status, 200)
  t.match(await askToken(send, { grant_type: 'x', client_id: done.client.client_id }, accept), { status: 400, json: { error: 'unsupported_grant_type' } })
})

t.test('nothing of all this was a fault of the server', async t => {
  t.strictSame(lines.filter(line => /"level":[56]0/.test(line)), [])
})
