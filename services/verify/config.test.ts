import t from 'tap'
import { ConfigurationError } from '@gateway/common/config.ts'
import { makePair } from '@gateway/common/test-certificate.ts'
import { loadVerifyConfig, settings } from './config.ts'

const base = { PUBLIC_URL: 'https://graphs.example.com', GATEWAY_SECRET: 'a-secret-for-tests-0123456789abcdef' }
const key = '0123456789abcdef0123456789abcdef'
const issuer = 'https://login.example.com/realms/main'

function faultsOf (env: Record<string, string>): readonly string[] {
  try {
    loadVerifyConfig(env)
    return []
  } catch (error) {
    if (error instanceof ConfigurationError) return error.faults
    throw error
  }
}

t.test('the shorthand for one issuer has safe defaults', async t => {
  const { issuers, apiKey, tls } = loadVerifyConfig({ ...base, BEARER_ISSUER: issuer })
  t.strictSame(issuers, [{
    issuer,
    jwksUri: undefined,
    audiences: ['https://graphs.example.com/mcp'],
    algorithms: ['RS256', 'PS256', 'ES256', 'EdDSA'],
    typ: undefined,
    clockSkewSeconds: 10,
    tenantClaim: 'tenant_id',
    groupsClaim: undefined,
    groupTenants: new Map(),
    tenants: ['*'],
    scopeClaim: undefined,
    scopeMapping: {},
    userClaim: 'sub',
    clientClaim: undefined,
    requiredClaims: [],
    introspection: undefined
  }])
  t.equal(apiKey, undefined)
  t.equal(tls, undefined)
})

t.test('the shorthand and the list say the same in two forms', async t => {
  const short = loadVerifyConfig({
    ...base,
    BEARER_ISSUER: issuer,
    BEARER_JWKS_URI: `${issuer}/keys`,
    BEARER_AUDIENCE: 'urn:a, urn:b',
    BEARER_ALGORITHMS: 'ES256,ES384',
    BEARER_TENANT_CLAIM: 'org.id',
    BEARER_TENANTS: 'acme,b-*',
    BEARER_SCOPE_CLAIM: 'roles',
    BEARER_SCOPE_MAPPING: 'read=graph:read,api://x/write=graph:write',
    BEARER_USER_CLAIM: 'email',
    BEARER_CLIENT_CLAIM: 'azp',
    BEARER_TYP: 'application/at+JWT',
    BEARER_CLOCK_SKEW_SECONDS: '0'
  })
  const listed = loadVerifyConfig({
    ...base,
    BEARER_ISSUERS: JSON.stringify([{
      issuer,
      jwks_uri: `${issuer}/keys`,
      audience: ['urn:a', 'urn:b'],
      algorithms: ['ES256', 'ES384'],
      tenant_claim: 'org.id',
      tenants: ['acme', 'b-*'],
      scope_claim: 'roles',
      scope_mapping: { read: 'graph:read', 'api://x/write': 'graph:write' },
      user_claim: 'email',
      client_claim: 'azp',
      typ: 'at+jwt',
      clock_skew_seconds: 0
    }])
  })
  t.strictSame(short.issuers, listed.issuers)
})

t.test('30: every fault is told in one start, those of single settings and those between them', async t => {
  const faults = faultsOf({
    PUBLIC_URL: 'graphs.example.com',
    GATEWAY_SECRET: 'short',
    VERIFY_PORT: 'many',
    VERIFY_HOST: '0.0.0.0',
    ALLOWED_ORIGINS: '*',
    MCP_API_KEY: 'weak',
    MCP_API_KEY_SCOPES: 'everything',
    BEARER_ISSUERS: '{'
  })
  for (const name of ['PUBLIC_URL', 'GATEWAY_SECRET has 5', 'VERIFY_PORT', 'VERIFY_TLS_CERT is not set', 'ALLOWED_ORIGINS', 'MCP_API_KEY has 4', 'MCP_API_KEY is set without MCP_API_KEY_TENANT', 'MCP_API_KEY_SCOPES', 'BEARER_ISSUERS is no JSON']) {
    t.ok(faults.some(fault => fault.startsWith(name)), `${name} in\n${faults.join('\n')}`)
  }
  t.equal(faults.length, 9)
})

