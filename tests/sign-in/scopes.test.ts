import t, { type Test } from 'tap'
import { openSdkApp, type AppOptions } from '../support/apps.ts'
import { openBrowser } from '../support/browser.ts'
import type { Era } from '../support/clients.ts'
import { openGateway, unique } from '../support/gateway.ts'
import { openMcpRemoteApp } from '../support/mcp-remote-app.ts'
import { allow, signInAndAllow, signInAs, wordsOf } from '../support/person.ts'
import { legacyMessage } from '../support/rpc.ts'
import { claimsOf } from '../support/sign-in.ts'

t.setTimeout(120_000)

const gateway = openGateway()
const browser = await openBrowser(line => t.comment(line))
t.teardown(() => browser.close())

const create = 'CREATE (f:Film {title: "Metropolis"}) RETURN f.title AS title'
const match = 'MATCH (f:Film) RETURN f.title AS title'
const rows = [{ title: 'Metropolis' }]

async function openApp (t: Test, era: Era, options: Partial<AppOptions> = {}) {
  const { page } = await browser.open()
  t.teardown(() => page.context().close())
  const app = await openSdkApp(era, { url: gateway.mcpUrl, name: unique('An app'), page, ...options })
  t.teardown(() => app.close())
  return { app, page }
}

/** A call by hand, as the answer that the gateway gives before any client looks at it. */
const callWith = (token: string, graphName: string, query: string) => {
  const message = legacyMessage('tools/call', { name: 'falkordb_query', arguments: { graphName, query } })
  return gateway.send({ ...message, headers: { ...message.headers as Record<string, string>, Authorization: `Bearer ${token}` } })
}

// The v1 SDK refreshes where it has a refresh token, which cannot widen a grant, and then gives up: without one it asks its person.
for (const [era, wantsRefreshToken] of [['v1 SDK', false], ['v2 SDK, legacy', true], ['v2 SDK, 2026-07-28', true]] as const) {
  t.test(`${era}: an app that may only read gets 403 for a write, asks for more, and writes when its person allows that too`, async t => {
    const { app } = await openApp(t, era, { scope: 'graph:read', wantsRefreshToken })
    const graph = unique('films')
    const health = await app.call('falkordb_health', {}, async page => {
      await signInAs(page, `${unique('ada')}@acme.example`)
      t.notMatch(await wordsOf(page), 'Change data')
      await allow(page)
    })
    t.notOk(health.isError, health.text)
    const { access_token: token } = await app.credentials()
    t.equal(claimsOf(token).scope, 'graph:read')
    const refused = await callWith(token, graph, create)
    t.equal(refused.status, 403)
    t.match(refused.headers['www-authenticate'], /error="insufficient_scope".*scope="[^"]*graph:write|scope="[^"]*graph:write.*error="insufficient_scope"/)

    const answer = await app.query(graph, create, async page => {
      t.match(await wordsOf(page), /It will be able to Read your graphs: .*Change data: /, 'the same page again, with what is new')
      await allow(page)
    })
    t.strictSame(answer.data.data, rows, answer.text)
    t.equal(app.asked.length, 2)
    t.match(app.asked[1]?.searchParams.get('scope')?.split(' '), ['graph:read', 'graph:write'])
    t.match(claimsOf((await app.credentials()).access_token).scope.split(' '), ['graph:read', 'graph:write'])
  })
}

t.test('the v1 SDK with a refresh token does not ask for more by itself, and tells its app what was refused', async t => {
  const { app } = await openApp(t, 'v1 SDK', { scope: 'graph:read' })
  await app.call('falkordb_health', {}, page => signInAndAllow(page, `${unique('ada')}@acme.example`))
  await t.rejects(app.query(unique('films'), create, async () => { t.fail('nobody is asked') }), { code: 403 })
  t.equal(app.asked.length, 1)
  t.notOk((await app.call('falkordb_health', {})).isError, 'what it may do it still does')
})

t.test('mcp-remote asks for what a refused call needs: an owner deletes a graph after allowing that too', async t => {
  const { page } = await browser.open()
  t.teardown(() => page.context().close())
  const app = await openMcpRemoteApp({ url: gateway.mcpUrl, name: unique('mcp-remote'), page, caFile: gateway.caFile, configDir: t.testdir() })
  t.teardown(() => app.close())
  const graph = unique('films')
  const made = await app.query(graph, create, async page => {
    await signInAs(page, `${unique('olga')}@owners.example`)
    t.notMatch(await wordsOf(page), 'Delete whole graphs')
    await allow(page)
  })
  t.strictSame(made.data.data, rows, made.text)
  const deleted = await app.call('falkordb_delete_graph', { graphName: graph, confirm: graph }, async page => {
    t.match(await wordsOf(page), 'Delete whole graphs: ')
    await allow(page)
  })
  t.match(deleted.data, { success: true, deleted: true, tenant: 'owners' }, deleted.text)
  t.equal(app.asked.length, 2)
})

t.test('mcp-remote that is told to ask for reading only gets that', async t => {
  const { page } = await browser.open()
  t.teardown(() => page.context().close())
  const app = await openMcpRemoteApp({ url: gateway.mcpUrl, name: unique('mcp-remote'), page, caFile: gateway.caFile, configDir: t.testdir(), scope: 'graph:read' })
  t.teardown(() => app.close())
  const health = await app.call('falkordb_health', {}, page => signInAndAllow(page, `${unique('ada')}@acme.example`))
  t.notOk(health.isError, health.text)
  t.equal(claimsOf((await app.credentials()).access_token).scope, 'graph:read')
})

t.test('a person of two tenants chooses one on the page, and the app works there and not in the other', async t => {
  const name = `${unique('bo')}@both.example`
  const graph = unique('films')
  for (const tenant of ['globex', 'acme']) {
    const { app, page } = await openApp(t, 'v2 SDK, 2026-07-28')
    const answer = await app.query(graph, `CREATE (f:Film {title: "${tenant}"}) RETURN f.title AS title`, async page => {
      await signInAs(page, name)
      await page.getByRole('button', { name: 'Allow access' }).click()
      t.ok(await page.getByRole('heading', { name: 'Allow access to your graphs?' }).isVisible(), 'none is chosen for them')
      await allow(page, tenant)
    })
    t.match(answer.data, { tenant, resolvedGraphName: `${tenant}_${graph}` }, answer.text)
    t.strictSame((await app.query(graph, match)).data.data, [{ title: tenant }], 'nothing of the other tenant')
    await page.goto(`${gateway.url}/account`)
    t.ok(await page.getByRole('button', { name: `Disconnect “${app.name}” from ${tenant}` }).isVisible())
  }
})

t.test('a member who may only read is told so on the page, and an app that asked for more reads', async t => {
  const { app } = await openApp(t, 'v2 SDK, 2026-07-28')
  const health = await app.call('falkordb_health', {}, async page => {
    await signInAs(page, `${unique('rita')}@readers.example`)
    const words = await wordsOf(page)
    t.match(words, /It will be able to Read your graphs: /)
    t.notMatch(words, 'Change data:')
    t.match(words, /What you may not do yourself it will not be able to do either: change data/)
    await allow(page)
  })
  t.notOk(health.isError, health.text)
  t.match(app.asked[0]?.searchParams.get('scope'), 'graph:write', 'it did ask')
  const { access_token: token } = await app.credentials()
  t.match(claimsOf(token), { tenant_id: 'library', scope: /^(?!.*graph:write).*graph:read/ })
  t.equal((await callWith(token, unique('films'), create)).status, 403)
})
