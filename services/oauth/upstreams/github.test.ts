import t, { type Test } from 'tap'
import { octocat, startGithub, type Github } from '../../../tests/support/upstreams/github.ts'
import { askAgain, callbackOf, failure, opened, signIn, visit, wholeText } from './test-support.ts'

async function start (t: Test, env: Record<string, string> = {}) {
  const github = await startGithub()
  t.teardown(() => github.close())
  github.callbacks.push(callbackOf('github'))
  return { github, ...opened('github', settingsOf(github, env)) }
}

const settingsOf = (github: Github, env: Record<string, string> = {}) => ({ GITHUB_URL: github.url, GITHUB_CLIENT_ID: github.clientId, GITHUB_CLIENT_SECRET: github.clientSecret, ...env })

t.test('a person is their number at GitHub; name, address, organisations and teams come with it', async t => {
  const { upstream } = await start(t)
  const { person } = await signIn(upstream)
  t.strictSame(person, {
    id: 'github:583231',
    upstream: 'github',
    name: 'Octocat',
    handle: 'github:octocat',
    email: 'octocat@example.com',
    groups: ['github:acme-inc', 'github:acme-inc/graph-team']
  })
})

t.test('who takes over a freed login is another person', async t => {
  const { github, upstream } = await start(t)
  const { person: former } = await signIn(upstream)
  github.person = { ...octocat(), id: 9_000_001 }
  const { person } = await signIn(upstream)
  t.equal(person.handle, former.handle)
  t.not(person.id, former.id)
})

t.test('a login of digits cannot be taken for another one\'s number in a rule', async t => {
  const { github, upstream } = await start(t)
  github.person = { ...octocat(), id: 9_000_001, login: '583231' }
  const { person } = await signIn(upstream)
  t.equal(person.handle, 'github:@583231')
})

const addresses: Record<string, Array<{ email: string, primary: boolean, verified: boolean }>> = {
  'an unverified primary address': [{ email: 'boss@example.com', primary: true, verified: false }, { email: 'me@example.org', primary: false, verified: true }],
  'a verified address that is not the primary one': [{ email: 'boss@example.com', primary: false, verified: true }],
  'no address': []
}
for (const [what, emails] of Object.entries(addresses)) {
  t.test(`${what} counts for nothing`, async t => {
    const { github, upstream } = await start(t)
    github.person = { ...octocat(), emails }
    const { person } = await signIn(upstream)
    t.equal(person.email, undefined)
  })
}

t.test('all organisations count, on however many pages', async t => {
  const { github, upstream } = await start(t)
  github.person = { ...octocat(), organisations: Array.from({ length: 250 }, (_, index) => `org-${index}`), teams: [] }
  const { person } = await signIn(upstream)
  t.equal(person.groups.length, 250)
  t.ok(person.groups.includes('github:org-249'))
})

t.test('who is in thousands of organisations signs in with the first 2,000, and the log says so', async t => {
  const { github, upstream, lines } = await start(t)
  github.person = { ...octocat(), organisations: Array.from({ length: 2_001 }, (_, index) => `org-${index}`), teams: [] }
  const { person } = await signIn(upstream)
  t.equal(person.groups.length, 2_000)
  t.match(lines.join(), /lists more than 2000/)
})

t.test('GitHub is asked to show organisations only where a rule could name one', async t => {
  const scopeOf = async (env: Record<string, string>) => (await opened('github', { GITHUB_CLIENT_ID: 'a', GITHUB_CLIENT_SECRET: 'b', ...env }).upstream.begin(callbackOf('github'))).url.searchParams.get('scope')
  t.equal(await scopeOf({}), 'read:user user:email read:org')
  t.equal(await scopeOf({ TENANTS_FILE: '', TENANT_FROM: 'groups', ALLOWED_ORGANISATIONS: 'github:acme-inc' }), 'read:user user:email read:org')
  t.equal(await scopeOf({ TENANTS_FILE: '', TENANT_FROM: 'domain', ALLOWED_DOMAINS: 'example.com' }), 'read:user user:email')

  const { upstream } = await start(t, { TENANTS_FILE: '', TENANT_FROM: 'domain', ALLOWED_DOMAINS: 'example.com' })
  const { person } = await signIn(upstream)
  t.strictSame(person.groups, [])
})

t.test('without a setting it is github.com that people are sent to, with state and PKCE', async t => {
  const { upstream } = opened('github', { GITHUB_CLIENT_ID: 'Iv1.abc', GITHUB_CLIENT_SECRET: 'secret' })
  const { url, kept } = await upstream.begin(callbackOf('github'))
  t.equal(url.origin + url.pathname, 'https://github.com/login/oauth/authorize')
  t.equal(url.searchParams.get('redirect_uri'), 'https://graphs.example.com/callback/github')
  t.equal(url.searchParams.get('state'), kept.state)
  t.equal(url.searchParams.get('code_challenge_method'), 'S256')
  t.notMatch(url.href, kept.codeVerifier, 'the verifier stays here')
  const { kept: another } = await upstream.begin(callbackOf('github'))
  t.not(another.state, kept.state)
  t.not(another.codeVerifier, kept.codeVerifier)
})

