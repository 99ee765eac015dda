/**
 * The keys as they are stored. Each one says from when it signs and until when it counts, so that a rotation is one write and the two
 * phases of it come by the clock: the next key is published at once and signs later, the former one stays published until
 * nothing that it signed can be valid any more.
 */
import { createPrivateKey, createPublicKey, randomBytes, sign, verify, type JsonWebKey } from 'node:crypto'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose'
import { Type } from 'typebox'
import { ConfigurationError } from '@gateway/common/config.ts'
import { jsonReader, placeOf } from '@gateway/common/json-file.ts'
import { tokenAlgorithms, type TokenAlgorithm } from '../config.ts'

/** A key's time in seconds since 1970; without `until` it has no successor yet. */
interface Term { signsFrom: number, until?: number }

/** `jwk` is private, with `kid`, `alg` and `use`. */
export interface SigningKey extends Term { jwk: JWK & { kid: string, alg: TokenAlgorithm } }
/** Signs cookies. */
export interface CookieKey extends Term { secret: string }

export interface StoredRing {
  /** Higher after each change: of two rings it tells the newer one. */
  revision: number
  signing: SigningKey[]
  cookies: CookieKey[]
}

/**
 * For so long a key is published before it signs, in seconds: by then every replica has read it, and verify may ask for an unknown key
 * again (it does so every 10 seconds at most).
 */
export const noticeSeconds = 30
/** By how many seconds the clocks of those who sign and verify may differ. */
const clockSeconds = 60
/**
 * Bits of an RSA key. 2048 are good until the end of 2030 (NIST SP 800-57 part 1, 5.6.3), are what every client of RS256 can verify, and
 * sign in a third of the time of 3072: each refresh waits for a signature. Who wants more strength has ES256 and EdDSA, which are faster still.
 */
const rsaBits = 2048

/** A signing key of this algorithm; its `kid` is its thumbprint (RFC 7638). */
export async function makeSigningKey (alg: TokenAlgorithm): Promise<SigningKey['jwk']> {
  const { privateKey } = await generateKeyPair(alg, { extractable: true, ...(alg === 'RS256' && { modulusLength: rsaBits }) })
  const jwk = await exportJWK(privateKey)
  return { ...jwk, kid: await calculateJwkThumbprint(jwk), alg, use: 'sig' }
}

/** The secret of a cookie key: 256 bits. */
export const makeCookieSecret = () => randomBytes(32).toString('base64url')

/** A first ring. @param now seconds since 1970 */
export async function makeRing (algorithm: TokenAlgorithm, now: number): Promise<StoredRing> {
  const signsFrom = Math.floor(now)
  return { revision: 1, signing: [{ jwk: await makeSigningKey(algorithm), signsFrom }], cookies: [{ secret: makeCookieSecret(), signsFrom }] }
}

const counts = (now: number) => ({ until }: Term) => until === undefined || until > now

/** The keys that count: the one that signs now, then those that do not sign yet, then former ones, newest first. @param now seconds since 1970 */
export function inOrder<T extends Term> (keys: readonly T[], now: number): T[] {
  const newestFirst = keys.filter(counts(now)).sort((one, other) => other.signsFrom - one.signsFrom)
  // A clock that is behind may find none that signs: the oldest is what others verify already.
  const signer = newestFirst.find(({ signsFrom }) => signsFrom <= now) ?? newestFirst.at(-1)
  return newestFirst.filter(key => key === signer).concat(newestFirst.filter(key => key !== signer))
}

/** When another key signs or one goes, next; seconds since 1970, Infinity where nothing is to come. */
export function nextTurn ({ signing, cookies }: StoredRing, now: number): number {
  return Math.min(...[...signing, ...cookies].flatMap(({ signsFrom, until = Infinity }) => [signsFrom, until]).filter(time => time > now), Infinity)
}

