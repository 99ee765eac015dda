/** Signature algorithms of JWTs that a public key verifies (RFC 7518 section 3.1, RFC 8037 section 3.1), and which key fits which. */
import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'

export const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'] as const
export type Algorithm = typeof algorithms[number]

/** True for an algorithm of the list above; false for `none` and for all symmetric ones. */
export const isAlgorithm = (value: unknown): value is Algorithm => (algorithms as readonly unknown[]).includes(value)

/** A published key that may verify signatures. */
export interface SigningKey {
  kid: string
  algorithms: readonly Algorithm[]
  key: KeyObject
}

const rsa = algorithms.filter(name => name.startsWith('RS') || name.startsWith('PS'))
const ofCurve: Record<string, Algorithm> = { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' }

/** RFC 7518 section 3.3 wants 2048 bits; more than 8192 would only cost time at every call. */
const rsaBits = { least: 2048, most: 8192 }

/** FIPS 186-5 section 5.1; with an exponent of 1 every message is its own signature. */
const leastExponent = 65_537n
/** RFC 7518 section 6: with one of these anybody who reads the set can sign. */
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

/**
 * The signing key in a member of a JWK set, or undefined where it is none that may verify a signature here:
 * without `kid`, symmetric, published with its private part, for encryption, too weak, of another curve, or damaged (RFC 7517 section 5: unusable keys are ignored).
 */
export function signingKey (jwk: unknown): SigningKey | undefined {
  const { kid, use, key_ops: operations, alg, kty, n, e, crv, x, y } = (jwk ?? {}) as Record<string, unknown>
  if (typeof kid !== 'string' || kid === '' || (use !== undefined && use !== 'sig') || (Array.isArray(operations) && !operations.includes('verify'))) return undefined
  if (privateMembers.some(name => Object.hasOwn(jwk as object, name))) return undefined
  let key: KeyObject
  try {
    key = createPublicKey({ key: { kty, n, e, crv, x, y } as JsonWebKey, format: 'jwk' })
  } catch {
    return undefined
  }
  const fitting = fittingAlgorithms(key).filter(name => alg === undefined || name === alg || (name === 'EdDSA' && alg === 'Ed25519'))
  return fitting.length === 0 ? undefined : { kid, algorithms: fitting, key }
}

function fittingAlgorithms ({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): Algorithm[] {
  const { modulusLength = 0, publicExponent = 0n, namedCurve = '' } = asymmetricKeyDetails ?? {}
  switch (asymmetricKeyType) {
    case 'rsa': return modulusLength >= rsaBits.least && modulusLength <= rsaBits.most && publicExponent >= leastExponent ? rsa : []
    case 'ec': return ofCurve[namedCurve] === undefined ? [] : [ofCurve[namedCurve]]
    case 'ed25519': return ['EdDSA']
    default: return []
  }
}
