/** Which tenants are served, and how: the deny list and the registry. */
import { tenantAllowed } from '@gateway/common/tenants.ts'
import type { Scope } from '@gateway/common/scopes.ts'

/** What the registry grants a tenant. The same object as long as the registry is the same. */
export interface TenantRule {
  /** Scopes that its callers may have at most, expanded; undefined: all. */
  readonly scopes: readonly Scope[] | undefined
  /** Calls per second of the whole tenant; undefined: TENANT_REQUESTS_PER_SECOND. */
  readonly requestsPerSecond: number | undefined
  /** Calls per second of each of its subjects; undefined: SUBJECT_REQUESTS_PER_SECOND. */
  readonly subjectRequestsPerSecond: number | undefined
}

export interface Tenants {
  /** The tenant's rule, or why it is not served. */
  rule: (tenantId: string) => TenantRule | 'denied' | 'unregistered'
  /** For /ready: `ok`, or what is wrong. */
  status: () => string
  close: () => void
}

const usual: TenantRule = { scopes: undefined, requestsPerSecond: undefined, subjectRequestsPerSecond: undefined }

/** @param denied patterns of TENANTS_DENIED */
export function openTenants ({ denied }: { denied: readonly string[] }): Tenants {
  return { rule: tenantId => tenantAllowed(tenantId, denied) ? 'denied' : usual, status: () => 'ok', close: () => {} }
}
