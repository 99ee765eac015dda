import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { until } from '../../../tests/support/until.ts'
import { loadOauthConfig } from '../config.ts'
import { openMemberships } from './membership.ts'
import type { Person } from './person.ts'

const upstream = { GITHUB_CLIENT_ID: 'gateway', GITHUB_CLIENT_SECRET: 'gateway-secret' }
const nobody = { ALLOWED_USERS: '', ALLOWED_ORGANISATIONS: '', ALLOWED_DOMAINS: '' }

function open (t: Test, env: Record<string, string>) {
  const config = loadOauthConfig({ PUBLIC_URL: 'https://graphs.example.com', GATEWAY_SECRET: 'a-secret-for-tests-0123456789abcdef', VALKEY_URL: 'redis://127.0.0.1:6379', ...upstream, ...nobody, ...env })
  const memberships = openMemberships(config, pino({ level: 'silent' }))
  t.teardown(() => memberships.close())
  return memberships
}

/** With a tenants file that a test may change. */
function withFile (t: Test, tenants: unknown, env: Record<string, string> = {}) {
  const path = join(t.testdir({ 'members.json': JSON.stringify({ tenants }) }), 'members.json')
  const write = (text: string) => {
    writeFileSync(`${path}.new`, text)
    renameSync(`${path}.new`, path)
  }
  return { write, memberships: open(t, { TENANTS_FILE: path, ...env }) }
}

const person = (facts: Partial<Person> = {}): Person => ({ id: 'github:583231', upstream: 'github', name: 'octocat', handle: 'github:octocat', email: undefined, groups: [], ...facts })
const ada = person({ id: 'google:1', upstream: 'google', name: 'Ada', handle: 'google:ada@acme.com', email: 'ada@acme.com' })
const read = ['graph:read']
const write = ['graph:read', 'graph:write']
const admin = ['graph:read', 'graph:write', 'graph:admin']

t.test('a file says who belongs where: by address, handle, number, group and domain', async t => {
  const { memberships } = withFile(t, [
    { tenant: 'acme', scopes: ['graph:read'], users: ['ada@acme.com', 'github:octocat'], groups: ['github:acme-inc'], domains: ['acme.com'] },
    { tenant: 'globex', users: ['github:583231'], groups: [{ group: 'keycloak:/engineers', scopes: ['graph:admin'] }] }
  ])
  t.strictSame(memberships.of(ada), [{ tenant: 'acme', scopes: read }])
  t.strictSame(memberships.of(person()), [{ tenant: 'acme', scopes: read }, { tenant: 'globex', scopes: write }], 'TENANT_SCOPES where nothing else is said')
  t.strictSame(memberships.of(person({ id: 'github:7', handle: 'github:other', groups: ['github:acme-inc'] })), [{ tenant: 'acme', scopes: read }])
  t.strictSame(memberships.of(person({ id: 'keycloak:7', upstream: 'keycloak', handle: 'keycloak:eve', groups: ['keycloak:/engineers'] })), [{ tenant: 'globex', scopes: admin }])
  t.strictSame(memberships.of(person({ id: 'github:8', handle: 'github:new', email: 'new@acme.com' })), [{ tenant: 'acme', scopes: read }])
  t.strictSame(memberships.of(person({ id: 'github:9', handle: 'github:stranger' })), [])
  t.equal(memberships.status(), 'ok')
})

t.test('scopes of several rules that fit are united, and expanded', async t => {
  const { memberships } = withFile(t, [
    { tenant: 'b', scopes: ['graph:read'], domains: ['acme.com'], users: [{ user: 'ada@acme.com', scopes: ['graph:write'] }] },
    { tenant: 'a', scopes: ['graph:read'], users: ['ada@acme.com'] },
    { tenant: 'a', scopes: ['graph:admin'], users: ['ada@acme.com'] }
  ])
  t.strictSame(memberships.of(ada), [{ tenant: 'a', scopes: admin }, { tenant: 'b', scopes: write }])
})