const wrongList: Record<string, [entries: unknown, fault: RegExp]> = {
  'no list': [{ issuer }, /no JSON list/],
  'an empty list': [[], /no JSON list/],
  'something else in the list': [['x'], /^BEARER_ISSUERS\[0\] must be object/],
  'an unknown key': [[{ issuer, jwksUri: 'x' }], /^BEARER_ISSUERS\[0\]\.jwksUri is unknown; there are issuer, jwks_uri/],
  'no issuer': [[{ tenants: ['a'] }], /^BEARER_ISSUERS\[0\]\.issuer is not set/],
  'a wrong type': [[{ issuer, tenants: 'a' }], /^BEARER_ISSUERS\[0\]\.tenants must be array/],
  'a skew of a day': [[{ issuer, clock_skew_seconds: 86_400 }], /clock_skew_seconds must be <= 300/],
  'an empty list of tenants': [[{ issuer, tenants: [] }], /^BEARER_ISSUERS\[0\]\.tenants/],
  'two issuers and tenants for one': [[{ issuer, tenants: ['a'] }, { issuer: 'https://b.example' }], /^BEARER_ISSUERS\[1\]\.tenants is not set: with two or more/],
  'the same issuer twice': [[{ issuer, tenants: ['a'] }, { issuer, tenants: ['b'] }], /names an issuer a second time/],
  'a symmetric algorithm': [[{ issuer, algorithms: ['RS256', 'HS256'] }], /algorithms must not hold the symmetric HS256/],
  'the algorithm none': [[{ issuer, algorithms: ['none'] }], /algorithms holds "none"; there are RS256/],
  'an issuer that is no URL': [[{ issuer: 'login' }], /issuer is no URL/],
  'an issuer over plain http': [[{ issuer: 'http://login.example.com' }], /issuer must begin with https/],
  'keys over plain http': [[{ issuer, jwks_uri: 'http://203.0.113.5/keys' }], /jwks_uri must begin with https/],
  'keys in a file': [[{ issuer, jwks_uri: 'file:///etc/keys' }], /jwks_uri must begin with https/],
  'keys behind a password': [[{ issuer, jwks_uri: 'https://a:b@login.example.com/' }], /user name or password/],
  'an issuer with a fragment': [[{ issuer: `${issuer}#x` }], /must not have a fragment/],
  'groups that stand for no tenant': [[{ issuer, groups_claim: 'groups' }], /groups_claim is set without group_tenants/],
  'tenants of groups, but no groups': [[{ issuer, group_tenants: { a: 'acme' } }], /group_tenants is set without groups_claim/],
  'a group for no tenant': [[{ issuer, groups_claim: 'groups', group_tenants: { a: [] } }], /group_tenants\["a"\] must be a tenant or a list of tenants/],
  'a group for something else': [[{ issuer, groups_claim: 'groups', group_tenants: { a: { tenant: 'acme' } } }], /group_tenants\["a"\] must be a tenant/],
  'a group for a tenant that the issuer may not name': [[{ issuer, tenants: ['acme'], groups_claim: 'groups', group_tenants: { a: ['acme', 'bob'] } }], /group_tenants\["a"\] names "bob", which BEARER_ISSUERS\[0\]\.tenants does not let/],
  'a required claim without a rule': [[{ issuer, required_claims: { amr: null } }], /required_claims\["amr"\] must be the path of a claim with a value/],
  'a required claim of no possible value': [[{ issuer, required_claims: { amr: [] } }], /required_claims\["amr"\] must be/],
  'a required claim that is an object': [[{ issuer, required_claims: { org: { id: 'x' } } }], /required_claims\["org"\] must be/],
  'introspection without a client': [[{ issuer, introspection: { client_secret: 'x' } }], /introspection\.client_id is not set/],
  'a scope that nobody knows': [[{ issuer, scope_mapping: { read: 'read' } }], /scope_mapping maps "read" to "read"; there are graph:read/]
}
for (const [what, [entries, fault]] of Object.entries(wrongList)) {
  t.test(`BEARER_ISSUERS with ${what} is refused`, async t => {
    const faults = faultsOf({ ...base, BEARER_ISSUERS: JSON.stringify(entries) })
    t.equal(faults.length, 1, faults.join('\n'))
    t.match(faults[0], fault)
  })
}

