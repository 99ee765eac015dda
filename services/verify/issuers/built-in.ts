/** The issuer that services/oauth is; docs/identity-providers/built-in.md is the contract between the two. */
import { trusted, type TrustedIssuer } from './trusted.ts'

/**
 * Trust in the built-in sign-in: it may name every tenant, because it knows who belongs to which.
 * @param publicUrl its issuer identifier, byte for byte
 * @param oauthUrl internal origin, where its keys are asked for; of a network of its own
 * @param resource the one audience of its tokens
 */
export function builtInIssuer (publicUrl: string, oauthUrl: string, resource: string): TrustedIssuer {
  return trusted({
    issuer: publicUrl,
    jwks_uri: `${oauthUrl}/.well-known/jwks.json`,
    audience: [resource],
    algorithms: ['RS256', 'ES256', 'EdDSA'],
    typ: 'at+jwt',
    tenants: ['*']
  }, resource, true, '')
}
