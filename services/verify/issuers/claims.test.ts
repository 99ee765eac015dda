import t from 'tap'
import { makeKey, openService, resource, startIssuer, trustingAll } from '../test-support.ts'
import { callerOf } from './claims.ts'
import { readIssuers } from './trusted.ts'

const issuer = 'https://login.example.com'

function caller (entry: Record<string, unknown>, claims: Record<string, unknown>, multiTenancy = true) {
  const { issuers: [policy], faults } = readIssuers([{ issuer, ...entry }], (_index, key) => key, { resource, multiTenancy })
  if (policy === undefined) throw new Error(faults.join('\n'))
  return callerOf({ sub: 'ada', ...claims }, policy)
}
const tenants = (entry: Record<string, unknown>, claims: Record<string, unknown>) => caller(entry, claims).tenants
const groups = { groups_claim: 'groups', group_tenants: { '/acme': 'acme', '/staff': ['bob', 'eve', 'acme'] } }

const granted: Record<string, [entry: Record<string, unknown>, claims: Record<string, unknown>, tenants: string[]]> = {
  'a claim': [{}, { tenant_id: 'acme' }, ['acme']],
  'a list in a claim': [{}, { tenant_id: ['acme', 'bob'] }, ['acme', 'bob']],
  'a claim under a dotted path': [{ tenant_claim: 'org.id' }, { org: { id: 'acme' } }, ['acme']],
  'a claim whose own name holds dots': [{ tenant_claim: 'https://graphs.example.com/tenant' }, { 'https://graphs.example.com/tenant': 'acme' }, ['acme']],
  'groups, each of which may stand for several': [groups, { groups: ['/staff', 'others'] }, ['bob', 'eve', 'acme']],
  'groups under a dotted path': [{ ...groups, groups_claim: 'realm_access.roles' }, { realm_access: { roles: ['/acme'] } }, ['acme']],
  'one group that is no list': [groups, { groups: '/acme' }, ['acme']],
  'a claim and groups, each tenant once': [groups, { tenant_id: ['zoe', 'acme'], groups: ['/acme', '/staff', '/acme'] }, ['zoe', 'acme', 'bob', 'eve']],
  'a list, without what is no tenant id': [{}, { tenant_id: ['', 7, null, {}, ['acme'], 'x'.repeat(129), '\ud800', 'acme'] }, ['acme']],
  'groups under names of a prototype, by nobody': [groups, { groups: ['__proto__', 'constructor', 'toString'] }, []],
  'a claim inherited from a prototype, by nobody': [{ tenant_claim: 'constructor.name' }, {}, []],
  'a group that the map has in another spelling, by nobody': [groups, { groups: ['/ACME', 'acme', ' /acme'] }, []],
  'tenants within the issuer\'s patterns': [{ tenants: ['a*'] }, { tenant_id: ['acme', 'bob', 'abc'] }, ['acme', 'abc']]
}
for (const [what, [entry, claims, expected]] of Object.entries(granted)) {
  t.test(`tenants are granted by ${what}`, async t => t.strictSame(tenants(entry, claims), expected))
}

t.test('of tenants beyond a thousand the rest is left out', async t => {
  t.equal(tenants({}, { tenant_id: Array.from({ length: 5_000 }, (_, index) => `t${index}`) }).length, 1_000)
})

t.test('a token that names only tenants of others is told apart from one that names none', async t => {
  t.equal(caller({ tenants: ['acme'] }, { tenant_id: ['bob', 'eve'] }).foreignTenantsOnly, true)
  t.equal(caller({ tenants: ['acme'] }, { tenant_id: ['bob', 'acme'] }).foreignTenantsOnly, false)
  t.equal(caller({ tenants: ['acme'] }, {}).foreignTenantsOnly, false)
})

const overage: Record<string, Record<string, unknown>> = {
  'by a reference in their place': { _claim_names: { groups: 'src1' }, _claim_sources: { src1: { endpoint: 'https://graph.example.com' } } },
  'and says that there are some': { hasgroups: true },
  'and says so in words': { hasgroups: 'true' }
}
for (const [what, claims] of Object.entries(overage)) {
  t.test(`a token whose groups are left out, ${what}, is refused with the remedy, unless it names its tenant otherwise`, async t => {
    t.throws(() => caller(groups, claims), { status: 403, code: 'tenant_missing', reason: 'groups_omitted', message: /too many.*must limit them/ })
    t.strictSame(tenants(groups, { ...claims, tenant_id: 'acme' }), ['acme'])
    t.strictSame(tenants({}, claims), [], 'whose groups nobody asks for')
    t.strictSame(caller(groups, claims, false).tenants, [], 'nor where no tenant is asked for')
  })
}

const required: Record<string, [rule: Record<string, unknown>, good: Array<Record<string, unknown>>, bad: Array<Record<string, unknown>>]> = {
  'a value': [{ hd: 'example.com' }, [{ hd: 'example.com' }, { hd: ['x', 'example.com'] }], [{}, { hd: 'EXAMPLE.com' }, { hd: 'example.com.evil' }, { hd: null }, { hd: [] }, { hd: [['example.com']] }, { hd: { 'example.com': 1 } }]],
  'one of several values': [{ acr: ['2', 3] }, [{ acr: '2' }, { acr: 3 }], [{ acr: 2 }, { acr: '3' }]],
  'any value': [{ email_verified: true }, [{ email_verified: true }, { email_verified: 'yes' }, { email_verified: 0 }], [{}, { email_verified: false }, { email_verified: null }, { email_verified: '' }, { email_verified: [] }]],
  'the value true': [{ email_verified: [true] }, [{ email_verified: true }], [{ email_verified: 'true' }, { email_verified: 1 }]],
  'the value false': [{ external: false }, [{ external: false }], [{}, { external: true }]],
  'a claim under a dotted path, and a second one': [{ 'org.id': 'o1', amr: 'mfa' }, [{ org: { id: 'o1' }, amr: ['pwd', 'mfa'] }], [{ org: { id: 'o1' } }, { amr: 'mfa' }]]
}
for (const [what, [rule, good, bad]] of Object.entries(required)) {
  t.test(`required_claims: ${what}`, async t => {
    const issuer = await startIssuer(t)
    const service = openService(t, trustingAll([{ issuer: issuer.url, tenants: ['*'], required_claims: rule }], { ADDRESS_FAILURES_PER_SECOND: '0' }))
    for (const claims of good) t.equal((await service.bearer(issuer.token(claims))).statusCode, 200, JSON.stringify(claims))
    for (const claims of bad) {
      const answer = await service.bearer(issuer.token(claims))
      t.equal(answer.statusCode, 401, JSON.stringify(claims))
      t.match(answer.json(), { error: 'invalid_token', error_description: /lacks a claim, or the value of it/ })
    }
    t.equal(new Set((await service.metrics('auth_decisions_total{outcome="refused"')).map(line => /reason="(\w+)"/.exec(line)?.[1])).size, 1)
    t.match((await service.metrics('auth_decisions_total{outcome="refused"')).join(), 'reason="claim_missing"')
  })
}

t.test('a required claim is asked for before any key is: a token without it causes no request', async t => {
  const issuer = await startIssuer(t, [makeKey('first')])
  const service = openService(t, trustingAll([{ issuer: issuer.url, tenants: ['*'], required_claims: { amr: 'mfa' } }]))
  await service.gate.issuers.get(issuer.url)?.keys.refresh()
  issuer.fetches = 0
  t.equal((await service.bearer(issuer.token({}, { kid: 'unknown' }))).statusCode, 401)
  t.equal(issuer.fetches, 0)
})
