/** The rules that a JWT must pass before a key is looked up and its signature, the dear part, is verified. In this order; one rule is one file. */
import type { Attempt, Gate, Issuer, Token } from '../../attempt.ts'
import { algorithmAllowed } from './algorithm-allowed.ts'
import { audienceOurs } from './audience-ours.ts'
import { inTime } from './in-time.ts'
import { issuerTrusted } from './issuer-trusted.ts'
import { noCriticalExtension } from './no-critical-extension.ts'
import { typeFits } from './type-fits.ts'

/** Throws where the token breaks its rule. */
export type TokenCheck = (token: Token, issuer: Issuer) => void

const tokenChecks: readonly TokenCheck[] = [noCriticalExtension, algorithmAllowed, typeFits, audienceOurs, inTime]

/** Asks first whose rules apply, then each of them. */
export function judgeToken (token: Token, attempt: Attempt, gate: Gate): Issuer {
  const issuer = issuerTrusted(token, attempt, gate)
  for (const check of tokenChecks) check(token, issuer)
  return issuer
}
