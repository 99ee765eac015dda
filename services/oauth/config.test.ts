import t from 'tap'
import { ConfigurationError } from '@gateway/common/config.ts'
import { loadOauthConfig, settings } from './config.ts'

const base = {
  PUBLIC_URL: 'https://graphs.example.com',
  GATEWAY_SECRET: 'a-secret-for-tests-0123456789abcdef',
  OAUTH_SECRET: 'a-secret-of-sign-in-0123456789abcdef',
  VALKEY_URL: 'redis://127.0.0.1:6379',
  GITHUB_CLIENT_ID: 'Iv1.abc',
  GITHUB_CLIENT_SECRET: 'hub-secret',
  TENANTS_FILE: '/config/members.json'
}
const local = { PUBLIC_URL: 'https://localhost:8443', GATEWAY_SECRET: base.GATEWAY_SECRET, VALKEY_URL: base.VALKEY_URL, LOCAL_SIGN_IN: 'true' }

function faultsOf (env: Record<string, string>): readonly string[] {
  try {
    loadOauthConfig(env)
    return []
  } catch (error) {
    if (error instanceof ConfigurationError) return error.faults
    throw error
  }
}

t.test('one upstream and a file of tenants are enough; all else has a safe default', async t => {
  const config = loadOauthConfig(base)
  t.equal(config.issuer, 'https://graphs.example.com')
  t.strictSame(config.upstreams.map(({ id }) => id), ['github'])
  t.strictSame(config.memberScopes, ['graph:read', 'graph:write'])
  t.strictSame(config.allowed, { users: [], organisations: [], domains: [] })
  t.strictSame(config.cimdTrustedHosts, [])
  t.strictSame(config.warnings, [])
  t.equal(config.LOCAL_SIGN_IN, false)
  t.equal(config.ACCESS_TOKEN_ALG, 'RS256')
  t.equal(config.REFRESH_REUSE_GRACE_S, 10)
})

t.test('OAUTH_SECRET stands in place of GATEWAY_SECRET, and is judged like it; without it the service starts and says what that means', async t => {
  const { GATEWAY_SECRET: shared, OAUTH_SECRET: own } = base
  t.strictSame(loadOauthConfig(base).secrets, [own])
  t.strictSame(loadOauthConfig({ ...base, OAUTH_SECRET: `${own},${shared}` }).secrets, [own, shared])
  const without = loadOauthConfig({ ...base, OAUTH_SECRET: '' })
  t.strictSame(without.secrets, [shared])
  t.match(without.warnings, [/^OAUTH_SECRET is not set/])
  t.match(faultsOf({ ...base, OAUTH_SECRET: 'short' }), ['OAUTH_SECRET has 5 characters; it needs at least 32: openssl rand -hex 32'])
  t.match(faultsOf({ ...base, OAUTH_SECRET: shared }), [/^OAUTH_SECRET begins with GATEWAY_SECRET/])
})

t.test('lists are read without regard to spaces and capitals', async t => {
  const { allowed, cimdTrustedHosts } = loadOauthConfig({ ...base, PUBLIC_URL: 'https://localhost:8443', ALLOWED_USERS: 'Ada@Example.com, github:Octocat,', ALLOWED_ORGANISATIONS: ' github:Acme-Inc', ALLOWED_DOMAINS: 'Example.com', CIMD_TRUSTED_HOSTS: 'Localhost:8444' })
  t.strictSame(allowed, { users: ['ada@example.com', 'github:octocat'], organisations: ['github:acme-inc'], domains: ['example.com'] })
  t.strictSame(cimdTrustedHosts, ['localhost:8444'])
})

