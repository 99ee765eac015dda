/** What a page says of a client: only the host that the person returns to is certain, all else is what the client says of itself. */
import { html, type Html } from './html.ts'
import { isLoopback } from '../is-local.ts'
import { claimed, isolated } from './readable.ts'

export interface ClientView {
  /** What the client calls itself. Anything may be in it. */
  name: string
  /** Where the answer goes, as `redirectHostOf` writes it. */
  redirectHost: string
  /** Its identity is a metadata document at the host that it redirects to. */
  verified: boolean
  /** Host of its metadata document, where it has one. */
  clientHost?: string | undefined
}

/**
 * Where a redirect leads: `app.example:8443`, without the port on this device (a native app takes any, RFC 8252 section 7.3),
 * or `cursor:` for a scheme of an app's own, whose host means nothing.
 */
export function redirectHostOf (redirectUri: string): string {
  const { protocol, host, hostname } = new URL(redirectUri)
  if (protocol !== 'https:' && protocol !== 'http:') return protocol
  return isLoopback(hostname) ? hostname : host
}

/** True where whatever program of this device listens there gets the answer. */
export function isOnThisDevice (redirectHost: string): boolean {
  return redirectHost.endsWith(':') || isLoopback(redirectHost.replace(/:\d+$/, ''))
}

/** The host, or the device, that the person returns to. */
export function returnsTo (redirectHost: string): Html {
  return isOnThisDevice(redirectHost) ? html`an app on this device, ${isolated(redirectHost)}` : isolated(redirectHost)
}

/** "An app that calls itself “Claude”". */
export function introduced ({ name }: ClientView): Html {
  return html`An app that calls itself <strong>${claimed(name)}</strong>`
}

/** The two rows that people should read. */
export function clientFacts ({ redirectHost, verified, clientHost }: ClientView): Html {
  return html`
      <div><dt>You return to</dt><dd class="host">${returnsTo(redirectHost)}</dd></div>
      <div><dt>Identity</dt><dd><strong>${verified ? 'Verified' : 'Unverified'}:</strong> ${identity(verified, clientHost ?? redirectHost, clientHost !== undefined)}</dd></div>`
}

function identity (verified: boolean, host: string, described: boolean): Html {
  if (verified) return html`${isolated(host)} itself describes this app, and that is where you return to.`
  if (described) return html`${isolated(host)} describes this app, but you return to another place, so nobody can tell whether the two belong together.`
  return html`nobody has checked the name, and any app can call itself anything.`
}

/** What to be careful about; nothing for a verified client of the web. */
export function warning ({ redirectHost, verified }: ClientView): Html | undefined {
  if (isOnThisDevice(redirectHost)) {
    return html`<p class="warning" role="note"><strong>Be careful:</strong> access goes to an app on this device. Go on only if you have just started this yourself, in an app that you trust.</p>`
  }
  if (!verified) {
    return html`<p class="warning" role="note"><strong>Be careful:</strong> go on only if you know ${isolated(redirectHost)} and have just started this there yourself.</p>`
  }
}
