import { soleTenant } from '@gateway/common/tenants.ts'
import type { Attempt, Caller, Gate } from '../attempt.ts'
import { refusal } from '../refusals.ts'
import type { TenantRule, Tenants } from '../tenants/tenants.ts'
import type { Check } from './index.ts'

/** So many of a caller's own tenants are named to it at most. */
const maxChoices = 100

/** No call without a tenant, and none for a tenant that the credential does not grant, or that is not served (contract, "Tenants and graphs"). */
export const tenantKnown: Check = (attempt, gate) => {
  const caller = attempt.caller as Caller
  const requestedTenant = gate.multiTenancy ? requestedBy(attempt) : undefined
  const { last } = caller
  const known = last !== undefined && last.requestedTenant === requestedTenant ? last : undefined
  const tenantId = known?.identity.tenantId ?? (gate.multiTenancy ? chosenTenant(requestedTenant, caller, gate) : soleTenant)
  const rule = ruleOf(tenantId, gate)
  attempt.rule = rule
  if (known?.rule === rule) {
    attempt.identity = known.identity
    return
  }
  const scopes = rule.scopes === undefined ? caller.scopes : caller.scopes.filter(scope => rule.scopes?.includes(scope))
  attempt.identity = { tenantId, userId: caller.userId, clientId: caller.clientId, scopes, issuer: caller.issuer }
  caller.last = { requestedTenant, rule, identity: attempt.identity }
}

/** An empty header names nothing, as programs send it whose variable is not set. */
const requestedBy = ({ requestedTenant }: Attempt) => requestedTenant === '' ? undefined : requestedTenant

function chosenTenant (requested: string | undefined, { tenants, foreignTenantsOnly }: Caller, gate: Gate): string {
  const [first] = tenants
  if (first === undefined) throw refusal(foreignTenantsOnly ? 'tenant_not_allowed' : 'tenant_missing')
  if (requested === undefined) {
    if (tenants.length === 1) return first
    const choices = choicesOf(tenants, gate)
    // Of none that is served there is nothing to choose.
    if (choices.length === 0) ruleOf(first, gate)
    throw refusal('tenant_unchosen', { details: { tenants: choices } })
  }
  const tenant = [requested, decoded(requested)].find(name => name !== undefined && tenants.includes(name))
  if (tenant === undefined) throw refusal('tenant_not_granted', { details: { tenants: choicesOf(tenants, gate) } })
  return tenant
}

/** A header holds no letters beyond ASCII: such a name comes percent-encoded. */
function decoded (requested: string): string | undefined {
  try {
    return decodeURIComponent(requested)
  } catch {
    return undefined
  }
}

const choicesOf = (tenants: readonly string[], gate: Gate) => tenants.filter(tenant => typeof gate.tenants.rule(tenant) !== 'string').slice(0, maxChoices)

function ruleOf (tenantId: string, { tenants }: { tenants: Tenants }): TenantRule {
  const rule = tenants.rule(tenantId)
  if (rule === 'denied') throw refusal('tenant_blocked')
  if (rule === 'unregistered') throw refusal('tenant_unregistered')
  return rule
}
