import type { Credential } from '../attempt.ts'
import type { Check } from '../checks/index.ts'
import { refusal } from '../refusals.ts'
import { verifyBearer } from './bearer.ts'
import { isJwtShaped, maxCredentialLength } from './shape.ts'

/** The credential is what it claims to be; afterwards the attempt has its caller. */
export const credentialGood: Check = async (attempt, gate) => {
  const { kind, value } = attempt.credential as Credential
  if (value.length > maxCredentialLength) throw refusal('token_too_large')
  if (kind === 'bearer' && (isJwtShaped(value) || gate.apiKey === undefined)) {
    attempt.caller = await verifyBearer(attempt, gate)
    return
  }
  attempt.caller = gate.apiKey?.recognise(value)
  if (attempt.caller === undefined) throw refusal('api_key_unknown')
  attempt.issuer = 'api-key'
}