/** Until when a rotation of the signing keys is under way; undefined where none is. */
export function rotatingUntil ({ signing }: StoredRing, now: number): number | undefined {
  const ends = signing.flatMap(({ until }) => until !== undefined && until > now ? [until] : [])
  return ends.length === 0 ? undefined : Math.max(...ends)
}

/** The algorithm of the newest key. */
export const newestAlgorithm = ({ signing }: StoredRing) => signing.reduce((one, other) => other.signsFrom > one.signsFrom ? other : one).jwk.alg

/**
 * The ring with a next signing key; keys that count no more are dropped.
 * @param now seconds since 1970
 * @param tokenSeconds longest life of what the keys sign
 */
export function withNextSigningKey (ring: StoredRing, jwk: SigningKey['jwk'], now: number, tokenSeconds: number): StoredRing {
  return { ...ring, revision: ring.revision + 1, signing: followedBy(ring.signing, { jwk, signsFrom: Math.ceil(now) + noticeSeconds }, now, tokenSeconds) }
}

/** The same with a next cookie key. @param cookieSeconds longest life of a cookie */
export function withNextCookieKey (ring: StoredRing, secret: string, now: number, cookieSeconds: number): StoredRing {
  return { ...ring, revision: ring.revision + 1, cookies: followedBy(ring.cookies, { secret, signsFrom: Math.ceil(now) + noticeSeconds }, now, cookieSeconds) }
}

function followedBy<T extends Term> (keys: readonly T[], next: T, now: number, seconds: number): T[] {
  const end = next.signsFrom + seconds + clockSeconds
  return [next, ...keys.filter(counts(now)).map(key => ({ ...key, until: key.until ?? end }))]
}

const term = { signsFrom: Type.Integer({ minimum: 0 }), until: Type.Optional(Type.Integer({ minimum: 0 })) }
const shape = jsonReader(Type.Object({
  revision: Type.Integer({ minimum: 1 }),
  signing: Type.Array(Type.Object({ ...term, jwk: Type.Object({ kty: Type.String(), kid: Type.String({ minLength: 1 }), alg: Type.Enum([...tokenAlgorithms]), d: Type.String({ minLength: 1 }) }) }), { minItems: 1 }),
  cookies: Type.Array(Type.Object({ ...term, secret: Type.String({ minLength: 32 }) }), { minItems: 1 })
}))

/**
 * Reads a stored ring.
 * @throws ConfigurationError with the place of each fault, and nothing of what stands there
 */
export function parseRing (text: string): StoredRing {
  const ring = shape(text) as StoredRing
  const faults = [...faultsOf(ring)]
  if (faults.length > 0) throw new ConfigurationError(faults)
  return ring
}

function * faultsOf ({ signing, cookies }: StoredRing): Iterable<string> {
  const kids = new Set<string>()
  for (const [index, { jwk }] of signing.entries()) {
    if (kids.has(jwk.kid)) yield `${placeOf(['signing', index, 'jwk', 'kid'])} is there twice`
    kids.add(jwk.kid)
    if (!signs(jwk)) yield `${placeOf(['signing', index, 'jwk'])} is no private key for ${jwk.alg}`
  }
  for (const [name, keys] of Object.entries({ signing, cookies })) if (keys.every(({ until }) => until !== undefined)) yield `${name} has no key without an end ("until")`
}

const keyTypes: Record<TokenAlgorithm, string> = { RS256: 'rsa', ES256: 'ec', EdDSA: 'ed25519' }

/** Whether what it signs can be verified. */
function signs ({ alg, ...jwk }: SigningKey['jwk']): boolean {
  const trial = Buffer.from('trial')
  const digest = alg === 'EdDSA' ? null : 'sha256'
  try {
    const key = createPrivateKey({ key: jwk as JsonWebKey, format: 'jwk' })
    return key.asymmetricKeyType === keyTypes[alg] && verify(digest, trial, createPublicKey(key), sign(digest, trial, key))
  } catch {
    return false
  }
}

export const formatRing = (ring: StoredRing): string => `${JSON.stringify(ring, undefined, 2)}\n`
