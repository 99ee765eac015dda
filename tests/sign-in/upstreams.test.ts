/** GitHub, Google and a company's OpenID provider are played by stand-ins that speak their protocols; all else is real. */
import { randomInt, randomUUID } from 'node:crypto'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { openSdkApp } from '../support/apps.ts'
import { openBrowser } from '../support/browser.ts'
import { openGateway, unique } from '../support/gateway.ts'
import { allow, wordsOf } from '../support/person.ts'
import { claimsOf, exchange, refresh, signIn, tokensOf } from '../support/sign-in.ts'
import { tell, type StandIns } from '../support/stand-ins.ts'
import { until } from '../support/until.ts'
import { octocat, type GithubPerson } from '../support/upstreams/github.ts'
import { workspaceMember } from '../support/upstreams/google.ts'
import { ada, type OpenidPerson } from '../support/upstreams/openid.ts'

t.setTimeout(240_000)

const gateway = openGateway()
const { send, url } = gateway
const browser = await openBrowser(line => t.comment(line))
t.teardown(() => browser.close())

/** People whom no other test knows. */
const someone = {
  github: (more: Partial<GithubPerson> = {}): GithubPerson => ({ ...octocat(), id: randomInt(1e9, 9e9), login: unique('Octocat'), ...more }),
  google: (claims: Record<string, unknown> = {}): OpenidPerson => ({ ...workspaceMember({ hd: 'acme.example', email: `${unique('ada')}@acme.example`, ...claims }), sub: String(randomInt(1e12, 9e12)) }),
  oidc: (claims: Record<string, unknown> = {}): OpenidPerson => ({ sub: randomUUID(), claims: { ...ada().claims, ...claims } })
}

const buttons = { github: 'Continue with GitHub', google: 'Continue with Google', oidc: 'Continue with your company account' } as const
const names = { github: 'GitHub', google: 'Google', oidc: 'Company' } as const
const press = (page: Page, id: keyof StandIns) => page.getByRole('button', { name: buttons[id] }).click()
const create = 'CREATE (n:From {client: "app"}) RETURN n.client AS client'

/** An app, and the browser of its person. */
async function openApp (t: Test) {
  const watched = await browser.open()
  t.teardown(() => watched.page.context().close())
  const app = await openSdkApp('v2 SDK, 2026-07-28', { url: gateway.mcpUrl, name: unique('An app'), page: watched.page })
  t.teardown(() => app.close())
  return { app, ...watched }
}

/** The sign-in page, with what it says went wrong. */
async function alertOn (page: Page): Promise<string> {
  await page.getByRole('heading', { name: 'Sign in', exact: true }).waitFor()
  const alert = page.getByRole('alert')
  return (await alert.innerText()).replace(/\s+/g, ' ')
}

const call = (token: string) => send({ path: '/api/mcp/graphs', headers: { authorization: `Bearer ${token}` } })

// First of all, while neither replica has ever heard of the company.
t.test('a company that is away when a sign-in begins is said to be so, on the sign-in page; when it is back, the same button works', async t => {
  const { app, page } = await openApp(t)
  await tell('oidc', { person: someone.oidc(), asksPerson: false, trouble: { '/.well-known/openid-configuration': 'error' } })
  const answer = await app.query(unique('films'), create, async page => {
    await press(page, 'oidc')
    t.match(await alertOn(page), /There is a problem\. Your company account cannot be asked at the moment\. Start again in a minute\./)
    t.match(await wordsOf(page), `“${app.name}” wants to use your graphs`, 'the page still says who asks')
    await tell('oidc', { trouble: {} })
    await press(page, 'oidc')
    await allow(page)
  })
  t.equal(answer.data.tenant, 'acme')
  t.equal(new URL(page.url()).hostname, '127.0.0.1', 'the browser is back at the app')
})

