/**
 * Scopes of an authorization request before oidc-provider sees them: it answers access_denied where none is asked for that it knows,
 * and some clients ask for none, or for one of their own (`scope=claudeai` was seen).
 */
import { unescape } from 'node:querystring'
import { isScope } from '@gateway/common/scopes.ts'

/** What a client gets that asks for no scope of a graph. */
const fallback = 'graph:read'

/**
 * The URL of an authorization request with `graph:read` where it asks for no scope of a graph, and without the scopes that nobody knows.
 * All else stays as it was, byte for byte; so does a URL with several `scope` parameters, which oidc-provider refuses.
 * `response_type=none` wants no token: nothing is added to it.
 * @param url path and query, as a request line has them; another path than /authorize is left alone
 */
export function rewriteScope (url: string): string {
  const [path, ...rest] = url.split('?')
  if (path !== '/authorize') return url
  const query = rest.join('?')
  const parameters = query === '' ? [] : query.split('&')
  const asked = parameters.filter(parameter => nameOf(parameter) === 'scope')
  if (asked.length > 1) return url
  const wanted = asked.length === 0 ? [] : valueOf(asked[0]!).split(/\s+/).filter(scope => scope !== '')
  const given = granted(wanted, !parameters.some(parameter => nameOf(parameter) === 'response_type' && valueOf(parameter) === 'none'))
  if (given.join(' ') === wanted.join(' ')) return url
  const rewritten = `scope=${encodeURIComponent(given.join(' '))}`
  return `${path}?${(asked.length === 0 ? [...parameters, rewritten] : parameters.map(parameter => parameter === asked[0] ? rewritten : parameter)).join('&')}`
}

function granted (wanted: readonly string[], forToken: boolean): string[] {
  const known = wanted.filter(scope => isScope(scope) || scope === 'openid' || scope === 'offline_access')
  return forToken && !known.some(isScope) ? [...known, fallback] : known
}

// As Node's querystring, by which oidc-provider reads it: a malformed encoding stays as it is.
const decoded = (text: string) => unescape(text.replaceAll('+', ' '))
const nameOf = (parameter: string) => decoded(parameter.split('=', 1)[0] ?? '')
const valueOf = (parameter: string) => decoded(parameter.includes('=') ? parameter.slice(parameter.indexOf('=') + 1) : '')
