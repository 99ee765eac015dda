import t, { type Test } from 'tap'
import { openSdkApp, type App } from '../support/apps.ts'
import { openBrowser, type Watched } from '../support/browser.ts'
import { publishDocument } from '../support/client-documents.ts'
import { sumMetric } from '../support/control.ts'
import { openGateway, unique } from '../support/gateway.ts'
import { openMcpRemoteApp } from '../support/mcp-remote-app.ts'
import { allow, disconnect, signInAndAllow, signInAs, wordsOf } from '../support/person.ts'
import { claimsOf, refresh } from '../support/sign-in.ts'
import { until } from '../support/until.ts'

t.setTimeout(300_000)
// Each waits most of its time for a token to expire.
t.jobs = 3

const gateway = openGateway()
const browser = await openBrowser(line => t.comment(line))
t.teardown(() => browser.close())

const create = 'CREATE (n:From {client: "app"}) RETURN n.client AS client'
const match = 'MATCH (n:From) RETURN n.client AS client'
const rows = [{ client: 'app' }]

/** The gateway's answer to a token alone. */
const ask = (token: string) => gateway.send({ path: '/api/mcp/graphs', headers: { Authorization: `Bearer ${token}` } })
const refreshOf = async (app: App, token: string) => await refresh(gateway.send, { client_id: await app.clientId(), redirect_uris: [] }, token)

/** Credentials of an app whose access token lasts so long that what ends it is not its age. */
async function fresh (app: App, graph: string) {
  const { access_token: token } = await app.credentials()
  if (Number(claimsOf(token).exp) - Date.now() / 1000 < 15) {
    await until('the refusal of an expired token', async () => (await ask(token)).status === 401, 60)
    await app.query(graph, match)
  }
  return await app.credentials()
}

type Open = (t: Test, watched: Watched, way: Way) => Promise<App>
type Way = 'dynamic registration' | 'metadata document'
const ways: Way[] = ['dynamic registration', 'metadata document']

const sdk = (era: Parameters<typeof openSdkApp>[0]): Open => async (_t, { page }, way) => {
  const name = unique('An app')
  return await openSdkApp(era, { url: gateway.mcpUrl, name, page, document: way === 'metadata document' ? publishDocument(name, 'http://127.0.0.1/callback') : undefined })
}
const mcpRemote = (protocol: string): Open => async (t, { page }, way) => {
  const name = unique('mcp-remote')
  return await openMcpRemoteApp({ url: gateway.mcpUrl, name, page, caFile: gateway.caFile, configDir: t.testdir(), args: ['--protocol', protocol], document: way === 'metadata document' ? redirect => publishDocument(name, redirect) : undefined })
}
const kinds: Array<[string, Open]> = [
  ['the v1 SDK client', sdk('v1 SDK')],
  ['the v2 SDK client, as one of 2025,', sdk('v2 SDK, legacy')],
  ['the v2 SDK client, as one of 2026-07-28,', sdk('v2 SDK, 2026-07-28')],
  ['mcp-remote', mcpRemote('legacy')],
  ['mcp-remote --protocol auto', mcpRemote('auto')]
]

