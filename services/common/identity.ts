/**
 * What verify tells mcp of a caller: plain headers for people and logs, and a signed assertion that mcp believes.
 * The only place that knows these headers and the assertion (contract, "Identity between verify and mcp").
 */
import { createSigner, createVerifier } from 'fast-jwt'
import { LRUCache } from 'lru-cache'
import { AuthenticationError } from './errors.ts'
import { isScope, type Scope } from './scopes.ts'
import { deriveKeys } from './secrets.ts'
import { encodeTenant, isTenantId } from './tenants.ts'

export interface Identity {
  /** The tenant as its issuer names it, not encoded. */
  tenantId: string
  /** The subject of the credential. */
  userId: string
  /** The OAuth client, or the name of the API key. */
  clientId: string
  /** Already expanded by the hierarchy. */
  scopes: readonly Scope[]
  /** The issuer that named the subject; subjects are unique only together with it. */
  issuer: string
}

export const identityHeaders = {
  tenant: 'x-tenant-id',
  user: 'x-user-id',
  client: 'x-client-id',
  scopes: 'x-auth-scopes',
  assertion: 'x-identity-assertion'
} as const

/** The header under which one request is found in every log. */
export const requestIdHeader = 'x-request-id'

const audience = 'falkordb-mcp-gateway/mcp'
const assertionIssuer = 'falkordb-mcp-gateway/verify'
/** Life of an assertion in milliseconds. */
const assertionLifeMs = 30_000
/** The longest life that the contract allows, in milliseconds, whatever an assertion says of itself. */
const oldestAssertionMs = 60_000
/** What two containers' clocks may differ by, in milliseconds. */
const clockToleranceMs = 5_000

function plainHeaders (identity: Identity): Record<string, string> {
  return {
    [identityHeaders.tenant]: encodeTenant(identity.tenantId),
    [identityHeaders.user]: encodeURIComponent(identity.userId.toWellFormed()),
    [identityHeaders.client]: encodeURIComponent(identity.clientId.toWellFormed()),
    [identityHeaders.scopes]: identity.scopes.join(' ')
  }
}

/**
 * Makes the writer of the identity headers.
 * @param secrets those of GATEWAY_SECRET, newest first; the newest signs
 * @returns a function from an identity to all five headers
 */
export function createIdentityWriter (secrets: readonly string[]): (identity: Identity) => Record<string, string> {
  const [key] = deriveKeys(secrets, 'identity-assertion')
  if (key === undefined) throw new TypeError('no secret to sign assertions with')
  const sign = createSigner({ key, algorithm: 'HS256', aud: audience, iss: assertionIssuer, expiresIn: assertionLifeMs })
  return identity => {
    const headers = plainHeaders(identity)
    headers[identityHeaders.assertion] = sign({
      sub: identity.userId,
      tenant: identity.tenantId,
      client_id: identity.clientId,
      scope: identity.scopes.join(' '),
      idp: identity.issuer
    })
    return headers
  }
}

type Headers = Record<string, string | string[] | undefined>

/**
 * Makes the reader of the identity headers. Only the assertion is believed; each plain header must be there once and equal it,
 * so that a proxy that lets a header through, doubles or empties it is noticed and not obeyed.
 * @param secrets those of GATEWAY_SECRET; any of them may have signed
 * @throws AuthenticationError where the assertion is missing, bad or expired, or a plain header differs
 */
export function createIdentityReader (secrets: readonly string[]): (headers: Headers) => Identity {
  const verifiers = deriveKeys(secrets, 'identity-assertion').map(key => createVerifier({
    key,
    algorithms: ['HS256'],
    allowedAud: audience,
    allowedIss: assertionIssuer,
    requiredClaims: ['exp', 'iat', 'sub', 'tenant'],
    maxAge: oldestAssertionMs,
    clockTolerance: clockToleranceMs,
    cache: false
  }))
  // verify says the same of the same token for a second, and a busy caller sends many requests in one.
  const read = new LRUCache<string, Assertion>({ max: rememberedAssertions })
  return headers => {
    const assertion = headers[identityHeaders.assertion]
    if (typeof assertion !== 'string' || assertion === '') throw refused('no assertion')
    let known = read.get(assertion)
    if (known === undefined) {
      const claims = verifyWithAny(verifiers, assertion)
      const identity = fromClaims(claims)
      known = { identity, plain: Object.entries(plainHeaders(identity)), endsMs: Math.min(Number(claims.exp) * 1000, Number(claims.iat) * 1000 + oldestAssertionMs) + clockToleranceMs }
      read.set(assertion, known)
    } else if (Date.now() >= known.endsMs) throw refused('bad assertion', new Error('it has expired'))
    for (const [name, expected] of known.plain) {
      if (headers[name] !== expected) throw refused(`header ${name} differs from the assertion`)
    }
    return known.identity
  }
}

/** An assertion whose signature was verified. */
interface Assertion { identity: Identity, plain: Array<[name: string, value: string]>, endsMs: number }

/** Assertions remembered, about 2 KiB each. */
const rememberedAssertions = 1_000

function verifyWithAny (verifiers: ReadonlyArray<(token: string) => unknown>, assertion: string): Record<string, unknown> {
  let cause: unknown
  for (const verify of verifiers) {
    try {
      return verify(assertion) as Record<string, unknown>
    } catch (error) {
      cause = error
    }
  }
  throw refused('bad assertion', cause)
}

function fromClaims (claims: Record<string, unknown>): Identity {
  const { tenant, sub, client_id: clientId, scope, idp } = claims
  if (!isTenantId(tenant)) throw refused('assertion without tenant')
  if (typeof sub !== 'string' || typeof clientId !== 'string' || typeof scope !== 'string' || typeof idp !== 'string') throw refused('assertion with a wrong claim')
  const scopes = scope === '' ? [] : scope.split(' ')
  if (!scopes.every(isScope)) throw refused('assertion with an unknown scope')
  return { tenantId: tenant, userId: sub, clientId, scopes, issuer: idp }
}

function refused (why: string, cause?: unknown): AuthenticationError {
  return new AuthenticationError('invalid_token', 'This service answers only requests that came through the gateway.', { cause: cause ?? new Error(why) })
}
