import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { until } from '../../../tests/support/until.ts'
import { openService, startIssuer, trusting } from '../test-support.ts'
import { parseTenantRegistry } from './registry.ts'

const issuer = await startIssuer(t)

/** The service with a registry that a test may change. */
function withRegistry (t: Test, tenants: object, env: Record<string, string> = {}) {
  const path = join(t.testdir({ 'tenants.json': JSON.stringify({ tenants }) }), 'tenants.json')
  const service = openService(t, trusting(issuer, { TENANT_REGISTRY_FILE: path, ...env }))
  const write = (text: string) => {
    writeFileSync(`${path}.new`, text)
    renameSync(`${path}.new`, path)
  }
  const ask = (tenant: string, claims: object = {}) => service.bearer(issuer.token({ tenant_id: tenant, ...claims }))
  return { ...service, write, askFor: ask }
}

t.test('with a registry only named tenants are served', async t => {
  const { askFor, gate } = withRegistry(t, { acme: {}, нордзее: {} })
  t.equal((await askFor('acme')).statusCode, 200)
  t.equal((await askFor('нордзее')).statusCode, 200)
  for (const tenant of ['bob', 'ACME', 'acme ', '*', 'constructor', '__proto__', 'toString']) {
    const answer = await askFor(tenant)
    t.equal(answer.statusCode, 403, tenant)
    t.match(answer.json(), { error: { type: 'TenantError', code: 'tenant_unregistered', message: /not registered here; ask the operator/ }, tenant: null })
    t.notMatch(answer.body, 'acme', 'the answer names nobody else\'s tenant')
  }
  t.equal(gate.tenants.rule('acme'), gate.tenants.rule('acme'), 'one rule object as long as the file stays')
})

t.test('"*" written out serves all others', async t => {
  const { askFor } = withRegistry(t, { '*': { scopes: ['graph:read'] }, acme: {}, old: { blocked: true } })
  t.match((await askFor('acme')).headers, { 'x-auth-scopes': 'graph:read graph:write' })
  t.match((await askFor('anybody')).headers, { 'x-tenant-id': 'anybody', 'x-auth-scopes': 'graph:read' })
  t.equal((await askFor('old')).statusCode, 403, 'a tenant that is named itself is what its own entry says')
})

t.test('the registry\'s scopes cut the caller\'s, and never add to them', async t => {
  const { askFor } = withRegistry(t, { acme: { scopes: ['graph:write'] }, bob: { scopes: ['graph:read'] }, eve: { scopes: ['graph:admin'] } })
  const scopes = async (tenant: string, scope: string) => (await askFor(tenant, { scope })).headers['x-auth-scopes']
  t.equal(await scopes('acme', 'graph:admin'), 'graph:read graph:write')
  t.equal(await scopes('bob', 'graph:admin'), 'graph:read')
  t.equal(await scopes('eve', 'graph:read'), 'graph:read')
  t.equal(await scopes('acme', 'openid'), '')
})

t.test('a blocked tenant is 403, whoever asks, and the deny list wins over the registry', async t => {
  const { askFor, ask, gate } = withRegistry(t, { acme: {}, old: { blocked: true }, 'test-1': {} }, { TENANTS_DENIED: 'test-*, nobody', MCP_API_KEY: 'a-single-key-0123456789abcdefghij', MCP_API_KEY_TENANT: 'old' })
  for (const tenant of ['old', 'test-1', 'test-', 'nobody']) t.match((await askFor(tenant)).json(), { error: { type: 'TenantError', code: 'tenant_blocked' } }, tenant)
  t.match((await ask({ 'x-api-key': 'a-single-key-0123456789abcdefghij' })).json(), { error: { code: 'tenant_blocked' } }, 'an API key too')
  t.equal((await askFor('acme')).statusCode, 200)
  t.equal(gate.tenants.rule('test-1'), 'denied')
})

t.test('the limits of a tenant are found in its rule', async t => {
  const { gate } = withRegistry(t, { acme: { requestsPerSecond: 50, subjectRequestsPerSecond: 0 }, bob: {} })
  t.strictSame(gate.tenants.rule('acme'), { scopes: undefined, requestsPerSecond: 50, subjectRequestsPerSecond: 0 })
  t.strictSame(gate.tenants.rule('bob'), { scopes: undefined, requestsPerSecond: undefined, subjectRequestsPerSecond: undefined })
})

