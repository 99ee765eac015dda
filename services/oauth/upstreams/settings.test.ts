import t from 'tap'
import { ConfigurationError } from '@gateway/common/config.ts'
import { loadOauthConfig } from '../config.ts'
import { base } from './test-support.ts'

function faultsOf (env: Record<string, string>): readonly string[] {
  try {
    loadOauthConfig({ ...base, ...env })
    return []
  } catch (error) {
    if (error instanceof ConfigurationError) return error.faults
    throw error
  }
}

const github = { GITHUB_CLIENT_ID: 'Iv1.abc', GITHUB_CLIENT_SECRET: 'hub-secret' }
const google = { GOOGLE_CLIENT_ID: 'g', GOOGLE_CLIENT_SECRET: 'goo-secret', GOOGLE_HOSTED_DOMAINS: 'example.com' }
const oidc = { OIDC_ISSUER: 'https://login.example.com/realms/main', OIDC_CLIENT_ID: 'o', OIDC_CLIENT_SECRET: 'oidc-secret' }
const entry = { id: 'keycloak', label: 'Keycloak', issuer: 'https://a.example', client_id: 'gateway', client_secret: 'list-secret' }

t.test('several upstreams at once, in the order of their buttons', async t => {
  const { upstreams } = loadOauthConfig({ ...base, ...github, ...google, ...oidc, GOOGLE_HOSTED_DOMAINS: 'Example.com,globex.example', PUBLIC_URL: 'https://localhost:8443', LOCAL_SIGN_IN: 'true' })
  t.strictSame(upstreams, [
    { kind: 'github', id: 'github', label: 'GitHub', url: 'https://github.com', clientId: 'Iv1.abc', clientSecret: 'hub-secret' },
    { kind: 'google', id: 'google', label: 'Google', issuer: 'https://accounts.google.com', clientId: 'g', clientSecret: 'goo-secret', hostedDomains: ['example.com', 'globex.example'] },
    { kind: 'oidc', id: 'oidc', label: 'your company account', issuer: 'https://login.example.com/realms/main', clientId: 'o', clientSecret: 'oidc-secret', scopes: 'openid profile email', groupsClaim: 'groups', trustEmail: false, emailDomains: [] },
    { kind: 'local', id: 'local', label: 'a name for development' }
  ])
})

t.test('one provider and a list of one say the same in two forms', async t => {
  const short = loadOauthConfig({ ...base, OIDC_ID: 'entra', OIDC_LABEL: 'Acme', OIDC_ISSUER: 'https://a.example', OIDC_CLIENT_ID: 'gateway', OIDC_CLIENT_SECRET: 'list-secret', OIDC_SCOPES: 'openid email', OIDC_GROUPS_CLAIM: 'roles', OIDC_TRUST_EMAIL: 'true', OIDC_EMAIL_DOMAINS: 'Acme.example' })
  const listed = loadOauthConfig({ ...base, OIDC_PROVIDERS: JSON.stringify([{ ...entry, id: 'entra', label: 'Acme', scopes: 'openid email', groups_claim: 'roles', trust_email: true, email_domains: ['acme.example'] }]) })
  t.strictSame(short.upstreams, listed.upstreams)
})

