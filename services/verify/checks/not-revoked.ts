import type { Identity } from '@gateway/common/identity.ts'
import type { Caller } from '../attempt.ts'
import { refusal } from '../refusals.ts'
import type { Check } from './index.ts'

/** Asked at every call, whatever is known of the credential: a revocation holds within a second. */
export const notRevoked: Check = (attempt, { revocations }) => {
  if (!revocations.trusted) throw refusal('revocations_unknown')
  if (revocations.covers(attempt.caller as Caller, (attempt.identity as Identity).tenantId)) throw refusal('credential_revoked')
}
