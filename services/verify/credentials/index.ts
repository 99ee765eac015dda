import type { Attempt, Caller, Credential, Gate } from '../attempt.ts'
import type { Check } from '../checks/index.ts'
import { refusal, type Reason } from '../refusals.ts'
import { GatewayError } from '@gateway/common/errors.ts'
import { verifyBearer } from './bearer.ts'
import { introspecting, verifyOpaque } from './opaque.ts'
import { isJwtShaped, maxCredentialLength } from './shape.ts'
import { digestOf, type KnownToken } from './token-cache.ts'

/** The credential is what it claims to be; afterwards the attempt has its caller. Whoever was seen before waits for nothing. */
export const credentialGood: Check = (attempt, gate) => {
  const { kind, value } = attempt.credential as Credential
  if (value.length > maxCredentialLength) throw refusal('token_too_large')
  const isJwt = kind === 'bearer' && isJwtShaped(value)
  if (!isJwt) {
    const found = gate.apiKeys.recognise(value)
    if (typeof found === 'string') throw unlessBlocked(attempt, gate, found)
    if (found !== undefined) {
      // tenantKnown leaves its finding with each caller that it has met.
      attempt.firstUse = found.last === undefined
      return admit(attempt, found, 'api-key')
    }
    if (kind === 'api-key' || (gate.apiKeys.any && introspecting(gate).length === 0)) throw unlessBlocked(attempt, gate, 'api_key_unknown')
  }
  const digest = digestOf(value)
  const known = gate.tokens.find(digest)
  if (known !== undefined) return admit(attempt, known.caller, known.issuer.policy.issuer)
  const reason = gate.tokens.reasonAgainst(digest)
  if (reason !== undefined) throw unlessBlocked(attempt, gate, reason)
  // A signature or a question to the issuer is the dear part: who has failed too often must wait for it.
  requireUnblocked(attempt, gate)
  return verify(attempt, gate, digest, isJwt ? verifyBearer : verifyOpaque)
}

function admit (attempt: Attempt, caller: Caller, issuer: string): void {
  attempt.caller = caller
  attempt.issuer = issuer
}

function verify (attempt: Attempt, gate: Gate, digest: string, verifier: (attempt: Attempt, gate: Gate) => KnownToken | Promise<KnownToken>): void | Promise<void> {
  const keep = (token: KnownToken) => {
    attempt.firstUse = gate.tokens.keep(digest, token)
    admit(attempt, token.caller, token.issuer.policy.issuer)
  }
  const refuse = (error: unknown): never => {
    if (error instanceof GatewayError) gate.tokens.keepRefused(digest, error.reason)
    throw error
  }
  try {
    const token = verifier(attempt, gate)
    return token instanceof Promise ? token.then(keep).catch(refuse) : keep(token)
  } catch (error) {
    return refuse(error)
  }
}

function requireUnblocked ({ address }: Attempt, { limits }: Gate): void {
  const retryAfter = limits.blocked(address)
  if (retryAfter !== undefined) throw refusal('address_limited', { retryAfter })
}

function unlessBlocked (attempt: Attempt, gate: Gate, reason: Reason): GatewayError {
  requireUnblocked(attempt, gate)
  return refusal(reason)
}