const rows: Record<string, [env: Record<string, string>, fault: RegExp]> = {
  'a GitHub id without a secret': [{ GITHUB_CLIENT_ID: 'x' }, /^GITHUB_CLIENT_ID is set without GITHUB_CLIENT_SECRET/],
  'a GitHub secret without an id': [{ ...google, GITHUB_CLIENT_SECRET: 'x' }, /^GITHUB_CLIENT_SECRET is set without GITHUB_CLIENT_ID/],
  'a GitHub over plain http': [{ ...github, GITHUB_URL: 'http://github.example.com' }, /^GITHUB_URL must begin with https/],
  'a GitHub over plain http at a private address': [{ ...github, GITHUB_URL: 'http://10.0.0.5' }, /^GITHUB_URL must begin with https/],
  'a Google id without a secret': [{ ...google, GOOGLE_CLIENT_SECRET: '' }, /^GOOGLE_CLIENT_ID is set without GOOGLE_CLIENT_SECRET/],
  'Google without domains': [{ ...google, GOOGLE_HOSTED_DOMAINS: '' }, /^GOOGLE_CLIENT_ID is set without GOOGLE_HOSTED_DOMAINS/],
  'Google for every domain': [{ ...google, GOOGLE_HOSTED_DOMAINS: '*' }, /^GOOGLE_HOSTED_DOMAINS has "\*"; a domain is like example\.com/],
  'a Google domain with an @': [{ ...google, GOOGLE_HOSTED_DOMAINS: 'example.com, @globex.example' }, /^GOOGLE_HOSTED_DOMAINS has "@globex\.example"/],
  'another Google over plain http': [{ ...google, GOOGLE_ISSUER: 'http://accounts.example' }, /^GOOGLE_ISSUER must begin with https/],
  'an OpenID provider without a client': [{ ...oidc, OIDC_CLIENT_ID: '' }, /^OIDC_CLIENT_ID is not set/],
  'an OpenID provider without a secret': [{ ...oidc, OIDC_CLIENT_SECRET: '' }, /^OIDC_CLIENT_SECRET is not set/],
  'an OpenID client without a provider': [{ ...github, OIDC_CLIENT_ID: 'x' }, /^OIDC_CLIENT_ID or OIDC_CLIENT_SECRET is set without OIDC_ISSUER/],
  'an issuer that is no URL': [{ ...oidc, OIDC_ISSUER: 'keycloak' }, /^OIDC_ISSUER is no URL/],
  'an issuer over plain http': [{ ...oidc, OIDC_ISSUER: 'http://login.example.com' }, /^OIDC_ISSUER must begin with https/],
  'an issuer that only looks like this machine': [{ ...oidc, OIDC_ISSUER: 'http://localhost.example.com' }, /^OIDC_ISSUER must begin with https/],
  'an issuer with a password': [{ ...oidc, OIDC_ISSUER: 'https://a:b@login.example.com' }, /^OIDC_ISSUER must not hold a user name or password/],
  'an issuer with a query': [{ ...oidc, OIDC_ISSUER: 'https://login.example.com/?a=b' }, /^OIDC_ISSUER must not have a query/],
  'metadata in place of an issuer': [{ ...oidc, OIDC_ISSUER: 'https://login.example.com/.well-known/openid-configuration' }, /^OIDC_ISSUER names the metadata of an issuer/],
  'everybody\'s Entra ID': [{ ...oidc, OIDC_ISSUER: 'https://login.microsoftonline.com/common/v2.0' }, /^OIDC_ISSUER stands for everybody's Entra ID/],
  'a provider that takes GitHub\'s subjects': [{ ...oidc, OIDC_ID: 'github' }, /^OIDC_ID must be none of github, google, local/],
  'scopes without openid': [{ ...oidc, OIDC_SCOPES: 'profile email' }, /^OIDC_SCOPES lacks openid/],
  'a button of a hundred characters': [{ ...oidc, OIDC_LABEL: 'x'.repeat(100) }, /^OIDC_LABEL must have 1 to 60 characters/],
  'one provider and a list': [{ ...oidc, OIDC_PROVIDERS: JSON.stringify([entry]) }, /^OIDC_ISSUER and OIDC_PROVIDERS are both set/]
}
for (const [what, [env, fault]] of Object.entries(rows)) {
  t.test(`${what} stops the start`, async t => {
    const faults = faultsOf(env)
    t.ok(faults.some(text => fault.test(text)), faults.join('\n'))
    t.equal(faults.length, 1, 'and nothing else does')
  })
}

const wrongLists: Record<string, [list: unknown, fault: RegExp]> = {
  'an object in place of the list': [entry, /^OIDC_PROVIDERS: the whole must be array/],
  'an empty list': [[], /^OIDC_PROVIDERS: the whole must not have fewer than 1 items/],
  'an entry without a secret': [[{ ...entry, client_secret: undefined }], /^OIDC_PROVIDERS: \[0\]\.client_secret is missing/],
  'an entry with an empty secret': [[{ ...entry, client_secret: '' }], /^OIDC_PROVIDERS\[0\]\.client_secret is not set/],
  'an unknown member': [[{ ...entry, clientId: 'x' }], /^OIDC_PROVIDERS: \[0\]\.clientId is unknown here/],
  'a domain that is none': [[{ ...entry, email_domains: ['*.example.com'] }], /^OIDC_PROVIDERS\[0\]\.email_domains has "\*\.example\.com"; a domain is like example\.com/],
  'no domain at all': [[{ ...entry, email_domains: [] }], /^OIDC_PROVIDERS: \[0\]\.email_domains must not have fewer than 1 items/],
  'a member of another type': [[{ ...entry, trust_email: 'yes' }], /^OIDC_PROVIDERS: \[0\]\.trust_email must be boolean/],
  'an id in capitals': [[{ ...entry, id: 'Keycloak' }], /^OIDC_PROVIDERS\[0\]\.id must be a short name/],
  'an id of ours': [[entry, { ...entry, id: 'local' }], /^OIDC_PROVIDERS\[1\]\.id must be none of github, google, local/],
  'the same id twice': [[entry, { ...entry, issuer: 'https://b.example' }], /^OIDC_PROVIDERS names the id "keycloak" a second time/],
  'an issuer over plain http': [[{ ...entry, issuer: 'http://a.example' }], /^OIDC_PROVIDERS\[0\]\.issuer must begin with https/],
  'no label': [[{ ...entry, label: '' }], /^OIDC_PROVIDERS\[0\]\.label must have/]
}
for (const [what, [list, fault]] of Object.entries(wrongLists)) {
  t.test(`a list of providers with ${what} stops the start`, async t => {
    const faults = faultsOf({ OIDC_PROVIDERS: JSON.stringify(list) })
    t.ok(faults.some(text => fault.test(text)), faults.join('\n'))
    t.equal(faults.length, 1)
    t.notMatch(faults.join(), /secret-|list-secret/)
  })
}

t.test('a list that is no JSON is named without its text, which holds secrets', async t => {
  const faults = faultsOf({ OIDC_PROVIDERS: '[{"client_secret":"list-secret",}]' })
  t.match(faults, [/^OIDC_PROVIDERS: the text is no JSON/])
  t.notMatch(faults.join(), /list-secret/)
})

t.test('plain http is taken on this machine', async t => {
  for (const url of ['http://127.0.0.1:8080', 'http://localhost:8080', 'http://[::1]:8080', 'http://keycloak.localhost:8080']) {
    t.strictSame(faultsOf({ ...github, GITHUB_URL: url, ...oidc, OIDC_ISSUER: url }), [], url)
  }
})

t.test('several ways in, one of which may vouch for anybody\'s address, deserve a word at the start', async t => {
  const warned = (env: Record<string, string>) => loadOauthConfig({ ...base, OAUTH_SECRET: 'a-secret-of-sign-in-0123456789abcdef', ...env }).warnings
  const [one, two] = ['one', 'two'].map(id => ({ ...entry, id, email_domains: [`${id}.example`] }))
  t.strictSame(warned({ OIDC_PROVIDERS: JSON.stringify([entry]) }), [], 'one alone says who everybody is')
  t.strictSame(warned({ OIDC_PROVIDERS: JSON.stringify([one, two]) }), [])
  t.match(warned({ OIDC_PROVIDERS: JSON.stringify([one, { ...entry, id: 'two' }]) }), [/^two may vouch for any e-mail address/])
})
