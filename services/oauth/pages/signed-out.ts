import { html } from './html.ts'
import { page } from './layout.ts'

export interface SignedOut {
  /** Path or URL of ours where one signs in again. */
  signInUrl: string
}

/** The browser's session has ended; what is connected stays so. */
export function signedOutPage ({ signInUrl }: SignedOut): string {
  return page({
    title: 'Signed out',
    body: html`<h1>You are signed out</h1>
<p class="lede">Apps that you have connected stay connected. To see them or to disconnect one, sign in again.</p>
<p>On a shared computer, sign out of your GitHub, Google or company account as well.</p>
<p class="ways"><a class="button" href="${signInUrl}">Sign in again</a></p>`
  })
}
