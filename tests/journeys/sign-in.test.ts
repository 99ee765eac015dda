import t from 'tap'
import { connect } from '../support/clients.ts'
import { openGateway, unique } from '../support/gateway.ts'
import { askToken, Browser, claimsOf, exchange, refresh, register, signIn, tokensOf, type Registered, type Tokens } from '../support/sign-in.ts'
import { until } from '../support/until.ts'

t.setTimeout(180_000)

const gateway = openGateway()
const { send, url } = gateway

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const ask = (token: string) => send({ path: '/api/mcp/graphs', headers: bearer(token) })
const works = async (token: string) => (await ask(token)).status === 200
/**
 * The promise of a second, from the moment at which whoever ended it was answered: by then the record is written and published.
 * The same bound as for the operator's own revocations, on a machine that does other work too.
 */
const refusedSoon = (token: string) => until('the refusal at the gateway', async () => (await ask(token)).status === 401, 1)

/** Somebody whom no other test knows, signed in and connected. */
async function connected ({ tenant = 'acme', ...options }: Parameters<typeof signIn>[2] = {}) {
  const name = options.name ?? unique('ada')
  const done = await signIn(send, url, { ...options, name, tenant })
  return { ...done, name, subject: `local:${name}`, tokens: await exchange(send, done) }
}

const endAt = (path: '/revoke' | '/introspect', client: Registered, token: string, more: Record<string, string> = {}) =>
  send({ method: 'POST', path, headers: { 'Content-Type': 'application/x-www-form-urlencoded' }, body: new URLSearchParams({ token, client_id: client.client_id, ...more }).toString() })
const isOver = async (client: Registered, { refresh_token: token }: Pick<Tokens, 'refresh_token'>) => t.match(await refresh(send, client, token), { status: 400, json: { error: 'invalid_grant' } })
const gidOf = ({ access_token: token }: Tokens) => String(claimsOf(token).gid)

t.test('6, 9: a person signs in, chooses a tenant, and the client works there and nowhere else; it refreshes, and goes on', async t => {
  const graph = unique('films')
  const { client, tokens, callback, subject } = await connected({ tenant: 'globex' })
  t.match(Object.fromEntries(callback.searchParams), { iss: url, state: 'st' }, 'RFC 9207')
  t.match(claimsOf(tokens.access_token), { iss: url, aud: gateway.mcpUrl, sub: subject, tenant_id: 'globex', client_id: client.client_id })
  for (const [token, query] of [[tokens, 'CREATE (n:Film {title: "Alien"}) RETURN n.title AS title'], [tokensOf(await refresh(send, client, tokens.refresh_token)), 'MATCH (n:Film) RETURN n.title AS title']] as Array<[Tokens, string]>) {
    const mcp = await connect('v1 SDK', gateway.mcpUrl, bearer(token.access_token))
    const { data, isError } = await mcp.call('falkordb_query', { graphName: graph, query })
    await mcp.close()
    t.match({ isError, data }, { isError: false, data: { tenant: 'globex', data: [{ title: 'Alien' }] } }, query)
  }
  t.ok(await works(tokens.access_token), 'a refresh takes nothing from the access token before')

  const elsewhere = await connected({ tenant: 'acme' })
  const listed = await ask(elsewhere.tokens.access_token)
  t.equal(listed.json.tenant, 'acme')
  t.notMatch(listed.text, graph)
})

t.test('an access token that its client revokes is refused within a second; its grant goes on', async t => {
  const { client, tokens } = await connected()
  t.ok(await works(tokens.access_token))
  t.match((await endAt('/introspect', client, tokens.access_token)).json, { active: true, client_id: client.client_id })
  t.equal((await endAt('/revoke', client, tokens.access_token, { token_type_hint: 'access_token' })).status, 200)
  await refusedSoon(tokens.access_token)
  t.match((await ask(tokens.access_token)).json, { error: 'invalid_token', error_description: /revoked/ })
  await until('introspection to say so at every replica', async () => (await Promise.all(Array.from({ length: 4 }, () => endAt('/introspect', client, tokens.access_token)))).every(({ json }) => json.active === false), 1)
  const next = tokensOf(await refresh(send, client, tokens.refresh_token))
  t.ok(await works(next.access_token))
})

t.test('a refresh token that its client revokes takes all access tokens of the grant along, within a second', async t => {
  const { client, tokens } = await connected()
  const next = tokensOf(await refresh(send, client, tokens.refresh_token))
  const other = await connected()
  for (const token of [tokens, next, other.tokens]) t.ok(await works(token.access_token))
  t.equal((await endAt('/revoke', client, next.refresh_token)).status, 200)
  await refusedSoon(next.access_token)
  t.notOk(await works(tokens.access_token), 'the one before as well')
  await isOver(client, next)
  t.ok(await works(other.tokens.access_token), 'of somebody else nothing')
})

