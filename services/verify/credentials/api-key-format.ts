/**
 * The form of an API key: `fgk_<id>_<secret><checksum>`. The prefix and the checksum let secret scanners, and the gate, tell a key from other
 * text and a whole one from a damaged one without looking it up. There is no dot in it: a credential with two dots is a JWT.
 */
import { hash, randomInt } from 'node:crypto'
import { crc32 } from 'node:zlib'

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const prefix = 'fgk_'
const idLength = 10
/** 62^32 is 190 bits. */
const secretLength = 32
/** 62^6 is more than 2^32. */
const checksumLength = 6
const form = new RegExp(`^${prefix}([0-9A-Za-z]{${idLength}})_[0-9A-Za-z]{${secretLength + checksumLength}}$`)

/** The id of a key, for logs and lists: it is no secret. */
export const idPattern = `^[0-9A-Za-z]{${idLength}}$`
/** How a key is kept. */
export const digestPattern = '^sha256:[0-9a-f]{64}$'

/**
 * A new key.
 * @param id a random one where absent
 */
export function makeApiKey (id = randomText(idLength)): { id: string, key: string } {
  const body = `${prefix}${id}_${randomText(secretLength)}`
  return { id, key: `${body}${checksumOf(body)}` }
}

/** The id in a key; `damaged` where only its beginning is a key's, or its checksum does not fit; undefined for any other text. */
export function apiKeyId (text: string): { id: string } | 'damaged' | undefined {
  if (!text.startsWith(prefix)) return undefined
  const [, id] = form.exec(text) ?? []
  return id !== undefined && checksumOf(text.slice(0, -checksumLength)) === text.slice(-checksumLength) ? { id } : 'damaged'
}

/**
 * SHA-256 of a key. Passwords need a slow hash because they can be guessed; of a secret with 190 random bits nobody can try enough,
 * so that slowness would cost each call something and no thief anything.
 */
export const digestOf = (key: string): Buffer => hash('sha256', key, 'buffer')

// randomInt draws again where a remainder would favour some characters.
const randomText = (length: number) => Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join('')

function checksumOf (text: string): string {
  let rest = crc32(text)
  let digits = ''
  for (let digit = 0; digit < checksumLength; digit++) {
    digits = `${alphabet[rest % alphabet.length]}${digits}`
    rest = Math.floor(rest / alphabet.length)
  }
  return digits
}