t.test('who presses Cancel is told that they did', async t => {
  const { github, upstream } = await start(t)
  github.person = undefined
  const error = await failure(signIn(upstream))
  t.equal(error.code, 'denied')
})

t.test('6: an answer to another sign-in, of another server, or a second time is refused', async t => {
  const { github, upstream } = await start(t)
  for (const misbehaviour of ['wrong state', 'wrong iss'] as const) {
    github.misbehaviour = misbehaviour
    t.equal((await failure(signIn(upstream))).code, 'refused', misbehaviour)
  }
  github.misbehaviour = undefined

  const { url, kept } = await upstream.begin(callbackOf('github'))
  const { kept: another } = await upstream.begin(callbackOf('github'))
  const callback = await visit(url)
  t.equal((await failure(upstream.finish(callback, another))).code, 'refused', 'begun in another browser')
  t.equal((await failure(upstream.finish(callback, { ...another, state: kept.state }))).code, 'refused', 'without its verifier')
  const next = await upstream.begin(callbackOf('github'))
  const once = await visit(next.url)
  await upstream.finish(once, next.kept)
  const error = await failure(upstream.finish(once, next.kept))
  t.equal(error.code, 'refused')
  t.match(error.message, /Start again/)
})

t.test('an Enterprise Server that does not name itself in its answer is taken', async t => {
  const { github, upstream } = await start(t)
  github.misbehaviour = 'no iss'
  t.equal((await signIn(upstream)).person.id, 'github:583231')
})

t.test('a wrong secret is the administrator\'s to mend, and the person is told so', async t => {
  const github = await startGithub()
  t.teardown(() => github.close())
  github.callbacks.push(callbackOf('github'))
  const { upstream } = opened('github', settingsOf(github, { GITHUB_CLIENT_SECRET: 'another' }))
  const error = await failure(signIn(upstream))
  t.equal(error.code, 'failed')
  t.match(error.message, /administrator/)
  t.match(wholeText(error), /incorrect_client_credentials/, 'the log says what')
})

t.test('asked again, GitHub says what has changed', async t => {
  const { github, upstream } = await start(t)
  const { memory } = await signIn(upstream)
  github.person?.organisations.splice(0, 1, 'Globex')
  github.person?.teams.splice(0)
  const answer = await askAgain(upstream, memory)
  t.match(answer, { person: { id: 'github:583231', groups: ['github:globex'] }, memory })
})

t.test('who has withdrawn or is suspended is gone', async t => {
  const { github, upstream } = await start(t)
  const first = await signIn(upstream)
  github.withdraw('Octocat')
  t.equal(await askAgain(upstream, first.memory), 'gone')

  const second = await signIn(upstream)
  github.suspend('Octocat')
  t.equal(await askAgain(upstream, second.memory), 'gone')
  t.equal((await failure(signIn(upstream))).code, 'refused')
})

t.test('a GitHub that cannot be asked takes nobody\'s access, and gives none', async t => {
  const { github, upstream } = await start(t)
  const { memory } = await signIn(upstream)
  github.isThrottled = true
  await t.rejects(askAgain(upstream, memory), { message: /answered 429/ }, 'a spent allowance is no suspension')
  t.equal((await failure(signIn(upstream))).code, 'failed')
  github.isThrottled = false

  for (const [path, trouble] of [['/api/v3/user', 'error'], ['/api/v3/user/orgs', 'error'], ['/api/v3/user/emails', 'text'], ['/api/v3/user/teams', 'huge'], ['/login/oauth/access_token', 'error'], ['/login/oauth/access_token', 'text']] as const) {
    github.trouble.set(path, trouble)
    const error = await failure(signIn(upstream))
    t.equal(error.code, 'failed', `${trouble} at ${path}`)
    if (!path.startsWith('/login')) await t.rejects(askAgain(upstream, memory), `${trouble} at ${path}, asked again`)
    github.trouble.clear()
  }
  t.match(await askAgain(upstream, memory), { person: { id: 'github:583231' } }, 'and afterwards all is as before')
})

t.test('no error holds a code, a token or a secret', async t => {
  const { github, upstream } = await start(t)
  const { memory } = await signIn(upstream)
  const errors: unknown[] = []
  for (const [path, trouble] of [['/login/oauth/access_token', 'error'], ['/login/oauth/access_token', 'text'], ['/api/v3/user', 'error'], ['/api/v3/user', 'text']] as const) {
    github.trouble.set(path, trouble)
    errors.push(await failure(signIn(upstream)))
    if (!path.startsWith('/login')) errors.push(await failure(askAgain(upstream, memory)))
    github.trouble.clear()
  }
  const { url, kept } = await upstream.begin(callbackOf('github'))
  const callback = await visit(url)
  errors.push(await failure(upstream.finish(callback, { ...kept, state: 'x' })), await failure(upstream.finish(callback, { ...kept, codeVerifier: 'x'.repeat(43) })))
  errors.push(await failure(askAgain(upstream, 'a token\nof two lines')))
  const text = errors.map(wholeText).join('\n')
  for (const secret of [memory ?? 'gho_', github.clientSecret, callback.searchParams.get('code') ?? '', kept.state, kept.codeVerifier ?? '', 'of two lines', 'gho_']) t.notOk(text.includes(secret), 'nothing secret is in it')
  t.equal(errors.length, 9)
})
