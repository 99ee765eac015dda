/** Signatures of JWTs (RFC 7515 section 5.2), over Node's own cryptography. */
import { constants, verify, type VerifyKeyObjectInput } from 'node:crypto'
import type { Algorithm, SigningKey } from './algorithms.ts'

/** Bytes of each of the two numbers of an ECDSA signature (RFC 7518 section 3.4). */
const ecdsaBytes: Partial<Record<Algorithm, number>> = { ES256: 32, ES384: 48, ES512: 66 }

const hashes = { 256: 'sha256', 384: 'sha384', 512: 'sha512' } as const

/**
 * Whether `signature` (base64url) is the key's over `input` (header and payload with the dot between, ASCII).
 * The caller has made sure that the algorithm is allowed for the issuer and that the key is one for it.
 */
export function signatureFits (algorithm: Algorithm, { key }: SigningKey, input: string, signature: string): boolean {
  const bytes = Buffer.from(signature, 'base64url')
  const data = Buffer.from(input, 'latin1')
  if (algorithm === 'EdDSA') return verify(null, data, key, bytes)
  const hash = hashes[algorithm.slice(2) as unknown as keyof typeof hashes]
  // RFC 7518 section 3.5: the salt is as long as the hash.
  if (algorithm.startsWith('PS')) return verify(hash, data, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST } satisfies VerifyKeyObjectInput, bytes)
  const size = ecdsaBytes[algorithm]
  if (size === undefined) return verify(hash, data, key, bytes)
  // Node takes r and s side by side too, but by an option object, which costs more than this.
  return bytes.length === 2 * size && verify(hash, data, key, derOf(bytes, size))
}

/** r and s as an ECDSA-Sig-Value in DER (RFC 3279 section 2.2.3). */
function derOf (signature: Buffer, size: number): Buffer {
  const r = derInteger(signature.subarray(0, size))
  const s = derInteger(signature.subarray(size))
  const length = r.length + s.length
  return Buffer.concat([length < 128 ? Buffer.of(0x30, length) : Buffer.of(0x30, 0x81, length), r, s])
}

/** A positive integer in as few bytes as DER wants: no leading zeros, but one where the first bit would make it negative. */
function derInteger (number: Buffer): Buffer {
  let start = 0
  while (start < number.length - 1 && number[start] === 0) start++
  const digits = number.subarray(start)
  const sign = (digits[0] as number) >= 0x80
  return Buffer.concat([sign ? Buffer.of(2, digits.length + 1, 0) : Buffer.of(2, digits.length), digits])
}
