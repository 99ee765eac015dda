/**
 * What only lies in Valkey or travels through it is sealed (AES-256-GCM), with a key of its own for each whom it is about: Valkey can
 * lose it, but neither read it, nor make one up, nor give it to another.
 */
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto'

export interface Seal {
  close: (text: string) => string
  /** undefined where it was not sealed with the same secret about the same. */
  open: (sealed: string) => string | undefined
}

const algorithm = 'aes-256-gcm'
/** NIST SP 800-38D section 8.2.2: 96 random bits, for far fewer than 2^32 messages under one key. */
const ivBytes = 12
const tagBytes = 16

/**
 * @param keys newest first; the first seals, any opens
 * @param about whom the seal is for
 */
export function createSeal (keys: readonly Buffer[], about: readonly string[]): Seal {
  const own = keys.map(key => createHmac('sha256', key).update(JSON.stringify(['seal', ...about])).digest())
  return {
    close (text) {
      const iv = randomBytes(ivBytes)
      const cipher = createCipheriv(algorithm, own[0]!, iv, { authTagLength: tagBytes })
      return Buffer.concat([iv, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64')
    },
    open (sealed) {
      const bytes = Buffer.from(sealed, 'base64')
      if (bytes.length < ivBytes + tagBytes) return undefined
      for (const key of own) {
        const decipher = createDecipheriv(algorithm, key, bytes.subarray(0, ivBytes), { authTagLength: tagBytes })
        decipher.setAuthTag(bytes.subarray(-tagBytes))
        try {
          return Buffer.concat([decipher.update(bytes.subarray(ivBytes, -tagBytes)), decipher.final()]).toString('utf8')
        } catch {
          // By another key, or changed on the way: the next one tells.
        }
      }
      return undefined
    }
  }
}
