import t from 'tap'
import { openBrowser } from './browser.ts'
import { family, stillRunning } from './processes.ts'
import { servePages } from './page-server.ts'

t.test('a browser that is closed leaves no process', async t => {
  const before = new Set((await family(process.pid)).map(({ pid }) => pid))
  const browser = await openBrowser()
  t.teardown(() => browser.close())
  const { page } = await browser.open()
  await page.setContent('<h1>here</h1>')
  const started = (await family(process.pid)).filter(({ pid }) => !before.has(pid))
  t.ok(started.some(({ command }) => command.includes('--headless')))
  await browser.close()
  t.strictSame(await stillRunning(started), [])
})

t.test('a page is seen as its view says', async t => {
  await using server = await servePages({ page: '<!DOCTYPE html><script>document.title = "ran"</script><title>plain</title><style>body { --scheme: light } @media (prefers-color-scheme: dark) { body { --scheme: dark } }</style>' })
  await using browser = await openBrowser()
  const dark = await browser.open({ javaScript: false, width: 320, colorScheme: 'dark' })
  await dark.page.goto(`${server.origin}/page`)
  t.strictSame(await dark.page.evaluate("[innerWidth, matchMedia('(prefers-color-scheme: dark)').matches]"), [320, true])
  t.strictSame(dark.requests, [`${server.origin}/page`])
  const light = await browser.open()
  await light.page.goto(`${server.origin}/page`)
  t.strictSame(await light.page.evaluate("[innerWidth, matchMedia('(prefers-color-scheme: dark)').matches]"), [1280, false])
  t.match(light.complaints.join(), /script-src|default-src/, 'with scripts on, the policy of the page is what stops them')
})
