/** A token that is no JWT: its issuer is asked what it is worth (RFC 7662). */
import type { Attempt, Gate } from '../attempt.ts'
import { refusal } from '../refusals.ts'
import type { KnownToken } from './token-cache.ts'

/**
 * Asks the issuers that are set up so.
 * @throws GatewayError where none of them knows the token
 */
export async function verifyOpaque (_attempt: Attempt, _gate: Gate): Promise<KnownToken> {
  throw refusal('token_malformed')
}
