/** Floods, as they meet the service: each from an address of its own, to one replica or two that share a Valkey. */
import t, { type Test } from 'tap'
import { createSend, type Answer, type Send } from '../../tests/support/https.ts'
import { askToken, authorizePath, Browser, exchange, pkce, refresh, register, signIn, tokensOf, type Registered } from '../../tests/support/sign-in.ts'
import { openOauth } from './test-support.ts'

const [flooding, quiet, cloud] = ['127.0.0.2', '127.0.0.3', '127.0.0.4'] as const
const from = (origin: string, address: string): Send => createSend(origin, undefined, address)

async function times<T> (count: number, ask: (n: number) => Promise<T>): Promise<T[]> {
  const answers: T[] = []
  for (let n = 0; n < count; n++) answers.push(await ask(n))
  return answers
}

/** Refused as RFC 6749 section 5.2 writes errors, with the seconds to wait. */
function isLimited (t: Test, { status, headers, json, text }: Answer, most: number, what: string) {
  t.match({ status, type: headers['content-type'], cached: headers['cache-control'], json }, { status: 429, type: /^application\/json/, cached: 'no-store', json: { error: 'temporarily_unavailable', error_description: /wait as long as Retry-After says/ } }, what)
  const wait = Number(headers['retry-after'])
  t.ok(Number.isInteger(wait) && wait >= 1 && wait <= most, `${what}: Retry-After is ${headers['retry-after']}`)
  t.notMatch(text, /127\.0\.0|oauth:limits/, `${what}: nothing of the inside`)
}

/** Refused on a page that a person can read, which says how long to wait, and sends them nowhere. */
function isLimitedPage (t: Test, { status, headers, text }: Answer, what: string) {
  t.match({ status, type: headers['content-type'], policy: headers['content-security-policy'] }, { status: 429, type: /^text\/html/, policy: /default-src 'none'/ }, what)
  t.match(text, '<h1>Too many attempts</h1>', what)
  t.match(text, `Wait ${headers['retry-after']} seconds`, `${what}: the page names the time of Retry-After, ${headers['retry-after']}`)
  t.equal(headers.location, undefined, what)
}

const askAuthorize = (clientId: string) => authorizePath({ clientId, redirectUri: 'https://client.example/callback', challenge: pkce().challenge })
const asPerson = { Accept: 'text/html' }

t.test('who registers client after client is told to wait, whatever address they write into a header; another address registers, and their own clients go on', async t => {
  const { origin } = await openOauth(t, { env: { REGISTRATIONS_PER_HOUR: '3' } })
  const send = from(origin, flooding)
  const [client] = await times(3, () => register(send))
  const body = { redirect_uris: ['https://client.example/callback'] }
  isLimited(t, await send({ path: '/register', body }), 3_600, 'the fourth')
  // The peer is Traefik, which writes the address that it sees last.
  isLimited(t, await send({ path: '/register', body, headers: { 'X-Forwarded-For': `198.51.100.7, ${flooding}`, Forwarded: 'for=198.51.100.7' } }), 3_600, 'behind a forged address')
  isLimited(t, await send({ path: `/register/${client!.client_id}`, headers: { Authorization: `Bearer ${client!.registration_access_token}` } }), 3_600, 'looking at one')
  t.equal((await from(origin, quiet)({ path: '/register', body })).status, 201)
  const done = await signIn(send, origin, { tenant: 'acme', client: client! })
  t.ok((await exchange(send, done)).access_token)
})

t.test('who begins sign-in after sign-in gets a page that says how long to wait; another address signs in', async t => {
  const { origin } = await openOauth(t, { env: { SIGN_INS_PER_MINUTE: '4' } })
  const send = from(origin, flooding)
  const { client_id: clientId } = await register(send)
  for (const { status } of await times(4, () => send({ path: askAuthorize(clientId), headers: asPerson }))) t.equal(status, 303)
  isLimitedPage(t, await send({ path: askAuthorize(clientId), headers: asPerson }), 'the fifth')
  isLimitedPage(t, await send({ path: '/authorize', headers: asPerson }), 'one that names no client')
  const forPrograms = await send({ path: askAuthorize(clientId), headers: { Accept: 'application/json' } })
  t.match(forPrograms, { status: 429, json: { error: { type: 'RateLimitError', code: 'address_limited' } }, headers: { 'retry-after': /^\d+$/ } }, 'JSON for who takes nothing else')
  t.ok((await signIn(from(origin, quiet), origin, { tenant: 'acme' })).code)
})