t.test('nobody revokes the tokens of another client', async t => {
  const { tokens } = await connected()
  const stranger = await register(send)
  for (const token of [tokens.access_token, tokens.refresh_token]) t.ok((await endAt('/revoke', stranger, token)).status < 500)
  // What would have ended it has been told to everybody by the time at which a later revocation bites.
  const marker = await connected()
  await endAt('/revoke', marker.client, marker.tokens.access_token)
  await refusedSoon(marker.tokens.access_token)
  t.ok(await works(tokens.access_token))
})

t.test('9, 13: of eight clients that send one refresh token at once exactly one gets a successor, and nobody loses what they have', async t => {
  const { client, tokens } = await connected()
  const answers = await Promise.all(Array.from({ length: 8 }, () => refresh(send, client, tokens.refresh_token)))
  const [winner, ...others] = answers.filter(({ status }) => status === 200)
  t.equal(others.length, 0)
  for (const { status, json } of answers.filter(({ status }) => status !== 200)) t.match({ status, json }, { status: 400, json: { error: 'invalid_grant' } })
  const next = tokensOf(winner!)
  t.ok(await works(next.access_token))
  t.ok(await works(tokensOf(await refresh(send, client, next.refresh_token)).access_token))
})

t.test('oauth 13: a refresh token that is used again within its grace is refused only; after it, that ends the grant, and its access tokens at the gateway within a second', async t => {
  const { client, tokens } = await connected()
  const next = tokensOf(await refresh(send, client, tokens.refresh_token))
  const used = Date.now()
  await isOver(client, tokens)
  t.ok(await works(next.access_token))
  // REFRESH_REUSE_GRACE_S is 10, in whole seconds.
  await until('the end of the grace', () => Date.now() > used + 11_500)
  t.ok(await works(next.access_token), 'time alone ends nothing')
  await isOver(client, tokens)
  await refusedSoon(next.access_token)
  t.notOk(await works(tokens.access_token), 'the access token before as well')
  await isOver(client, next)
})

t.test('oauth 13: a code that is used again ends the grant, and its access tokens at the gateway within a second', async t => {
  const done = await connected()
  t.ok(await works(done.tokens.access_token))
  t.match(await askToken(send, { grant_type: 'authorization_code', client_id: done.client.client_id, code: done.code, redirect_uri: done.redirectUri, code_verifier: done.verifier }), { status: 400, json: { error: 'invalid_grant' } })
  await refusedSoon(done.tokens.access_token)
  await isOver(done.client, done.tokens)
})

t.test('oauth 9: what is signed by the same keys and is no access token for this gateway is refused', async t => {
  const { client, tokens, redirectUri, browser, name } = await connected({ scope: 'openid graph:read' })
  t.match(claimsOf(String(tokens.id_token)), { iss: url, aud: client.client_id })
  for (const [what, token] of Object.entries({ 'an ID token': String(tokens.id_token), 'a refresh token': tokens.refresh_token })) {
    t.match(await ask(token), { status: 401, headers: { 'www-authenticate': /error="invalid_token"/ } }, what)
  }
  for (const resource of [url, `${gateway.mcpUrl}/`, 'https://elsewhere.example/mcp']) {
    const sent = await browser.open(`/authorize?${new URLSearchParams({ response_type: 'code', client_id: client.client_id, redirect_uri: redirectUri, code_challenge: 'x'.repeat(43), code_challenge_method: 'S256', scope: 'graph:read', resource })}`)
    t.match(Object.fromEntries(sent.left?.searchParams ?? []), { error: 'invalid_target', iss: url }, `no token for ${resource} is given`)
  }
  t.match(await ask(await gateway.mint({ iss: gateway.issuer, tenant_id: 'acme', sub: name, aud: 'https://elsewhere.example/mcp' })), { status: 401, json: { error: 'invalid_token' } }, 'a trusted issuer\'s token for somebody else')
  t.match(await ask(await gateway.mint({ iss: url, tenant_id: 'acme', sub: name })), { status: 401, json: { error: 'invalid_token' } }, 'another issuer\'s token in the name of this one')
  t.ok(await works(tokens.access_token))
})

t.test('whom the operator revokes is out within a second, at the next refresh too; others go on', async t => {
  const [ada, bob] = [await connected(), await connected()]
  for (const { tokens } of [ada, bob]) t.ok(await works(tokens.access_token))
  await gateway.revoke(`USER=${ada.subject}`, `ISSUER=${url}`)
  await refusedSoon(ada.tokens.access_token)
  await until('the refusal of a refresh', async () => (await refresh(send, ada.client, ada.tokens.refresh_token)).json.error === 'invalid_grant', 1)
  t.ok(await works(tokensOf(await refresh(send, bob.client, bob.tokens.refresh_token)).access_token))
})