t.test('a rule fits whatever its case and normal form, and nobody else', async t => {
  const { memberships } = withFile(t, [{ tenant: 'acme', users: ['Ada@ACME.com', 'GitHub:OctoCat', 'rene\u0301@acme.com', 'keycloak:kim'], domains: ['Bücher.example'] }])
  const belongs = (facts: Partial<Person>) => memberships.of(person({ id: 'github:1', handle: 'github:x', ...facts })).length === 1
  for (const facts of [{ email: 'ada@acme.com' }, { email: 'ADA@acme.COM' }, { handle: 'github:octocat' }, { email: 'ren\u00e9@acme.com' }, { email: 'x@bücher.example' }]) t.ok(belongs(facts), JSON.stringify(facts))
  for (const [why, facts] of Object.entries({
    'no address that somebody vouches for': { email: undefined },
    'a Cyrillic letter in the name': { email: '\u0430da@acme.com' },
    'a Cyrillic letter in the handle': { handle: 'github:\u043ectocat' },
    'the Kelvin sign, which lower case makes a k': { id: 'keycloak:1', upstream: 'keycloak', handle: 'keycloak:\u212aim' },
    'a full-width letter': { email: '\uff41da@acme.com' },
    'a zero-width space': { email: 'ada\u200b@acme.com' },
    'a subdomain': { email: 'x@mail.bücher.example' },
    'a domain that ends so': { email: 'x@notbücher.example' },
    'a domain with a dot behind it': { email: 'x@bücher.example.' },
    'the domain in punycode, which is another text': { email: 'x@xn--bcher-kva.example' },
    'an address with another inside': { email: 'ada@acme.com@evil.example' },
    'a quoted address that ends in one of ours': { email: '"evil@evil.example"@bücher.example' },
    'the address as a handle': { handle: 'ada@acme.com' },
    'the handle of another upstream': { id: 'gitea:1', upstream: 'gitea', handle: 'gitea:octocat' },
    'an upstream that hands out names of another': { id: 'keycloak:1', upstream: 'keycloak', handle: 'github:octocat' }
  })) t.notOk(belongs(facts), why)
})

t.test('whoever takes the number of somebody else as their user name does not become them', async t => {
  const uuid = '0d2f5c5e-7f0a-4c8e-9a51-6f6f6f6f6f6f'
  const { memberships } = withFile(t, [{ tenant: 'acme', users: ['github:583231', `keycloak:${uuid}`] }])
  t.equal(memberships.of(person({ handle: 'github:renamed' })).length, 1, 'the number goes with its owner through every new name')
  t.equal(memberships.of(person({ id: 'github:999', handle: 'github:583231' })).length, 0)
  t.equal(memberships.of(person({ id: `keycloak:${uuid}`, upstream: 'keycloak', handle: 'keycloak:ada' })).length, 1)
  t.equal(memberships.of(person({ id: 'keycloak:1', upstream: 'keycloak', handle: `keycloak:${uuid}` })).length, 0)
})

t.test('names that objects have by nature belong to nobody', async t => {
  const { memberships } = withFile(t, [{ tenant: 'acme', users: ['github:octocat'] }])
  for (const name of ['constructor', '__proto__', 'toString']) {
    const of = memberships.of({ id: `${name}:${name}`, upstream: name, name, handle: `${name}:${name}`, email: `${name}@${name}`, groups: [name] })
    t.strictSame(of, [], name)
  }
})

t.test('who is taken out of the file has no tenant from the next look on; a broken file changes nothing and is told', async t => {
  const { memberships, write } = withFile(t, [{ tenant: 'acme', users: ['ada@acme.com', 'github:octocat'] }])
  t.equal(memberships.of(ada).length, 1)
  write('{"tenants": [{"tenant": "acme", "users": ["github:octocat"]}]}')
  await until('the file to be read again', () => memberships.of(ada).length === 0)
  t.equal(memberships.of(person()).length, 1)
  write('{"tenants": [{"tenant": "acme", "users": ["nonsense-that-nobody-quotes"]}]}')
  await until('the fault to be told', () => memberships.status() !== 'ok')
  t.match(memberships.status(), /^warning: TENANTS_FILE .*tenants\[0\]\.users\[0\] is neither/)
  t.notMatch(memberships.status(), 'nonsense')
  t.equal(memberships.of(person()).length, 1)
})