t.test('pages are limited too, at twice the number, and the same for all of them', async t => {
  const { origin } = await openOauth(t, { env: { SIGN_INS_PER_MINUTE: '2' } })
  const send = from(origin, flooding)
  const paths = ['/account', '/interaction/x', '/callback/github?state=x', '/account/nothing', '/interaction/x/federated']
  const answers = await times(5, n => send({ path: paths[n]!, headers: asPerson }))
  t.strictSame(answers.map(({ status }) => status === 429), [false, false, false, false, true])
  isLimitedPage(t, answers[4]!, 'the fifth')
  isLimitedPage(t, await send({ method: 'POST', path: '/account/disconnect', headers: { ...asPerson, 'Content-Type': 'application/x-www-form-urlencoded' }, body: 'gid=x' }), 'a form')
  t.equal((await from(origin, quiet)({ path: '/account', headers: asPerson })).status, 303)
})

t.test('token, revocation and introspection requests of an address are counted together, good or not; another address gets its token', async t => {
  const { origin } = await openOauth(t, { env: { TOKENS_PER_MINUTE: '5' } })
  const send = from(origin, flooding)
  const client = await register(send)
  const post = (path: string) => send({ method: 'POST', path, headers: { 'Content-Type': 'application/x-www-form-urlencoded' }, body: `token=x&client_id=${client.client_id}` })
  for (const path of ['/token', '/revoke', '/introspect', '/token', '/revoke']) t.not((await post(path)).status, 429, path)
  for (const path of ['/token', '/revoke', '/introspect']) isLimited(t, await post(path), 60, path)
  const done = await signIn(send, origin, { tenant: 'acme', client })
  isLimited(t, await askToken(send, { grant_type: 'authorization_code', client_id: client.client_id, code: done.code, redirect_uri: done.redirectUri, code_verifier: done.verifier }), 60, 'a good code')
  t.ok((await exchange(from(origin, quiet), done)).access_token, 'which is not used up by that')
})

t.test('addresses of SHARED_EGRESS_RANGES have no limit, whatever they ask for', async t => {
  const { origin } = await openOauth(t, { env: { REGISTRATIONS_PER_HOUR: '1', SIGN_INS_PER_MINUTE: '1', TOKENS_PER_MINUTE: '1', SHARED_EGRESS_RANGES: `${cloud}/32` } })
  const send = from(origin, cloud)
  const people = await times(4, async n => {
    const done = await signIn(send, origin, { name: `person-${n}`, tenant: 'acme' })
    return tokensOf(await refresh(send, done.client, (await exchange(send, done)).refresh_token))
  })
  t.equal(people.length, 4)
  const other = from(origin, flooding)
  await register(other)
  isLimited(t, await other({ path: '/register', body: {} }), 3_600, 'an address beside them')
})

t.test('one grant gets so many tokens in a minute from all replicas together; refused for haste, its refresh token is good afterwards, and other grants of the same client are not touched', async t => {
  const env = { CLIENT_TOKENS_PER_MINUTE: '4' }
  const one = await openOauth(t, { env })
  const two = await openOauth(t, { env, valkeyUrl: one.stateUrl, publicUrl: one.origin })
  const replicas = [one.send, two.send]
  const done = await signIn(one.send, one.origin, { tenant: 'acme' })
  let token = (await exchange(one.send, done)).refresh_token
  for (let n = 1; n < 4; n++) token = tokensOf(await refresh(replicas[n % 2]!, done.client, token)).refresh_token
  for (const send of [...replicas, ...replicas]) isLimited(t, await refresh(send, done.client, token), 60, 'the fifth and later')

  const neighbour = await signIn(two.send, one.origin, { name: 'grace', tenant: 'acme', client: done.client })
  t.ok((await exchange(one.send, neighbour)).access_token, 'the same client, for somebody else')

  // The minute is over.
  await one.client.del(await one.client.keys('oauth:limits:client:*'))
  const later = tokensOf(await refresh(two.send, done.client, token))
  t.not(later.refresh_token, token)
  t.equal((await refresh(one.send, done.client, later.refresh_token)).status, 200, 'and so is its successor')
})

