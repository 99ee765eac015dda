import { claimAt } from '../../issuers/claims.ts'
import type { RequiredClaim } from '../../issuers/trusted.ts'
import { refusal } from '../../refusals.ts'
import type { TokenCheck } from './index.ts'

/**
 * Claims that the operator asks of an issuer's tokens, such as a verified address or a second factor. Before the signature, like its
 * neighbours: what fails here costs no key and no signature, and whoever probes with unsigned tokens learns a rule, never a token.
 */
export const requiredClaims: TokenCheck = ({ payload }, { policy }) => {
  if (!policy.requiredClaims.every(required => holds(payload, required))) throw refusal('claim_missing')
}

// Of a claim that is a list one member must match.
function holds (payload: Record<string, unknown>, { path, values }: RequiredClaim): boolean {
  const claim = claimAt(payload, path)
  const found: unknown[] = Array.isArray(claim) ? claim : [claim]
  return found.some(value => values === undefined ? isThere(value) : (values as readonly unknown[]).includes(value))
}

const isThere = (value: unknown) => value !== undefined && value !== null && value !== false && value !== ''
