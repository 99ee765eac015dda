import t from 'tap'
import type { GatewayError } from '@gateway/common/errors.ts'
import type { Attempt, Caller, Gate } from '../attempt.ts'
import { parseTenantRegistry } from '../tenants/registry.ts'
import { openTenants, type TenantsOptions } from '../tenants/tenants.ts'
import { openService, startIssuer, trusting } from '../test-support.ts'
import { tenantKnown } from './tenant-known.ts'

const callerOf = (...tenants: string[]): Caller => ({
  issuer: 'https://issuer.example', userId: 'ada', clientId: 'laptop', scopes: ['graph:read', 'graph:write'], tenants, foreignTenantsOnly: false, expiresAt: undefined, issuedAt: 0, tokenId: undefined, grantId: undefined
})

const registryOf = (tenants: object): TenantsOptions['registry'] => ({ value: parseTenantRegistry(JSON.stringify({ tenants })), status: () => 'ok', onChange: () => {}, close: () => {} })

/** The tenant that the rule finds, or its error. */
function choice (caller: Caller, requestedTenant?: string, options: Partial<TenantsOptions> = {}, multiTenancy = true): string | GatewayError {
  const attempt = { caller, requestedTenant } as Attempt
  try {
    tenantKnown(attempt, { multiTenancy, tenants: openTenants({ denied: [], ...options }) } as Gate)
    return attempt.identity?.tenantId as string
  } catch (error) {
    return error as GatewayError
  }
}

t.test('who has one tenant need not name it, and may', async t => {
  t.equal(choice(callerOf('acme')), 'acme')
  t.equal(choice(callerOf('acme'), 'acme'), 'acme')
  t.equal(choice(callerOf('acme'), ''), 'acme', 'an empty header names nothing')
})

t.test('who has several chooses one of them by X-Requested-Tenant', async t => {
  const ada = callerOf('acme', 'bob', 'нордзее', 'north sea', 'a%62', 'ab', '100%')
  for (const [header, tenant] of [
    ['acme', 'acme'], ['bob', 'bob'], ['north sea', 'north sea'], ['north%20sea', 'north sea'],
    ['%D0%BD%D0%BE%D1%80%D0%B4%D0%B7%D0%B5%D0%B5', 'нордзее'], ['%61cme', 'acme'], ['ab', 'ab'], ['100%', '100%'], ['100%25', '100%'],
    // Its exact name comes before what it would be decoded.
    ['a%62', 'a%62'], ['a%2562', 'a%62']
  ] as const) t.equal(choice(ada, header), tenant, header)
})

t.test('without a choice, or with a wrong one, it is 403, and the answer lists the caller\'s own choices alone', async t => {
  const ada = callerOf('acme', 'bob')
  for (const header of [undefined, '']) t.match(choice(ada, header), { status: 403, code: 'tenant_unchosen', details: { tenants: ['acme', 'bob'] } })
  for (const header of ['eve', 'ACME', 'acme, bob', 'acme,acme', 'acme, acme', '%', '%E0%A4%A', '%FF', 'ac%00me', '*', 'a*', 'constructor', 'x'.repeat(8_000)]) {
    t.match(choice(ada, header), { status: 403, code: 'tenant_not_granted', details: { tenants: ['acme', 'bob'] } }, header.slice(0, 20))
  }
  t.match(choice(callerOf('acme'), 'bob'), { code: 'tenant_not_granted', details: { tenants: ['acme'] } }, 'with one tenant too')
})

t.test('only tenants that are served are a choice', async t => {
  const ada = callerOf('acme', 'bob', 'old', 'unknown')
  const options = { denied: ['b*'], registry: registryOf({ acme: {}, bob: {}, old: { blocked: true }, eve: {} }) }
  t.strictSame((choice(ada, undefined, options) as GatewayError).details, { tenants: ['acme'] })
  t.equal(choice(ada, 'acme', options), 'acme')
  t.match(choice(ada, 'bob', options), { code: 'tenant_blocked' })
  t.match(choice(ada, 'old', options), { code: 'tenant_blocked' })
  t.match(choice(ada, 'unknown', options), { code: 'tenant_unregistered' })
  t.match(choice(ada, 'eve', options), { code: 'tenant_not_granted', details: { tenants: ['acme'] } })
  t.match(choice(callerOf('bob', 'old'), undefined, options), { code: 'tenant_blocked' }, 'nothing to choose from')
})

