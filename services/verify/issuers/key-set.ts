/** Fetches the keys of an issuer: its JWK set (RFC 7517 section 5), found by OpenID or RFC 8414 metadata where no URL is configured. */
import { Agent, request } from 'undici'
import { referredFault } from './addresses.ts'
import { signingKey, type SigningKey } from './algorithms.ts'
import type { TrustedIssuer } from './trusted.ts'

/** For one document, in milliseconds: connecting, waiting and reading together. */
const defaultTimeoutMs = 5_000
/** Largest document in bytes; large providers publish some ten keys in 20 KB. */
const maxBytes = 256 * 1024
const maxKeys = 100

export type LoadKeySet = (issuer: TrustedIssuer) => Promise<readonly SigningKey[]>

/**
 * The address that an issuer's metadata (RFC 8414 section 2) has under a name, one that may be asked; undefined where it has none.
 * @throws where the metadata cannot be had, or names an address that must not be asked
 */
export type FindAddress = (issuer: TrustedIssuer, name: 'jwks_uri' | 'introspection_endpoint') => Promise<string | undefined>

/** Makes the loaders and the way to end their connections. */
export function createKeySetLoader (timeoutMs = defaultTimeoutMs): { load: LoadKeySet, findAddress: FindAddress, close: () => Promise<void> } {
  const agent = new Agent({ maxResponseSize: maxBytes, connections: 2, keepAliveTimeout: 1_000 })
  const fetchJson = async (url: string): Promise<Record<string, unknown>> => {
    // Redirects are not followed: only the configured address speaks for an issuer.
    const { statusCode, body } = await request(url, { dispatcher: agent, signal: AbortSignal.timeout(timeoutMs), headers: { accept: 'application/json' } })
    if (statusCode !== 200) {
      await body.dump()
      throw new Error(`${url} answered ${statusCode}`)
    }
    const document = await body.json()
    if (typeof document !== 'object' || document === null) throw new Error(`${url} is no JSON object`)
    return document as Record<string, unknown>
  }
  const findAddress: FindAddress = ({ issuer }, name) => discover(issuer, name, fetchJson)
  return {
    load: async issuer => {
      const url = issuer.jwksUri ?? await findAddress(issuer, 'jwks_uri')
      if (url === undefined) {
        // Who issues opaque tokens only has no keys to publish.
        if (issuer.introspection !== undefined) return []
        throw new Error(`the metadata of ${issuer.issuer} has no jwks_uri`)
      }
      const { keys } = await fetchJson(url)
      if (!Array.isArray(keys)) throw new Error(`the keys of ${issuer.issuer} are no JWK set`)
      if (keys.length > maxKeys) throw new Error(`the keys of ${issuer.issuer} are ${keys.length}, more than ${maxKeys}`)
      return keys.map(signingKey).filter(key => key !== undefined)
    },
    findAddress,
    close: () => agent.destroy()
  }
}

/** From the issuer's own metadata, which must name the same issuer (RFC 8414 section 3.3). */
async function discover (issuer: string, name: string, fetchJson: (url: string) => Promise<Record<string, unknown>>): Promise<string | undefined> {
  let failure: unknown
  let answered = false
  for (const url of metadataUrls(issuer)) {
    try {
      const metadata = await fetchJson(url)
      if (metadata.issuer !== issuer) throw new Error(`${url} names another issuer than ${issuer}`)
      answered = true
      const address = metadata[name]
      if (address === undefined) continue
      const fault = referredFault(issuer, String(address))
      if (fault !== undefined) throw new Error(`${name} in ${url} ${fault}`)
      return address as string
    } catch (error) {
      failure ??= error
    }
  }
  if (answered && failure === undefined) return undefined
  throw failure
}

/** OpenID Connect Discovery 1.0 section 4 appends, RFC 8414 section 3.1 inserts. */
function metadataUrls (issuer: string): string[] {
  const { origin, pathname } = new URL(issuer)
  const path = pathname.replace(/\/$/, '')
  return [`${origin}${path}/.well-known/openid-configuration`, `${origin}/.well-known/oauth-authorization-server${path}`]
}
