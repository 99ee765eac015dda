import { html, type Html } from './html.ts'
import type { ScopeView } from './scope-words.ts'

/** Each scope as its title and its sentence. */
export function scopeList (scopes: readonly ScopeView[]): Html {
  return html`<ul class="scopes">${scopes.map(({ title, sentence }) => html`
  <li><strong>${title}:</strong> ${sentence}</li>`)}
</ul>`
}