t.test('the operator sees who has connected what, by tenant, person and client, and ends one of them', async t => {
  const name = unique('grace')
  const client = await register(send, { client_name: unique('A film app') })
  const one = await connected({ name, client, tenant: 'acme' })
  const other = await connected({ name, tenant: 'globex' })
  const lineOf = (text: string, tokens: Tokens) => text.split('\n').find(line => line.startsWith(gidOf(tokens)))
  const ofTenant = await gateway.oauthCommand('grants', 'TENANT=acme')
  const line = String(lineOf(ofTenant, one.tokens))
  for (const words of [one.subject, 'tenant "acme"', String(client.client_name), 'unverified', 'client.example', 'graph:read graph:write', 'last used']) t.match(line, words)
  t.notOk(lineOf(ofTenant, other.tokens), 'of another tenant nothing')
  t.match(await gateway.oauthCommand('grants', `SUBJECT=${one.subject}`), /^2 grants$/m)
  t.match(await gateway.oauthCommand('grants', `CLIENT=${client.client_id}`), /^1 grant$/m)
  for (const secret of [one.tokens.access_token, one.tokens.refresh_token, one.code]) t.notMatch(ofTenant, secret)

  t.ok(await works(one.tokens.access_token))
  const said = await gateway.oauthCommand('end-grant', `GRANT=${gidOf(one.tokens)}`)
  await refusedSoon(one.tokens.access_token)
  t.match(said, `Ended: ${gidOf(one.tokens)}`)
  await isOver(client, one.tokens)
  t.match(await gateway.oauthCommand('grants', `SUBJECT=${one.subject}`), /^1 grant$/m)
  t.ok(await works(other.tokens.access_token), 'the other one goes on')
  t.match(await gateway.oauthCommand('end-grant', `GRANT=${gidOf(one.tokens)}`).then(() => 'it was done', (error: { stderr: string }) => error.stderr), /There is no grant/)
})

t.test('a person sees which apps act for them, ends one, and it is out within a second; nobody ends what is another\'s', async t => {
  const browser = new Browser(send, url)
  const name = unique('ada')
  const [film, music] = [unique('A film app'), unique('A music app')]
  const one = await connected({ name, browser, tenant: 'acme', client: await register(send, { client_name: film }) })
  const other = await connected({ name, browser, tenant: 'globex', client: await register(send, { client_name: music }) })
  t.ok(await works(one.tokens.access_token))
  const page = await browser.open('/account')
  t.match({ status: page.status, path: page.path, policy: page.headers['content-security-policy'] }, { status: 200, path: '/account', policy: /default-src 'none'/ })
  for (const words of [film, music, 'acme', 'globex', 'client.example', name]) t.match(page.text, words)
  const csrf = /name="csrf" value="([^"]+)"/.exec(page.text)?.[1] ?? ''

  const stranger = new Browser(send, url)
  await connected({ browser: stranger })
  const theirs = await stranger.open('/account')
  t.notMatch(theirs.text, film)
  const theirCsrf = /name="csrf" value="([^"]+)"/.exec(theirs.text)?.[1] ?? ''
  t.equal((await stranger.submit('/account/disconnect', { gid: gidOf(one.tokens), csrf: theirCsrf })).status, 404)
  t.equal((await browser.submit('/account/disconnect', { gid: gidOf(one.tokens), csrf }, { Origin: 'https://evil.example' })).status, 403)
  t.ok(await works(one.tokens.access_token))

  const after = await browser.submit('/account/disconnect', { gid: gidOf(one.tokens), csrf })
  await refusedSoon(one.tokens.access_token)
  t.match(after.text, /role="status">Disconnected/)
  t.notMatch(after.text, film)
  t.match(after.text, music)
  await isOver(one.client, one.tokens)
  t.ok(await works(other.tokens.access_token))
})

t.test('/account is the same page with a slash and without, and asks who is not signed in to sign in', async t => {
  const browser = new Browser(send, url)
  for (const path of ['/account', '/account/']) {
    const page = await browser.open(path)
    t.match(page, { status: 200, path: /^\/interaction\// }, path)
    t.match(page.text, /<h1>Sign in<\/h1>/)
  }
  const name = unique('ada')
  const page = await browser.press(await browser.open('/account'), 'upstream', 'local', { name })
  t.match({ status: page.status, path: page.path }, { status: 200, path: '/account' })
  t.match(page.text, /No app is connected to your account/)
  t.match(page.text, name)
  const slashed = await browser.open('/account/')
  t.match({ status: slashed.status, path: slashed.path }, { status: 200, path: '/account' })
})
