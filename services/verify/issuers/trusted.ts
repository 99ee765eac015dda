/** Which issuers are trusted, and by which rules: one list, from BEARER_ISSUERS or from the shorthand for a single issuer. */
import { Type, type Static } from 'typebox'
import { Value } from 'typebox/value'
import { isScope, scopes, type Scope } from '@gateway/common/scopes.ts'
import { addressFault, isExposed } from './addresses.ts'
import { algorithms, isAlgorithm, type Algorithm } from './algorithms.ts'

export interface TrustedIssuer {
  /** Equals `iss` of its tokens, byte for byte. */
  issuer: string
  /** Where its keys are; undefined: its metadata says so. */
  jwksUri: string | undefined
  /** At least one of them must be in `aud`. */
  audiences: readonly string[]
  algorithms: readonly Algorithm[]
  /** The one `typ` of its access tokens, lower-case, without `application/`; undefined: `JWT`, `at+jwt`, or none. */
  typ: string | undefined
  /** By how much its clock may be ahead of ours. */
  clockSkewSeconds: number
  /** Dotted path. */
  tenantClaim: string
  /** Patterns of the tenants that it may name. */
  tenants: readonly string[]
  /** Dotted path; undefined: `scope`, else `scp`. */
  scopeClaim: string | undefined
  /** Its own names of our scopes. */
  scopeMapping: Readonly<Record<string, Scope>>
  /** Dotted path. */
  userClaim: string
  /** Dotted path; undefined: the usual names. */
  clientClaim: string | undefined
}

const text = Type.String({ minLength: 1 })
const texts = Type.Array(text, { minItems: 1 })

/** One member of BEARER_ISSUERS; the names are OAuth's where OAuth has one. */
const member = Type.Object({
  issuer: text,
  jwks_uri: Type.Optional(text),
  audience: Type.Optional(texts),
  algorithms: Type.Optional(texts),
  typ: Type.Optional(text),
  clock_skew_seconds: Type.Optional(Type.Number({ minimum: 0, maximum: 300 })),
  tenant_claim: Type.Optional(text),
  tenants: Type.Optional(texts),
  scope_claim: Type.Optional(text),
  scope_mapping: Type.Optional(Type.Record(Type.String(), Type.String())),
  user_claim: Type.Optional(text),
  client_claim: Type.Optional(text)
}, { additionalProperties: false })

/** An issuer as it is written down, before it is checked. */
export type IssuerEntry = Static<typeof member>

export interface ReadIssuers {
  issuers: TrustedIssuer[]
  faults: string[]
  /** What is allowed but deserves a line at every start. */
  warnings: string[]
}

/** Defaults that come from elsewhere. */
export interface Surroundings {
  /** Audience where an issuer names none: our own resource URL (RFC 8707). */
  resource: string
  multiTenancy: boolean
}

/**
 * Checks the written-down issuers and fills in what they leave out.
 * @param entries of BEARER_ISSUERS, or the one of the shorthand
 * @param nameOf how a fault names a member of an entry, e.g. `BEARER_ISSUERS[0].tenants`
 */
export function readIssuers (entries: readonly unknown[], nameOf: (index: number, key: string) => string, { resource, multiTenancy }: Surroundings): ReadIssuers {
  const faults: string[] = []
  const warnings: string[] = []
  const issuers: TrustedIssuer[] = []
  for (const [index, written] of entries.entries()) {
    const name = (key: string) => nameOf(index, key)
    const entry = withListedAudience(written)
    const wrong = Value.Check(member, entry) ? contentFaults(entry, name) : shapeFaults(entry, name)
    faults.push(...wrong)
    if (wrong.length > 0 || !Value.Check(member, entry)) continue
    if (entries.length > 1 && entry.tenants === undefined && multiTenancy) faults.push(`${name('tenants')} is not set: with two or more issuers each must say which tenants it may name ("*" for all)`)
    if (issuers.some(({ issuer }) => issuer === entry.issuer)) faults.push(`${name('issuer')} names an issuer a second time: ${entry.issuer}`)
    for (const url of [entry.issuer, entry.jwks_uri]) if (url !== undefined && isExposed(url)) warnings.push(`${url} is plain http: whoever can change that traffic can forge every token of this issuer`)
    issuers.push(trusted(entry, resource))
  }
  return { issuers, faults, warnings }
}

function trusted (entry: IssuerEntry, resource: string): TrustedIssuer {
  return {
    issuer: entry.issuer,
    jwksUri: entry.jwks_uri,
    audiences: entry.audience ?? [resource],
    algorithms: entry.algorithms?.filter(isAlgorithm) ?? usualAlgorithms,
    typ: entry.typ?.toLowerCase().replace(/^application\//, ''),
    clockSkewSeconds: entry.clock_skew_seconds ?? 10,
    tenantClaim: entry.tenant_claim ?? 'tenant_id',
    tenants: entry.tenants ?? ['*'],
    scopeClaim: entry.scope_claim,
    scopeMapping: entry.scope_mapping as Record<string, Scope> | undefined ?? {},
    userClaim: entry.user_claim ?? 'sub',
    clientClaim: entry.client_claim
  }
}

/** One algorithm of each family; the longer variants only where they are written out. */
export const usualAlgorithms: readonly Algorithm[] = ['RS256', 'PS256', 'ES256', 'EdDSA']

/** `audience` may be one text, as `aud` may. */
function withListedAudience (entry: unknown): unknown {
  const { audience } = (entry ?? {}) as Record<string, unknown>
  return typeof audience === 'string' ? { ...entry as object, audience: [audience] } : entry
}

function shapeFaults (entry: unknown, name: (key: string) => string): string[] {
  return Value.Errors(member, entry).flatMap(error => {
    if (error.keyword === 'additionalProperties') return error.params.additionalProperties.map(key => `${name(key)} is unknown; there are ${Object.keys(member.properties).join(', ')}`)
    if (error.keyword === 'required') return error.params.requiredProperties.map(key => `${name(key)} is not set`)
    // typebox reports an unknown key twice; this is the other one.
    if (error.keyword === 'boolean') return []
    return `${name(error.instancePath.slice(1).replaceAll('/', '.'))} ${error.message}`
  })
}

function contentFaults (entry: IssuerEntry, name: (key: string) => string): string[] {
  const faults: string[] = []
  const address = addressFault(entry.issuer) ?? (new URL(entry.issuer).search === '' ? undefined : 'must not have a query')
  if (address !== undefined) faults.push(`${name('issuer')} ${address}`)
  const keys = entry.jwks_uri === undefined ? undefined : addressFault(entry.jwks_uri)
  if (keys !== undefined) faults.push(`${name('jwks_uri')} ${keys}`)
  for (const algorithm of entry.algorithms ?? []) {
    if (/^HS\d+$/i.test(algorithm)) faults.push(`${name('algorithms')} must not hold the symmetric ${algorithm}: whoever can verify such a token can forge it`)
    else if (!isAlgorithm(algorithm)) faults.push(`${name('algorithms')} holds ${JSON.stringify(algorithm)}; there are ${algorithms.join(', ')}`)
  }
  for (const [theirs, ours] of Object.entries(entry.scope_mapping ?? {})) {
    if (!isScope(ours)) faults.push(`${name('scope_mapping')} maps ${JSON.stringify(theirs)} to ${JSON.stringify(ours)}; there are ${scopes.join(', ')}`)
  }
  return faults
}
