/** Tokens that an enemy would try. Each starts from a good one and changes one thing. */
import { createHmac, createPublicKey, generateKeyPairSync, sign, type JsonWebKey } from 'node:crypto'

type Claims = Record<string, unknown>

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const read = (token: string, index: number): Claims => JSON.parse(Buffer.from(token.split('.')[index] ?? '', 'base64url').toString())

/** The header of a JWT, unchecked. */
export const headerOf = (token: string) => read(token, 0)
/** The claims of a JWT, unchecked. */
export const claimsOf = (token: string) => read(token, 1)

/** The same claims, unsigned, as RFC 8725 section 2.1 warns; `alg` may be spelt as the caller likes. */
export function unsigned (token: string, alg = 'none'): string {
  return `${part({ ...headerOf(token), alg })}.${part(claimsOf(token))}.`
}

/** The same claims, with the issuer's public key taken for an HMAC secret (RFC 8725 section 2.1). */
export function hmacWithPublicKey (token: string, jwk: JsonWebKey, format: 'pem' | 'jwk'): string {
  const secret = format === 'jwk' ? JSON.stringify(jwk) : createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' })
  const input = `${part({ ...headerOf(token), alg: 'HS256' })}.${part(claimsOf(token))}`
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}

const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 })

/** The same claims and key id, or changed ones, signed by a key that no issuer published; the key may come along in the header. */
export function signedByStranger (token: string, claims: Claims = {}, embedKey = false): string {
  const jwk = embedKey ? { jwk: stranger.publicKey.export({ format: 'jwk' }) } : {}
  const input = `${part({ ...headerOf(token), alg: 'RS256', ...jwk })}.${part({ ...claimsOf(token), ...claims })}`
  return `${input}.${sign('sha256', Buffer.from(input), stranger.privateKey).toString('base64url')}`
}

/** Another claim under the old signature. */
export function tampered (token: string, claims: Claims): string {
  const [header, , signature] = token.split('.')
  return `${header}.${part({ ...claimsOf(token), ...claims })}.${signature}`
}

/** A segment of a token: an object as JSON, a text or bytes exactly as they are. */
export const segment = (content: object | string | Buffer) => Buffer.isBuffer(content) || typeof content === 'string' ? Buffer.from(content).toString('base64url') : part(content)

/** The parts of a token that an enemy, or anybody who reads a log, could use: those too long to be there by chance. */
export const tellingParts = (token: string) => token.split('.').filter(text => text.length >= 24)
