import { refusal } from '../../refusals.ts'
import type { TokenCheck } from './index.ts'

/** Only tokens that were issued for this resource (RFC 8707 section 2, RFC 9068 section 4). */
export const audienceOurs: TokenCheck = ({ payload }, { policy }) => {
  const { aud } = payload
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud]
  if (!audiences.every(audience => typeof audience === 'string') || !audiences.some(audience => policy.audiences.includes(audience as string))) throw refusal('audience_foreign')
}
