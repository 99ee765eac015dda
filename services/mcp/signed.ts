/**
 * What a client keeps for the gateway between two calls (a cursor, the state of a question), signed, so that any replica can believe it.
 * Signed, not encrypted: its holder can read it.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { deriveKeys, parseSecrets, type KeyPurpose } from '@gateway/common/secrets.ts'

export interface Signer {
  /** @param ttlSeconds how long it can be read */
  sign: (payload: object, ttlSeconds: number) => string
  /** The payload as it was signed. @throws SignatureError */
  read: (text: string) => unknown
}

/** Not signed by this gateway for this purpose, or no longer good. The reason is for tests and logs; an answer need not tell a forger which it was. */
export class SignatureError extends Error {
  readonly reason: 'malformed' | 'forged' | 'expired'

  constructor (reason: SignatureError['reason']) {
    super(`signed text is ${reason}`)
    this.reason = reason
  }
}

/** Changes with the form, so that a later form is never read as this one. */
const version = 'v1'

/** Longest text in characters that is looked at. */
export const maxSignedLength = 2_048

/**
 * HMAC-SHA-256 under a key of the purpose's own, so that a cursor cannot stand in for an answer.
 * @param secret GATEWAY_SECRET: the first of `new,old` signs, all of them verify
 */
export function createSigner (secret: string, purpose: KeyPurpose): Signer {
  const keys = deriveKeys(parseSecrets(secret).secrets, purpose)
  const [newest] = keys
  if (newest === undefined) throw new TypeError('no secret to sign with')
  const mac = (key: Buffer, signed: string) => createHmac('sha256', key).update(signed).digest()

  return {
    sign (payload, ttlSeconds) {
      const expires = Math.floor(Date.now() / 1000) + ttlSeconds
      const signed = `${version}.${Buffer.from(JSON.stringify([expires, payload])).toString('base64url')}`
      const text = `${signed}.${mac(newest, signed).toString('base64url')}`
      if (text.length > maxSignedLength) throw new TypeError('too long to be read again')
      return text
    },

    read (text) {
      if (text.length > maxSignedLength) throw new SignatureError('malformed')
      const [, signed, body, signature] = /^(v1\.([\w-]+))\.([\w-]{43})$/.exec(text) ?? []
      if (signed === undefined || body === undefined || signature === undefined) throw new SignatureError('malformed')
      const given = Buffer.from(signature, 'base64url')
      // Every key is tried: the time does not tell which one it was.
      if (keys.filter(key => timingSafeEqual(mac(key, signed), given)).length === 0) throw new SignatureError('forged')
      const [expires, payload] = JSON.parse(Buffer.from(body, 'base64url').toString()) as [number, unknown]
      if (expires <= Date.now() / 1000) throw new SignatureError('expired')
      return payload
    }
  }
}
