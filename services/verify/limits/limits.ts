/** How often a tenant and a subject may call, and how often an address may fail. docs/limits.md describes all of it. */
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { Identity } from '@gateway/common/identity.ts'
import type { TenantRule } from '../tenants/tenants.ts'
import { evenOut, type SharedCounts } from './evening-out.ts'
import { openFailures } from './failures.ts'
import { secondsLeft, Windows, windowSeconds } from './windows.ts'

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
  /** Ends the background work; waits for nothing. */
  close: () => void
}

export interface LimitsOptions {
  /** Calls a second where the tenant's rule names none; 0: no limit. */
  tenantRequestsPerSecond: number
  /** Likewise, of each subject. */
  subjectRequestsPerSecond: number
  /** Refused credentials of one address; 0: no limit. */
  addressFailuresPerSecond: number
  /** Addresses behind which many callers stand: they are never blocked. */
  sharedEgress: (address: string) => boolean
  /** What the replicas share; undefined: each one counts alone. */
  state: SharedCounts | undefined
  logger: Logger
  registry: Registry
}

/** For tests. */
export interface Timing {
  /** Milliseconds since 1970. */
  now: () => number
  /** Between two rounds of evening out. */
  roundMs: number
}

/** Opens the limits. A decision waits for this process only; what other replicas have counted arrives in the background. */
export function openLimits (options: LimitsOptions, { now, roundMs }: Timing = { now: Date.now, roundMs: 1_000 }): Limits {
  const { state, logger, registry } = options
  const tenants = new Windows('tenant', logger)
  const subjects = new Windows('subject', logger)
  const stop = state === undefined ? () => {} : evenOut([tenants, subjects], { state, logger, registry, now, roundMs })
  // The limits of a whole window; 0 where there is none.
  const tenantLimit = ({ requestsPerSecond = options.tenantRequestsPerSecond }: TenantRule) => requestsPerSecond * windowSeconds
  const subjectLimit = ({ subjectRequestsPerSecond = options.subjectRequestsPerSecond }: TenantRule) => subjectRequestsPerSecond * windowSeconds
  const exceeded = (limit: Exceeded['limit'], at: number): Exceeded => ({ limit, retryAfter: secondsLeft(at) })

  return {
    ...openFailures({ perSecond: options.addressFailuresPerSecond, sharedEgress: options.sharedEgress, now }),
    take: async (identity, rule) => {
      const at = now()
      // Both at once: another window may begin before the first one has answered.
      const [forSubjects, forTenants] = [subjects.at(at), tenants.at(at)]
      const subject = subjectLimit(rule) === 0 ? undefined : subjectKey(identity)
      // The subject first: what is beyond its own limit must not use up the limit of its tenant.
      if (subject !== undefined && !await forSubjects.count(subject, subjectLimit(rule))) return exceeded('subject', at)
      if (tenantLimit(rule) === 0 || await forTenants.count(identity.tenantId, tenantLimit(rule))) return undefined
      // Only calls that were let through count: the other tenants of the subject stay open to it.
      if (subject !== undefined) await forSubjects.giveBack(subject)
      return exceeded('tenant', at)
    },
    peek: async (identity, rule) => {
      const at = now()
      const [forSubjects, forTenants] = [subjects.at(at), tenants.at(at)]
      if (subjectLimit(rule) > 0 && await forSubjects.usedUp(subjectKey(identity), subjectLimit(rule))) return exceeded('subject', at)
      if (tenantLimit(rule) > 0 && await forTenants.usedUp(identity.tenantId, tenantLimit(rule))) return exceeded('tenant', at)
      return undefined
    },
    close: stop
  }
}

/** A subject is unique together with its issuer only, and either may hold any character: the length tells where the first one ends. */
const subjectKey = ({ issuer, userId }: Identity) => `${issuer.length} ${issuer}${userId}`