t.test('every fault of file and settings is told at once, by its place, and nothing is quoted from the file', t => {
  const tenants = [
    { tenant: '', users: ['*@acme.com', 'plainname', 5, { user: 'ada@secret.example', scopes: ['graph:everything'] }, { usr: 'x' }, { user: 'github:a', scopes: [] }] },
    { tenant: 'x'.repeat(129), groups: ['/engineers', 'github:*'], domains: ['ada@secret.example', 'https://secret.example', '*.secret.example', 'localhost', null, ['a']] }
  ]
  const { faults } = t.throws(() => withFile(t, tenants, { ALLOWED_USERS: 'octocat', ALLOWED_ORGANISATIONS: 'acme-inc', ALLOWED_DOMAINS: '*.acme.com' }), { name: 'ConfigurationError' }) as unknown as { faults: string[] }
  const places = [
    'ALLOWED_USERS has "octocat", which is neither', 'ALLOWED_ORGANISATIONS has "acme-inc", which is no group', 'ALLOWED_DOMAINS has "*.acme.com", which is no domain',
    'tenants[0].tenant is no tenant', 'tenants[0].users[0] is neither', 'tenants[0].users[1] is neither', 'tenants[0].users[2] must be a text', 'tenants[0].users[3].scopes must be a list',
    'tenants[0].users[4].user is missing', 'tenants[0].users[4].usr is unknown', 'tenants[0].users[5].scopes must be a list',
    'tenants[1].tenant is no tenant', 'tenants[1].groups[0] is no group', 'tenants[1].groups[1] is no group',
    ...[0, 1, 2, 3].map(index => `tenants[1].domains[${index}] is no domain`), 'tenants[1].domains[4] must be a text', 'tenants[1].domains[5] must be a text'
  ]
  for (const place of places) t.ok(faults.some(fault => fault.includes(place)), place)
  t.equal(faults.length, places.length, faults.join('\n'))
  t.notMatch(faults.join('\n'), 'secret')
  t.end()
})

t.test('a file that is absent, of another shape or no JSON stops the start', t => {
  t.throws(() => open(t, { TENANTS_FILE: join(t.testdir(), 'absent.json') }), { name: 'ConfigurationError', message: /TENANTS_FILE: .*cannot be read \(ENOENT\)/ })
  for (const tenants of [{}, [[]], [{ users: [] }], [{ tenant: 'a', user: ['x@y.z'] }], [{ tenant: 'a', scopes: [] }], [{ tenant: 'a', scopes: ['all'] }], [{ tenant: 'a', users: 'ada@acme.com' }]]) {
    t.throws(() => withFile(t, tenants), { name: 'ConfigurationError' }, JSON.stringify(tenants))
  }
  t.end()
})

t.test('TENANT_FROM=domain: the tenant is the domain of the verified address, where a setting names it', t => {
  const memberships = open(t, { TENANT_FROM: 'domain', ALLOWED_DOMAINS: 'Acme.com', GOOGLE_CLIENT_ID: 'g', GOOGLE_CLIENT_SECRET: 'g', GOOGLE_HOSTED_DOMAINS: 'globex.com' })
  t.strictSame(memberships.of(ada), [{ tenant: 'acme.com', scopes: write }])
  t.strictSame(memberships.of(person({ email: 'octo@acme.com' })), [{ tenant: 'acme.com', scopes: write }])
  for (const email of [undefined, 'eve@gmail.com', 'eve@sub.acme.com', 'eve@acme.com.evil.example']) t.strictSame(memberships.of(person({ email })), [], String(email))
  t.strictSame(memberships.of(person({ email: 'former@globex.com' })), [], 'a hosted domain of Google says nothing about GitHub\'s addresses')
  t.end()
})

t.test('TENANT_FROM=domain takes GOOGLE_HOSTED_DOMAINS for people of Google', t => {
  const memberships = open(t, { TENANT_FROM: 'domain', GOOGLE_CLIENT_ID: 'g', GOOGLE_CLIENT_SECRET: 'g', GOOGLE_HOSTED_DOMAINS: 'acme.com' })
  t.strictSame(memberships.of(ada), [{ tenant: 'acme.com', scopes: write }])
  t.strictSame(memberships.of({ ...ada, upstream: 'github', id: 'github:1' }), [])
  t.end()
})

