import { refusal } from '../../refusals.ts'
import type { TokenCheck } from './index.ts'

/** The issuer's own list, which never holds `none` or a symmetric algorithm (RFC 8725 section 3.1). Whether the key fits is asked with the key. */
export const algorithmAllowed: TokenCheck = ({ header }, { policy }) => {
  if (!(policy.algorithms as readonly unknown[]).includes(header.alg)) throw refusal('algorithm_refused')
}
