import { clientFacts, introduced, warning, type ClientView } from './client-view.ts'
import { html, type Html } from './html.ts'
import { alert, csrfField, page } from './layout.ts'
import type { ScopeView } from './scope-words.ts'
import { scopeList } from './scope-list.ts'

export interface SignIn {
  /** Who asks; undefined where a person wants to see their account. */
  client: ClientView | undefined
  /** What it asks for. */
  scopes: readonly ScopeView[]
  upstreams: ReadonlyArray<{ id: string, label: string }>
  /** Offers the development sign-in as well: upstream=local with the field `name`. */
  local: boolean
  /** Path that is posted to: upstream, csrf, and name for the local one. */
  action: string
  /** Path that the way back is posted to, with decision=deny and csrf; '' where there is none. */
  cancel: string
  csrf: string
  /** What went wrong before, for the person to read. */
  fault?: string | undefined
}

/** Who are you? Says first who wants to know and what for; no way leads to an upstream but these buttons. */
export function signInPage ({ client, scopes, upstreams, local, action, cancel, csrf, fault }: SignIn): string {
  return page({
    title: 'Sign in',
    fault,
    body: html`${alert(fault)}
<h1>Sign in</h1>
${client === undefined ? html`<p class="lede">See which apps are connected to your account, and disconnect those that you no longer use.</p>` : purpose(client, scopes)}
${upstreams.length > 0 && html`<form method="post" action="${action}" class="ways">
  ${csrfField(csrf)}
  ${upstreams.map(({ id, label }) => html`<button name="upstream" value="${id}">Continue with ${label}</button>`)}
</form>`}
${local && localForm(action, csrf, upstreams.length > 0)}
${cancel !== '' && html`<form method="post" action="${cancel}" class="ways">
  ${csrfField(csrf)}
  <button name="decision" value="deny" class="quiet">Cancel and go back</button>
</form>`}`
  })
}

function purpose (client: ClientView, scopes: readonly ScopeView[]): Html {
  return html`<p class="lede">${introduced(client)} wants to use your graphs. Sign in, and decide on the next page.</p>
<dl class="facts">${clientFacts(client)}
</dl>
<h2>It asks to</h2>
${scopeList(scopes)}
${warning(client)}`
}

/** A form of its own, because Enter in its field presses the first button of the form. */
function localForm (action: string, csrf: string, besideOthers: boolean): Html {
  return html`<form method="post" action="${action}" class="local">
  ${csrfField(csrf)}
  <label for="name">Name for this development sign-in</label>
  <p id="name-hint" class="hint">Any name is believed, with no password: this way in exists only on a machine of one’s own.</p>
  <input id="name" name="name" required maxlength="64" autocomplete="username" autocapitalize="none" spellcheck="false" aria-describedby="name-hint">
  <button name="upstream" value="local"${besideOthers && html` class="second"`}>Sign in with this name</button>
</form>`
}
