import t from 'tap'
import { connect } from '../support/clients.ts'
import { openGateway, unique } from '../support/gateway.ts'

const gateway = openGateway()

/** Somebody whose token is good for two tenants. */
async function twoTenants () {
  const tenants = [unique('acme'), unique('globex')] as [string, string]
  const authorization = `Bearer ${await gateway.mint({ tenant_id: tenants, sub: 'ada', scope: 'graph:read graph:write' })}`
  const send = (requested: string | undefined, body: object, more: Record<string, string> = {}) =>
    gateway.send({ path: '/api/mcp/context', body, headers: { authorization, ...more, ...(requested !== undefined && { 'X-Requested-Tenant': requested }) } })
  return { tenants, authorization, send }
}

t.test('who has two tenants works in the one that X-Requested-Tenant names, and sees nothing of the other there', async t => {
  const { tenants: [acme, globex], send } = await twoTenants()
  for (const tenant of [acme, globex]) {
    const made = await send(tenant, { graphName: 'own', query: 'CREATE (o:Own {tenant: $tenant}) RETURN o.tenant AS tenant', parameters: { tenant } })
    t.match(made.json, { success: true, tenant, resolvedGraphName: `${tenant}_own` })
  }
  // Both by turns, many at a time: no call may be answered for the one before.
  const answers = await Promise.all(Array.from({ length: 40 }, (_, n) => n % 2 === 0 ? acme : globex).map(async tenant =>
    ({ tenant, json: (await send(tenant, { graphName: 'own', query: 'MATCH (o:Own) RETURN collect(o.tenant) AS tenants' })).json })))
  for (const { tenant, json } of answers) t.strictSame([json.tenant, json.data], [tenant, [{ tenants: [tenant] }]])
  const alone = await gateway.person({ tenant: acme })
  t.match((await alone.query('own', 'MATCH (o:Own) RETURN collect(o.tenant) AS tenants')).data.data, [{ tenants: [acme] }], 'and it is the tenant that its other callers know')
})

t.test('the choice holds over MCP in both eras', async t => {
  const { tenants, authorization } = await twoTenants()
  for (const era of ['v1 SDK', 'v2 SDK, 2026-07-28'] as const) {
    for (const tenant of tenants) {
      const client = await connect(era, gateway.mcpUrl, { authorization, 'X-Requested-Tenant': tenant })
      t.equal((await client.call('falkordb_query', { graphName: 'films', query: 'CREATE (f:Film) RETURN 1 AS one' })).data.tenant, tenant, era)
      await client.close()
    }
    await t.rejects(connect(era, gateway.mcpUrl, { authorization }), `${era} without a choice`)
  }
})

t.test('no choice, or a wrong one, is 403, and the answer lists the caller\'s own tenants alone', async t => {
  const { tenants, send } = await twoTenants()
  const other = await gateway.person({ tenant: unique('eve') })
  await other.query('secrets', 'CREATE (:Secret)')
  const query = { graphName: 'secrets', query: 'MATCH (s) RETURN s' }
  for (const [requested, code] of [[undefined, 'tenant_unchosen'], ['', 'tenant_unchosen'], [other.tenant, 'tenant_not_granted'], [unique('nobody'), 'tenant_not_granted'], [tenants.join(', '), 'tenant_not_granted'], ['%', 'tenant_not_granted']] as const) {
    const answer = await send(requested, query)
    t.equal(answer.status, 403, String(requested))
    t.match(answer.json, { error: { type: 'TenantError', code }, tenant: null })
    t.strictSame(answer.json.error.details, { tenants })
    t.notMatch(answer.text, other.tenant)
  }
  const sole = await gateway.send({ path: '/api/mcp/graphs', headers: { ...other.headers, 'X-Requested-Tenant': tenants[0] } })
  t.strictSame([sole.status, sole.json.error.details], [403, { tenants: [other.tenant] }], 'who has one tenant cannot have another')
})

t.test('14: the choice is a request to the gate and nothing more: no identity header changes it', async t => {
  const { tenants: [acme, globex], send } = await twoTenants()
  for (const forged of ['X-Tenant-Id', 'x-tenant-id']) {
    const answer = await send(acme, { graphName: 'films', query: 'CREATE (f:Film) RETURN 1 AS one' }, { [forged]: globex })
    t.equal(answer.json.tenant, acme, forged)
  }
})

t.test('a tenant whose name no header can hold is chosen percent-encoded', async t => {
  const tenant = unique('нордзее')
  const authorization = `Bearer ${await gateway.mint({ tenant_id: [tenant, unique('acme')], sub: 'ada', scope: 'graph:read' })}`
  const answer = await gateway.send({ path: '/verify', headers: { authorization, 'X-Requested-Tenant': encodeURIComponent(tenant) } })
  t.match([answer.status, answer.json.tenant], [200, tenant])
})
