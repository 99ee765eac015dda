import { soleTenant } from '@gateway/common/tenants.ts'
import type { Attempt, Caller, Gate } from '../attempt.ts'
import { refusal } from '../refusals.ts'
import type { TenantRule } from '../tenants/tenants.ts'
import type { Check } from './index.ts'

/** No call without a tenant, and none for a tenant that the credential does not grant, or that is not served (contract, "Tenants and graphs"). */
export const tenantKnown: Check = (attempt, gate) => {
  const caller = attempt.caller as Caller
  const tenantId = gate.multiTenancy ? chosenTenant(attempt, caller) : soleTenant
  const rule = ruleOf(tenantId, gate)
  attempt.rule = rule
  const { last } = caller
  if (last !== undefined && last.rule === rule && last.requestedTenant === attempt.requestedTenant) {
    attempt.identity = last.identity
    return
  }
  const scopes = rule.scopes === undefined ? caller.scopes : caller.scopes.filter(scope => rule.scopes?.includes(scope))
  attempt.identity = { tenantId, userId: caller.userId, clientId: caller.clientId, scopes, issuer: caller.issuer }
  caller.last = { requestedTenant: attempt.requestedTenant, rule, identity: attempt.identity }
}

function chosenTenant ({ requestedTenant }: Attempt, { tenants, foreignTenantsOnly }: Caller): string {
  if (tenants.length === 0) throw refusal(foreignTenantsOnly ? 'tenant_not_allowed' : 'tenant_missing')
  if (requestedTenant === undefined) {
    if (tenants.length > 1) throw refusal('tenant_unchosen', { details: { tenants } })
    return tenants[0] as string
  }
  const tenant = tenants.find(tenant => tenant === requestedTenant)
  if (tenant === undefined) throw refusal('tenant_not_granted', { details: { tenants } })
  return tenant
}

function ruleOf (tenantId: string, { tenants }: Gate): TenantRule {
  const rule = tenants.rule(tenantId)
  if (rule === 'denied') throw refusal('tenant_blocked')
  if (rule === 'unregistered') throw refusal('tenant_unregistered')
  return rule
}
