/** How often a tenant and a subject may call, and how often an address may fail. */
import type { Identity } from '@gateway/common/identity.ts'
import type { TenantRule } from '../tenants/tenants.ts'

/** A limit that was met. */
export interface Exceeded {
  limit: 'tenant' | 'subject'
  /** Whole seconds. */
  retryAfter: number
}

export interface Limits {
  /** Counts one call. @returns the limit that it is beyond */
  take: (identity: Identity, rule: TenantRule) => Promise<Exceeded | undefined>
  /** The limit that another call would be beyond; counts nothing. */
  peek: (identity: Identity, rule: TenantRule) => Promise<Exceeded | undefined>
  /** Counts a credential that was no good. */
  failed: (address: string) => void
  /** Whole seconds for which the address must wait, where it has failed too often. */
  blocked: (address: string) => number | undefined
  close: () => Promise<void>
}

export const noLimits: Limits = { take: async () => undefined, peek: async () => undefined, failed: () => {}, blocked: () => undefined, close: async () => {} }
