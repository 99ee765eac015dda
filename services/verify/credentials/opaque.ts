/** A token that is no JWT: its issuer is asked what it is worth (RFC 7662). One that is a JWT never gets here, whatever is wrong with it. */
import { GatewayError } from '@gateway/common/errors.ts'
import { judgeIntrospected } from '../checks/token/index.ts'
import type { Attempt, Credential, Gate, Issuer } from '../attempt.ts'
import { callerOf } from '../issuers/claims.ts'
import type { IntrospectedClaims, Introspection } from '../issuers/introspection.ts'
import { refusal, type Reason } from '../refusals.ts'
import type { KnownToken } from './token-cache.ts'

/** RFC 6750 section 2.1, b64token: nothing else can have been issued, and nothing else is sent to an issuer. */
const b64token = /^[\w.~+/-]+=*$/

type Introspecting = Issuer & { introspection: Introspection }

/** The issuers that are asked about tokens that are no JWT, in their order. */
export const introspecting = ({ issuers }: Gate): Introspecting[] => [...issuers.values()].filter((issuer): issuer is Introspecting => issuer.introspection !== undefined)

/**
 * Asks the issuers that are set up so, in their order, until one of them knows the token as an active one.
 * @throws GatewayError where none does; UnavailableError where one that could not be asked may still do
 */
export async function verifyOpaque (attempt: Attempt, gate: Gate): Promise<KnownToken> {
  const { value } = attempt.credential as Credential
  const issuers = introspecting(gate)
  if (issuers.length === 0 || !b64token.test(value)) throw refusal('token_malformed')
  let away: { issuer: string, error: unknown } | undefined
  for (const issuer of issuers) {
    try {
      return await issuer.introspection.ask(value, claims => judged(claims, issuer))
    } catch (error) {
      const reason = error instanceof GatewayError ? error.reason as Reason : undefined
      if (reason === 'token_inactive') continue
      if (reason !== 'introspection_unavailable') {
        // This issuer knows the token: what it says of it is the last word.
        attempt.issuer = issuer.policy.issuer
        throw error
      }
      away ??= { issuer: issuer.policy.issuer, error }
    }
  }
  if (away === undefined) throw refusal('token_inactive')
  attempt.issuer = away.issuer
  throw away.error
}

/** The rules of a JWT's claims hold for these too. */
function judged (claims: IntrospectedClaims, issuer: Introspecting): KnownToken {
  // RFC 7662 section 2.2 leaves `exp` to the issuer: without it the answer counts for its time, and then the issuer is asked again.
  const recheck = Date.now() / 1000 + issuer.introspection.cacheSeconds
  judgeIntrospected({ header: {}, payload: claims.exp === undefined ? { ...claims, exp: recheck + 1 } : claims }, issuer)
  return { caller: callerOf(claims, issuer.policy), issuer, key: undefined, until: Math.min(claims.exp as number | undefined ?? Infinity, recheck) }
}
