/** How often credentials from one address were refused. Each replica counts for itself: what it protects is its own time. */
import { LRUCache } from 'lru-cache'
import { networkOf } from '@gateway/common/network.ts'
import type { Limits } from './limits.ts'
import { secondsLeft, windowOf, windowSeconds } from './windows.ts'

/** Addresses that are remembered; of more, the ones that were quiet the longest are forgotten. */
const maxAddresses = 10_000

export interface FailuresOptions {
  /** Averaged over a window; 0: no limit. */
  perSecond: number
  sharedEgress: (address: string) => boolean
  /** Milliseconds since 1970. */
  now: () => number
}

/** The part of the limits that goes by address. Both are asked synchronously, and the address of a good credential is not even looked up. */
export function openFailures ({ perSecond, sharedEgress, now }: FailuresOptions): Pick<Limits, 'failed' | 'blocked'> {
  if (perSecond === 0) return { failed: () => {}, blocked: () => undefined }
  const most = perSecond * windowSeconds
  const failures = new LRUCache<string, { window: number, count: number }>({ max: maxAddresses })
  return {
    failed: address => {
      if (sharedEgress(address)) return
      const network = networkOf(address)
      const window = windowOf(now())
      const known = failures.get(network)
      if (known?.window === window) known.count++
      else failures.set(network, { window, count: 1 })
    },
    blocked: address => {
      const known = failures.get(networkOf(address))
      if (known === undefined || known.count < most) return undefined
      const at = now()
      return known.window === windowOf(at) ? secondsLeft(at) : undefined
    }
  }
}
