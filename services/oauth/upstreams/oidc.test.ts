import t, { type Test } from 'tap'
import { freePort } from '../../../dev/free-port.ts'
import { ada, startOpenid, type Misbehaviour, type OpenidPerson } from '../../../tests/support/upstreams/openid.ts'
import { askAgain, callbackOf, failure, opened, signIn, visit, wholeText } from './test-support.ts'
import type { Vouched } from './upstream.ts'

async function start (t: Test, env: Record<string, string> = {}) {
  const openid = await startOpenid()
  t.teardown(() => openid.close())
  openid.callbacks.push(callbackOf('keycloak'))
  return { openid, ...opened('keycloak', { OIDC_ISSUER: openid.issuer, OIDC_CLIENT_ID: openid.clientId, OIDC_CLIENT_SECRET: openid.clientSecret, OIDC_ID: 'keycloak', OIDC_LABEL: 'your Acme account', ...env }) }
}

/** Someone with these claims, beside those of Ada. */
const someone = (claims: Record<string, unknown>, userinfo: Record<string, unknown> = {}): OpenidPerson => ({ ...ada(), claims: { ...ada().claims, ...claims }, userinfo })

t.test('a person is their subject; name, address and groups come with it', async t => {
  const { openid, upstream } = await start(t)
  const { person } = await signIn(upstream)
  t.strictSame(person, {
    id: 'keycloak:2f0b6c3e-5a0e-4b3b-9c57-0c8d4e0a7a11',
    upstream: 'keycloak',
    name: 'Ada',
    handle: 'keycloak:ada',
    email: 'ada@example.com',
    groups: ['keycloak:/engineers', 'keycloak:/everybody']
  })
  t.equal(openid.count('/protocol/userinfo'), 0, 'the ID token said all')
})

t.test('several providers stand side by side, each with its own people', async t => {
  const servers = await Promise.all([startOpenid(), startOpenid()])
  for (const server of servers) {
    server.callbacks.push(callbackOf('one'), callbackOf('two'))
    t.teardown(() => server.close())
  }
  const entries = servers.map(({ issuer, clientId, clientSecret }, index) => ({ id: ['one', 'two'][index], label: 'x', issuer, client_id: clientId, client_secret: clientSecret }))
  const env = { OIDC_PROVIDERS: JSON.stringify(entries) }
  t.match((await signIn(opened('one', env).upstream)).person.id, /^one:/)
  t.match((await signIn(opened('two', env).upstream)).person.id, /^two:/)

  const [one, two] = [opened('one', env).upstream, opened('two', env).upstream]
  const begun = await one.begin(callbackOf('one'))
  t.equal((await failure(two.finish(await visit(begun.url), begun.kept))).code, 'refused', 'an answer of the one is none of the other')
})