t.test('30: every fault is told in one start, those of single settings and those between them', async t => {
  const faults = faultsOf({
    PUBLIC_URL: 'https://graphs.example.com',
    GATEWAY_SECRET: 'short',
    LOCAL_SIGN_IN: 'true',
    LOCAL_SIGN_IN_TENANTS: 'acme',
    GITHUB_CLIENT_ID: 'x',
    GOOGLE_CLIENT_ID: 'y',
    OIDC_ID: 'Not A Name',
    OIDC_ISSUER: 'https://login.example.com',
    ACCESS_TOKEN_TTL_S: '5',
    ACCESS_TOKEN_ALG: 'HS256',
    TENANT_SCOPES: 'everything',
    CIMD_TRUSTED_HOSTS: 'https://x',
    SHARED_EGRESS_RANGES: '10.0.0.0/99'
  })
  const expected = [
    'OIDC_ID must match', 'ACCESS_TOKEN_TTL_S must be >= 10', 'ACCESS_TOKEN_ALG must be one of RS256, ES256, EdDSA', 'GATEWAY_SECRET has 5', 'VALKEY_URL is not set', 'GITHUB_CLIENT_ID is set without',
    'GOOGLE_CLIENT_ID is set without GOOGLE_CLIENT_SECRET', 'GOOGLE_CLIENT_ID is set without GOOGLE_HOSTED_DOMAINS', 'LOCAL_SIGN_IN is on, but', 'TENANT_SCOPES holds "everything"',
    'CIMD_TRUSTED_HOSTS has', 'CIMD_TRUSTED_HOSTS is set on a public domain', 'SHARED_EGRESS_RANGES has'
  ]
  for (const start of expected) t.ok(faults.some(fault => fault.startsWith(start)), `${start} in\n${faults.join('\n')}`)
  t.equal(faults.length, expected.length, faults.join('\n'))
})

const refused: Record<string, [env: Record<string, string>, fault: RegExp]> = {
  'nobody who could sign in': [{ ...base, GITHUB_CLIENT_ID: '', GITHUB_CLIENT_SECRET: '' }, /^nobody could sign in: set GITHUB_CLIENT_ID/],
  'no state store': [{ ...base, VALKEY_URL: '' }, /^VALKEY_URL is not set: sessions/],
  'local sign-in on a public host': [{ ...base, LOCAL_SIGN_IN: 'true' }, /^LOCAL_SIGN_IN is on, but PUBLIC_URL is no address of this machine/],
  'local sign-in at a private address, where colleagues are': [{ ...base, PUBLIC_URL: 'https://10.0.0.5', LOCAL_SIGN_IN: 'true' }, /^LOCAL_SIGN_IN is on, but/],
  'local sign-in at a host that begins like this machine': [{ ...base, PUBLIC_URL: 'https://localhost.example.com', LOCAL_SIGN_IN: 'true' }, /^LOCAL_SIGN_IN is on, but/],
  'local sign-in at a host that begins like its address': [{ ...base, PUBLIC_URL: 'https://127.0.0.1.example.com', LOCAL_SIGN_IN: 'true' }, /^LOCAL_SIGN_IN is on, but/],
  'local sign-in without tenants': [local, /^LOCAL_SIGN_IN is on without LOCAL_SIGN_IN_TENANTS/],
  'a local tenant of 200 bytes': [{ ...local, LOCAL_SIGN_IN_TENANTS: 'x'.repeat(200) }, /^LOCAL_SIGN_IN_TENANTS has .* longer than 128 bytes/],
  'no rule of who belongs to which tenant': [{ ...base, TENANTS_FILE: '' }, /^nobody would belong to a tenant: set TENANTS_FILE or TENANT_FROM/],
  'a file and a rule': [{ ...base, TENANT_FROM: 'domain', ALLOWED_DOMAINS: 'example.com' }, /^TENANTS_FILE and TENANT_FROM are both set/],
  'tenants from every domain of the world': [{ ...base, TENANTS_FILE: '', TENANT_FROM: 'domain' }, /^TENANT_FROM=domain needs ALLOWED_DOMAINS/],
  'tenants from every group': [{ ...base, TENANTS_FILE: '', TENANT_FROM: 'groups' }, /^TENANT_FROM=groups needs ALLOWED_ORGANISATIONS/],
  'tenants from the weather': [{ ...base, TENANTS_FILE: '', TENANT_FROM: 'weather' }, /^TENANT_FROM must be one of/],
  'a scope that there is not': [{ ...base, TENANT_SCOPES: 'graph:read graph:own' }, /^TENANT_SCOPES holds "graph:own"; there are graph:read/],
  'no scope': [{ ...base, TENANT_SCOPES: ' ' }, /^TENANT_SCOPES holds no scope/],
  'trusted metadata hosts on a public domain': [{ ...base, CIMD_TRUSTED_HOSTS: 'clients.internal' }, /^CIMD_TRUSTED_HOSTS is set on a public domain/],
  'trusted metadata hosts at a public address': [{ ...base, PUBLIC_URL: 'https://203.0.113.5', CIMD_TRUSTED_HOSTS: 'clients.internal' }, /^CIMD_TRUSTED_HOSTS is set on a public domain/],
  'a URL for a metadata host': [{ ...base, PUBLIC_URL: 'https://localhost', CIMD_TRUSTED_HOSTS: 'https://clients.internal/x' }, /^CIMD_TRUSTED_HOSTS has "https:\/\/clients\.internal\/x"/],
  'a metadata authority for nobody': [{ ...base, CIMD_CA_FILE: '/ca.pem' }, /^CIMD_CA_FILE is set without CIMD_TRUSTED_HOSTS/],
  'a symmetric signature': [{ ...base, ACCESS_TOKEN_ALG: 'HS256' }, /^ACCESS_TOKEN_ALG must be one of RS256, ES256, EdDSA/],
  'access tokens of a week': [{ ...base, ACCESS_TOKEN_TTL_S: '604800' }, /^ACCESS_TOKEN_TTL_S must be <= 86400/],
  'a proxy that is none': [{ ...base, TRUSTED_PROXIES: 'traefik' }, /^TRUSTED_PROXIES has "traefik", which is no address/]
}
for (const [what, [env, fault]] of Object.entries(refused)) {
  t.test(`${what}: refused`, async t => {
    const faults = faultsOf(env)
    t.match(faults, [fault])
    t.equal(faults.length, 1, faults.join('\n'))
  })
}

