/** The rules that a JWT must pass before a key is looked up and its signature, the dear part, is verified, and those for what an issuer says of an opaque token. In this order; one rule is one file. */
import type { Attempt, Gate, Issuer, Token } from '../../attempt.ts'
import { accessToken } from './access-token.ts'
import { algorithmAllowed } from './algorithm-allowed.ts'
import { audienceOurs } from './audience-ours.ts'
import { inTime } from './in-time.ts'
import { issuerSame } from './issuer-same.ts'
import { issuerTrusted } from './issuer-trusted.ts'
import { noCriticalExtension } from './no-critical-extension.ts'
import { notBound } from './not-bound.ts'
import { requiredClaims } from './required-claims.ts'
import { typeFits } from './type-fits.ts'

/** Throws where the token breaks its rule. */
export type TokenCheck = (token: Token, issuer: Issuer) => void

const tokenChecks: readonly TokenCheck[] = [noCriticalExtension, algorithmAllowed, typeFits, notBound, audienceOurs, inTime, requiredClaims]

const introspectionChecks: readonly TokenCheck[] = [issuerSame, accessToken, notBound, audienceOurs, inTime, requiredClaims]

/** Asks first whose rules apply, then each of them. */
export function judgeToken (token: Token, attempt: Attempt, gate: Gate): Issuer {
  const issuer = issuerTrusted(token, attempt, gate)
  for (const check of tokenChecks) check(token, issuer)
  return issuer
}

/** For the claims that an issuer tells of an active token of its own: they come from its endpoint, so that neither key nor signature vouches for them. */
export function judgeIntrospected (token: Token, issuer: Issuer): void {
  for (const check of introspectionChecks) check(token, issuer)
}
