/** GATEWAY_SECRET, OAUTH_SECRET and the keys derived from them. Each use has a key of its own, so that none can stand in for another. */
import { hkdfSync } from 'node:crypto'

/** What a derived key is for; the name is HKDF's `info` (RFC 5869 section 3.2). */
export type KeyPurpose = 'identity-assertion' | 'tenant-user' | 'query-cursor' | 'request-state' | 'sse-session' | 'oauth-keys' | 'oauth-forms' | 'oauth-memory'

/** Shortest secret in characters: 32 hexadecimal ones are 128 bits. */
const minSecretLength = 32

/**
 * The secrets of `GATEWAY_SECRET=new,old`, newest first.
 * @param name the variable that they come from
 * @returns faults in words where one is too short or plainly not random
 */
export function parseSecrets (value: string, name = 'GATEWAY_SECRET'): { secrets: string[], faults: string[] } {
  const secrets = value.split(',').map(secret => secret.trim())
  const faults: string[] = []
  for (const [index, secret] of secrets.entries()) {
    const which = secrets.length === 1 ? name : `${name} part ${index + 1}`
    if (secret.length < minSecretLength) faults.push(`${which} has ${secret.length} characters; it needs at least ${minSecretLength}: openssl rand -hex 32`)
    else if (new Set(secret).size < 8) faults.push(`${which} repeats a few characters; make a random one: openssl rand -hex 32`)
  }
  return { secrets, faults }
}

/** One 256-bit key per secret, newest first. The first signs, all verify. */
export function deriveKeys (secrets: readonly string[], purpose: KeyPurpose): Buffer[] {
  return secrets.map(secret => Buffer.from(hkdfSync('sha256', secret, 'falkordb-mcp-gateway', purpose, 32)))
}