const taken: Record<string, Record<string, string>> = {
  'local sign-in on this machine': { ...local, LOCAL_SIGN_IN_TENANTS: 'acme,globex' },
  'local sign-in at a name of this machine': { ...local, PUBLIC_URL: 'https://graphs.localhost:8443', LOCAL_SIGN_IN_TENANTS: 'acme' },
  'local sign-in with a file of tenants': { ...local, TENANTS_FILE: '/config/members.json' },
  'local sign-in where nobody has a tenant': { ...local, ENABLE_MULTI_TENANCY: 'false' },
  'no rule of tenants where nobody has one': { ...base, TENANTS_FILE: '', ENABLE_MULTI_TENANCY: 'false' },
  'tenants from the domains of a Workspace': { ...base, TENANTS_FILE: '', TENANT_FROM: 'domain', GOOGLE_CLIENT_ID: 'x', GOOGLE_CLIENT_SECRET: 'y', GOOGLE_HOSTED_DOMAINS: 'example.com' },
  'trusted metadata hosts on this machine': { ...base, PUBLIC_URL: 'https://localhost:8443', CIMD_TRUSTED_HOSTS: 'localhost:8444,[::1]:8445' },
  'trusted metadata hosts in a private network': { ...base, PUBLIC_URL: 'https://graphs.internal', CIMD_TRUSTED_HOSTS: 'clients.internal' }
}
for (const [what, env] of Object.entries(taken)) {
  t.test(`${what}: taken`, async t => {
    t.strictSame(faultsOf(env), [])
  })
}

t.test('local sign-in says at every start that it is on', async t => {
  const { warnings } = loadOauthConfig({ ...local, LOCAL_SIGN_IN_TENANTS: 'acme' })
  t.match(warnings, [/LOCAL_SIGN_IN is on: whoever reaches this machine signs in as anybody/, /OAUTH_SECRET is not set/])
})

t.test('no fault shows a secret', async t => {
  const faults = faultsOf({ ...base, GATEWAY_SECRET: 'short-secret', GITHUB_CLIENT_ID: '', OIDC_PROVIDERS: '[{"client_secret":"list-secret"}]', VALKEY_URL: 'http://:redis-secret@x' })
  t.ok(faults.length >= 4)
  t.notMatch(faults.join('\n'), /short-secret|hub-secret|list-secret|redis-secret/)
})

t.test('every setting says what it is for, in a group', async t => {
  for (const [name, property] of Object.entries(settings.properties) as Array<[string, { description?: string, group?: string }]>) {
    t.match(property.description, /\.$/, name)
    t.ok(property.group, name)
  }
})
