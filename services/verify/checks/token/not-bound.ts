import { refusal } from '../../refusals.ts'
import type { TokenCheck } from './index.ts'

/** A token that is bound to a key of its client is none for whoever merely bears it, and nobody here asks for the proof (RFC 9449 section 7.2, RFC 8705 section 3). */
export const notBound: TokenCheck = ({ payload }) => {
  if (payload.cnf !== undefined && payload.cnf !== null) throw refusal('token_bound')
}
