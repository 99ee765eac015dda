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

/** So many tenants of one token are known at most. */
const maxTenants = 1_000

/**
 * The caller that a token stands for.
 * @throws AuthenticationError where it names no usable subject, TenantError where its issuer has left out the groups that would name its tenants
 */
export function callerOf (claims: Record<string, unknown>, policy: TrustedIssuer): Caller {
  const userId = claimAt(claims, policy.userClaim)
  if (typeof userId !== 'string' || userId === '' || userId.length > maxSubjectLength || !userId.isWellFormed()) throw refusal('subject_missing')
  const named = tenantsOf(claims, policy)
  if (named.length === 0 && policy.groupsClaim !== undefined && leavesGroupsOut(claims)) throw refusal('groups_omitted')
  const tenants = named.filter(tenant => tenantAllowed(tenant, policy.tenants))
  return {
    issuer: policy.issuer,
    userId,
    clientId: clientOf(claims, policy),
    scopes: grantedScopes(scopesOf(claims, policy), policy.scopeMapping),
    tenants,
    foreignTenantsOnly: named.length > 0 && tenants.length === 0,
    expiresAt: claims.exp as number | undefined,
    issuedAt: Number.isFinite(claims.iat) ? claims.iat as number : 0,
    tokenId: textOf(claims.jti),
    grantId: textOf(claims.gid)
  }
}

/** Tenants that the claims name, in a claim of their own or by groups, without repetition. What is no tenant in a list is passed over. */
function tenantsOf (claims: Record<string, unknown>, { tenantClaim, groupsClaim, groupTenants }: TrustedIssuer): string[] {
  const tenants = new Set<string>()
  const add = (tenant: unknown) => { if (tenants.size < maxTenants && isTenantId(tenant)) tenants.add(tenant) }
  for (const tenant of listOf(claimAt(claims, tenantClaim))) add(tenant)
  if (groupsClaim !== undefined) {
    for (const group of listOf(claimAt(claims, groupsClaim))) groupTenants.get(group as string)?.forEach(add)
  }
  return [...tenants]
}

const listOf = (claim: unknown): unknown[] => Array.isArray(claim) ? claim : [claim]

/** Entra ID puts a reference in place of more than 200 groups: `_claim_names` with `groups`, or `hasgroups` (OpenID Connect Core section 5.6.2). */
const leavesGroupsOut = (claims: Record<string, unknown>) => claimAt(claims, '_claim_names.groups') !== undefined || [true, 'true'].includes(claims.hasgroups as boolean)

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
