import { revocationSeconds } from '@gateway/common/revocations.ts'
import { refusal } from '../../refusals.ts'
import type { TokenCheck } from './index.ts'

/**
 * `exp` is mandatory and exact: a client answers an early 401 by refreshing, a late one would outlive a revocation.
 * `nbf` and `iat` get the issuer's clock skew, because a fresh token may come from a clock that is ahead (RFC 7519 section 4.1).
 */
export const inTime: TokenCheck = ({ payload: { exp, nbf, iat } }, { policy }) => {
  const now = Date.now() / 1000
  if (!Number.isFinite(exp)) throw refusal('expiry_missing')
  if (now >= (exp as number)) throw refusal('token_expired')
  if ((exp as number) - now > revocationSeconds) throw refusal('expiry_too_far')
  for (const start of [nbf, iat]) {
    if (start === undefined) continue
    if (!Number.isFinite(start) || now + policy.clockSkewSeconds < (start as number)) throw refusal('token_not_yet_valid')
  }
}
