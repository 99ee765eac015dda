import type { Page } from 'playwright-core'
import t from 'tap'
import { openBrowser } from '../support/browser.ts'
import { openGateway, unique } from '../support/gateway.ts'
import { allow, signInAs, wordsOf } from '../support/person.ts'
import { authorizePath, claimsOf, exchange, pkce, refresh, register, tokensOf } from '../support/sign-in.ts'
import { until } from '../support/until.ts'

t.setTimeout(120_000)

const gateway = openGateway()
const browser = await openBrowser(line => t.comment(line))
t.teardown(() => browser.close())

interface Client {
  who: string
  /** What it registers. */
  metadata: Record<string, unknown> & { redirect_uris: string[] }
  /** Where it wants the answer; absent: the first that it registered. */
  redirect?: string
  /** What it asks for. */
  scope: string
  /** What the person reads about the way back. */
  returns: RegExp
  gets: string
}

const grants = { grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'], token_endpoint_auth_method: 'none' }
const vscode = { ...grants, client_name: 'Visual Studio Code', redirect_uris: ['https://insiders.vscode.dev/redirect', 'https://vscode.dev/redirect', 'http://127.0.0.1/', 'http://127.0.0.1:33418/'], application_type: 'native' }

/** As these clients have been seen to register and to ask. */
const clients: Client[] = [
  {
    who: 'claude.ai, which asks for a scope of its own,',
    metadata: { ...grants, client_name: 'Claude', redirect_uris: ['https://claude.ai/api/mcp/auth_callback'], scope: 'claudeai' },
    scope: 'claudeai',
    returns: /You return to claude\.ai Identity Unverified/,
    gets: 'graph:read'
  },
  {
    who: 'Cursor, with a scheme of its own,',
    metadata: { ...grants, client_name: 'Cursor', redirect_uris: ['cursor://anysphere.cursor-retrieval/oauth/user-falkordb/callback'] },
    scope: 'graph:read graph:write',
    returns: /You return to an app on this device, cursor: Identity Unverified/,
    gets: 'graph:read graph:write'
  },
  {
    who: 'VS Code, by its page that leads back to the app,',
    metadata: vscode,
    redirect: 'https://vscode.dev/redirect',
    scope: 'graph:read graph:write',
    returns: /You return to vscode\.dev Identity Unverified/,
    gets: 'graph:read graph:write'
  },
  {
    who: 'VS Code, at whatever port it listens on,',
    metadata: vscode,
    redirect: 'http://127.0.0.1:33419/',
    scope: 'graph:read graph:write',
    returns: /You return to an app on this device, 127\.0\.0\.1 Identity Unverified/,
    gets: 'graph:read graph:write'
  }
]

for (const { who, metadata, redirect = String(metadata.redirect_uris[0]), scope, returns, gets } of clients) {
  t.test(`7: ${who} registers, is allowed in Chromium, and calls a tool`, async t => {
    const { page, complaints } = await browser.open()
    t.teardown(() => page.context().close())
    const client = await register(gateway.send, metadata)
    const { verifier, challenge } = pkce()
    const state = unique('state')
    const left = await leaving(page, redirect)
    await page.goto(`${gateway.url}${authorizePath({ clientId: client.client_id, redirectUri: redirect, challenge, scope, state, resource: gateway.mcpUrl })}`)
    await signInAs(page, `${unique('ada')}@acme.example`)
    const words = await wordsOf(page)
    t.match(words, `“${String(metadata.client_name)}” asks for it`)
    t.match(words, returns)
    t.strictSame(complaints, [])
    await allow(page)

    const location = await left()
    t.equal(location.slice(0, location.indexOf('?')), redirect, 'to the letter')
    const answer = new URLSearchParams(location.slice(location.indexOf('?')))
    t.match(Object.fromEntries(answer), { state, iss: gateway.url, code: /./ })
    const tokens = await exchange(gateway.send, { client, redirectUri: redirect, code: String(answer.get('code')), verifier })
    t.match(claimsOf(tokens.access_token), { scope: gets, tenant_id: 'acme', aud: gateway.mcpUrl })
    const result = await gateway.send({ path: '/api/mcp/graphs', headers: { Authorization: `Bearer ${tokens.access_token}` } })
    t.equal(result.status, 200, result.text)
    t.equal(result.json.tenant, 'acme')
    t.equal(claimsOf(tokensOf(await refresh(gateway.send, client, tokens.refresh_token)).access_token).scope, gets, 'and stays connected')
  })
}

/**
 * Keeps the browser here. Of a redirect to a scheme that no program has, Chromium makes no response for the page: its network tells.
 * @returns the Location by which it is sent to the client, as it was written
 */
async function leaving (page: Page, redirect: string): Promise<() => Promise<string>> {
  const seen: string[] = []
  const network = await page.context().newCDPSession(page)
  network.on('Network.responseReceivedExtraInfo', ({ headers }) => {
    for (const [name, value] of Object.entries(headers)) if (name.toLowerCase() === 'location' && value.startsWith(redirect)) seen.push(value)
  })
  await network.send('Network.enable')
  await page.route(url => url.href.startsWith(redirect), route => route.abort())
  return async () => {
    await until('the way back to the client', () => seen.length > 0, 15)
    return String(seen[0])
  }
}
