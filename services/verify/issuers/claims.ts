/** What the claims of a verified token say of its caller, by the policy of its issuer. */
import { grantedScopes } from '@gateway/common/scopes.ts'
import { isTenantId, tenantAllowed } from '@gateway/common/tenants.ts'
import type { Caller } from '../attempt.ts'
import { refusal } from '../refusals.ts'
import type { TrustedIssuer } from './trusted.ts'

/** Longest subject in characters; OpenID Connect Core section 2 allows 255. */
const maxSubjectLength = 256

/** Under these names issuers put the client: RFC 9068, OpenID Connect, Okta, Entra ID v1. */
const clientClaims = ['client_id', 'azp', 'cid', 'appid']

/**
 * The caller that a token stands for.
 * @throws AuthenticationError where it names no usable subject
 */
export function callerOf (claims: Record<string, unknown>, policy: TrustedIssuer): Caller {
  const userId = claimAt(claims, policy.userClaim)
  if (typeof userId !== 'string' || userId === '' || userId.length > maxSubjectLength || !userId.isWellFormed()) throw refusal('subject_missing')
  const named = tenantsOf(claims, policy)
  const tenants = named.filter(tenant => tenantAllowed(tenant, policy.tenants))
  return {
    issuer: policy.issuer,
    userId,
    clientId: clientOf(claims, policy),
    scopes: grantedScopes(scopesOf(claims, policy), policy.scopeMapping),
    tenants,
    foreignTenantsOnly: named.length > 0 && tenants.length === 0,
    expiresAt: claims.exp as number,
    issuedAt: Number.isFinite(claims.iat) ? claims.iat as number : 0,
    tokenId: textOf(claims.jti),
    grantId: textOf(claims.gid)
  }
}

/** Tenants that the claims name, without repetition. */
function tenantsOf (claims: Record<string, unknown>, { tenantClaim }: TrustedIssuer): string[] {
  const tenant = claimAt(claims, tenantClaim)
  return isTenantId(tenant) ? [tenant] : []
}

const textOf = (value: unknown) => typeof value === 'string' && value !== '' && value.length <= maxSubjectLength ? value : undefined

/** A claim by its name, or by a dotted path into objects. A claim whose own name holds dots, such as a URL, comes first. */
export function claimAt (claims: Record<string, unknown>, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path]
  let value: unknown = claims
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
    value = (value as Record<string, unknown>)[name]
  }
  return value
}

function clientOf (claims: Record<string, unknown>, { clientClaim }: TrustedIssuer): string {
  for (const name of clientClaim === undefined ? clientClaims : [clientClaim]) {
    const client = claimAt(claims, name)
    if (typeof client === 'string' && client !== '' && client.length <= maxSubjectLength && client.isWellFormed()) return client
  }
  return 'unknown'
}

/** `scope` is a text (RFC 8693 section 4.2); others send `scp`, or an array. */
function scopesOf (claims: Record<string, unknown>, { scopeClaim }: TrustedIssuer): string[] {
  const value = scopeClaim === undefined ? claims.scope ?? claims.scp : claimAt(claims, scopeClaim)
  if (typeof value === 'string') return value.split(' ')
  return Array.isArray(value) ? value.filter(scope => typeof scope === 'string') : []
}
