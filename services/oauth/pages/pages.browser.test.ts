/** The pages in a real Chromium, as people meet them: by eye, by ear, by keyboard, on a phone. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'
import t from 'tap'
import { openBrowser, type View, type Watched } from '../../../tests/support/browser.ts'
import { servePages } from '../../../tests/support/page-server.ts'
import { connections, examples, type ExampleName } from './examples.ts'
import { accountPage, consentPage, scopeViews, signInPage } from './index.ts'

const contrast = readFileSync(new URL('../../../tests/support/contrast.js', import.meta.url), 'utf8')
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** What an enemy registers: markup, an attribute's end, a turned direction, a hundred characters without a blank. */
const hostileNames = [
  '<img src=https://evil.example/x onerror=alert(1)><script>alert(2)</script><style>body{display:none}</style>',
  '"><input autofocus onfocus=alert(3)><form action=https://evil.example>',
  '\u{202e}edualC\u{2067}\u{200b}',
  'W'.repeat(100)
]
/** Each page with that as every name on it, and with the longest host and tenant. */
const hostile = Object.fromEntries(hostileNames.flatMap((name, at) => {
  const client = { name, redirectHost: `${'a'.repeat(60)}.${'b'.repeat(60)}.example`, verified: false }
  const memberships = [{ tenant: name, scopes: ['graph:read'] }, { tenant: 'x'.repeat(128), scopes: ['graph:read', 'graph:write'] }]
  const common = { scopes: scopeViews(['graph:write']), action: '/post', csrf: 'c' }
  return [
    [`hostile-sign-in-${at}`, signInPage({ client, upstreams: [{ id: 'oidc', label: name }], local: true, cancel: '/cancel', fault: name, ...common })],
    [`hostile-consent-${at}`, consentPage({ client, person: name, memberships, ...common })],
    [`hostile-account-${at}`, accountPage({ person: name, connections: [{ ...connections[0]!, clientName: name, redirectHost: client.redirectHost, tenant: 'x'.repeat(128) }], csrf: 'c', now: 1_800_000_000 })]
  ]
}))
const names = Object.keys(examples) as ExampleName[]
const all = [...names, ...Object.keys(hostile)]

const unruly = '<!DOCTYPE html><html lang="en"><title>x</title><p style="color: red">x</p><img src="https://evil.example/x" alt=""><script>document.title = "ran"</script>'
const server = await servePages({ ...examples, ...hostile, unruly })
t.teardown(() => server[Symbol.asyncDispose]())
const browser = await openBrowser(line => t.comment(line))
t.teardown(() => browser.close())

const goTo = (page: Page, name: string) => page.goto(`${server.origin}/${name}`)

/** Opens a window, does something in it, and closes it. */
async function inWindow (view: View, work: (watched: Watched) => Promise<void>): Promise<void> {
  const watched = await browser.open(view)
  try {
    await work(watched)
  } finally {
    await watched.page.context().close()
  }
}

/** What a screen reader would say of the one that has the focus; '' for the page as a whole. */
async function focused (page: Page): Promise<string> {
  const element = page.locator(':focus')
  return await element.count() === 0 ? '' : (await element.ariaSnapshot()).split('\n')[0]!.replace(/^- '?/, '').replace(/[:']+$/, '')
}

/** Presses Tab until it comes round. @throws where one that has the focus does not show it */
async function tabOrder (page: Page): Promise<string[]> {
  const order: string[] = []
  for (;;) {
    await page.keyboard.press('Tab')
    const now = await focused(page)
    if (now === '' || order.includes(now)) return order
    if (await page.evaluate<string>('getComputedStyle(document.activeElement).outlineStyle') !== 'solid') throw new Error(`nobody sees that ${now} has the focus`)
    order.push(now)
  }
}

/** Does something that sends a form. @returns where it went, and its fields without the token, which must be there */
async function sent (page: Page, send: () => Promise<unknown>): Promise<Record<string, string>> {
  server.posts.length = 0
  await Promise.all([page.waitForURL(url => !names.includes(url.pathname.slice(1) as ExampleName)), send()])
  const [post, another] = server.posts
  if (post === undefined || another !== undefined) throw new Error(`${server.posts.length} forms were sent`)
  const { csrf, ...fields } = post.fields
  if (csrf !== 'csrf-of-the-form') throw new Error('the form was sent without its token')
  return { to: post.path, ...fields }
}