t.test('one machine gets so many tokens in a minute from all replicas together; another machine is not touched', async t => {
  const env = { CLIENT_TOKENS_PER_MINUTE: '4' }
  const one = await openOauth(t, { env })
  const two = await openOauth(t, { env, valkeyUrl: one.stateUrl, publicUrl: one.origin })
  const make = async (name: string) => {
    const { clientId, secret } = await one.store.clients.create({ name, tenant: 'acme', scopes: ['graph:read'] })
    return (send: Send) => askToken(send, { grant_type: 'client_credentials' }, { Authorization: `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}` })
  }
  const [hasty, calm] = await Promise.all([make('hasty'), make('calm')])
  for (const { status } of await times(4, n => hasty(n % 2 === 0 ? one.send : two.send))) t.equal(status, 200)
  for (const { send } of [one, two]) isLimited(t, await hasty(send), 60, 'the fifth')
  for (const { send } of [one, two]) t.equal((await calm(send)).status, 200)
})

t.test('who guesses another machine\'s secret does not use up its share', async t => {
  const { send, store } = await openOauth(t, { env: { CLIENT_TOKENS_PER_MINUTE: '1' } })
  const { clientId, secret } = await store.clients.create({ name: 'nightly', tenant: 'acme', scopes: ['graph:read'] })
  const ask = (text: string) => askToken(send, { grant_type: 'client_credentials' }, { Authorization: `Basic ${Buffer.from(`${clientId}:${text}`).toString('base64')}` })
  for (const { status } of await times(5, n => ask(`guess-${n}`))) t.equal(status, 401)
  t.equal((await ask(secret!)).status, 200)
})

t.test('one account signs in so often in an hour at all replicas together, and then reads how long to wait; another account signs in', async t => {
  const env = { ACCOUNT_SIGN_INS_PER_HOUR: '4' }
  const one = await openOauth(t, { env })
  const two = await openOauth(t, { env, valkeyUrl: one.stateUrl, publicUrl: one.origin })
  const client = await register(one.send)
  const attempt = async (send: Send, name: string) => {
    const browser = new Browser(send, one.origin)
    return await browser.press(await browser.open(askAuthorize(client.client_id)), 'upstream', 'local', { name })
  }
  for (const { text } of await times(4, n => attempt(n % 2 === 0 ? one.send : two.send, 'ada'))) t.match(text, 'Allow access to your graphs?')
  for (const { send } of [one, two]) {
    const page = await attempt(send, 'Ada')
    isLimitedPage(t, page, 'the same account, in capitals')
    t.equal(page.left, undefined)
    t.match((await attempt(send, 'grace')).text, 'Allow access to your graphs?')
  }
})

t.test('beyond CLIENTS_MAX nobody registers, and is told so as RFC 7591 has it; those that are there go on, and one that leaves makes room', async t => {
  const { send, origin } = await openOauth(t, { env: { CLIENTS_MAX: '2' } })
  const clients = await times(2, () => register(send)) as [Registered, Registered]
  const body = { redirect_uris: ['https://client.example/callback'] }
  const refused = await send({ path: '/register', body })
  t.match(refused, { status: 503, headers: { 'content-type': /^application\/json/ }, json: { error: 'temporarily_unavailable', error_description: String } })
  t.ok((await exchange(send, await signIn(send, origin, { tenant: 'acme', client: clients[0] }))).access_token)
  t.equal((await send({ method: 'DELETE', path: `/register/${clients[1].client_id}`, headers: { Authorization: `Bearer ${clients[1].registration_access_token}` } })).status, 204)
  t.equal((await send({ path: '/register', body })).status, 201)
})
