import { html } from './html.ts'
import { page } from './layout.ts'

export interface ErrorView {
  /** What happened, in a few words. */
  title: string
  /** What happened, and why where that may be said. */
  message: string
  /** What to do now; absent, to begin again in the app. */
  advice?: string | undefined
  /** The standard's own code, e.g. invalid_redirect_uri. */
  code?: string | undefined
  requestId: string
  /** Path of ours to go on at. */
  back?: string | undefined
}

/** What happened, what to do, and what to quote to who runs the gateway. It leads nowhere but to a page of ours. */
export function errorPage ({ title, message, advice, code, requestId, back }: ErrorView): string {
  return page({
    title,
    body: html`<h1>${title}</h1>
<p class="lede">${message}</p>
<h2>What you can do</h2>
<p>${advice ?? 'Close this page and connect again from the app that brought you here. If that does not help, give the details below to whoever runs this gateway.'}</p>
${back !== undefined && html`<p class="ways"><a class="button" href="${back}">Go back</a></p>`}
<h2>Details</h2>
<dl class="facts">${code !== undefined && html`
      <div><dt>Error</dt><dd><code>${code}</code></dd></div>`}
      <div><dt>Request</dt><dd><code>${requestId}</code></dd></div>
</dl>`
  })
}
