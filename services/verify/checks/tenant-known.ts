import { isTenantId, soleTenant, tenantAllowed } from '@gateway/common/tenants.ts'
import type { Caller } from '../attempt.ts'
import { refusal } from '../refusals.ts'
import type { Check } from './index.ts'

/** No call without a tenant, and none for a tenant that the credential's issuer may not name (contract, "Tenants and graphs"). */
export const tenantKnown: Check = (attempt, { multiTenancy }) => {
  const { userId, clientId, scopes, tenant, tenants } = attempt.caller as Caller
  if (multiTenancy) {
    if (!isTenantId(tenant)) throw refusal('tenant_missing')
    if (!tenantAllowed(tenant, tenants)) throw refusal('tenant_not_allowed')
  }
  attempt.identity = { tenantId: multiTenancy ? tenant as string : soleTenant, userId, clientId, scopes, issuer: attempt.issuer }
}
