/** Limits under a clock that only the test turns. */
import { createObservability } from '@gateway/common/service.ts'
import type { Identity } from '@gateway/common/identity.ts'
import type { TenantRule } from '../tenants/tenants.ts'
import { openLimits, type LimitsOptions } from './limits.ts'

interface Ending { teardown: (end: () => unknown) => void }

/** A moment at which a window begins. */
export const windowStart = 1_780_000_000_000

export const usual: TenantRule = { scopes: undefined, requestsPerSecond: undefined, subjectRequestsPerSecond: undefined }

export const somebody = (changes: Partial<Identity> = {}): Identity => ({ tenantId: 'acme', userId: 'ada', clientId: 'laptop', scopes: [], issuer: 'https://login.example', ...changes })

/** Limits of which none holds where a test names none. */
export function open (t: Ending, options: Partial<LimitsOptions> = {}) {
  const lines: string[] = []
  const { logger, registry } = createObservability('verify', 'info', { write: line => lines.push(line) })
  const clock = { ms: windowStart }
  const limits = openLimits({
    tenantRequestsPerSecond: 0, subjectRequestsPerSecond: 0, addressFailuresPerSecond: 0, sharedEgress: () => false, state: undefined, logger, registry, ...options
  }, { now: () => clock.ms, roundMs: 20 })
  t.teardown(() => limits.close())
  return {
    ...limits,
    clock,
    lines,
    shared: async () => (await registry.getSingleMetric('limits_shared')?.get())?.values[0]?.value,
    /** @returns how many of the calls were let through */
    calls: async (times: number, identity = somebody(), rule = usual) => {
      let passed = 0
      for (let call = 0; call < times; call++) if (await limits.take(identity, rule) === undefined) passed++
      return passed
    }
  }
}
