/** Which issuers are trusted, and by which rules: one list, from BEARER_ISSUERS or from the shorthand for a single issuer. */
import { Type, type Static } from 'typebox'
import { Value } from 'typebox/value'
import { ConfigurationError } from '@gateway/common/config.ts'
import { isScope, scopes, type Scope } from '@gateway/common/scopes.ts'
import { isTenantId, tenantAllowed } from '@gateway/common/tenants.ts'
import { readTextFile } from '@gateway/common/watched-file.ts'
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
  /** Dotted path; undefined: its groups grant no tenant. */
  groupsClaim: string | undefined
  /** Tenants by the group whose members may use them. */
  groupTenants: ReadonlyMap<string, readonly string[]>
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
  /** Claims that each of its tokens must have. */
  requiredClaims: readonly RequiredClaim[]
  /** How it is asked about opaque tokens; undefined: it is not. */
  introspection: IntrospectionPolicy | undefined
}

export interface RequiredClaim {
  /** Dotted path. */
  path: string
  /** Values of which the claim must have one; undefined: any but null, false and an empty one. */
  values: readonly ClaimValue[] | undefined
}

export type ClaimValue = string | number | boolean

/** Token introspection (RFC 7662), as this service's own client. */
export interface IntrospectionPolicy {
  /** undefined: `introspection_endpoint` of the issuer's metadata. */
  endpoint: string | undefined
  clientId: string
  clientSecret: string
  /** For how long an answer counts at most. */
  cacheSeconds: number
}

const text = Type.String({ minLength: 1 })
const texts = Type.Array(text, { minItems: 1 })

const introspection = Type.Object({
  endpoint: Type.Optional(text),
  client_id: text,
  client_secret: Type.Optional(text),
  client_secret_file: Type.Optional(text),
  cache_seconds: Type.Optional(Type.Integer({ minimum: 0, maximum: 300 }))
}, { additionalProperties: false })

