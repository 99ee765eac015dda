/** Where a tenant's graphs are, for the commands that concern its data. */
import { Type } from 'typebox'
import { CommandError } from '@gateway/common/command.ts'
import { ConfigurationError, loadConfig } from '@gateway/common/config.ts'
import { isTenantId, soleTenant, tenantPrefix } from '@gateway/common/tenants.ts'
import { settings } from '../settings.ts'
import { databaseUrlFault, parseTenantUrls } from '../graph/tenant-urls.ts'
import { addressOf, Wire } from '../graph/connections/wire.ts'
import type { Send } from '../graph/connections/connection.ts'

export interface Place {
  tenant: string
  /** What the keys of its graphs begin with; empty where ENABLE_MULTI_TENANCY=false. */
  prefix: string
  multiTenancy: boolean
  /** The FalkorDB that has them, with the administrator's credentials. */
  url: string
}

const placeSettings = Type.Pick(settings, ['FALKORDB_URL', 'FALKORDB_TENANT_URLS', 'ENABLE_MULTI_TENANCY'])

/** The place of a tenant's graphs, by the settings of the tool service. @throws CommandError */
export function placeOf (tenant: string | undefined, env: NodeJS.ProcessEnv): Place {
  if (!isTenantId(tenant)) throw new CommandError(tenant ? 'TENANT is no name that a tenant can have: it has 1 to 128 bytes.' : 'Say whose graphs: TENANT=acme')
  try {
    const { FALKORDB_URL: common, FALKORDB_TENANT_URLS: own, ENABLE_MULTI_TENANCY: multiTenancy } = loadConfig(placeSettings, env)
    const { urls, faults } = parseTenantUrls(own)
    const url = urls.get(tenant) ?? common
    const fault = databaseUrlFault(url)
    if (fault !== undefined) faults.push(`FALKORDB_URL ${fault}`)
    if (!multiTenancy && tenant !== soleTenant) faults.push(`with ENABLE_MULTI_TENANCY=false there is one tenant, TENANT=${soleTenant}, which has every graph`)
    if (faults.length > 0) throw new CommandError(`${faults.join('; ')}.`)
    return { tenant, prefix: multiTenancy ? tenantPrefix(tenant) : '', multiTenancy, url }
  } catch (error) {
    if (error instanceof ConfigurationError) throw new CommandError(error.message)
    throw error
  }
}

/** A page of an export is far shorter; a longer reply is cut. */
const maxReplyBytes = 512 * 2 ** 20

/** Works on the tenant's FalkorDB as its administrator. @throws CommandError where that cannot be reached, and what the work throws */
export async function administering<T> ({ url }: Pick<Place, 'url'>, work: (send: Send) => Promise<T>): Promise<T> {
  const address = addressOf(url)
  const unreachable = (cause: unknown) => new CommandError(`FalkorDB cannot be reached, so nothing was done: ${(cause as Error).message}`, { cause })
  const wire = await Wire.open(address, maxReplyBytes).catch(cause => { throw unreachable(cause) })
  try {
    if (address.password !== undefined) await wire.send(['AUTH', address.username ?? 'default', address.password]).catch(cause => { throw unreachable(cause) })
    return await work(command => wire.send(command))
  } finally {
    wire.destroy()
  }
}

/** Keys of the tenant's graphs, sorted, as FalkorDB has them. */
export async function graphKeys (send: Send, { prefix }: Pick<Place, 'prefix'>): Promise<string[]> {
  return (await send(['GRAPH.LIST']) as string[]).filter(key => key.startsWith(prefix)).sort()
}