for (const [kind, open] of kinds) {
  for (const way of ways) {
    t.test(`7, 9: ${kind} goes from a bare 401 to a tool result by ${way}, outlives its access token, and is out when its person disconnects it`, async t => {
      const watched = await browser.open()
      t.teardown(() => watched.page.context().close())
      const app = await open(t, watched, way)
      t.teardown(() => app.close())
      const { page, complaints } = watched
      const graph = unique('films')

      const answer = await app.query(graph, create, async page => {
        const first = await wordsOf(page)
        t.match(first, `“${app.name}” wants to use your graphs`, 'it says who asks before it asks who you are')
        await signInAs(page, `${unique('ada')}@acme.example`)
        const asking = await wordsOf(page)
        t.match(asking, `“${app.name}” asks for it`)
        t.match(asking, /You return to an app on this device, (127\.0\.0\.1|localhost)/)
        t.match(asking, /Tenant acme/)
        if (way === 'metadata document') t.match(asking, `${new URL(await app.clientId()).host} describes this app`, 'the host of its document is shown')
        t.match(asking, /Read your graphs: .*Change data: /)
        t.strictSame(complaints, [], 'no page was broken')
        await allow(page)
      })
      t.strictSame(answer.data.data, rows, answer.text)
      t.equal(answer.data.tenant, 'acme')
      t.match(Object.fromEntries(app.asked[0]?.searchParams ?? []), { resource: gateway.mcpUrl, code_challenge_method: 'S256', response_type: 'code' })
      t.equal(/^https:/.test(await app.clientId()), way === 'metadata document', 'its id is the document, or one of its own')

      const old = await app.credentials()
      await until('the refusal of an expired token', async () => (await ask(old.access_token)).status === 401, 60)
      t.match((await ask(old.access_token)).json, { error: 'invalid_token', error_description: /expired/ })
      t.strictSame((await app.query(graph, match)).data.data, rows, 'the next call works by itself')
      const renewed = await app.credentials()
      t.not(renewed.access_token, old.access_token)
      t.not(renewed.refresh_token, old.refresh_token, 'a refresh token is good once')
      t.match(await refreshOf(app, String(old.refresh_token)), { status: 400, json: { error: 'invalid_grant' } }, 'the old one is refused')
      t.equal(app.asked.length, 1, 'nobody was asked again')

      const last = await fresh(app, graph)
      t.equal((await ask(last.access_token)).status, 200)
      await disconnect(page, gateway.url, app.name)
      await until('the refusal', async () => (await ask(last.access_token)).status === 401, 1)
      t.match((await ask(last.access_token)).json, { error: 'invalid_token', error_description: /revoked/ })
      t.match(await refreshOf(app, String(last.refresh_token)), { status: 400, json: { error: 'invalid_grant' } })
      const again = await app.query(graph, match, allow)
      t.equal(app.asked.length, 2, 'it asked to sign in again, once')
      t.strictSame(again.data.data, rows, 'and goes on when that is allowed')
    })
  }
}

t.test('what the operator ends by make end-grant is out within a second, and the client asks to sign in again', async t => {
  const { page } = await browser.open()
  t.teardown(() => page.context().close())
  const app = await openSdkApp('v2 SDK, 2026-07-28', { url: gateway.mcpUrl, name: unique('An app'), page })
  t.teardown(() => app.close())
  const graph = unique('films')
  const name = `${unique('ada')}@acme.example`
  await app.query(graph, create, page => signInAndAllow(page, name))

  const listed = await gateway.oauthCommand('grants', `SUBJECT=local:${name}`)
  const gid = String(claimsOf((await app.credentials()).access_token).gid)
  t.match(listed, `${gid}  "local:${name}"  tenant "acme"  "${app.name}"`)
  t.match(listed, /^1 grant$/m)
  const { access_token: token, refresh_token: renewal } = await fresh(app, graph)
  t.equal((await ask(token)).status, 200)
  t.match(await gateway.oauthCommand('end-grant', `GRANT=${gid}`), `Ended: ${gid}`)
  await until('the refusal', async () => (await ask(token)).status === 401, 1)
  t.match((await ask(token)).json, { error: 'invalid_token', error_description: /revoked/ })
  t.match(await refreshOf(app, String(renewal)), { status: 400, json: { error: 'invalid_grant' } })
  t.match(await gateway.oauthCommand('grants', `SUBJECT=local:${name}`), /^0 grants$/m)
  t.strictSame((await app.query(graph, match, allow)).data.data, rows)
  t.equal(app.asked.length, 2, 'it asked once')
})

t.test('7: who says no is believed: the app is told so, and asks nobody else', async t => {
  const { page } = await browser.open()
  t.teardown(() => page.context().close())
  const app = await openSdkApp('v2 SDK, 2026-07-28', { url: gateway.mcpUrl, name: unique('An app'), page })
  t.teardown(() => app.close())
  await t.rejects(app.query(unique('films'), create, async page => {
    await signInAs(page, `${unique('ada')}@acme.example`)
    await page.getByRole('button', { name: 'Deny' }).click()
  }), { code: 'access_denied' })
  t.equal(app.asked.length, 1)
  await page.goto(`${gateway.url}/account`)
  t.match(await wordsOf(page), 'No app is connected to your account')
})

t.test('the sign-ins were the work of both replicas, without stickiness: each has shown pages, taken answers and given tokens', { buffered: false }, async t => {
  const replicas = await gateway.metrics('oauth')
  t.equal(replicas.length, 2)
  for (const replica of replicas) {
    for (const answered of ['method="GET",route="/interaction/:uid",status="200"', 'method="POST",route="/interaction/:uid/consent",status="303"', 'method="POST",route="/token",status="200"']) {
      t.ok(sumMetric(replica, 'http_requests_total', answered) > 0, answered)
    }
  }
})
