/** Which redirect URIs a client may have (RFC 6749 section 3.1.2, RFC 8252 section 7, RFC 9700 section 4.1). They are compared as text, so that one text must be one place. */

/** Longest in characters. */
const maxLength = 2_048
/** The characters of RFC 3986, less the fragment's # and the * of patterns. */
const characters = /^(?:[A-Za-z0-9\-._~:/?[\]@!$&'()+,;=]|%[0-9A-Fa-f]{2})+$/
const webAuthority = /^https:\/\/([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?<!\.)(?::\d{1,5})?(?=[/?]|$)/
/** Written so and not otherwise: 127.1 and 0x7f.1 are the same address to a browser. */
const loopbackAuthority = /^http:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?(?=[/?]|$)/
/** RFC 8252 section 7.1, and what apps use without a domain in it: cursor://, com.example.app:/ */
const privateUse = /^([a-z][a-z0-9+.-]{1,63}):\/{1,3}(?!\/)[^?]/
/** A dot, slash or backslash that hides, or a control character. */
const hiddenCharacter = /%(?:2e|2f|5c|[01][0-9a-f]|7f)/i

/** Schemes that a browser or system gives a meaning of its own: a code must not become a script, a file, a message or a setting. */
const publicSchemes = new Set([
  'about', 'aaa', 'acap', 'afp', 'android-app', 'app-settings', 'blob', 'brave', 'callto', 'chrome', 'chrome-extension', 'chrome-untrusted', 'cid', 'content', 'dav', 'data', 'devtools', 'dns', 'edge', 'extension',
  'facetime', 'facetime-audio', 'feed', 'file', 'filesystem', 'ftp', 'ftps', 'geo', 'git', 'gopher', 'hcp', 'im', 'imap', 'intent', 'irc', 'ircs', 'isolated-app', 'itms', 'itms-apps', 'itms-services', 'jar', 'javascript', 'jdbc',
  'ldap', 'ldaps', 'livescript', 'magnet', 'mailto', 'market', 'mhtml', 'mid', 'mk', 'mocha', 'moz-extension', 'news', 'nfs', 'nntp', 'opera', 'pop', 'prefs', 'res', 'resource', 'rtsp', 'safari-extension', 'search-ms', 'sftp', 'shell', 'shortcuts', 'sip', 'sips',
  'sms', 'smsto', 'smb', 'ssh', 'svn', 'tel', 'telnet', 'urn', 'vbscript', 'view-source', 'webcal', 'ws', 'wss', 'wyciwyg', 'x-apple', 'xmpp'
])
/** Families of them: http-ish ones, and those by which Windows is operated. */
const publicFamilies = /^(?:http|ms-|web\+|x-apple|x-javascript)/

/** Where it leads: to a host, to whatever program listens on this device, or to an app by a scheme of its own. */
export function redirectKind (uri: string): 'web' | 'loopback' | 'app' {
  return uri.startsWith('https://') ? 'web' : uri.startsWith('http://') ? 'loopback' : 'app'
}

/** What is wrong with a redirect URI of a client that anybody may have made, in words that end "redirect_uris[0] …"; undefined where nothing is. */
export function redirectFault (uri: unknown): string | undefined {
  if (typeof uri !== 'string') return 'must be a text'
  if (uri.length > maxLength) return `must not be longer than ${maxLength} characters`
  if (uri.includes('#')) return 'must not have a fragment'
  if (uri.includes('*')) return 'must not hold *: it is compared exactly'
  if (!characters.test(uri)) return 'must hold nothing but the characters of a URI, others percent-encoded'
  const parsed = URL.parse(uri)
  if (parsed === null) return 'must be a URI'
  if (authorityOf(uri).includes('@')) return 'must not name a user'
  return pathFault(uri) ?? placeFault(uri, parsed)
}

function placeFault (uri: string, { protocol, hostname }: URL): string | undefined {
  const written = webAuthority.exec(uri)?.[1]
  // Another spelling of the host would be shown as one place and compared as another.
  if (protocol === 'https:') return written === hostname ? undefined : 'must write its host as browsers do, like https://app.example/callback'
  if (protocol === 'http:') return loopbackAuthority.test(uri) ? undefined : 'must be https, or http with localhost, 127.0.0.1 or [::1]'
  const scheme = privateUse.exec(uri)?.[1]
  return scheme !== undefined && !publicSchemes.has(scheme) && !publicFamilies.test(scheme) ? undefined : 'must be https, http on this device, or like com.example.app:/callback with a scheme of the app\'s own'
}

function pathFault (uri: string): string | undefined {
  const path = uri.split('?', 1)[0]!
  const segments = path.split('/')
  return hiddenCharacter.test(path) || segments.includes('..') || segments.includes('.') ? 'must not hold . or .. in its path, or %2e, %2f, %5c and control characters' : undefined
}

const authorityOf = (uri: string) => /^[^/?]*\/\/([^/?]*)/.exec(uri)?.[1] ?? ''
