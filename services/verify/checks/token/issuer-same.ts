import { refusal } from '../../refusals.ts'
import type { TokenCheck } from './index.ts'

/** An introspection answer may leave `iss` out (RFC 7662 section 2.2); another issuer's name means that it answers for tokens that are not its own. */
export const issuerSame: TokenCheck = ({ payload: { iss } }, { policy }) => {
  if (iss !== undefined && iss !== policy.issuer) throw refusal('issuer_unknown')
}
