import type { Attempt, Gate, Issuer, Token } from '../../attempt.ts'
import { refusal } from '../../refusals.ts'

/** The configured issuer of a token, by exact comparison (RFC 8414 section 2). A token of another one causes no outgoing request. */
export function issuerTrusted (token: Token, attempt: Attempt, { issuers }: Gate): Issuer {
  const { iss } = token.payload
  const issuer = typeof iss === 'string' ? issuers.get(iss) : undefined
  if (issuer === undefined) throw refusal('issuer_unknown')
  attempt.issuer = issuer.policy.issuer
  return issuer
}