const heard: Partial<Record<ExampleName, string>> = {
  'sign-in-local': `
- banner:
  - paragraph: FalkorDB gateway
- main:
  - alert:
    - paragraph:
      - strong: There is a problem.
      - text: Type a name of at most 64 characters.
  - heading "Sign in" [level=1]
  - paragraph:
    - text: An app that calls itself
    - strong: “Cursor”
    - text: wants to use your graphs. Sign in, and decide on the next page.
  - term: You return to
  - definition: "an app on this device, cursor:"
  - term: Identity
  - definition:
    - strong: "Unverified:"
    - text: nobody has checked the name, and any app can call itself anything.
  - heading "It asks to" [level=2]
  - list:
    - listitem:
      - strong: "Read your graphs:"
      - text: See which graphs there are, how they are built and everything in them.
    - listitem:
      - strong: "Change data:"
      - text: Make new graphs, and add, change and remove what is in a graph.
  - note:
    - strong: "Be careful:"
    - text: access goes to an app on this device. Go on only if you have just started this yourself, in an app that you trust.
  - button "Continue with GitHub"
  - button "Continue with Google"
  - text: Name for this development sign-in
  - paragraph: "Any name is believed, with no password: this way in exists only on a machine of one’s own."
  - textbox "Name for this development sign-in"
  - button "Sign in with this name"
  - button "Cancel and go back"
`,
  'consent-two-tenants': `
- banner:
  - paragraph: FalkorDB gateway
- main:
  - heading "Allow access to your graphs?" [level=1]
  - paragraph:
    - text: An app that calls itself
    - strong: “Claude”
    - text: asks for it.
  - term: You return to
  - definition: claude.ai
  - term: Identity
  - definition:
    - strong: "Verified:"
    - text: claude.ai itself describes this app, and that is where you return to.
  - term: Signed in as
  - definition:
    - text: ada@example.com
    - button "Sign in as somebody else"
  - heading "It asks to" [level=2]
  - list:
    - listitem:
      - strong: "Read your graphs:"
      - text: See which graphs there are, how they are built and everything in them.
    - listitem:
      - strong: "Change data:"
      - text: Make new graphs, and add, change and remove what is in a graph.
  - group "For which tenant?":
    - text: For which tenant?
    - radio "acme read your graphs, change data"
    - text: acme read your graphs, change data
    - radio "globex read your graphs"
    - text: globex read your graphs
  - button "Allow access"
  - button "Deny"
  - paragraph: You can take this back at any time on the page of your connected apps, at /account of this site.
`,
  'signed-out': `
- banner:
  - paragraph: FalkorDB gateway
- main:
  - heading "You are signed out" [level=1]
  - paragraph: Apps that you have connected stay connected. To see them or to disconnect one, sign in again.
  - paragraph: On a shared computer, sign out of your GitHub, Google or company account as well.
  - paragraph:
    - link "Sign in again":
      - /url: /account
`,
  error: `
- banner:
  - paragraph: FalkorDB gateway
- main:
  - heading "This app cannot be let in" [level=1]
  - paragraph: The address that it wants you to return to is not one that it registered, so nothing was sent there.
  - heading "What you can do" [level=2]
  - paragraph: Close this page and connect again from the app that brought you here. If that does not help, give the details below to whoever runs this gateway.
  - heading "Details" [level=2]
  - term: Error
  - definition:
    - code: invalid_redirect_uri
  - term: Request
  - definition:
    - code: req-7f3k-21
`
}

t.test('a screen reader hears who asks, for what and where it leads, before it comes to the buttons', t => inWindow({ javaScript: false }, async ({ page }) => {
  for (const [name, tree] of Object.entries(heard)) {
    await goTo(page, name)
    t.equal(`\n${await page.locator('body').ariaSnapshot()}\n`, tree, name)
  }
}))

t.test('connected apps are a table to a screen reader, on a phone as well', t => inWindow({}, async ({ page }) => {
  await goTo(page, 'account')
  const wide = await page.locator('table').ariaSnapshot()
  t.match(wide, /^- table "Connected apps":\n/)
  t.match(wide, 'columnheader "Last used"')
  t.match(wide, 'rowheader "“Cursor” Unverified, an app on this device, cursor:"')
  t.match(wide, 'cell "3 hours ago"')
  t.match(wide, 'button "Disconnect “Cursor” from globex"')
  await page.setViewportSize({ width: 320, height: 600 })
  t.equal(await page.locator('table').ariaSnapshot(), wide)
  t.ok(await page.getByText('Last used').nth(1).isVisible(), 'each value has its name beside it where there are no columns')
}))

