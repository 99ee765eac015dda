/** One graph database out of several: tenants with a FalkorDB of their own, and one for all others. */
import type { FastifyBaseLogger } from 'fastify'
import { parseSecrets } from '@gateway/common/secrets.ts'
import type { Config } from '../settings.ts'
import { connectGraphDatabase, type GraphDatabaseOptions } from './client.ts'
import type { GraphDatabase, GraphDatabaseInfo } from './database.ts'
import { createQuotas } from './quotas.ts'
import { parseTenantUrls } from './tenant-urls.ts'

/** A reply of FalkorDB is read whole before it is cut to MAX_RESULT_BYTES; its form takes more room than the result. */
const leastReplyBytes = 16 * 2 ** 20
const replyBytesPerResultByte = 8

/** The databases of the configuration. @throws as connectGraphDatabase */
export async function openDatabases (config: Config, logger: FastifyBaseLogger): Promise<GraphDatabase> {
  const multiTenancy = config.ENABLE_MULTI_TENANCY
  const options: GraphDatabaseOptions = {
    url: config.FALKORDB_URL,
    maxRows: config.MAX_ROWS,
    timeoutDefaultMs: config.QUERY_TIMEOUT_MS,
    timeoutMaxMs: config.QUERY_TIMEOUT_MAX_MS,
    queryMemoryBytes: config.QUERY_MEMORY_BYTES,
    tenantConcurrency: config.TENANT_CONCURRENCY,
    replicas: config.MCP_REPLICAS,
    tenantAcl: config.TENANT_ACL === 'off' ? 'off' : { secrets: parseSecrets(config.GATEWAY_SECRET).secrets, multiTenancy },
    maxReplyBytes: Math.max(leastReplyBytes, replyBytesPerResultByte * config.MAX_RESULT_BYTES),
    requireLimits: config.REQUIRE_DB_LIMITS,
    quotas: ask => createQuotas({ maxGraphs: config.TENANT_MAX_GRAPHS, maxMemoryBytes: config.TENANT_MAX_MEMORY_BYTES, multiTenancy, ask, logger }),
    logger
  }
  return await connectDatabases(options, parseTenantUrls(config.FALKORDB_TENANT_URLS).urls)
}

/**
 * Connects to all of them at once. One that is away hurts its own tenants only, and is connected later.
 * @param options of each; `url` is that of the tenants without one
 * @throws as connectGraphDatabase
 */
export async function connectDatabases (options: GraphDatabaseOptions, tenantUrls: ReadonlyMap<string, string>): Promise<GraphDatabase> {
  if (tenantUrls.size === 0) return await connectGraphDatabase(options)
  // Tenants may share a server, and with it its limits on connections.
  const urls = [...new Set([options.url, ...tenantUrls.values()])]
  const opened = await Promise.allSettled(urls.map(url => connectGraphDatabase({ ...options, url })))
  const failed = opened.find(outcome => outcome.status === 'rejected')
  const databases = opened.flatMap(outcome => outcome.status === 'fulfilled' ? [outcome.value] : [])
  if (failed !== undefined) {
    await Promise.all(databases.map(database => database.close()))
    throw failed.reason
  }
  const byUrl = new Map(urls.map((url, index) => [url, databases[index]!]))
  const common = byUrl.get(options.url)!
  return new Servers(common, databases.filter(database => database !== common), new Map([...tenantUrls].map(([tenant, url]) => [tenant, byUrl.get(url)!])))
}

class Servers implements GraphDatabase {
  readonly #common: GraphDatabase
  readonly #own: readonly GraphDatabase[]
  readonly #byTenant: ReadonlyMap<string, GraphDatabase>

  constructor (common: GraphDatabase, own: readonly GraphDatabase[], byTenant: ReadonlyMap<string, GraphDatabase>) {
    this.#common = common
    this.#own = own
    this.#byTenant = byTenant
  }

  #of (tenant: string | undefined): GraphDatabase { return (tenant === undefined ? undefined : this.#byTenant.get(tenant)) ?? this.#common }

  readonly query: GraphDatabase['query'] = call => this.#of(call.tenant).query(call)
  readonly explain: GraphDatabase['explain'] = call => this.#of(call.tenant).explain(call)
  readonly profile: GraphDatabase['profile'] = call => this.#of(call.tenant).profile(call)
  readonly writes: GraphDatabase['writes'] = call => this.#of(call.tenant).writes(call)
  readonly remove: GraphDatabase['remove'] = target => this.#of(target.tenant).remove(target)
  readonly keys: GraphDatabase['keys'] = (tenant, prefix) => this.#of(tenant).keys(tenant, prefix)
  readonly ping: GraphDatabase['ping'] = tenant => this.#of(tenant).ping(tenant)

  /** Of the common server with what is to be mended anywhere, or of a tenant's own. */
  async info (tenant?: string): Promise<GraphDatabaseInfo> {
    if (tenant !== undefined) return await this.#of(tenant).info(tenant)
    const [info, ...warnings] = await Promise.all([this.#common.info(), ...this.#own.map(warningsOf)])
    return { ...info, warnings: [...info.warnings, ...warnings.flat().map(warning => `A tenant's own server: ${warning}`)] }
  }

  /** Whether the common server is; the others hurt their own tenants only. */
  get up (): boolean { return this.#common.up }

  async close () { await Promise.all([this.#common, ...this.#own].map(database => database.close())) }
}

async function warningsOf (database: GraphDatabase): Promise<string[]> {
  try {
    return (await database.info()).warnings
  } catch {
    return ['FalkorDB does not answer.']
  }
}