const people: Array<[id: keyof StandIns, who: string, person: GithubPerson | OpenidPerson, tenant: string, name: RegExp, subject: RegExp]> = [
  ['github', 'a member of an organisation', someone.github(), 'acme', /Octocat/, /^github:\d+$/],
  ['google', 'a member of the Workspace', someone.google(), 'acme', /ada-\w+@acme\.example/, /^google:\d+$/],
  ['oidc', 'a member of a group', someone.oidc(), 'acme', /Ada/, /^oidc:[\w-]+$/],
  ['oidc', 'somebody by their verified address', someone.oidc({ groups: [], email: 'grace@globex.example' }), 'globex', /Ada/, /^oidc:[\w-]+$/]
]
for (const [id, who, person, tenant, name, subject] of people) {
  t.test(`${names[id]} (a stand-in): ${who} goes from the app by its page, back, and by consent to a tool call in ${tenant}`, async t => {
    await tell(id, { person, asksPerson: true, trouble: {} })
    const { app, page, requests, complaints } = await openApp(t)
    const graph = unique('films')
    const { data, text } = await app.query(graph, create, async page => {
      t.match(await wordsOf(page), `“${app.name}” wants to use your graphs`)
      t.strictSame(requests.map(request => new URL(request).origin).filter(origin => origin !== url), [], 'oauth 2: nobody else was asked for anything before the button')
      t.strictSame(complaints, [], 'the sign-in page is whole')
      await press(page, id)
      await page.getByRole('heading', { name: names[id], exact: true }).waitFor()
      t.not(new URL(page.url()).origin, url, 'the browser is there')
      await page.getByRole('button', { name: 'Continue' }).click()
      await page.getByRole('heading', { name: 'Allow access to your graphs?' }).waitFor()
      const asking = await wordsOf(page)
      t.match(asking, name, 'the page says who is signed in')
      t.match(asking, `Tenant ${tenant}`)
      t.notMatch(page.url(), /code=|state=/, 'nothing of the upstream is left in the address')
      await allow(page)
    })
    t.match(data, { tenant, data: [{ client: 'app' }] }, text)
    t.match(claimsOf((await app.credentials()).access_token), { iss: url, sub: subject, tenant_id: tenant })
    // The stand-ins and the app have no icon.
    t.strictSame(complaints.filter(complaint => !/status of 404/.test(complaint)), [], 'nor did a policy stand in the way of what came then')
    t.match(page.url(), /^http:\/\/127\.0\.0\.1:\d+\/callback\?/)
  })
}

t.test('who belongs to two tenants chooses one of them, and is in that one', async t => {
  await tell('oidc', { person: someone.oidc({ groups: [], email: `${unique('ada')}@both.example` }), asksPerson: false, trouble: {} })
  const { app } = await openApp(t)
  const { data } = await app.query(unique('films'), create, async page => {
    await press(page, 'oidc')
    await allow(page, 'globex')
  })
  t.equal(data.tenant, 'globex')
})

const strangers: Array<[id: keyof StandIns, who: string, person: GithubPerson | OpenidPerson, told: RegExp]> = [
  ['github', 'somebody of no organisation that is known here', someone.github({ organisations: ['Elsewhere-Inc'], teams: [] }), /You are signed in as Octocat-\w+, and belong to no tenant here\. Ask whoever runs this gateway/],
  ['google', 'a private account', someone.google({ hd: undefined, email: 'ada@gmail.example' }), /does not belong to a company that may sign in here/],
  ['google', 'a member of another company', someone.google({ hd: 'evil.example', email: 'ada@evil.example' }), /does not belong to a company that may sign in here/],
  ['oidc', 'somebody of no group', someone.oidc({ groups: [] }), /You are signed in as Ada, and belong to no tenant here/],
  ['oidc', 'somebody whose address nobody has verified', someone.oidc({ groups: [], email: 'ada@acme.example', email_verified: false }), /belong to no tenant here/]
]
for (const [id, who, person, told] of strangers) {
  t.test(`${names[id]} (a stand-in): ${who} is told on the page why they are not let in, and may come as somebody else`, async t => {
    await tell(id, { person, asksPerson: false, trouble: {} })
    const { app } = await openApp(t)
    const { data } = await app.query(unique('films'), create, async page => {
      await press(page, id)
      const alert = await alertOn(page)
      t.match(alert, told)
      t.notMatch(alert, /globex|library|owners/, 'no tenant is named to a stranger')
      t.equal(new URL(page.url()).origin, url)
      await tell(id, { person: someone[id]() })
      await press(page, id)
      await allow(page)
    })
    t.equal(data.tenant, 'acme')
  })
}

for (const id of Object.keys(buttons) as Array<keyof StandIns>) {
  t.test(`${names[id]} (a stand-in): who presses Cancel there comes back to the sign-in page, which says so, and goes on by another way`, async t => {
    await tell(id, { person: null, asksPerson: false, trouble: {} })
    const other = id === 'github' ? 'google' : 'github'
    await tell(other, { person: someone[other](), asksPerson: false, trouble: {} })
    const { app } = await openApp(t)
    const { data } = await app.query(unique('films'), create, async page => {
      await press(page, id)
      t.match(await alertOn(page), new RegExp(`${id === 'oidc' ? 'Your company account' : names[id]} did not sign you in: you, or whoever looks after your account there, said no\\.`))
      t.ok(await page.getByRole('alert').evaluate(element => element === element.ownerDocument.activeElement), 'a screen reader begins there')
      await press(page, other)
      await allow(page)
    })
    t.equal(data.tenant, 'acme')
  })
}

