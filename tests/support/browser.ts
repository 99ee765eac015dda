/** A real Chromium, without a window, for the tests of pages. */
import { chromium, type Page } from 'playwright-core'
import { findChromium } from '../../dev/programs/chromium.ts'
import type { Say } from '../../dev/programs/run.ts'

const switches = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run']

/** How a person looks at a page. */
export interface View {
  /** Absent: true. */
  javaScript?: boolean
  /** CSS pixels; absent: 1280. What is 320 wide is also what 400 % zoom makes of 1280 (WCAG 1.4.10). */
  width?: number
  /** Absent: 800. */
  height?: number
  /** Absent: light. */
  colorScheme?: 'light' | 'dark'
  /** Absent: no-preference. */
  reducedMotion?: 'reduce' | 'no-preference'
}

/** A page, and what it did that nobody sees. `page.evaluate` works whatever the page's policy, and with JavaScript off. */
export interface Watched {
  page: Page
  /** Every URL that was asked for, in order. */
  requests: string[]
  /** What the console said: violations of the policy, scripts that failed, what could not be loaded. */
  complaints: string[]
}

export interface Browser extends AsyncDisposable {
  /** A page of its own context: no cookie and no cache of another one. */
  open: (view?: View) => Promise<Watched>
  close: () => Promise<void>
}

/**
 * Starts Chromium. It ends by `close`, and with this process however that ends.
 * The certificate of the stack is not checked: Chromium knows authorities only by the user's own database; that TLS is right is for the tests with the real clients.
 * @throws with what to install where there is none
 */
export async function openBrowser (say: Say = () => {}): Promise<Browser> {
  const browser = await chromium.launch({ executablePath: await findChromium(say), args: switches })
  const close = () => browser.close()
  return {
    async open ({ javaScript = true, width = 1280, height = 800, colorScheme = 'light', reducedMotion = 'no-preference' } = {}) {
      const context = await browser.newContext({ ignoreHTTPSErrors: true, javaScriptEnabled: javaScript, viewport: { width, height }, colorScheme, reducedMotion, locale: 'en-GB' })
      // What is not there by then will not come; the library's own patience is 30 s.
      context.setDefaultTimeout(15_000)
      const page = await context.newPage()
      const requests: string[] = []
      const complaints: string[] = []
      context.on('request', request => requests.push(request.url()))
      page.on('console', message => { if (['error', 'warning'].includes(message.type())) complaints.push(message.text()) })
      page.on('pageerror', error => complaints.push(error.message))
      return { page, requests, complaints }
    },
    close,
    [Symbol.asyncDispose]: close
  }
}
