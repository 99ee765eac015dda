/** What all pages have in common. */
import { mark, stylesheet } from './assets.ts'
import { html, type Html } from './html.ts'

/**
 * Content-Security-Policy of every page. Deliberately without form-action: browsers apply it to the whole chain of redirects that a form leads to,
 * and that chain ends at the client, often at a scheme of its own such as `cursor:`. No page has a script, so none can change a form either.
 */
export const contentSecurityPolicy = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"

export interface Layout {
  /** Says where one is; never holds a client's words, which would stand in the browser's own frame. */
  title: string
  body: Html
  /** The body shows this fault; the title says so too, since screen readers speak it first (WCAG technique G199). */
  fault?: string | undefined
  /** For a table. */
  wide?: boolean
}

/** A whole document. */
export function page ({ title, body, fault, wide }: Layout): string {
  return html`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${fault !== undefined && 'Error: '}${title} · FalkorDB gateway</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="stylesheet" href="${stylesheet.path}">
<link rel="icon" type="image/svg+xml" href="${mark.path}">
</head>
<body${wide && html` class="wide"`}>
<header><p><img src="${mark.path}" alt="" width="28" height="28"> FalkorDB gateway</p></header>
<main>
${body}
</main>
</body>
</html>
`.toString()
}

/** What went wrong with what was sent: spoken at once, and the keyboard begins here. Absent, nothing has the focus: Enter must not decide before anything is read. */
export function alert (fault: string | undefined): Html | undefined {
  if (fault === undefined) return undefined
  return html`<div class="fault" role="alert" tabindex="-1" autofocus><p><strong>There is a problem.</strong> ${fault}</p></div>`
}

/** The field that proves that a form came from our page. */
export function csrfField (csrf: string): Html {
  return html`<input type="hidden" name="csrf" value="${csrf}">`
}