const away: Array<[id: keyof StandIns, path: string, trouble: 'error' | 'silent' | 'text' | 'huge', told: RegExp]> = [
  ['github', '/api/v3/user', 'error', /GitHub cannot be asked at the moment\. Start again in a minute\./],
  ['github', '/login/oauth/access_token', 'text', /GitHub cannot be asked at the moment/],
  ['google', '/token', 'silent', /Google cannot be asked at the moment/],
  ['oidc', '/protocol/token', 'error', /Your company account cannot be asked at the moment/],
  ['oidc', '/protocol/token', 'huge', /Your company account cannot be asked at the moment/]
]
for (const [id, path, trouble, told] of away) {
  t.test(`${names[id]} (a stand-in): where ${path} gives ${trouble}, the sign-in page says that it cannot be asked, and nothing of what it said`, async t => {
    await tell(id, { person: someone[id](), asksPerson: false, trouble: { [path]: trouble } })
    const { app } = await openApp(t)
    const { data } = await app.query(unique('films'), create, async page => {
      await press(page, id)
      const alert = await alertOn(page)
      t.match(alert, told)
      t.notMatch(alert, /127\.0\.0\.1|500|maintenance|fetch|timeout/i)
      await tell(id, { trouble: {} })
      await press(page, id)
      await allow(page)
    })
    t.equal(data.tenant, 'acme')
  })
}

const leaving: Array<[id: keyof StandIns, how: string, person: GithubPerson | OpenidPerson, leave: (person: any) => Promise<void>, met: RegExp]> = [
  ['github', 'whose access was withdrawn there', someone.github(), ({ login }: GithubPerson) => tell('github', { withdraw: login, person: null }), /wants to use your graphs\. Sign in/],
  ['oidc', 'whose account is closed', someone.oidc(), ({ sub }: OpenidPerson) => tell('oidc', { withdraw: sub, person: null }), /wants to use your graphs\. Sign in/],
  ['oidc', 'who has left the group', someone.oidc(), (person: OpenidPerson) => tell('oidc', { changeTo: { ...person, claims: { ...person.claims, groups: ['/everybody'] } } }), /You belong to no tenant here/]
]
t.test('who has left is out at the next refresh, has no access token for longer than its life, and cannot allow anything anew', async t => {
  const graph = unique('films')
  const left = []
  for (const [id, how, person, leave, met] of leaving) {
    const what = `${names[id]} (a stand-in): somebody ${how}`
    await tell(id, { person, asksPerson: false, trouble: {} })
    const { app, page } = await openApp(t)
    await app.query(graph, create, async page => {
      await press(page, id)
      await allow(page)
    })
    const first = await app.credentials()
    const client = { client_id: await app.clientId(), redirect_uris: [] }
    const second = tokensOf(await refresh(send, client, String(first.refresh_token)))
    t.equal((await call(second.access_token)).status, 200, `${what}: while they are there a refresh is good, though it asks each time`)
    await leave(person)
    for (const when of ['the next refresh', 'and another']) t.match(await refresh(send, client, second.refresh_token), { status: 400, json: { error: 'invalid_grant' } }, `${what}: ${when}`)
    left.push({ what, app, page, met, tokens: [first.access_token, second.access_token] })
  }
  for (const { what, app, page, met, tokens } of left) {
    await until(`the end of the access tokens of ${what}`, async () => (await Promise.all(tokens.map(call))).every(({ status }) => status === 401), 40)
    await t.rejects(app.query(graph, create), `${what}: the app has nothing left, and opens the page again`)
    t.match(await wordsOf(page), met, what)
  }
})

t.test('while an upstream is away at a refresh, who is signed in goes on', async t => {
  await tell('github', { person: someone.github(), asksPerson: false, trouble: {} })
  const { app } = await openApp(t)
  await app.query(unique('films'), create, async page => {
    await press(page, 'github')
    await allow(page)
  })
  await tell('github', { trouble: { '/api/v3/user': 'error' } })
  const client = { client_id: await app.clientId(), redirect_uris: [] }
  const renewed = tokensOf(await refresh(send, client, String((await app.credentials()).refresh_token)))
  t.equal((await call(renewed.access_token)).status, 200)
  await tell('github', { trouble: {} })
  t.equal((await refresh(send, client, renewed.refresh_token)).status, 200)
})

t.test('the sign-in with a name works beside them', async t => {
  const done = await signIn(send, url, { name: `${unique('ada')}@acme.example` })
  const tokens = await exchange(send, done)
  t.match(await call(tokens.access_token), { status: 200, json: { tenant: 'acme' } })
})