t.test('a caller of very many tenants is told a hundred of them', async t => {
  const many = callerOf(...Array.from({ length: 500 }, (_, n) => `t${n}`))
  t.equal(((choice(many) as GatewayError).details?.tenants as string[]).length, 100)
  t.equal(choice(many, 't499'), 't499')
})

t.test('who has none is told why', async t => {
  t.match(choice(callerOf(), 'acme'), { status: 403, code: 'tenant_missing' })
  t.match(choice({ ...callerOf(), foreignTenantsOnly: true }, 'acme'), { status: 403, code: 'tenant_not_allowed' })
})

t.test('with ENABLE_MULTI_TENANCY=false there is nothing to choose', async t => {
  for (const caller of [callerOf(), callerOf('acme', 'bob')]) t.equal(choice(caller, 'eve', {}, false), 'default')
})

t.test('each call is judged by its own choice, whatever the same caller chose before', async t => {
  const gate = { multiTenancy: true, tenants: openTenants({ denied: [], registry: registryOf({ acme: { scopes: ['graph:read'] }, bob: {} }) }) } as Gate
  const caller = callerOf('acme', 'bob')
  const identity = (requestedTenant: string) => {
    const attempt = { caller, requestedTenant } as Attempt
    tenantKnown(attempt, gate)
    return attempt.identity
  }
  for (let round = 0; round < 3; round++) {
    t.match(identity('acme'), { tenantId: 'acme', scopes: ['graph:read'] })
    t.match(identity('bob'), { tenantId: 'bob', scopes: ['graph:read', 'graph:write'] })
  }
  t.equal(identity('bob'), identity('bob'), 'the same identity object serves the same choice')
  t.throws(() => identity('eve'), { code: 'tenant_not_granted' })
})

t.test('a token for several tenants, as a client meets it', async t => {
  const issuer = await startIssuer(t)
  const service = openService(t, trusting(issuer, { BEARER_TENANTS: 'acme,bob,north sea', TENANTS_DENIED: 'bob' }))
  const authorization = `Bearer ${issuer.token({ tenant_id: ['acme', 'bob', 'north sea', 'eve'] })}`
  const ask = (requested?: string) => service.ask({ authorization, ...(requested !== undefined && { 'x-requested-tenant': requested }) })

  t.match((await ask('acme')).headers, { 'x-tenant-id': 'acme' })
  t.match((await ask('north%20sea')).headers, { 'x-tenant-id': 'north=20sea' })
  t.match((await ask('acme')).headers, { 'x-tenant-id': 'acme' }, 'whatever the call before chose')
  for (const [requested, code] of [[undefined, 'tenant_unchosen'], ['', 'tenant_unchosen'], ['eve', 'tenant_not_granted'], ['nobody', 'tenant_not_granted'], ['acme, acme', 'tenant_not_granted']] as const) {
    const answer = await ask(requested)
    t.equal(answer.statusCode, 403, String(requested))
    t.match(answer.json(), { error: { type: 'TenantError', code, message: /X-Requested-Tenant/, details: { tenants: ['acme', 'north sea'] } }, tenant: null })
    t.equal(answer.json().error.details.tenants.length, 2, 'neither one that its issuer may not name, nor one that is not served')
    t.equal(answer.headers['x-tenant-id'], undefined)
  }
  t.match((await ask('bob')).json(), { error: { code: 'tenant_blocked' } })
  const twice = await service.decision.inject({ url: '/decision', headers: { 'x-forwarded-host': 'graphs.example.com', authorization, 'x-requested-tenant': ['acme', 'bob'] } })
  t.match(twice.json(), { error: { code: 'tenant_not_granted' } }, 'two headers name no tenant')
})
