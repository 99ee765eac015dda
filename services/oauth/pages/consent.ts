import { clientFacts, introduced, warning, type ClientView } from './client-view.ts'
import { html, type Html } from './html.ts'
import { alert, csrfField, page } from './layout.ts'
import { isolated } from './readable.ts'
import { scopeList } from './scope-list.ts'
import { inOneLine, type ScopeView } from './scope-words.ts'

export interface Consent {
  client: ClientView
  /** Who is signed in, as they know themselves. */
  person: string
  /** Where the client may be let in, at least one; scopes with all that they include. A tenant of '' is none: without multi-tenancy. */
  memberships: ReadonlyArray<{ tenant: string, scopes: readonly string[] }>
  /** What the client asks for. */
  scopes: readonly ScopeView[]
  /** Path that is posted to: decision (allow, deny or switch), tenant, csrf. */
  action: string
  csrf: string
  /** What went wrong before, for the person to read. */
  fault?: string | undefined
}

/** May this client act for you? */
export function consentPage ({ client, person, memberships, scopes, action, csrf, fault }: Consent): string {
  const [only] = memberships
  if (only === undefined) throw new RangeError('consent is asked of a person who belongs to no tenant')
  const several = new Set(memberships.map(({ tenant }) => tenant)).size > 1
  const given = several ? scopes : grantable(scopes, only.scopes)
  const withheld = scopes.filter(scope => !given.includes(scope))
  return page({
    title: 'Allow access?',
    fault,
    body: html`${alert(fault)}
<h1>Allow access to your graphs?</h1>
<p class="lede">${introduced(client)} asks for it.</p>
<dl class="facts">${clientFacts(client)}
      <div><dt>Signed in as</dt><dd><form method="post" action="${action}" class="person">${csrfField(csrf)}<span>${isolated(person)}</span> <button name="decision" value="switch" class="link">Sign in as somebody else</button></form></dd></div>${!several && only.tenant !== '' && html`
      <div><dt>Tenant</dt><dd>${isolated(only.tenant)}</dd></div>`}
</dl>
<h2>${several ? 'It asks to' : 'It will be able to'}</h2>
${scopeList(given)}
${withheld.length > 0 && html`<p class="hint">What you may not do yourself it will not be able to do either: ${inOneLine(withheld)}.</p>`}
<form method="post" action="${action}">
  ${csrfField(csrf)}
  ${several ? choice(memberships, scopes) : html`<input type="hidden" name="tenant" value="${only.tenant}">`}
  ${warning(client)}
  <div class="decision">
    <button name="decision" value="allow">Allow access</button>
    <button name="decision" value="deny" class="second" formnovalidate>Deny</button>
  </div>
</form>
<p class="hint">You can take this back at any time on the page of your connected apps, at <bdi>/account</bdi> of this site.</p>`
  })
}

/** No tenant is chosen beforehand: whose data an app gets is a decision, and a chosen first one would be confirmed by habit. The browser itself asks for the choice, the server too. */
function choice (memberships: Consent['memberships'], asked: readonly ScopeView[]): Html {
  const differ = memberships.some(({ scopes }) => grantable(asked, scopes).length < asked.length)
  return html`<fieldset class="tenants">
    <legend>For which tenant?</legend>${memberships.map(({ tenant, scopes }, at) => html`
    <label for="tenant-${at}"><input type="radio" id="tenant-${at}" name="tenant" value="${tenant}" required> <span>${isolated(tenant)}${differ && html` <small>${inOneLine(grantable(asked, scopes)) || 'none of this'}</small>`}</span></label>`)}
  </fieldset>`
}

function grantable (asked: readonly ScopeView[], granted: readonly string[]): readonly ScopeView[] {
  // Scopes beside those of graphs (openid) are nobody's to grant by tenant.
  return asked.filter(({ name }) => granted.includes(name) || !name.startsWith('graph:'))
}