/** One member of BEARER_ISSUERS; the names are OAuth's where OAuth has one. */
const member = Type.Object({
  issuer: text,
  jwks_uri: Type.Optional(text),
  audience: Type.Optional(texts),
  algorithms: Type.Optional(texts),
  typ: Type.Optional(text),
  clock_skew_seconds: Type.Optional(Type.Number({ minimum: 0, maximum: 300 })),
  tenant_claim: Type.Optional(text),
  groups_claim: Type.Optional(text),
  group_tenants: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  tenants: Type.Optional(texts),
  scope_claim: Type.Optional(text),
  scope_mapping: Type.Optional(Type.Record(Type.String(), Type.String())),
  user_claim: Type.Optional(text),
  client_claim: Type.Optional(text),
  required_claims: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  introspection: Type.Optional(introspection)
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
  /** Issuers that are trusted beside the written-down ones. */
  besides?: number
}

/**
 * Checks the written-down issuers and fills in what they leave out.
 * @param entries of BEARER_ISSUERS, or the one of the shorthand
 * @param nameOf how a fault names a member of an entry, e.g. `BEARER_ISSUERS[0].tenants`
 */
export function readIssuers (entries: readonly unknown[], nameOf: (index: number, key: string) => string, { resource, multiTenancy, besides = 0 }: Surroundings): ReadIssuers {
  const faults: string[] = []
  const warnings: string[] = []
  const issuers: TrustedIssuer[] = []
  for (const [index, written] of entries.entries()) {
    const name = (key: string) => nameOf(index, key)
    const entry = withListedAudience(written)
    const wrong = Value.Check(member, entry) ? contentFaults(entry, name) : shapeFaults(entry, name)
    faults.push(...wrong)
    if (wrong.length > 0 || !Value.Check(member, entry)) continue
    if (entries.length + besides > 1 && entry.tenants === undefined && multiTenancy) faults.push(`${name('tenants')} is not set: with two or more issuers each must say which tenants it may name ("*" for all)`)
    if (issuers.some(({ issuer }) => issuer === entry.issuer)) faults.push(`${name('issuer')} names an issuer a second time: ${entry.issuer}`)
    for (const url of [entry.issuer, entry.jwks_uri, entry.introspection?.endpoint]) if (url !== undefined && isExposed(url)) warnings.push(`${url} is plain http: whoever can change that traffic can forge every token of this issuer`)
    const secret = clientSecretOf(entry, name)
    faults.push(...secret.faults)
    issuers.push(trusted(entry, resource, multiTenancy, secret.value))
  }
  return { issuers, faults, warnings }
}

/** An entry without faults, with what it leaves out. */
export function trusted (entry: IssuerEntry, resource: string, multiTenancy: boolean, clientSecret: string): TrustedIssuer {
  return {
    issuer: entry.issuer,
    jwksUri: entry.jwks_uri,
    audiences: entry.audience ?? [resource],
    algorithms: entry.algorithms?.filter(isAlgorithm) ?? usualAlgorithms,
    typ: entry.typ?.toLowerCase().replace(/^application\//, ''),
    clockSkewSeconds: entry.clock_skew_seconds ?? 10,
    tenantClaim: entry.tenant_claim ?? 'tenant_id',
    // Where nobody is asked for a tenant, groups decide nothing: not even that they are missing.
    groupsClaim: multiTenancy ? entry.groups_claim : undefined,
    groupTenants: new Map(Object.entries(entry.group_tenants ?? {}).map(([group, tenants]) => [group, [tenants].flat() as string[]])),
    tenants: entry.tenants ?? ['*'],
    scopeClaim: entry.scope_claim,
    scopeMapping: entry.scope_mapping as Record<string, Scope> | undefined ?? {},
    userClaim: entry.user_claim ?? 'sub',
    clientClaim: entry.client_claim,
    requiredClaims: Object.entries(entry.required_claims ?? {}).map(([path, value]) => ({ path, values: value === true ? undefined : [value].flat() as ClaimValue[] })),
    introspection: entry.introspection && {
      endpoint: entry.introspection.endpoint,
      clientId: entry.introspection.client_id,
      clientSecret,
      cacheSeconds: entry.introspection.cache_seconds ?? 30
    }
  }
}

/** The secret of `introspection`, from its file where it lies in one; a fault never shows it. */
function clientSecretOf ({ introspection }: IssuerEntry, name: (key: string) => string): { value: string, faults: string[] } {
  const { client_secret: written, client_secret_file: file } = introspection ?? {}
  if (introspection === undefined || file === undefined || written !== undefined) return { value: written ?? '', faults: [] }
  try {
    const value = readTextFile(file, 64 * 1024).replace(/\r?\n$/, '')
    return { value, faults: value === '' ? [`${name('introspection.client_secret_file')} names an empty file`] : [] }
  } catch (error) {
    if (error instanceof ConfigurationError) return { value: '', faults: error.faults.map(fault => `${name('introspection.client_secret_file')}: ${fault}`) }
    throw error
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
    const at = error.instancePath.slice(1).replaceAll('/', '.')
    const inside = (key: string) => name(at === '' ? key : `${at}.${key}`)
    if (error.keyword === 'additionalProperties') return error.params.additionalProperties.map(key => `${inside(key)} is unknown; there are ${Object.keys((at === 'introspection' ? introspection : member).properties).join(', ')}`)
    if (error.keyword === 'required') return error.params.requiredProperties.map(key => `${inside(key)} is not set`)
    // typebox reports an unknown key twice; this is the other one.
    if (error.keyword === 'boolean') return []
    return `${name(at)} ${error.message}`
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
  faults.push(...groupFaults(entry, name), ...requiredClaimFaults(entry, name), ...introspectionFaults(entry, name))
  for (const [theirs, ours] of Object.entries(entry.scope_mapping ?? {})) {
    if (!isScope(ours)) faults.push(`${name('scope_mapping')} maps ${JSON.stringify(theirs)} to ${JSON.stringify(ours)}; there are ${scopes.join(', ')}`)
  }
  return faults
}

function groupFaults ({ groups_claim: claim, group_tenants: map, tenants: patterns = ['*'] }: IssuerEntry, name: (key: string) => string): string[] {
  if (claim === undefined && map === undefined) return []
  if (map === undefined || Object.keys(map).length === 0) return [`${name('groups_claim')} is set without group_tenants, which says which tenants a group may use, e.g. {"/acme":"acme"}`]
  if (claim === undefined) return [`${name('group_tenants')} is set without groups_claim, which says where a token has its groups`]
  return Object.entries(map).flatMap(([group, named]) => {
    const at = `${name('group_tenants')}[${JSON.stringify(group)}]`
    const tenants: unknown[] = [named].flat()
    if (tenants.length === 0 || !tenants.every(isTenantId)) return `${at} must be a tenant or a list of tenants, each of 1 to 128 bytes`
    return tenants.filter(tenant => !tenantAllowed(tenant, patterns)).map(tenant => `${at} names ${JSON.stringify(tenant)}, which ${name('tenants')} does not let this issuer name`)
  })
}

const isClaimValue = (value: unknown) => typeof value === 'boolean' || Number.isFinite(value) || (typeof value === 'string' && value !== '')

function requiredClaimFaults ({ required_claims: required = {} }: IssuerEntry, name: (key: string) => string): string[] {
  return Object.entries(required)
    .filter(([path, value]) => path === '' || (Array.isArray(value) ? value.length === 0 || !value.every(isClaimValue) : !isClaimValue(value)))
    .map(([path]) => `${name('required_claims')}[${JSON.stringify(path)}] must be the path of a claim with a value, a list of values of which one must match, or true where any will do`)
}

function introspectionFaults ({ introspection }: IssuerEntry, name: (key: string) => string): string[] {
  if (introspection === undefined) return []
  const { endpoint, client_secret: secret, client_secret_file: file } = introspection
  const faults: string[] = []
  const address = endpoint === undefined ? undefined : addressFault(endpoint)
  if (address !== undefined) faults.push(`${name('introspection.endpoint')} ${address}`)
  if (secret === undefined && file === undefined) faults.push(`${name('introspection.client_secret')} is not set (nor client_secret_file): an issuer tells only those whom it knows (RFC 7662 section 2.1)`)
  if (secret !== undefined && file !== undefined) faults.push(`${name('introspection.client_secret')} and client_secret_file are both set; keep one`)
  return faults
}
