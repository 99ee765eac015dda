/** Fetches the keys of an issuer: its JWK set (RFC 7517 section 5), found by OpenID or RFC 8414 metadata where no URL is configured. */
import { Agent, request } from 'undici'
import { addressFault } from './addresses.ts'
import { signingKey, type SigningKey } from './algorithms.ts'
import type { TrustedIssuer } from './trusted.ts'

/** For one document, in milliseconds: connecting, waiting and reading together. */
const defaultTimeoutMs = 5_000
/** Largest document in bytes; large providers publish some ten keys in 20 KB. */
const maxBytes = 256 * 1024
const maxKeys = 100

export type LoadKeySet = (issuer: TrustedIssuer) => Promise<readonly SigningKey[]>

/** Makes the loader and the way to end its connections. */
export function createKeySetLoader (timeoutMs = defaultTimeoutMs): { load: LoadKeySet, close: () => Promise<void> } {
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
  return {
    load: async issuer => {
      const { keys } = await fetchJson(issuer.jwksUri ?? await discover(issuer.issuer, fetchJson))
      if (!Array.isArray(keys)) throw new Error(`the keys of ${issuer.issuer} are no JWK set`)
      return keys.slice(0, maxKeys).map(signingKey).filter(key => key !== undefined)
    },
    close: () => agent.destroy()
  }
}

/** The `jwks_uri` of the issuer's own metadata, which must name the same issuer (RFC 8414 section 3.3). */
async function discover (issuer: string, fetchJson: (url: string) => Promise<Record<string, unknown>>): Promise<string> {
  let failure: unknown
  for (const url of metadataUrls(issuer)) {
    try {
      const metadata = await fetchJson(url)
      if (metadata.issuer !== issuer) throw new Error(`${url} names another issuer than ${issuer}`)
      const fault = addressFault(String(metadata.jwks_uri))
      if (fault !== undefined) throw new Error(`jwks_uri in ${url} ${fault}`)
      return metadata.jwks_uri as string
    } catch (error) {
      failure ??= error
    }
  }
  throw failure
}

/** OpenID Connect Discovery 1.0 section 4 appends, RFC 8414 section 3.1 inserts. */
function metadataUrls (issuer: string): string[] {
  const { origin, pathname } = new URL(issuer)
  const path = pathname.replace(/\/$/, '')
  return [`${origin}${path}/.well-known/openid-configuration`, `${origin}/.well-known/oauth-authorization-server${path}`]
}
