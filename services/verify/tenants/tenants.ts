/** Which tenants are served, and how: the deny list and the registry. */
import { tenantAllowed } from '@gateway/common/tenants.ts'
import type { Scope } from '@gateway/common/scopes.ts'
import type { WatchedFile } from '@gateway/common/watched-file.ts'
import { anyTenant, type TenantRegistry } from './registry.ts'

/** What the registry grants a tenant. The same object as long as the registry is the same. */
export interface TenantRule {
  /** Scopes that its callers may have at most, expanded; undefined: all. */
  readonly scopes: readonly Scope[] | undefined
  /** Calls per second of the whole tenant, 0: no limit; undefined: TENANT_REQUESTS_PER_SECOND. */
  readonly requestsPerSecond: number | undefined
  /** Calls per second of each of its subjects, 0: no limit; undefined: SUBJECT_REQUESTS_PER_SECOND. */
  readonly subjectRequestsPerSecond: number | undefined
}

export interface Tenants {
  /** The tenant's rule, or why it is not served. */
  rule: (tenantId: string) => TenantRule | 'denied' | 'unregistered'
  /** For /ready: `ok`, or what is wrong. */
  status: () => string
  close: () => void
}

export interface TenantsOptions {
  /** Patterns of TENANTS_DENIED; they win over the registry. */
  denied: readonly string[]
  /** TENANT_REGISTRY_FILE; absent: every tenant is served. */
  registry?: WatchedFile<TenantRegistry> | undefined
}

const usual: TenantRule = { scopes: undefined, requestsPerSecond: undefined, subjectRequestsPerSecond: undefined }

export function openTenants ({ denied, registry }: TenantsOptions): Tenants {
  return {
    rule: tenantId => {
      if (tenantAllowed(tenantId, denied)) return 'denied'
      if (registry === undefined) return usual
      const rule = registry.value.get(tenantId) ?? registry.value.get(anyTenant) ?? 'unregistered'
      return rule === 'blocked' ? 'denied' : rule
    },
    status: () => registry?.status() ?? 'ok',
    close: () => registry?.close()
  }
}