const claims: Record<string, [person: OpenidPerson, env: Record<string, string>, person: Partial<Vouched['person']>]> = {
  'groups that only userinfo names': [someone({ groups: undefined }, { groups: ['Ops'] }), {}, { groups: ['keycloak:ops'] }],
  'an address that only userinfo names': [someone({ email: undefined, email_verified: undefined }, { email: 'ada@globex.example', email_verified: true }), {}, { email: 'ada@globex.example' }],
  'an address of the ID token that userinfo alone calls verified': [someone({ groups: undefined, email_verified: undefined }, { email: 'other@example.com', email_verified: true }), {}, { email: undefined }],
  'no groups anywhere': [someone({ groups: undefined }), {}, { groups: [] }],
  'groups in an object': [someone({ realm_access: { roles: ['Admin'] } }), { OIDC_GROUPS_CLAIM: 'realm_access.roles' }, { groups: ['keycloak:admin'] }],
  'groups in a claim whose name is a URL': [someone({ 'https://acme.example/groups': ['Admin'] }), { OIDC_GROUPS_CLAIM: 'https://acme.example/groups' }, { groups: ['keycloak:admin'] }],
  'one group that is no list': [someone({ groups: 'Admin' }), {}, { groups: ['keycloak:admin'] }],
  'groups among which something else stands': [someone({ groups: ['A', 7, null, { name: 'B' }, '', 'a'] }), {}, { groups: ['keycloak:a'] }],
  'an address that is not verified': [someone({ email_verified: false }), {}, { email: undefined }],
  'an address of which nothing is said': [someone({ email_verified: undefined }), {}, { email: undefined }],
  'a verification that is a text': [someone({ email_verified: 'true' }), {}, { email: undefined }],
  'an address of which nothing is said, by a provider that is trusted with it': [someone({ email_verified: undefined }), { OIDC_TRUST_EMAIL: 'true' }, { email: 'ada@example.com' }],
  'an address that even a trusted provider calls unverified': [someone({ email_verified: false }), { OIDC_TRUST_EMAIL: 'true' }, { email: undefined }],
  'an address of a domain that the provider may vouch for': [ada(), { OIDC_EMAIL_DOMAINS: 'Globex.example, Example.com' }, { email: 'ada@example.com' }],
  'an address of a domain that is another one\'s': [someone({ email: 'boss@acme.example' }), { OIDC_EMAIL_DOMAINS: 'example.com' }, { email: undefined, handle: 'keycloak:ada' }],
  'an address of another one\'s domain, which stands in for a name as well': [someone({ email: 'boss@acme.example', preferred_username: undefined }), { OIDC_EMAIL_DOMAINS: 'example.com' }, { email: undefined, name: 'Ada Lovelace', handle: 'keycloak:2f0b6c3e-5a0e-4b3b-9c57-0c8d4e0a7a11' }],
  'an address below the domain that the provider may vouch for': [someone({ email: 'boss@of.example.com' }), { OIDC_EMAIL_DOMAINS: 'example.com', OIDC_TRUST_EMAIL: 'true' }, { email: undefined }],
  'two addresses in one claim': [someone({ email: 'ada@example.com,boss@example.com' }), {}, { email: undefined }],
  'no username': [someone({ preferred_username: undefined }), {}, { handle: 'keycloak:ada@example.com', name: 'ada@example.com' }],
  'no username, and an address that nobody verified': [someone({ preferred_username: undefined, email_verified: false }), {}, { handle: 'keycloak:2f0b6c3e-5a0e-4b3b-9c57-0c8d4e0a7a11', name: 'Ada Lovelace' }],
  'a username with a Kelvin sign, which is no k': [someone({ preferred_username: '\u212Aarl \u00c4', groups: ['O\u0130D'] }), {}, { handle: 'keycloak:\u212Aarl \u00e4', groups: ['keycloak:o\u0130d'] }],
  'a username that is another one\'s subject': [someone({ preferred_username: '77c1f6a0-0b1d-4c5e-9e0f-1a2b3c4d5e04' }), {}, { handle: 'keycloak:@77c1f6a0-0b1d-4c5e-9e0f-1a2b3c4d5e04' }]
}
for (const [what, [person, env, expected]] of Object.entries(claims)) {
  t.test(what, async t => {
    const { openid, upstream } = await start(t, env)
    openid.person = person
    const { person: known } = await signIn(upstream)
    t.strictSame({ ...known, ...expected }, known)
  })
}

t.test('a subject of 255 characters is known by its digest, and nobody can be named so', async t => {
  const { openid, upstream } = await start(t)
  openid.person = { ...ada(), sub: 'x'.repeat(255) }
  const { person: long } = await signIn(upstream)
  t.match(long.id, /^keycloak:sha256-[\w-]{43}$/)
  t.match(await signIn(upstream), { person: { id: long.id } }, 'the same at every sign-in')
  openid.person = { ...ada(), sub: long.id.replace('keycloak:', '') }
  const { person } = await signIn(upstream)
  t.not(person.id, long.id)
})

t.test('more groups than Entra ID lists in a token count for none, and the log says so', async t => {
  const { openid, upstream, lines } = await start(t)
  openid.person = someone({ groups: undefined, _claim_names: { groups: 'src1' }, _claim_sources: { src1: { endpoint: 'https://graph.example/me' } } })
  t.strictSame((await signIn(upstream)).person.groups, [])
  t.match(lines.join(), /more groups than the provider lists/)
  t.notMatch(lines.join(), /ada/i)
})

