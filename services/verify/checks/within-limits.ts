import type { Identity } from '@gateway/common/identity.ts'
import { refusal } from '../refusals.ts'
import type { TenantRule } from '../tenants/tenants.ts'
import type { Check } from './index.ts'

/** Last, so that only good calls count: of the tenant, and of the subject (requirement 16: not of the address). */
export const withinLimits: Check = async (attempt, { limits }) => {
  const exceeded = await limits.take(attempt.identity as Identity, attempt.rule as TenantRule)
  if (exceeded !== undefined) throw refusal(`${exceeded.limit}_limited`, { retryAfter: exceeded.retryAfter })
}
