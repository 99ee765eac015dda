/** The settings of the tool service, read and checked. */
import { list, loadConfig } from '@gateway/common/config.ts'
import { checkCommon } from '@gateway/common/settings.ts'
import { databaseUrlFault, parseTenantUrls } from './graph/tenant-urls.ts'
import { settings, type Config } from './settings.ts'
import { allTools } from './tools/index.ts'

/**
 * Reads the settings of the tool service.
 * @throws ConfigurationError with every fault
 */
export function loadMcpConfig (env: NodeJS.ProcessEnv): Config {
  return loadConfig(settings, env, [checkCommon, checkDatabaseUrl, checkTenantUrls, checkTimes, checkTools])
}

function checkDatabaseUrl ({ FALKORDB_URL: url }: Config): string[] {
  const fault = databaseUrlFault(url)
  return fault === undefined ? [] : [`FALKORDB_URL ${fault}`]
}

function checkTenantUrls ({ FALKORDB_TENANT_URLS: text, ENABLE_MULTI_TENANCY: multiTenancy }: Config): string[] {
  const { urls, faults } = parseTenantUrls(text)
  return urls.size > 0 && !multiTenancy ? [...faults, 'FALKORDB_TENANT_URLS names tenants, but ENABLE_MULTI_TENANCY=false has none'] : faults
}

function checkTimes ({ QUERY_TIMEOUT_MS: usual, QUERY_TIMEOUT_MAX_MS: longest }: Config): string[] {
  return usual <= longest ? [] : [`QUERY_TIMEOUT_MS (${usual}) is more than QUERY_TIMEOUT_MAX_MS (${longest})`]
}

// A misspelt name would leave a tool open that the operator believes hidden.
function checkTools ({ TOOLS_HIDDEN: hidden }: Config): string[] {
  const known = allTools.map(tool => tool.name)
  const names = list(hidden)
  const faults = names.filter(name => !known.includes(name)).map(name => `TOOLS_HIDDEN names ${JSON.stringify(name)}, which is no tool; there are ${known.join(', ')}`)
  return known.every(name => names.includes(name)) ? [...faults, 'TOOLS_HIDDEN hides every tool'] : faults
}
