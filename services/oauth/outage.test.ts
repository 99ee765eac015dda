import t, { type Test } from 'tap'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../dev/free-port.ts'
import { startStateStore } from '../../dev/programs/state-store.ts'
import type { Answer } from '../../tests/support/https.ts'
import { askToken, authorizePath, Browser, exchange, pkce, refresh, register, signIn, tokensOf, type Page } from '../../tests/support/sign-in.ts'
import { until } from '../../tests/support/until.ts'
import { openReplicas } from './test-replicas.ts'

t.setTimeout(120_000)

/** A Valkey that keeps what it has on disk, and can go away and come back. */
async function openMortalValkey (t: Test) {
  const [dir, port] = [await mkdtemp(join(tmpdir(), 'valkey-')), await freePort()]
  const start = () => startStateStore({ port, dir, say: () => {} })
  let running = await start()
  t.teardown(async () => {
    await running.stop()
    await rm(dir, { recursive: true, force: true })
  })
  const signal = (name: NodeJS.Signals) => { process.kill(running.pid, name) }
  return {
    url: running.url,
    /** As a crash, or the kernel for want of memory. */
    kill: async () => {
      signal('SIGKILL')
      await running.stop()
    },
    start: async () => { running = await start() },
    hold: () => { signal('SIGSTOP') },
    letGo: () => { signal('SIGCONT') }
  }
}

/** What a client or a person has before the outage, and what they then ask for. */
async function midway (t: Test) {
  const valkey = await openMortalValkey(t)
  const { send, origin, replicas } = await openReplicas(t, { valkeyUrl: valkey.url })
  const client = await register(send, { scope: 'graph:read graph:write' })
  const connected = await signIn(send, origin, { tenant: 'acme', client })
  const { refresh_token: token } = await exchange(send, connected)
  const { code, redirectUri, verifier } = await signIn(send, origin, { tenant: 'acme', client, name: 'grace' })
  const waiting = new Browser(send, origin)
  const link = authorizePath({ clientId: client.client_id, redirectUri, challenge: pkce().challenge })
  const signInPage = await waiting.open(link)
  const consentPage = await connected.browser.open('/account').then(() => connected.browser.open(`${link}&prompt=consent`))
  const codeFields = { grant_type: 'authorization_code', client_id: client.client_id, code, redirect_uri: redirectUri, code_verifier: verifier }
  const post = (path: string, fields: Record<string, string>) => send({ method: 'POST', path, headers: { 'Content-Type': 'application/x-www-form-urlencoded' }, body: new URLSearchParams(fields).toString() })
  const programs: Record<string, () => Promise<Answer>> = {
    'a refresh': () => refresh(send, client, token),
    'the exchange of a code': () => askToken(send, codeFields),
    'a revocation': () => post('/revoke', { client_id: client.client_id, token }),
    'an introspection': () => post('/introspect', { client_id: client.client_id, token }),
    'a registration': () => send({ method: 'POST', path: '/register', body: { redirect_uris: ['https://client.example/callback'], token_endpoint_auth_method: 'none' } }),
    'a look at a registration': () => send({ path: new URL(client.registration_client_uri!).pathname, headers: { Authorization: `Bearer ${client.registration_access_token}` } })
  }
  const pages: Record<string, () => Promise<Page>> = {
    'the first page': () => new Browser(send, origin).open(link),
    'the first page of who is signed in': () => connected.browser.open(link),
    'the sign-in page': () => waiting.open(signInPage.path),
    'the sign-in': () => waiting.press(signInPage, 'upstream', 'local', { name: 'hedy' }),
    'a consent': () => connected.browser.press(consentPage, 'decision', 'allow', { tenant: 'acme' }),
    'the account page': () => connected.browser.open('/account'),
    'a callback': () => waiting.open('/callback/github?state=unknown&code=unknown')
  }
  return { valkey, send, client, token, replicas, programs, pages }
}

type Midway = Awaited<ReturnType<typeof midway>>

