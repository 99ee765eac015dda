/** Who belongs to which tenant, with which scopes: by TENANTS_FILE, else by TENANT_FROM; where there is one tenant, whoever is allowed. docs/members.md */
import type { Logger } from 'pino'
import { ConfigurationError, list } from '@gateway/common/config.ts'
import { expandScopes, type Scope } from '@gateway/common/scopes.ts'
import { isTenantId, soleTenant } from '@gateway/common/tenants.ts'
import { watchFile } from '@gateway/common/watched-file.ts'
import type { Config } from '../config.ts'
import { allowListFaults, allowedBy } from './allowed.ts'
import type { Membership, Person } from './person.ts'
import { comparable, namesOf } from './rules.ts'
import { parseTenantsFile, type Granted, type TenantRules } from './tenants-file.ts'

/** The settings that decide. */
export type MembershipSettings = Pick<Config, 'ENABLE_MULTI_TENANCY' | 'TENANTS_FILE' | 'TENANT_FROM' | 'GOOGLE_HOSTED_DOMAINS' | 'allowed' | 'memberScopes' | 'localTenants' | 'upstreams'>

export interface Memberships {
  /** By tenant; none for whoever is not allowed. */
  of: (person: Person) => Membership[]
  /** False for whom the allow-lists leave out. */
  allowed: (person: Person) => boolean
  /** For /ready: `ok`, or `warning: …` while the last good file goes on. */
  status: () => string
  /** Reads the file no more. */
  close: () => void
}

/**
 * Reads the rules now, and the file again whenever it changes.
 * @throws ConfigurationError with every fault of the settings and the file
 */
export function openMemberships (config: MembershipSettings, logger: Logger): Memberships {
  const faults = [...allowListFaults(config.allowed), ...openToAll(config), ...groupTenantFaults(config)]
  const file = config.TENANTS_FILE === '' ? undefined : openFile(config, logger, faults)
  if (faults.length > 0) {
    file?.close()
    throw new ConfigurationError(faults)
  }
  const allowed = allowedBy(config.allowed)
  const granted = file === undefined ? withoutFile(config) : (person: Person) => byRules(file.value, person)
  return {
    of: person => allowed(person) ? united(granted(person)) : [],
    allowed,
    status: () => file?.status() ?? 'ok',
    close: () => file?.close()
  }
}

function openFile ({ TENANTS_FILE: path, memberScopes, ENABLE_MULTI_TENANCY: multiTenancy }: MembershipSettings, logger: Logger, faults: string[]) {
  try {
    return watchFile({ name: 'TENANTS_FILE', path, logger, parse: text => parseTenantsFile(text, { memberScopes, multiTenancy }) })
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    faults.push(...error.faults.map(fault => `TENANTS_FILE: ${fault}`))
  }
}

// Anybody may have an account at GitHub: with one tenant for all, nothing else would keep them out.
function openToAll ({ ENABLE_MULTI_TENANCY: multiTenancy, TENANTS_FILE: file, allowed, upstreams }: MembershipSettings): string[] {
  const open = !multiTenancy && file === '' && upstreams.some(({ kind }) => kind === 'github') && Object.values(allowed).every(rules => rules.length === 0)
  return open ? ['everybody with an account at GitHub would have all graphs: with ENABLE_MULTI_TENANCY=false, say who may sign in by ALLOWED_USERS, ALLOWED_ORGANISATIONS, ALLOWED_DOMAINS or TENANTS_FILE'] : []
}

function byRules ({ users, groups, domains }: TenantRules, person: Person): Granted[] {
  const names = namesOf(person)
  const fitting = (rules: ReadonlyMap<string, readonly Granted[]>, named: readonly string[]) => named.flatMap(name => rules.get(name) ?? [])
  return [...fitting(users, names.users), ...fitting(groups, names.groups), ...fitting(domains, names.domain === undefined ? [] : [names.domain])]
}

function withoutFile (config: MembershipSettings): (person: Person) => Granted[] {
  const { ENABLE_MULTI_TENANCY: multiTenancy, TENANT_FROM: from, memberScopes: scopes, localTenants } = config
  if (!multiTenancy) return () => [{ tenant: soleTenant, scopes }]
  const tenantsOf = from === 'domain' ? byDomain(config) : from === 'groups' ? byGroup(config) : () => []
  return person => (person.upstream === 'local' ? localTenants : tenantsOf(person)).map(tenant => ({ tenant, scopes }))
}

// GOOGLE_HOSTED_DOMAINS speak of Google's accounts: elsewhere such an address may belong to whoever once had the mailbox.
function byDomain ({ allowed, GOOGLE_HOSTED_DOMAINS: hosted }: MembershipSettings): (person: Person) => string[] {
  const everywhere = new Set(allowed.domains.map(comparable))
  const atGoogle = new Set([...everywhere, ...list(hosted).map(comparable)])
  return person => {
    const { domain } = namesOf(person)
    return domain !== undefined && (person.upstream === 'google' ? atGoogle : everywhere).has(domain) ? [domain] : []
  }
}

function byGroup ({ allowed }: MembershipSettings): (person: Person) => string[] {
  const listed = new Map(allowed.organisations.map(group => [comparable(group), tenantOf(group)]))
  return person => namesOf(person).groups.flatMap(group => listed.get(group) ?? [])
}

/** `github:acme-inc` → `acme-inc`, `keycloak:/engineers` → `engineers`. */
const tenantOf = (group: string) => (comparable(group) ?? '').replace(/^[^:]*:\/?/, '')

function groupTenantFaults ({ ENABLE_MULTI_TENANCY: multiTenancy, TENANT_FROM: from, allowed: { organisations } }: MembershipSettings): string[] {
  if (!multiTenancy || from !== 'groups') return []
  const groups = [...new Set(organisations)]
  return groups.flatMap((group, index) => {
    if (!isTenantId(tenantOf(group))) return [`ALLOWED_ORGANISATIONS has ${JSON.stringify(group)}, whose name is no tenant: it has 1 to 128 bytes`]
    const same = groups.slice(0, index).find(other => tenantOf(other) === tenantOf(group))
    return same === undefined ? [] : [`ALLOWED_ORGANISATIONS has ${JSON.stringify(same)} and ${JSON.stringify(group)}, which would be one tenant; use TENANTS_FILE`]
  })
}

/** One membership a tenant, with the scopes of all rules. */
function united (granted: readonly Granted[]): Membership[] {
  const tenants = new Map<string, Scope[]>()
  for (const { tenant, scopes } of granted) tenants.set(tenant, [...tenants.get(tenant) ?? [], ...scopes])
  return [...tenants].map(([tenant, scopes]) => ({ tenant, scopes: expandScopes(scopes) })).sort((one, other) => one.tenant < other.tenant ? -1 : 1)
}