t.test('axe finds nothing against WCAG or good practice on any page', async t => {
  for (const view of [{ colorScheme: 'light', width: 1280 }, { colorScheme: 'dark', width: 320 }] as const) {
    await inWindow(view, async ({ page }) => {
      for (const name of names) {
        await goTo(page, name)
        await page.evaluate(axe)
        const { violations, passes } = await page.evaluate<Record<'violations' | 'passes', Array<{ id: string, nodes: Array<{ html: string, failureSummary: string }> }>>>('axe.run()')
        t.strictSame(violations.map(({ id, nodes }) => [id, ...nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`)]), [], `${name}, ${view.colorScheme}`)
        t.ok(passes.length > 10, 'axe looked')
      }
    })
  }
})

t.test('every text stands out from its background by 4.5 to 1 at least, light and dark', async t => {
  for (const colorScheme of ['light', 'dark'] as const) {
    await inWindow({ colorScheme, width: 900 }, async ({ page }) => {
      for (const name of names) {
        await goTo(page, name)
        const texts = await page.evaluate<Array<{ text: string, ratio: number }>>(contrast)
        t.ok(texts.length > 4)
        t.strictSame(texts.filter(({ ratio }) => ratio < 4.5), [], `${name}, ${colorScheme}`)
      }
    })
  }
})

t.test('no page scrolls sideways on a narrow phone, in a window of 1280 at 400 %, or anywhere wider', t => inWindow({}, async ({ page }) => {
  for (const name of all) {
    await goTo(page, name)
    for (const width of [320, 640, 1100, 1280]) {
      await page.setViewportSize({ width, height: 600 })
      t.ok(await page.evaluate<number>('document.documentElement.scrollWidth') <= width, `${name} at ${width} px`)
    }
  }
}))

t.test('whatever is pressed is at least 44 px high and wide', t => inWindow({}, async ({ page }) => {
  for (const width of [320, 1280]) {
    await page.setViewportSize({ width, height: 600 })
    for (const name of names) {
      await goTo(page, name)
      for (const target of await page.locator('button, a, input:not([type=hidden], [type=radio]), label:has([type=radio])').all()) {
        const box = await target.boundingBox()
        t.ok(box !== null && box.height >= 44 && box.width >= 44, `${name} at ${width} px: ${await target.innerText()}`)
      }
    }
  }
}))

t.test('Tab reaches every control in the order in which it is read, and shows where it is', t => inWindow({}, async ({ page }) => {
  const orders: Partial<Record<ExampleName, string[]>> = {
    'sign-in': ['button "Continue with GitHub"', 'button "Continue with Google"', 'button "Cancel and go back"'],
    'sign-in-account': ['button "Continue with GitHub"', 'button "Continue with Google"'],
    'consent-two-tenants': ['button "Sign in as somebody else"', 'radio "acme read your graphs, change data"', 'button "Allow access"', 'button "Deny"'],
    account: ['button "Sign out"', 'button "Disconnect “Claude” from acme": Disconnect', 'button "Disconnect “Cursor” from globex": Disconnect', 'button "Disconnect “Claude Code (graphs)” from acme": Disconnect'],
    'signed-out': ['link "Sign in again"']
  }
  for (const [name, order] of Object.entries(orders)) {
    await goTo(page, name)
    t.strictSame(await tabOrder(page), order, name)
  }
}))

t.test('nothing has the focus at first, so that Enter decides nothing; after a fault it is on the fault', t => inWindow({ javaScript: false }, async ({ page }) => {
  for (const name of names) {
    await goTo(page, name)
    const fault = ['sign-in-local', 'consent-stranger'].includes(name)
    t.equal(await focused(page), fault ? 'alert' : '', name)
  }
}))

for (const javaScript of [true, false]) {
  const without = javaScript ? '' : ', with JavaScript off'
  t.test(`signing in takes the keyboard alone${without}`, t => inWindow({ javaScript }, async ({ page }) => {
    await goTo(page, 'sign-in-local')
    await page.getByRole('button', { name: 'Continue with Google' }).focus()
    t.strictSame(await sent(page, () => page.keyboard.press('Enter')), { to: '/interaction/example', upstream: 'google' })
    await goTo(page, 'sign-in-local')
    await page.getByLabel('Name for this development sign-in').focus()
    await page.keyboard.type('ada@example.com')
    t.strictSame(await sent(page, () => page.keyboard.press('Enter')), { to: '/interaction/example', name: 'ada@example.com', upstream: 'local' })
    await goTo(page, 'sign-in')
    await page.getByRole('button', { name: 'Cancel' }).focus()
    t.strictSame(await sent(page, () => page.keyboard.press('Enter')), { to: '/interaction/example/cancel', decision: 'deny' })
  }))

  t.test(`access is allowed for the tenant that was chosen, and for none before${without}`, t => inWindow({ javaScript }, async ({ page }) => {
    await goTo(page, 'consent-two-tenants')
    server.posts.length = 0
    await page.getByRole('button', { name: 'Allow access' }).press('Enter')
    t.match(await focused(page), /^radio "acme/, 'the browser leads to the choice that is lacking')
    t.strictSame(server.posts, [])
    await page.keyboard.press('ArrowDown')
    t.match(await focused(page), /^radio "globex read your graphs" \[checked\]/)
    await page.getByRole('button', { name: 'Allow access' }).focus()
    t.strictSame(await sent(page, () => page.keyboard.press('Enter')), { to: '/interaction/example', tenant: 'globex', decision: 'allow' })
  }))

  t.test(`saying no, and being somebody else, needs no choice of a tenant${without}`, t => inWindow({ javaScript }, async ({ page }) => {
    await goTo(page, 'consent-two-tenants')
    t.strictSame(await sent(page, () => page.getByRole('button', { name: 'Deny' }).press('Enter')), { to: '/interaction/example', decision: 'deny' })
    await goTo(page, 'consent-two-tenants')
    t.strictSame(await sent(page, () => page.getByRole('button', { name: 'Sign in as somebody else' }).press('Enter')), { to: '/interaction/example', decision: 'switch' })
  }))

  t.test(`each connection is ended by its own button${without}`, t => inWindow({ javaScript }, async ({ page }) => {
    await goTo(page, 'account')
    t.strictSame(await sent(page, () => page.getByRole('button', { name: 'Disconnect “Cursor” from globex' }).press('Enter')), { to: '/account/disconnect', gid: 'gid-2' })
    await goTo(page, 'account')
    t.strictSame(await sent(page, () => page.getByRole('button', { name: 'Sign out' }).press('Enter')), { to: '/account/sign-out' })
  }))
}

t.test('no page breaks its own policy or asks another host for anything, whatever clients call themselves', t => inWindow({}, async ({ page, requests, complaints }) => {
  page.on('dialog', dialog => t.fail(`a script of a name ran: ${dialog.message()}`))
  for (const name of all) {
    await goTo(page, name)
    t.ok(await page.getByRole('heading', { level: 1 }).isVisible(), `${name} is shown`)
  }
  t.strictSame(complaints, [])
  t.strictSame([...new Set(requests.map(url => new URL(url).origin))], [server.origin])
  t.equal(await page.locator('form[action^=http], script, style, [style], iframe').count(), 0)
}))

t.test('the policy stops styles, scripts and pictures that somebody would bring in, and this test would see it', t => inWindow({}, async ({ page, complaints }) => {
  await goTo(page, 'unruly')
  t.equal(await page.title(), 'x')
  for (const directive of ['style-src', 'script-src', 'img-src']) t.ok(complaints.some(complaint => complaint.includes(directive) || complaint.includes('default-src')), directive)
}))

t.test('a name that turns its direction is read as it was written, within its quotation marks', t => inWindow({}, async ({ page }) => {
  await goTo(page, 'hostile-consent-2')
  t.equal(await page.locator('.lede strong').innerText(), '“edualC”')
}))

t.test('nothing moves for who wants no movement', t => inWindow({ reducedMotion: 'reduce' }, async ({ page }) => {
  const moving = "[...document.querySelectorAll('*')].filter(one => getComputedStyle(one).transitionDuration !== '0s' || getComputedStyle(one).animationName !== 'none').length"
  await goTo(page, 'account')
  t.equal(await page.evaluate<number>(moving), 0)
  await page.emulateMedia({ reducedMotion: 'no-preference' })
  t.ok(await page.evaluate<number>(moving) > 0)
}))
