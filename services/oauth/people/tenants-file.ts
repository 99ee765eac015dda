/** TENANTS_FILE: who belongs to which tenant, with which scopes. docs/members.md shows one. */
import { Type, type Static } from 'typebox'
import { ConfigurationError } from '@gateway/common/config.ts'
import { jsonReader, placeOf } from '@gateway/common/json-file.ts'
import { isScope, scopes, type Scope } from '@gateway/common/scopes.ts'
import { isTenantId, soleTenant } from '@gateway/common/tenants.ts'
import { comparable, ruleFaults } from './rules.ts'

/** Each a text, or an object with scopes of its own; looked at one by one below, for faults that say which of both is wrong. */
const rules = Type.Optional(Type.Array(Type.Unknown()))

const entry = Type.Object({
  tenant: Type.String(),
  /** Of those whose rule says no other ones; without them, TENANT_SCOPES. */
  scopes: Type.Optional(Type.Array(Type.Enum([...scopes]), { minItems: 1, uniqueItems: true })),
  users: rules,
  groups: rules,
  domains: rules
}, { additionalProperties: false })

const read = jsonReader(Type.Object({ tenants: Type.Array(entry) }, { additionalProperties: false }))

/** Lists of an entry, and what one rule of each is called. */
const kinds = { users: 'user', groups: 'group', domains: 'domain' } as const
type Kind = keyof typeof kinds

/** What a rule grants to whom it fits. */
export interface Granted { tenant: string, scopes: readonly Scope[] }

/** Rules by what they name, comparable. */
export type TenantRules = Readonly<Record<Kind, ReadonlyMap<string, readonly Granted[]>>>

export interface TenantsFileOptions {
  /** Scopes where neither rule nor tenant names any. */
  memberScopes: readonly Scope[]
  /** False: `default` is the one tenant that there is. */
  multiTenancy: boolean
}

/**
 * The rules of a file.
 * @throws ConfigurationError with the place of each fault
 */
export function parseTenantsFile (text: string, { memberScopes, multiTenancy }: TenantsFileOptions): TenantRules {
  const faults: string[] = []
  const found = { users: new Map<string, Granted[]>(), groups: new Map<string, Granted[]>(), domains: new Map<string, Granted[]>() }
  for (const [index, tenant] of read(text).tenants.entries()) {
    faults.push(...tenantFaults(tenant, index, multiTenancy))
    for (const [kind, member] of Object.entries(kinds) as Array<[Kind, string]>) {
      for (const [place, rule] of (tenant[kind] ?? []).entries()) {
        const wrong = ruleFaultsAt(rule, member, ['tenants', index, kind, place])
        faults.push(...wrong)
        if (wrong.length > 0) continue
        const { name, granted = tenant.scopes ?? memberScopes } = partsOf(rule, member)
        const key = comparable(name)!
        found[kind].set(key, [...found[kind].get(key) ?? [], { tenant: tenant.tenant, scopes: granted }])
      }
    }
  }
  if (faults.length > 0) throw new ConfigurationError(faults)
  return found
}

function tenantFaults ({ tenant }: Static<typeof entry>, index: number, multiTenancy: boolean): string[] {
  const place = placeOf(['tenants', index, 'tenant'])
  if (!isTenantId(tenant)) return [`${place} is no tenant: it has 1 to 128 bytes`]
  return multiTenancy || tenant === soleTenant ? [] : [`${place} is not ${soleTenant}, which is the one tenant with ENABLE_MULTI_TENANCY=false`]
}

/** Of a rule that has no fault. */
function partsOf (rule: unknown, member: string): { name: string, granted?: Scope[] } {
  if (typeof rule === 'string') return { name: rule }
  const { [member]: name, scopes: granted } = rule as Record<string, unknown>
  return { name: name as string, ...(granted !== undefined && { granted: granted as Scope[] }) }
}

function ruleFaultsAt (rule: unknown, member: string, path: Array<string | number>): string[] {
  if (typeof rule === 'string') return nameFaults(rule, member, path)
  if (typeof rule !== 'object' || rule === null || Array.isArray(rule)) return [`${placeOf(path)} must be a text or an object with ${member}`]
  const { [member]: name, scopes: granted, ...others } = rule as Record<string, unknown>
  return [
    ...(typeof name === 'string' ? nameFaults(name, member, [...path, member]) : [`${placeOf([...path, member])} ${name === undefined ? 'is missing' : 'must be a text'}`]),
    ...(granted === undefined || areScopes(granted) ? [] : [`${placeOf([...path, 'scopes'])} must be a list of ${scopes.join(', ')}, with one at least`]),
    ...Object.keys(others).map(other => `${placeOf([...path, other])} is unknown here`)
  ]
}

function nameFaults (name: string, member: string, path: Array<string | number>): string[] {
  const fault = ruleFaults[member as keyof typeof ruleFaults](name)
  return fault === undefined ? [] : [`${placeOf(path)} ${fault}`]
}

const areScopes = (value: unknown) => Array.isArray(value) && value.length > 0 && value.every(isScope)
