import { refusal } from '../../refusals.ts'
import type { TokenCheck } from './index.ts'

/** No extension is understood here, so none may be critical; an empty or odd `crit` is an error too (RFC 7515 section 4.1.11). */
export const noCriticalExtension: TokenCheck = ({ header }) => {
  if (Object.hasOwn(header, 'crit')) throw refusal('critical_extension')
}
