import { returnsTo } from './client-view.ts'
import { html, type Html } from './html.ts'
import { alert, csrfField, page } from './layout.ts'
import { claimed, claimedText, isolated, readable } from './readable.ts'
import { inOneLine, scopeViews } from './scope-words.ts'

/** What the page shows of a connection. Times in seconds. */
export interface ConnectionView {
  gid: string
  clientName: string
  redirectHost: string
  verified: boolean
  tenant: string
  scopes: readonly string[]
  createdAt: number
  lastUsed: number
}

export interface Account {
  /** Who is signed in, as they know themselves. */
  person: string
  /** In the order in which they are shown. */
  connections: readonly ConnectionView[]
  csrf: string
  /** The time, seconds. */
  now: number
  /** What has just been done, for the person to read. */
  notice?: string | undefined
  fault?: string | undefined
}

/** Where the page's forms are posted to: `disconnect` with gid and csrf, `signOut` with csrf. */
export const accountActions = { disconnect: '/account/disconnect', signOut: '/account/sign-out' } as const

/** The apps that act for a person, each with a way to end it. */
export function accountPage ({ person, connections, csrf, now, notice, fault }: Account): string {
  return page({
    title: 'Connected apps',
    fault,
    wide: true,
    body: html`${alert(fault)}${notice !== undefined && html`<p class="notice" role="status">${notice}</p>`}
<h1>Connected apps</h1>
<form method="post" action="${accountActions.signOut}" class="person">${csrfField(csrf)}<span>Signed in as ${isolated(person)}</span> <button class="link">Sign out</button></form>
${connections.length === 0
  ? html`<p class="lede">No app is connected to your account.</p>`
  : html`<p class="lede">These apps can use graphs in your name. One that you disconnect is out within a second, and has to ask you again.</p>
${table(connections, csrf, now)}`}`
  })
}

/** The roles are those of a table anyway, and are written out because browsers forget them where the style shows it as a list. */
function table (connections: readonly ConnectionView[], csrf: string, now: number): Html {
  return html`<table role="table" aria-label="Connected apps">
<thead role="rowgroup"><tr role="row">${['App', 'Tenant', 'It may', 'Connected', 'Last used', 'End it'].map(name => html`<th role="columnheader" scope="col">${name}</th>`)}</tr></thead>
<tbody role="rowgroup">${connections.map(connection => row(connection, csrf, now))}
</tbody>
</table>`
}

function row ({ gid, clientName, redirectHost, verified, tenant, scopes, createdAt, lastUsed }: ConnectionView, csrf: string, now: number): Html {
  return html`
<tr role="row">
  <th role="rowheader" scope="row"><strong class="name">${claimed(clientName)}</strong> <small>${verified ? 'Verified' : 'Unverified'}, ${returnsTo(redirectHost)}</small></th>
  ${cell('Tenant', tenant === '' ? html`none` : isolated(tenant))}
  ${cell('It may', html`${inOneLine(scopeViews(scopes))}`)}
  ${cell('Connected', time(createdAt, day.format(createdAt * 1000)))}
  ${cell('Last used', time(lastUsed, ago(now - lastUsed)))}
  <td role="cell"><form method="post" action="${accountActions.disconnect}">${csrfField(csrf)}<input type="hidden" name="gid" value="${gid}"><button class="second" aria-label="Disconnect ${claimedText(clientName)}${tenant !== '' && ` from ${readable(tenant)}`}">Disconnect</button></form></td>
</tr>`
}

/** The column's name stands beside the value as well, for where there are no columns; there it is seen, and here it is not read twice. */
function cell (name: string, value: Html): Html {
  return html`<td role="cell"><span class="column" aria-hidden="true">${name}</span> ${value}</td>`
}

function time (seconds: number, words: string): Html {
  return html`<time datetime="${new Date(seconds * 1000).toISOString()}">${words}</time>`
}

const day = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeZone: 'UTC' })
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' })
const units = [['year', 31_557_600], ['month', 2_629_800], ['week', 604_800], ['day', 86_400], ['hour', 3_600], ['minute', 60]] as const

/** "3 hours ago". A use is written down once a minute at most, so within two it is "just now". */
function ago (seconds: number): string {
  if (seconds < 120) return 'just now'
  const [unit, length] = units.find(([, length]) => seconds >= length)!
  return relative.format(-Math.floor(seconds / length), unit)
}