const wrong: Record<string, [env: Record<string, string>, fault: RegExp]> = {
  'nothing by which anybody could call': [{}, /nobody could ever call/],
  'one issuer in both forms': [{ BEARER_ISSUER: issuer, BEARER_ISSUERS: JSON.stringify([{ issuer }]) }, /both set/],
  'keys without an issuer': [{ BEARER_JWKS_URI: 'https://a.example/keys', MCP_API_KEY: key, MCP_API_KEY_TENANT: 'a' }, /BEARER_JWKS_URI is set without BEARER_ISSUER/],
  'a symmetric algorithm': [{ BEARER_ISSUER: issuer, BEARER_ALGORITHMS: 'HS512' }, /^BEARER_ALGORITHMS must not hold/],
  'a mapping to no scope': [{ BEARER_ISSUER: issuer, BEARER_SCOPE_MAPPING: 'read' }, /^BEARER_SCOPE_MAPPING maps "read"/],
  'an API key with a comma': [{ MCP_API_KEY: `${key}, ${key}`, MCP_API_KEY_TENANT: 'a' }, /^MCP_API_KEY holds a space, a comma/],
  'an API key like a JWT': [{ MCP_API_KEY: `${key}.${key}.x`, MCP_API_KEY_TENANT: 'a' }, /^MCP_API_KEY has two dots/],
  'an API key of one character': [{ MCP_API_KEY: 'x'.repeat(40), MCP_API_KEY_TENANT: 'a' }, /^MCP_API_KEY repeats/],
  'an API key for a tenant that cannot be': [{ MCP_API_KEY: key, MCP_API_KEY_TENANT: 'x'.repeat(129) }, /^MCP_API_KEY_TENANT/],
  'an origin with a path': [{ BEARER_ISSUER: issuer, ALLOWED_ORIGINS: 'https://a.example/' }, /^ALLOWED_ORIGINS holds "https:\/\/a.example\/"/],
  'a certificate without its key': [{ BEARER_ISSUER: issuer, VERIFY_TLS_CERT: '/nowhere' }, /must be set together/],
  'a certificate that is not there': [{ BEARER_ISSUER: issuer, VERIFY_TLS_CERT: '/nowhere', VERIFY_TLS_KEY: '/nowhere' }, /^\/nowhere cannot be read \(ENOENT\)/],
  'challenge scopes that no header can carry': [{ BEARER_ISSUER: issuer, CHALLENGE_SCOPES: 'a"b' }, /^CHALLENGE_SCOPES/]
}
for (const [what, [env, fault]] of Object.entries(wrong)) {
  t.test(`${what} is refused`, async t => {
    const faults = faultsOf({ ...base, ...env })
    t.equal(faults.length, 1, faults.join('\n'))
    t.match(faults[0], fault)
    t.notMatch(faults.join(), key, 'no fault shows the key')
  })
}

t.test('BEARER_ISSUERS may lie in a file, for it can hold a secret; no fault shows what is in it', async t => {
  const good = JSON.stringify([{ issuer, introspection: { client_id: 'gateway', client_secret: 'SENTINEL' } }])
  const dir = t.testdir({ good, broken: good.slice(0, -1), wrong: good.replace('client_id', 'SENTINEL_ID') })
  t.match(loadVerifyConfig({ ...base, BEARER_ISSUERS_FILE: `${dir}/good` }).issuers, [{ issuer, introspection: { clientSecret: 'SENTINEL', cacheSeconds: 30 } }])
  for (const [name, fault] of [['broken', /^BEARER_ISSUERS is no JSON list/], ['wrong', /introspection\.client_id is not set/], ['none', /^BEARER_ISSUERS_FILE: .* cannot be read/]] as const) {
    const faults = faultsOf({ ...base, MCP_API_KEY: key, MCP_API_KEY_TENANT: 'a', BEARER_ISSUERS_FILE: `${dir}/${name}` })
    t.match(faults[0], fault)
    t.notMatch(faults.join(), '"SENTINEL"')
  }
})

t.test('a certificate must belong to its key', async t => {
  const [ours, other] = await Promise.all([makePair(), makePair()])
  const dir = t.testdir({ cert: ours.cert, key: ours.key, other: other.key, junk: 'junk' })
  const env = { ...base, BEARER_ISSUER: issuer, VERIFY_HOST: '0.0.0.0', VERIFY_TLS_CERT: `${dir}/cert` }
  t.strictSame(loadVerifyConfig({ ...env, VERIFY_TLS_KEY: `${dir}/key` }).tls, ours)
  t.match(faultsOf({ ...env, VERIFY_TLS_KEY: `${dir}/other` }), ['VERIFY_TLS_KEY is not the key of VERIFY_TLS_CERT'])
  t.match(faultsOf({ ...env, VERIFY_TLS_KEY: `${dir}/junk` }), [/not a certificate and its key/])
})