t.test('a change holds for tokens that are known already; a broken registry keeps the last good one, and says so', async t => {
  const { bearer, write, health, lines } = withRegistry(t, { acme: {} })
  const token = issuer.token()
  const status = async () => (await bearer(token)).statusCode
  const scopes = async () => (await bearer(token)).headers['x-auth-scopes']
  t.equal(await scopes(), 'graph:read graph:write')
  write('{ "tenants": { "acme": { "scopes": ["graph:read"] } } }')
  await until('fewer scopes', async () => await scopes() === 'graph:read')

  write('{ "tenants": { "acme": { "scopes": ["SENTINEL"] } } }')
  await until('the warning', async () => (await health.ready()).checks.tenants !== 'ok')
  const { ready, checks } = await health.ready()
  t.equal(ready, true)
  t.match(checks.tenants, /^warning: TENANT_REGISTRY_FILE .*tenants\.json is broken since 20.* \(tenants\.acme\.scopes\[0\] must be one of graph:read, graph:write, graph:admin\), the last good one goes on$/)
  t.notMatch(lines.join() + checks.tenants, 'SENTINEL')
  t.equal(await scopes(), 'graph:read')

  write('{ "tenants": { "acme": { "blocked": true } } }')
  await until('the block', async () => await status() === 403)
  write('{ "tenants": {} }')
  await until('an empty registry', async () => (await bearer(token)).json().error.code === 'tenant_unregistered')
  t.equal((await health.ready()).checks.tenants, 'ok')
})

t.test('without multi-tenancy the one tenant is asked for by its name, default', async t => {
  const { askFor, ask } = withRegistry(t, { default: { scopes: ['graph:read'] } }, { ENABLE_MULTI_TENANCY: 'false' })
  t.match((await askFor('acme')).headers, { 'x-tenant-id': 'default', 'x-auth-scopes': 'graph:read' })
  t.match((await ask({ authorization: `Bearer ${issuer.token()}`, 'x-requested-tenant': 'bob' })).headers, { 'x-tenant-id': 'default' }, 'and X-Requested-Tenant plays no part')
})

for (const [what, text, faults] of [
  ['no JSON', 'acme', ['the text is no JSON']],
  ['a list of names', '{"tenants": ["acme"]}', ['tenants must be object']],
  ['a tenant that is no object', '{"tenants": {"acme": true}}', ['tenants.acme must be object']],
  ['an empty name', '{"tenants": {"": {}}}', ['tenants[""] is no tenant: it has 1 to 128 bytes']],
  ['a name that is too long', JSON.stringify({ tenants: { ['x'.repeat(129)]: {} } }), [/^tenants\["x{40}"\] is no tenant/]],
  ['an unknown member', '{"tenants": {"north sea": {"scope": ["graph:read"]}}}', ['tenants["north sea"].scope is unknown here']],
  ['a limit below zero', '{"tenants": {"acme": {"requestsPerSecond": -1}}}', [/^tenants\.acme\.requestsPerSecond must be/]],
  ['a limit in words', '{"tenants": {"acme": {"subjectRequestsPerSecond": "50"}}}', ['tenants.acme.subjectRequestsPerSecond must be integer']],
  ['no scope', '{"tenants": {"acme": {"scopes": []}}}', [/^tenants\.acme\.scopes must not have fewer/]]
] as Array<[string, string, Array<string | RegExp>]>) {
  t.test(`a registry with ${what} is refused, at its place`, async t => {
    t.throws(() => parseTenantRegistry(text), { name: 'ConfigurationError', faults: faults as [] })
  })
}

t.test('a missing or broken registry stops the start', async t => {
  const start = (file: string) => openService(t, trusting(issuer, { TENANT_REGISTRY_FILE: file }))
  const dir = t.testdir({ broken: '[]' })
  t.throws(() => start(join(dir, 'none')), /TENANT_REGISTRY_FILE: .*none cannot be read \(ENOENT\)/)
  t.throws(() => start(join(dir, 'broken')), /TENANT_REGISTRY_FILE: the whole must be object/)
})