t.test('a refresh token is asked for where the provider can give one', async t => {
  const { openid, upstream } = await start(t)
  t.equal((await upstream.begin(callbackOf('keycloak'))).url.searchParams.get('scope'), 'openid profile email offline_access')

  const { openid: other, upstream: plain } = await start(t)
  other.metadata.scopes_supported = ['openid']
  t.equal((await plain.begin(callbackOf('keycloak'))).url.searchParams.get('scope'), 'openid profile email')
  t.equal((await signIn(plain)).memory, undefined, 'without one there is nothing to remember')
  t.equal(openid.count('/protocol/token'), 0)
})

t.test('asked again, the provider says what has changed, by a token that is new each time', async t => {
  const { openid, upstream } = await start(t)
  const { memory } = await signIn(upstream)
  openid.changeTo(someone({ groups: ['/Former'] }))
  const first = await askAgain(upstream, memory) as Vouched
  t.strictSame(first.person.groups, ['keycloak:/former'])
  t.not(first.memory, memory)
  t.match(await askAgain(upstream, first.memory), { person: { id: first.person.id } })
  t.equal(await askAgain(upstream, memory), 'gone', 'one that was used is good no longer')
})

t.test('a provider that gives no ID token at refreshes is asked by userinfo', async t => {
  const { openid, upstream } = await start(t)
  const { memory } = await signIn(upstream)
  openid.misbehaviour = 'no ID token'
  t.match(await askAgain(upstream, memory), { person: { id: 'keycloak:2f0b6c3e-5a0e-4b3b-9c57-0c8d4e0a7a11', groups: ['keycloak:/engineers', 'keycloak:/everybody'] } })
})

t.test('whose account was closed is gone', async t => {
  const { openid, upstream } = await start(t)
  const { memory } = await signIn(upstream)
  openid.withdraw(ada().sub)
  t.equal(await askAgain(upstream, memory), 'gone')
})

const untrue: Misbehaviour[] = ['wrong nonce', 'wrong audience', 'wrong issuer', 'expired', 'foreign key', 'unsigned', 'no ID token', 'wrong iss', 'no iss', 'wrong state']
for (const misbehaviour of untrue) {
  t.test(`an answer with "${misbehaviour}" is refused`, async t => {
    const { openid, upstream } = await start(t)
    openid.misbehaviour = misbehaviour
    const error = await failure(signIn(upstream))
    t.equal(error.code, 'refused')
    t.match(error.message, /^The answer of your Acme account does not belong to this sign-in, or cannot be trusted/)
  })
}

t.test('userinfo of somebody else is refused', async t => {
  const { openid, upstream } = await start(t)
  openid.person = someone({ groups: undefined })
  openid.misbehaviour = 'userinfo of another'
  t.equal((await failure(signIn(upstream))).code, 'refused')
})

t.test('without userinfo nobody signs in with fewer groups than they have', async t => {
  const { openid, upstream } = await start(t)
  openid.person = someone({ groups: undefined }, { groups: ['Ops'] })
  openid.trouble.set('/protocol/userinfo', 'error')
  t.equal((await failure(signIn(upstream))).code, 'failed')
})

t.test('who presses Cancel is told that they did; a provider with a problem is not blamed on them', async t => {
  const { openid, upstream } = await start(t)
  openid.misbehaviour = 'server_error'
  t.equal((await failure(signIn(upstream))).code, 'failed')
  openid.misbehaviour = undefined
  openid.person = undefined
  const error = await failure(signIn(upstream))
  t.equal(error.code, 'denied')
  t.match(error.message, /^Your Acme account did not sign you in/)
})

t.test('a secret reaches providers of either kind unharmed', async t => {
  for (const methods of [['client_secret_post'], ['client_secret_basic'], undefined]) {
    const { openid, upstream } = await start(t)
    openid.metadata.token_endpoint_auth_methods_supported = methods
    t.equal((await signIn(upstream)).person.handle, 'keycloak:ada', `${methods}`)
    const sent = openid.asked.find(({ url }) => url.pathname === '/protocol/token')
    t.equal(sent?.headers.authorization === undefined, methods?.[0] === 'client_secret_post')
  }
})

