/** Sign-in with GitHub, or a GitHub Enterprise Server: OAuth 2.0 without ID tokens, so its API says who it was. */
import * as client from 'openid-client'
import type { Logger } from 'pino'
import { isLocal } from '../is-local.ts'
import { AnswerError, tellable } from './failures.ts'
import { authorizationUrl, told } from './relying-party.ts'
import { emailOf, groupsOf, handleOf, personId } from './persons.ts'
import { boundedFetch, timeoutSeconds } from './requests.ts'
import type { UpstreamSettings } from './settings.ts'
import { SignInError, type Upstream, type Vouched } from './upstream.ts'

type GithubSettings = Extract<UpstreamSettings, { kind: 'github' }>

/** Pages of 100 that are read of one list; whoever is in more organisations or teams has only those. */
const maxPages = 20

/**
 * @param groupsCount false where no rule could name an organisation: GitHub is then not asked to show them
 */
export function openGithub (settings: GithubSettings, groupsCount: boolean, logger: Logger): Upstream {
  const { id, label } = settings
  const configuration = configurationOf(settings)
  const api = apiOf(settings.url)
  const vouch = async (token: string): Promise<Vouched> => {
    const ask = (path: string) => asked(configuration, api, token, path)
    const user = await (await ask('/user')).json() as { id?: unknown, login?: unknown }
    if (!Number.isSafeInteger(user.id) || typeof user.login !== 'string') throw new AnswerError('GitHub answered without an id or a login')
    const listed = (path: string) => wholeList(ask, path, () => logger.warn({ upstream: id, path }, `GitHub lists more than ${maxPages * 100}; the rest does not count here`))
    const [emails, organisations, teams] = await Promise.all([listed('/user/emails'), groupsCount ? listed('/user/orgs') : [], groupsCount ? listed('/user/teams') : []]) as [Email[], Organisation[], Team[]]
    const subject = String(user.id)
    const person = {
      id: personId(id, subject),
      upstream: id,
      name: user.login,
      handle: handleOf(id, user.login, subject),
      email: emailOf(emails.find(({ primary, verified }) => primary === true && verified === true)?.email),
      groups: groupsOf(id, [...organisations.map(({ login }) => login), ...teams.map(({ organization, slug }) => `${organization.login}/${slug}`)])
    }
    return { person, memory: token }
  }
  return {
    id,
    label,
    begin: callbackUrl => told(label, () => authorizationUrl(configuration, false, {
      redirect_uri: callbackUrl,
      // read:org also where only TENANTS_FILE could name an organisation: it changes while tokens that were granted before are still asked.
      scope: groupsCount ? 'read:user user:email read:org' : 'read:user user:email'
    })),
    finish: (callback, { state, codeVerifier }) => told(label, async () => {
      if (codeVerifier === undefined) throw new SignInError('refused', 'This sign-in was not begun here. Start again.')
      const { access_token: token } = await client.authorizationCodeGrant(configuration, callback, { expectedState: state, pkceCodeVerifier: codeVerifier })
      try {
        return await vouch(token)
      } catch (error) {
        throw isGone(error) ? new SignInError('refused', 'GitHub does not let this account be used here; it may be suspended.', { cause: error }) : error
      }
    }),
    again: async memory => {
      try {
        return await vouch(memory)
      } catch (error) {
        if (isGone(error)) return 'gone'
        throw tellable(error)
      }
    }
  }
}

interface Email { email?: unknown, primary?: unknown, verified?: unknown }
interface Organisation { login: string }
interface Team { slug: string, organization: Organisation }

/** 401: the token was revoked, or its owner withdrew. 403 at the person themselves: suspended, as members of a company are when they leave. */
const isGone = (error: unknown) => error instanceof StatusError && (error.status === 401 || (error.status === 403 && error.path === '/user'))

/** GitHub's API answered with another status than 200. */
class StatusError extends AnswerError {
  declare readonly status: number
  readonly path: string
  constructor (status: number, path: string) {
    super(`GitHub answered ${status} at ${path}`, status)
    this.path = path
  }
}

function configurationOf ({ url, clientId, clientSecret }: GithubSettings): client.Configuration {
  const base = `${url}/login/oauth`
  const tokenEndpoint = `${base}/access_token`
  // GitHub publishes no OpenID metadata. The issuer is what it sends as `iss` (RFC 9207), which is compared wherever it comes; older Enterprise Servers send none.
  const configuration = new client.Configuration({ issuer: base, authorization_endpoint: `${base}/authorize`, token_endpoint: tokenEndpoint, code_challenge_methods_supported: ['S256'] }, clientId, undefined, client.ClientSecretPost(clientSecret))
  if (url.startsWith('http:') && isLocal(url)) client.allowInsecureRequests(configuration)
  configuration.timeout = timeoutSeconds
  configuration[client.customFetch] = async (address, options) => address === tokenEndpoint ? await withStatus(await boundedFetch(address, options)) : await boundedFetch(address, options)
  return configuration
}

/** GitHub's token endpoint says its errors with 200; RFC 6749 section 5.2 has 400 for them. */
async function withStatus (response: Response): Promise<Response> {
  if (response.status !== 200) return response
  const text = await response.text()
  const isError = /^\s*\{/.test(text) && 'error' in (JSON.parse(text) as object)
  return new Response(text, { status: isError ? 400 : 200, headers: { 'content-type': response.headers.get('content-type') ?? '' } })
}

/** github.com and the clouds of ghe.com have a host for their API, an Enterprise Server a path. */
function apiOf (url: string): string {
  const { hostname } = new URL(url)
  return hostname === 'github.com' || hostname.endsWith('.ghe.com') ? `https://api.${hostname}` : `${url}/api/v3`
}

async function asked (configuration: client.Configuration, api: string, token: string, path: string): Promise<Response> {
  const [name = path] = path.split('?')
  try {
    const response = await client.fetchProtectedResource(configuration, token, new URL(`${api}${path}`), 'GET', undefined, new Headers({ accept: 'application/vnd.github+json', 'x-github-api-version': '2022-11-28' }))
    if (response.status === 200) return response
    await response.body?.cancel()
    // A spent allowance comes as 403 too, and says nothing about the person.
    const isThrottled = response.headers.has('retry-after') || response.headers.get('x-ratelimit-remaining') === '0'
    throw new StatusError(response.status === 403 && isThrottled ? 429 : response.status, name)
  } catch (error) {
    throw error instanceof client.WWWAuthenticateChallengeError ? new StatusError(error.status, name) : error
  }
}

/** All pages of a list. The next one is counted, not followed: the token goes to no address that an answer names. */
async function wholeList (ask: (path: string) => Promise<Response>, path: string, onMore: () => void): Promise<unknown[]> {
  const items: unknown[] = []
  for (let page = 1; page <= maxPages; page++) {
    const response = await ask(`${path}?per_page=100&page=${page}`)
    const part: unknown = await response.json()
    if (!Array.isArray(part)) throw new AnswerError(`GitHub answered with no list at ${path}`)
    items.push(...part as unknown[])
    if (!/rel="next"/.test(response.headers.get('link') ?? '')) return items
  }
  onMore()
  return items
}
