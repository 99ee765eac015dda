/**
 * Takes the pictures of the sign-in's pages for the documentation: `make screenshots`.
 * The pages are those of the examples that the tests read, in a real Chromium, light, dark and as on a phone.
 */
import '@gateway/common/node-version.ts'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { examples, type ExampleName } from '../services/oauth/pages/examples.ts'
import { openBrowser, type View } from '../tests/support/browser.ts'
import { servePages } from '../tests/support/page-server.ts'
import { withPalette } from './small-png.ts'

const folder = join(import.meta.dirname, '../docs/images')
/** A picture is read on a page of documentation, also over a slow line. */
const largest = 60 * 1024
const pages: Array<{ name: string, example: ExampleName }> = [
  { name: 'sign-in', example: 'sign-in' },
  { name: 'consent', example: 'consent-two-tenants' },
  { name: 'account', example: 'account' },
  { name: 'error', example: 'error' }
]
const views: Array<View & { suffix: string }> = [{ suffix: 'light', colorScheme: 'light' }, { suffix: 'dark', colorScheme: 'dark' }]

await mkdir(folder, { recursive: true })
await using server = await servePages(examples)
await using browser = await openBrowser(line => console.log(line))
for (const { name, example } of pages) {
  for (const { suffix, ...view } of views) await take(`${name}-${suffix}`, example, { ...view, width: 1200, height: 400 })
}
await take('consent-phone', 'consent-two-tenants', { width: 390, height: 400 })

async function take (name: string, example: ExampleName, view: View) {
  const path = join(folder, `${name}.png`)
  const { page } = await browser.open({ reducedMotion: 'reduce', ...view })
  await page.goto(`${server.origin}/${example}`)
  const picture = withPalette(await page.screenshot({ fullPage: true }))
  await page.context().close()
  if (picture.length > largest) throw new Error(`${name}.png would have ${Math.ceil(picture.length / 1024)} KB, more than ${largest / 1024}: show less on it`)
  await writeFile(path, picture)
  console.log(`${path}  ${Math.ceil(picture.length / 1024)} KB`)
}
