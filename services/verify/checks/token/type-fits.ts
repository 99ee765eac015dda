import { refusal } from '../../refusals.ts'
import type { TokenCheck } from './index.ts'

/** What issuers write into access tokens. ID tokens of most say `JWT` too: those fall to their audience. */
const usual = new Set(['jwt', 'at+jwt'])

/** One kind of JWT must not pass for another: logout tokens, DPoP proofs, security events carry types of their own (RFC 8725 section 3.11, RFC 9068 section 4). */
export const typeFits: TokenCheck = ({ header }, { policy }) => {
  const { typ } = header
  if (typ === undefined && policy.typ === undefined) return
  const type = typeof typ === 'string' ? typ.toLowerCase().replace(/^application\//, '') : ''
  if (policy.typ === undefined ? !usual.has(type) : type !== policy.typ) throw refusal('type_refused')
}