async function refusedInWords (t: Test, { programs, pages, send }: Midway) {
  for (const [what, ask] of Object.entries(programs)) {
    const { status, headers, json } = await ask()
    t.match({ status, retryAfter: headers['retry-after'], json }, { status: 503, retryAfter: /^[1-9]\d*$/, json: { error: 'temporarily_unavailable', error_description: /try again/ } }, what)
  }
  for (const [what, ask] of Object.entries(pages)) {
    const { status, headers, text, left } = await ask()
    t.equal(left, undefined, `${what} leads nowhere else`)
    t.match({ status, retryAfter: headers['retry-after'], type: headers['content-type'] }, { status: 503, retryAfter: /^[1-9]\d*$/, type: /^text\/html/ }, what)
    t.match(text, /Wait \d+ seconds, then load this page again/, `${what}: a page that says what to do`)
    t.notMatch(text, /ECONN|127\.0\.0\.1:|redis|\.ts:/i, what)
  }
  for (const path of ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration', '/.well-known/jwks.json', '/live']) t.equal((await send({ path })).status, 200, path)
}

/** Everything that was begun before goes on as if nothing had been. */
async function goesOn (t: Test, { programs, pages, client, send, replicas }: Midway) {
  await until('all replicas to have their store', async () => (await Promise.all(replicas.map(({ send }) => send({ path: '/ready' })))).every(({ status }) => status === 200))
  let tokens = tokensOf(await programs['a refresh']!())
  t.ok(tokens.refresh_token, 'no refresh token was burnt')
  tokens = tokensOf(await refresh(send, client, tokens.refresh_token))
  t.ok(tokensOf(await programs['the exchange of a code']!()).refresh_token, 'nor a code')
  t.match((await pages['the sign-in']!()).text, 'value="allow"')
  t.ok((await pages['a consent']!()).left?.searchParams.get('code'), 'a page that was open before')
}

t.test('Valkey dies: 503 with Retry-After in the words of each endpoint, no token is burnt, metadata stay, and all goes on when it is back', async t => {
  const there = await midway(t)
  const { valkey, replicas } = there
  // appendfsync everysec: what was acknowledged a second ago is on disk, and with the process killed alone, all of it is in the kernel's hands.
  await valkey.kill()
  await until('the outage to be seen', async () => replicas.every(({ state }) => !state.connected))
  await refusedInWords(t, there)
  t.match((await replicas[0]!.send({ path: '/ready' })).json, { ready: false, checks: { valkey: /cannot be reached/, keys: 'ok' } })
  await valkey.start()
  await goesOn(t, there)
})

t.test('a Valkey that has fallen silent: every answer comes in bounded time, and all goes on when it speaks again', async t => {
  const there = await midway(t)
  const { valkey } = there
  valkey.hold()
  t.teardown(() => valkey.letGo())
  const started = Date.now()
  // The first ones to notice: what they asked waits in its socket, and is read when it speaks again.
  const first = await Promise.all([there.programs['a refresh']!(), there.programs['the exchange of a code']!(), there.pages['the first page']!(), there.pages['a consent']!()])
  t.strictSame(first.map(({ status }) => status), [503, 503, 503, 503])
  t.ok(Date.now() - started < 10_000, `${Date.now() - started} ms`)
  await refusedInWords(t, there)
  valkey.letGo()
  await goesOn(t, there)
})

t.test('a Valkey whose memory is full: nothing new is written, no refresh token and no code is used up, and all goes on when there is room', async t => {
  const there = await midway(t)
  const { client: store } = there.replicas[0]!
  await store.configSet('maxmemory', '1mb')
  for (const what of ['a refresh', 'the exchange of a code', 'a registration']) {
    const { status, headers, json } = await there.programs[what]!()
    t.match({ status, retryAfter: headers['retry-after'], json }, { status: 503, retryAfter: /^[1-9]\d*$/, json: { error: 'temporarily_unavailable' } }, what)
  }
  t.equal((await there.pages['a consent']!()).status, 503)
  await store.configSet('maxmemory', '128mb')
  await goesOn(t, there)
})