t.test('a provider that is away keeps nothing from starting, and is asked again at the next sign-in', async t => {
  const port = await freePort()
  const { upstream: away } = opened('keycloak', { OIDC_ISSUER: `http://127.0.0.1:${port}`, OIDC_CLIENT_ID: 'a', OIDC_CLIENT_SECRET: 'b', OIDC_ID: 'keycloak' })
  const error = await failure(away.begin(callbackOf('keycloak')))
  t.equal(error.code, 'failed')
  t.match(error.message, /cannot be asked at the moment/)
  t.match(wholeText(error), /ECONNREFUSED/)
  await t.rejects(askAgain(away, JSON.stringify({ subject: 'x', refreshToken: 'y' })), 'nobody is gone for it')

  const { openid, upstream } = await start(t)
  t.equal(openid.asked.length, 0, 'nothing is asked before someone signs in')
  openid.trouble.set('/.well-known/openid-configuration', 'error')
  t.equal((await failure(signIn(upstream))).code, 'failed')
  openid.trouble.clear()
  t.equal((await signIn(upstream)).person.handle, 'keycloak:ada')
  const asked = openid.count('/.well-known/openid-configuration')
  await Promise.all([signIn(upstream), signIn(upstream)])
  t.equal(openid.count('/.well-known/openid-configuration'), asked, 'what is known is not asked again')
})

t.test('many who come at once ask for the metadata once', async t => {
  const { openid, upstream } = await start(t)
  await Promise.all(Array.from({ length: 10 }, () => upstream.begin(callbackOf('keycloak'))))
  t.equal(openid.count('/.well-known/openid-configuration'), 1)
})

t.test('metadata of another issuer are no metadata', async t => {
  const { openid, upstream } = await start(t)
  openid.metadata.issuer = 'https://elsewhere.example'
  const error = await failure(upstream.begin(callbackOf('keycloak')))
  t.equal(error.code, 'failed')
  t.match(wholeText(error), /issuer/)
})

t.test('answers of any length are not waited for, nor read', async t => {
  const { openid, upstream } = await start(t)
  openid.trouble.set('/.well-known/openid-configuration', 'huge')
  t.match(wholeText(await failure(signIn(upstream))), /UND_ERR_RES_EXCEEDED_MAX_SIZE/)
  openid.trouble.set('/.well-known/openid-configuration', 'silent')
  t.match(wholeText(await failure(signIn(upstream))), /timed out/)
})

t.test('no error holds a code, a token, a secret or what the provider wrote', async t => {
  const { openid, upstream } = await start(t)
  const { memory } = await signIn(upstream)
  const errors: unknown[] = []
  for (const misbehaviour of [...untrue, 'server_error'] as const) {
    openid.misbehaviour = misbehaviour
    errors.push(await failure(signIn(upstream)))
  }
  openid.misbehaviour = undefined
  for (const trouble of ['error', 'text', 'huge'] as const) {
    openid.trouble.set('/protocol/token', trouble)
    errors.push(await failure(signIn(upstream)), await failure(askAgain(upstream, memory)))
  }
  openid.trouble.clear()
  const begun = await upstream.begin(callbackOf('keycloak'))
  const callback = await visit(begun.url)
  await upstream.finish(callback, begun.kept)
  errors.push(await failure(upstream.finish(callback, begun.kept)))
  callback.searchParams.delete('code')
  callback.searchParams.set('error', 'Text <of> somebody')
  callback.searchParams.set('error_description', 'words-of-somebody')
  errors.push(await failure(upstream.finish(callback, begun.kept)))
  errors.push(await failure(askAgain(upstream, 'refresh-no-json')))
  errors.push(await failure(askAgain(upstream, JSON.stringify({ subject: ada().sub, refreshToken: 'refresh-\ud800\n' })).then(answer => { if (answer === 'gone') throw new Error('gone') })))
  const text = errors.map(wholeText).join('\n')
  const secrets = ['code-', 'refresh-', 'access-', 'eyJ', openid.clientSecret, begun.kept.state, begun.kept.nonce ?? '-', ada().sub, 'example.com', 'maintenance', 'somebody', 'is not active']
  for (const secret of secrets) t.notOk(text.includes(secret), secret)
  t.ok(errors.every(error => error instanceof Error))
})
