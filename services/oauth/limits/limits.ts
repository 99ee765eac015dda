/**
 * Guards against floods. The limits by address are generous, and each replica's own: what they protect is its time. Those of a client and of an
 * account are strict, and all replicas count them together.
 */
import type { Logger } from 'pino'
import { addressRanges } from '@gateway/common/address-ranges.ts'
import { RateLimitError } from '@gateway/common/errors.ts'
import { networkOf } from '@gateway/common/network.ts'
import type { StateClient } from '@gateway/common/state.ts'
import type { Config } from '../config.ts'
import { SharedCounts } from './shared-counts.ts'
import { WindowCounts } from './window-counts.ts'

/** What one address asks for: to register a client, to begin a sign-in, any other page, or the token, revocation or introspection endpoint. */
export type AddressKind = 'registration' | 'sign-in' | 'page' | 'token'

/** Each counts one request, and throws RateLimitError with `retryAfter` where it is one too many. */
export interface Limits {
  /** All addresses of an IPv6 /64 are one. No limit for SHARED_EGRESS_RANGES. */
  ofAddress: (kind: AddressKind, address: string) => Promise<void>
  /**
   * Of the token endpoint.
   * @param key the grant of a person's client, or the id of a machine client: everybody shares the id of a public client
   */
  ofClient: (key: string) => Promise<void>
  /** Of sign-ins. */
  ofAccount: (accountId: string) => Promise<void>
}

export type LimitsConfig = Pick<Config, 'REGISTRATIONS_PER_HOUR' | 'SIGN_INS_PER_MINUTE' | 'TOKENS_PER_MINUTE' | 'CLIENT_TOKENS_PER_MINUTE' | 'ACCOUNT_SIGN_INS_PER_HOUR' | 'SHARED_EGRESS_RANGES'>

const minute = 60
const hour = 3_600

/** What is done too often, in the words of the refusal. */
const words: Record<AddressKind, string> = {
  registration: 'Too many clients were registered',
  'sign-in': 'Too many sign-ins were begun',
  page: 'Too many pages were asked for',
  token: 'Too many requests for tokens came'
}

/** @param now milliseconds since 1970; for tests */
export function openLimits (config: LimitsConfig, client: StateClient, logger: Logger, now: () => number = Date.now): Limits {
  const { holds: sharedEgress } = addressRanges(config.SHARED_EGRESS_RANGES)
  const own = (most: number, seconds: number) => most === 0 ? undefined : new WindowCounts({ most, seconds, now })
  const shared = (kind: string, most: number, seconds: number) => most === 0 ? undefined : new SharedCounts({ kind, most, seconds, client, logger, now })
  const ofAddress: Record<AddressKind, WindowCounts | undefined> = {
    registration: own(config.REGISTRATIONS_PER_HOUR, hour),
    'sign-in': own(config.SIGN_INS_PER_MINUTE, minute),
    // A sign-in takes a few pages.
    page: own(2 * config.SIGN_INS_PER_MINUTE, minute),
    token: own(config.TOKENS_PER_MINUTE, minute)
  }
  const ofClient = shared('client', config.CLIENT_TOKENS_PER_MINUTE, minute)
  const ofAccount = shared('account', config.ACCOUNT_SIGN_INS_PER_HOUR, hour)

  return {
    ofAddress: async (kind, address) => {
      if (sharedEgress(address)) return
      refuse(ofAddress[kind]?.count(networkOf(address)), 'address_limited', `${words[kind]} from this address`, kind)
    },
    ofClient: async key => refuse(await ofClient?.count(key), 'client_limited', 'Too many requests for tokens came from this client'),
    ofAccount: async accountId => refuse(await ofAccount?.count(accountId), 'account_limited', 'This account has signed in too often')
  }
}

function refuse (waitMs: number | undefined, code: string, what: string, reason?: string): void {
  if (waitMs === undefined) return
  throw new RateLimitError(code, `${what}; wait as long as Retry-After says.`, { retryAfter: Math.max(1, Math.ceil(waitMs / 1000)), ...(reason && { reason }) })
}
