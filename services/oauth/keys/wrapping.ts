/** Keys that lie where others may read: encrypted under OAUTH_SECRET, as a compact JWE (RFC 7516) with `dir` and A256GCM. */
import { compactDecrypt, CompactEncrypt, errors } from 'jose'
import { ConfigurationError } from '@gateway/common/config.ts'
import { deriveKeys } from '@gateway/common/secrets.ts'

/** Says what is wrapped, and is bound to it: nothing else that one of the secrets has sealed can take its place. */
const typ = 'gateway-oauth-keys'

/** Wraps a text under the first of the secrets. */
export async function wrap (text: string, secrets: readonly string[]): Promise<string> {
  const [key] = deriveKeys(secrets, 'oauth-keys') as [Buffer, ...Buffer[]]
  return await new CompactEncrypt(new TextEncoder().encode(text)).setProtectedHeader({ alg: 'dir', enc: 'A256GCM', typ }).encrypt(key)
}

/**
 * Unwraps what one of the secrets has wrapped.
 * @param where it lies, for the fault
 * @returns the text, and whether the first one can unwrap it
 * @throws ConfigurationError where none can
 */
export async function unwrap (wrapped: string, secrets: readonly string[], where: string): Promise<{ text: string, byFirst: boolean }> {
  for (const [index, key] of deriveKeys(secrets, 'oauth-keys').entries()) {
    try {
      const { plaintext, protectedHeader } = await compactDecrypt(wrapped, key, { keyManagementAlgorithms: ['dir'], contentEncryptionAlgorithms: ['A256GCM'] })
      if (protectedHeader.typ === typ) return { text: new TextDecoder().decode(plaintext), byFirst: index === 0 }
      break
    } catch (error) {
      // Of a wrong secret, and of a text that was altered.
      if (!(error instanceof errors.JWEDecryptionFailed)) break
      if (index === secrets.length - 1) throw new ConfigurationError([otherSecret(where)])
    }
  }
  throw new ConfigurationError([`${where} hold no wrapped keys: something else wrote there, or they are damaged; ${afresh(where)}`])
}

const afresh = (where: string) => `to begin with new keys, which ends all access tokens and signs every browser out, stop all replicas of the oauth service, delete ${where}, and start them`

const otherSecret = (where: string) => `${where} were wrapped by another OAUTH_SECRET (GATEWAY_SECRET where there was none), and new ones are not made in silence. Set OAUTH_SECRET=new,former (both, the new one first) and start again: they are then wrapped by the new one, and the former can go as soon as every replica has started so. If the former is lost: ${afresh(where)}`