t.test('plain http to an issuer passes inside a private network only, and is warned of beyond this machine', async t => {
  for (const inside of ['http://127.0.0.1:9', 'http://localhost:9/x', 'http://[::1]:9']) t.notMatch(loadVerifyConfig({ ...base, BEARER_ISSUER: inside }).warnings.join(), /plain http:/, inside)
  for (const near of ['http://oauth:4000', 'http://10.1.2.3', 'http://keycloak.svc.cluster.local', 'http://idp.internal']) t.match(loadVerifyConfig({ ...base, BEARER_ISSUER: near }).warnings.join(), /can forge every token/, near)
  for (const outside of ['http://login.example.com', 'http://169.254.169.254', 'http://8.8.8.8']) t.equal(faultsOf({ ...base, BEARER_ISSUER: outside }).length, 1, outside)
})

t.test('each setting says what it is for', async t => {
  for (const [name, { description, group }] of Object.entries(settings.properties) as Array<[string, { description?: string, group?: string }]>) {
    t.ok(description && group, name)
  }
})

const oauth = { OAUTH_URL: 'http://oauth:4170' }

t.test('the built-in sign-in is trusted by its address alone, under PUBLIC_URL, for every tenant, before the configured issuers', async t => {
  const { issuers, warnings } = loadVerifyConfig({ ...base, ...oauth, VERIFY_TLS_CERT: '', VALKEY_URL: 'redis://127.0.0.1:6379' })
  t.match(issuers, [{
    issuer: base.PUBLIC_URL,
    jwksUri: 'http://oauth:4170/.well-known/jwks.json',
    audiences: [`${base.PUBLIC_URL}/mcp`],
    algorithms: ['RS256', 'ES256', 'EdDSA'],
    typ: 'at+jwt',
    tenants: ['*'],
    introspection: undefined
  }])
  t.notMatch(warnings.join(), /plain http:/, 'its keys travel over a network of their own')
  const both = loadVerifyConfig({ ...base, ...oauth, BEARER_ISSUER: issuer, BEARER_TENANTS: 'acme' })
  t.strictSame(both.issuers.map(({ issuer, tenants }) => [issuer, tenants]), [[base.PUBLIC_URL, ['*']], [issuer, ['acme']]])
})

t.test('without replicas or an address there is no built-in sign-in', async t => {
  for (const off of [{ ...oauth, OAUTH_REPLICAS: '0' }, { OAUTH_REPLICAS: '1' }]) {
    t.strictSame(loadVerifyConfig({ ...base, ...off, BEARER_ISSUER: issuer }).issuers.map(({ issuer }) => issuer), [issuer])
    t.match(faultsOf({ ...base, ...off }), [/nobody could ever call/])
  }
})

const besides: Record<string, [env: Record<string, string>, fault: RegExp]> = {
  'an issuer that does not say which tenants it may name': [{ BEARER_ISSUER: issuer }, /^BEARER_TENANTS is not set: with two or more issuers/],
  'the same of the list': [{ BEARER_ISSUERS: JSON.stringify([{ issuer }]) }, /^BEARER_ISSUERS\[0\]\.tenants is not set: with two or more issuers/],
  'an issuer of its own name': [{ BEARER_ISSUER: base.PUBLIC_URL, BEARER_TENANTS: '*' }, /^PUBLIC_URL is the issuer of the built-in sign-in/],
  'an address with a path': [{ OAUTH_URL: 'http://oauth:4170/keys' }, /^OAUTH_URL must be an origin/],
  'an address out in the clear': [{ OAUTH_URL: 'http://oauth.example.com' }, /^OAUTH_URL must begin with https:/],
  'no number of replicas': [{ OAUTH_REPLICAS: 'off' }, /^OAUTH_REPLICAS must be integer/]
}
for (const [what, [env, fault]] of Object.entries(besides)) {
  t.test(`beside the built-in sign-in ${what} is refused`, async t => {
    const faults = faultsOf({ ...base, ...oauth, ...env })
    t.equal(faults.length, 1, faults.join('\n'))
    t.match(faults[0], fault)
  })
}