t.test('TENANT_FROM=groups: each listed organisation or group is a tenant of its own', t => {
  const memberships = open(t, { TENANT_FROM: 'groups', ALLOWED_ORGANISATIONS: 'github:Acme-Inc,keycloak:/engineers', TENANT_SCOPES: 'graph:read' })
  t.strictSame(memberships.of(person({ groups: ['github:acme-inc', 'github:elsewhere'] })), [{ tenant: 'acme-inc', scopes: read }])
  t.strictSame(memberships.of(person({ id: 'keycloak:1', upstream: 'keycloak', handle: 'keycloak:x', groups: ['keycloak:/engineers'] })), [{ tenant: 'engineers', scopes: read }])
  for (const groups of [[], ['github:acme-inc-evil'], ['keycloak:/engineers'], ['acme-inc']]) t.strictSame(memberships.of(person({ groups })), [], groups.join())
  t.throws(() => open(t, { TENANT_FROM: 'groups', ALLOWED_ORGANISATIONS: 'github:acme,keycloak:/acme' }), { message: /would be one tenant/ })
  t.end()
})

t.test('allow-lists: whoever fits one of the three may sign in, and nobody else has a tenant', async t => {
  const { memberships } = withFile(t, [{ tenant: 'acme', domains: ['acme.com'], users: ['github:octocat', 'github:other'] }], { ALLOWED_USERS: 'github:583231', ALLOWED_ORGANISATIONS: 'github:acme-inc', ALLOWED_DOMAINS: 'acme.com' })
  const other = person({ id: 'github:7', handle: 'github:other' })
  for (const somebody of [person(), ada, { ...other, groups: ['github:acme-inc'] }]) {
    t.ok(memberships.allowed(somebody))
    t.equal(memberships.of(somebody).length, 1)
  }
  t.notOk(memberships.allowed(other))
  t.strictSame(memberships.of(other), [], 'a rule for a tenant does not help who may not sign in')
  const stranger = person({ id: 'github:8', handle: 'github:stranger', groups: ['github:acme-inc'] })
  t.ok(memberships.allowed(stranger))
  t.strictSame(memberships.of(stranger), [], 'nor do the lists give a tenant')
})

t.test('with one tenant for all, everybody who is allowed belongs to it', t => {
  const memberships = open(t, { ENABLE_MULTI_TENANCY: 'false', ALLOWED_USERS: 'github:octocat' })
  t.strictSame(memberships.of(person()), [{ tenant: 'default', scopes: write }])
  t.strictSame(memberships.of(person({ id: 'github:7', handle: 'github:other' })), [])
  t.throws(() => open(t, { ENABLE_MULTI_TENANCY: 'false' }), { name: 'ConfigurationError', message: /everybody with an account at GitHub/ }, 'GitHub without a list would be the whole world')
  t.end()
})

t.test('with one tenant for all, a file says who belongs to it and with which scopes', async t => {
  const { memberships } = withFile(t, [{ tenant: 'default', users: [{ user: 'github:octocat', scopes: ['graph:read'] }] }], { ENABLE_MULTI_TENANCY: 'false' })
  t.strictSame(memberships.of(person()), [{ tenant: 'default', scopes: read }])
  t.strictSame(memberships.of(ada), [])
  t.throws(() => withFile(t, [{ tenant: 'acme' }], { ENABLE_MULTI_TENANCY: 'false' }), { message: /tenants\[0\]\.tenant is not default/ })
})

t.test('the local sign-in: LOCAL_SIGN_IN_TENANTS, or the file like everybody', async t => {
  const local = person({ id: 'local:ada', upstream: 'local', handle: 'local:ada' })
  const env = { LOCAL_SIGN_IN: 'true', PUBLIC_URL: 'https://localhost:8443', GITHUB_CLIENT_ID: '', GITHUB_CLIENT_SECRET: '', LOCAL_SIGN_IN_TENANTS: 'globex,acme', TENANT_SCOPES: 'graph:admin' }
  t.strictSame(open(t, env).of(local), [{ tenant: 'acme', scopes: admin }, { tenant: 'globex', scopes: admin }])
  t.strictSame(open(t, { ...env, ENABLE_MULTI_TENANCY: 'false' }).of(local), [{ tenant: 'default', scopes: admin }])
  const { memberships } = withFile(t, [{ tenant: 'initech', users: ['local:ada'] }], env)
  t.strictSame(memberships.of(local), [{ tenant: 'initech', scopes: admin }])
  t.strictSame(memberships.of({ ...local, id: 'local:bob', handle: 'local:bob' }), [])
})
