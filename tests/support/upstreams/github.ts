/**
 * Stands in for github.com, or a GitHub Enterprise Server (whose paths it has): the OAuth 2.0 web flow of OAuth apps and the API calls of a sign-in,
 * after docs.github.com. The real one needs an account, a registered app and a public callback, and can be told neither to fail nor to suspend somebody.
 */
import { clientOf, fitsChallenge, sendBack, standIn, unguessable, type Answer, type Asked, type StandIn } from './stand-in.ts'

export interface GithubPerson {
  id: number
  login: string
  emails: Array<{ email: string, primary: boolean, verified: boolean }>
  organisations: string[]
  /** `organisation/team`. */
  teams: string[]
}

export interface Github extends StandIn {
  readonly clientId: string
  readonly clientSecret: string
  /** Whose browser it is that comes; undefined: they press Cancel. */
  person: GithubPerson | undefined
  /** The person's tokens are revoked, as by "Revoke access". */
  withdraw: (login: string) => void
  /** The account is suspended, as that of a member of a company that has left. */
  suspend: (login: string) => void
  /** Every API call gets 403 as one beyond the hourly allowance. */
  isThrottled: boolean
  /** `no iss`: as older Enterprise Servers; `wrong iss`: another server's answer; `wrong state`. */
  misbehaviour: 'no iss' | 'wrong iss' | 'wrong state' | undefined
}

export const octocat = (): GithubPerson => ({
  id: 583231,
  login: 'Octocat',
  emails: [{ email: 'old@example.com', primary: false, verified: true }, { email: 'Octocat@Example.com', primary: true, verified: true }],
  organisations: ['Acme-Inc'],
  teams: ['Acme-Inc/Graph-Team']
})

interface Code { person: GithubPerson, redirect: string, challenge: string, scopes: string[] }

export async function startGithub (): Promise<Github> {
  const codes = new Map<string, Code>()
  const tokens = new Map<string, { person: GithubPerson, scopes: string[] }>()
  const suspended = new Set<string>()
  const server = await standIn(() => ({
    'GET /login/oauth/authorize': authorize,
    'POST /login/oauth/access_token': token,
    'GET /api/v3/user': asked => api(asked, '', ({ id, login }) => ({ id, login, node_id: `U_${id}`, type: 'User', email: null })),
    'GET /api/v3/user/emails': asked => api(asked, 'user:email', ({ emails }) => emails.map(email => ({ ...email, visibility: null }))),
    'GET /api/v3/user/orgs': asked => api(asked, 'read:org', ({ organisations }) => organisations.map((login, index) => ({ login, id: index + 1 }))),
    'GET /api/v3/user/teams': asked => api(asked, 'read:org', ({ teams }) => teams.map((team, index) => ({ id: index + 1, name: team, slug: team.split('/')[1]?.toLowerCase(), organization: { login: team.split('/')[0] } })))
  }))
  const github: Github = Object.assign(server, {
    clientId: 'Iv1.0123456789abcdef',
    clientSecret: 'github-secret-for-tests-0123456789',
    person: octocat() as GithubPerson | undefined,
    withdraw: (login: string) => { for (const [value, { person }] of tokens) if (person.login === login) tokens.delete(value) },
    suspend: (login: string) => { suspended.add(login) },
    isThrottled: false,
    misbehaviour: undefined as Github['misbehaviour']
  })
  return github

  function authorize ({ url: { searchParams: query } }: Asked): Answer {
    if (query.get('client_id') !== github.clientId) return { status: 404, html: '<title>GitHub</title><h1>Not found</h1>' }
    // GitHub takes S256 alone.
    if (query.has('code_challenge') && query.get('code_challenge_method') !== 'S256') return { status: 400, html: '<title>GitHub</title><h1>Bad challenge</h1>' }
    const redirect = query.get('redirect_uri') ?? ''
    const iss = github.misbehaviour === 'no iss' ? null : github.misbehaviour === 'wrong iss' ? 'https://elsewhere.example/login/oauth' : `${github.url}/login/oauth`
    const state = github.misbehaviour === 'wrong state' ? 'another' : query.get('state')
    if (github.person === undefined) return sendBack(github, 'GitHub', redirect, { error: 'access_denied', error_description: 'The user has denied your application access.', iss, state })
    const code = unguessable().slice(0, 20)
    codes.set(code, { person: github.person, redirect, challenge: query.get('code_challenge') ?? '', scopes: (query.get('scope') ?? '').split(' ') })
    return sendBack(github, 'GitHub', redirect, { code, iss, state })
  }

  // Errors come with 200.
  function token (asked: Asked): Answer {
    const { id, secret } = clientOf(asked)
    if (id !== github.clientId || secret !== github.clientSecret) return { json: { error: 'incorrect_client_credentials', error_description: 'The client_id and/or client_secret passed are incorrect.' } }
    const value = asked.form.get('code') ?? ''
    const code = codes.get(value)
    codes.delete(value)
    if (code === undefined || (code.challenge !== '' && !fitsChallenge(asked.form.get('code_verifier'), code.challenge))) return { json: { error: 'bad_verification_code', error_description: `The code ${value} passed is incorrect or expired.` } }
    if (asked.form.get('redirect_uri') !== code.redirect) return { json: { error: 'redirect_uri_mismatch' } }
    const accessToken = unguessable('gho_')
    tokens.set(accessToken, code)
    return { json: { access_token: accessToken, token_type: 'bearer', scope: code.scopes.join(',') } }
  }

  function api ({ headers, url }: Asked, scope: string, answer: (person: GithubPerson) => unknown): Answer {
    const granted = tokens.get(headers.authorization?.replace(/^Bearer /, '') ?? '')
    if (granted === undefined) return { status: 401, json: { message: 'Bad credentials' } }
    if (github.isThrottled) return { status: 403, json: { message: 'API rate limit exceeded' }, headers: { 'x-ratelimit-remaining': '0' } }
    if (suspended.has(granted.person.login)) return { status: 403, json: { message: 'Sorry. Your account was suspended.' } }
    if (scope !== '' && !granted.scopes.includes(scope)) return { status: scope === 'user:email' ? 404 : 403, json: { message: `You need at least ${scope} scope` } }
    const whole = answer(granted.person)
    if (!Array.isArray(whole)) return { json: whole }
    const size = Number(url.searchParams.get('per_page') ?? 30)
    const page = Number(url.searchParams.get('page') ?? 1)
    const next: Record<string, string> = whole.length > page * size ? { link: `<${github.url}${url.pathname}?per_page=${size}&page=${page + 1}>; rel="next"` } : {}
    return { json: whole.slice((page - 1) * size, page * size), headers: next }
  }
}
