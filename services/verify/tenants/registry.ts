/** TENANT_REGISTRY_FILE: the tenants that are served, each with what its callers may. docs/tenants.md shows one. */
import { Type } from 'typebox'
import { ConfigurationError } from '@gateway/common/config.ts'
import { jsonReader, placeOf } from '@gateway/common/json-file.ts'
import { expandScopes, scopes } from '@gateway/common/scopes.ts'
import { isTenantId } from '@gateway/common/tenants.ts'
import type { TenantRule } from './tenants.ts'

/** 0: no limit, as in TENANT_REQUESTS_PER_SECOND. */
const perSecond = Type.Integer({ minimum: 0, maximum: 1_000_000 })

const entry = Type.Object({
  /** Scopes that its callers have at most; graph:admin includes graph:write, and that includes graph:read. */
  scopes: Type.Optional(Type.Array(Type.Enum([...scopes]), { minItems: 1, uniqueItems: true })),
  requestsPerSecond: Type.Optional(perSecond),
  subjectRequestsPerSecond: Type.Optional(perSecond),
  /** true: known, and not served. */
  blocked: Type.Optional(Type.Boolean())
}, { additionalProperties: false })

const read = jsonReader(Type.Object({ tenants: Type.Record(Type.String(), entry) }, { additionalProperties: false }))

/** The name that stands for every tenant that is not named itself. */
export const anyTenant = '*'

/** By tenant, and under `*` for all others. */
export type TenantRegistry = ReadonlyMap<string, TenantRule | 'blocked'>

/**
 * The tenants of a registry file.
 * @throws ConfigurationError with the place of each fault
 */
export function parseTenantRegistry (text: string): TenantRegistry {
  const entries = Object.entries(read(text).tenants)
  const faults = entries.filter(([name]) => !isTenantId(name)).map(([name]) => `${placeOf(['tenants', name])} is no tenant: it has 1 to 128 bytes`)
  if (faults.length > 0) throw new ConfigurationError(faults)
  return new Map(entries.map(([name, { scopes, requestsPerSecond, subjectRequestsPerSecond, blocked }]) =>
    [name, blocked ? 'blocked' : { scopes: scopes && expandScopes(scopes), requestsPerSecond, subjectRequestsPerSecond }]))
}
