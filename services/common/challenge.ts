/** The WWW-Authenticate header that leads an MCP client to sign in or to step up (RFC 6750 section 3, RFC 9728 section 5.1). */
import { AuthenticationError, ScopeError, type GatewayError } from './errors.ts'

/** The path of the protected-resource metadata of `/mcp` (RFC 9728 section 3.1, path-inserted form). */
export const resourceMetadataPath = '/.well-known/oauth-protected-resource/mcp'

/** The resource that tokens are for: exactly the URL that a person types into a client. */
export const resourceUrl = (publicUrl: string) => `${publicUrl}/mcp`

/** Where a client reads how to get a token. */
export const resourceMetadataUrl = (publicUrl: string) => `${publicUrl}${resourceMetadataPath}`

/** Makes the header's writer; `challengeScopes` are in the issuer's own names, space separated. */
export function createChallenge (publicUrl: string, challengeScopes: string): (error: GatewayError) => string | undefined {
  const metadata = `resource_metadata="${resourceMetadataUrl(publicUrl)}"`
  return error => {
    if (error instanceof AuthenticationError) {
      const parts = [metadata, `scope="${challengeScopes}"`]
      // RFC 6750 section 3.1: no error code where no credential was sent.
      if (error.code !== 'missing_token') parts.push(`error="${error.code}"`, `error_description="${quotable(error.message)}"`)
      return `Bearer ${parts.join(', ')}`
    }
    if (error instanceof ScopeError) {
      return `Bearer error="insufficient_scope", scope="${error.required.join(' ')}", ${metadata}, error_description="${quotable(error.message)}"`
    }
    return undefined
  }
}

/** RFC 6750 section 3 allows %x20-21 / %x23-5B / %x5D-7E in these values. */
const quotable = (text: string) => text.replace(/[^\x20-\x7e]|["\\]/g, "'")
