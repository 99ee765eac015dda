import t from 'tap'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startStack } from '../../dev/stack/start.ts'
import { freePort } from '../../dev/free-port.ts'
import { createSend } from '../support/https.ts'
import { authorizePath, Browser, exchange, pkce, refresh, register, signIn, tokensOf } from '../support/sign-in.ts'

t.setTimeout(290_000)

t.test('8: the whole stack is stopped and started in the middle of a sign-in: clients, keys, sessions, codes and refresh tokens survive', { timeout: 200_000 }, async t => {
  const dir = await mkdtemp(join(tmpdir(), 'gateway-restart-'))
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  const port = await freePort()
  const start = async () => {
    const stack = await startStack({ dir, port, mcpReplicas: 1, oauthReplicas: 2 })
    t.teardown(() => stack.stop())
    const { url, ca } = stack.file
    const send = createSend(url, ca)
    return { stack, url, send, call: async (token: string) => (await send({ path: '/tools/falkordb_list_graphs', body: {}, headers: { authorization: `Bearer ${token}` } })).status }
  }

  const before = await start()
  // A browser outlives the stack, and so do the sockets' owner and its cookies: it asks by whatever leads there now.
  let now = before
  const send: typeof before.send = request => now.send(request)
  const client = await register(send)
  const redirectUri = client.redirect_uris[0]!
  const connected = await signIn(send, before.url, { tenant: 'acme', client })
  const tokens = await exchange(send, connected)
  const asCode = await signIn(send, before.url, { tenant: 'globex', client, name: 'grace' })
  const asPage = new Browser(send, before.url)
  const { verifier, challenge } = pkce()
  const page = await asPage.open(authorizePath({ clientId: client.client_id, redirectUri, challenge }))
  await before.stack.stop()

  now = await start()
  t.equal(now.url, before.url)
  t.equal(await now.call(tokens.access_token), 200, 'a token of before')
  const late = await exchange(send, asCode)
  t.equal(await now.call(late.access_token), 200, 'a code of before')
  const refreshed = tokensOf(await refresh(send, client, tokens.refresh_token))
  t.equal(await now.call(refreshed.access_token), 200, 'a refresh token of before')
  const consent = await asPage.press(page, 'upstream', 'local', { name: 'hedy' })
  const allowed = await asPage.press(consent, 'decision', 'allow', { tenant: 'acme' })
  t.ok((await exchange(send, { client, redirectUri, verifier, code: String(allowed.left?.searchParams.get('code')) })).access_token, 'a page of before')
  t.match((await connected.browser.open('/account')).text, 'A test client', 'a session of before')
  t.ok((await exchange(send, await signIn(send, now.url, { tenant: 'acme', client, name: 'joan' }))).access_token, 'a client of before')
})
