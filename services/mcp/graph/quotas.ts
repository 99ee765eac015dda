/** How many graphs a tenant may have, and how much of the database's memory they may take. */
import type { FastifyBaseLogger } from 'fastify'
import { ForbiddenError, NotFoundError } from '@gateway/common/errors.ts'
import { tenantPrefix } from '@gateway/common/tenants.ts'
import { tokens } from './lexer.ts'
import { isName } from './nesting.ts'
import { proceduresCalled } from './plan.ts'

export interface QuotaOptions {
  /** Graphs of one tenant; 0 for no limit. */
  maxGraphs: number
  /** Bytes of all graphs of one tenant together, as GRAPH.MEMORY estimates them; 0 for no limit. */
  maxMemoryBytes: number
  /** false: everybody is one tenant, with all graphs. */
  multiTenancy: boolean
  /**
   * Asks FalkorDB as the administrator, on a connection that nothing urgent waits for: GRAPH.MEMORY holds it until a worker has time.
   * @throws what beforeCreate() is to throw where FalkorDB is away
   */
  ask: (command: readonly string[]) => Promise<unknown>
  logger?: FastifyBaseLogger | undefined
  /** Between two looks at the memory. Default 30,000 ms. */
  intervalMs?: number
}

export interface Quotas {
  /**
   * Before a write that would make a graph. The graph counts from now on; wrote() of the same tenant and key must follow.
   * @param key of the graph; without one it counts beside those that there are, even once it is there
   * @throws ForbiddenError quota_graphs, and what `ask` throws
   */
  beforeCreate: (tenant: string, key?: string) => Promise<void>
  /** Before any write, at once. @throws ForbiddenError quota_memory where the tenant was over at the last look and the query adds something */
  beforeWrite: (tenant: string, query: string) => void
  /** After a write was sent, whatever came of it. */
  wrote: (tenant: string, key?: string) => void
  /** Looks no more. */
  close: () => void
}

const defaultIntervalMs = 30_000
/** From a write of a tenant that is over to the next look, so that it notices soon that it has removed enough. */
const soonMs = 1_000
/** Graphs asked for in one round; the other tenants' turn is the next one. */
const graphsPerRound = 1_000
/** Failures one after the other that end a round. */
const failuresPerRound = 3
const bytesPerMegabyte = 2 ** 20

/** Counts and looks by itself; many processes may do so side by side, since each asks FalkorDB and keeps nothing. */
export function createQuotas (options: QuotaOptions): Quotas {
  return new TenantQuotas(options)
}

class TenantQuotas implements Quotas {
  readonly #options: QuotaOptions
  /** Graphs that are being made, by tenant and key. */
  readonly #coming = new Map<string, Map<string, number>>()
  /** Tenants to look at, those that have waited longest first. */
  readonly #due = new Set<string>()
  readonly #over = new Set<string>()
  readonly #timer: NodeJS.Timeout | undefined
  #soon: NodeJS.Timeout | undefined
  #looking = false
  #failing = false
  #closed = false

  constructor (options: QuotaOptions) {
    this.#options = options
    if (options.maxMemoryBytes > 0) this.#timer = setInterval(() => { this.#round() }, options.intervalMs ?? defaultIntervalMs).unref()
  }

  readonly beforeCreate = async (tenant: string, key = '') => {
    const { maxGraphs } = this.#options
    if (maxGraphs === 0) return
    // What was under way when the list was asked for may have ended before it came, and not be on it.
    const before = this.#comingOf(tenant)
    const known = new Set(await this.#keys(tenant))
    const coming = new Map([...before, ...this.#comingOf(tenant)])
    let count = known.size
    for (const [other, times] of coming) if (!known.has(other)) count += other === '' ? times : 1
    // Another write makes this very graph.
    const counted = known.has(key) || (key !== '' && coming.has(key))
    if (!counted && count >= maxGraphs) throw new ForbiddenError('quota_graphs', `A tenant may have ${maxGraphs} ${maxGraphs === 1 ? 'graph' : 'graphs'} here, and this would be one more. Delete one with falkordb_delete_graph, or write into one that there is.`, { details: { maxGraphs } })
    const row = this.#coming.get(tenant) ?? new Map<string, number>()
    row.set(key, (row.get(key) ?? 0) + 1)
    this.#coming.set(tenant, row)
  }

  readonly beforeWrite = (tenant: string, query: string) => {
    const { maxMemoryBytes } = this.#options
    if (!this.#over.has(this.#whose(tenant)) || !adds(query)) return
    throw new ForbiddenError('quota_memory', `The graphs of this tenant take more memory than the ${Math.ceil(maxMemoryBytes / bytesPerMegabyte)} MB that they may. Remove data with DELETE, REMOVE or DROP INDEX, or whole graphs with falkordb_delete_graph; a moment later this works again.`, { details: { maxMemoryBytes } })
  }

  readonly wrote = (tenant: string, key = '') => {
    this.#made(tenant, key)
    if (this.#options.maxMemoryBytes === 0 || this.#closed) return
    this.#due.add(this.#whose(tenant))
    if (this.#over.has(this.#whose(tenant))) this.#lookSoon()
  }

  readonly close = () => {
    this.#closed = true
    clearInterval(this.#timer)
    clearTimeout(this.#soon)
  }

  #made (tenant: string, key: string) {
    const row = this.#coming.get(tenant)
    const times = row?.get(key)
    if (row === undefined || times === undefined) return
    if (times > 1) row.set(key, times - 1)
    else row.delete(key)
    if (row.size === 0) this.#coming.delete(tenant)
  }

  /** Without tenants there is one sum for all. */
  #whose (tenant: string): string { return this.#options.multiTenancy ? tenant : '' }

  #comingOf (tenant: string): Map<string, number> {
    if (this.#options.multiTenancy) return new Map(this.#coming.get(tenant))
    return new Map([...this.#coming.values()].flatMap(row => [...row]))
  }

  async #keys (tenant: string): Promise<string[]> {
    const prefix = this.#options.multiTenancy ? tenantPrefix(tenant) : ''
    return (await this.#options.ask(['GRAPH.LIST']) as unknown[]).map(String).filter(key => key.startsWith(prefix))
  }

  #lookSoon () {
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined
      this.#round()
    }, Math.min(soonMs, this.#options.intervalMs ?? defaultIntervalMs)).unref()
  }

  /** Never two at once: one that takes longer than the interval is followed by the next look after it. */
  #round () {
    if (this.#looking || this.#closed) return
    this.#looking = true
    this.#look().catch((err: unknown) => this.#failed(err)).finally(() => { this.#looking = false })
  }

  async #look () {
    for (const tenant of this.#over) this.#due.add(tenant)
    if (this.#due.size === 0) return
    const keys = this.#byTenant(await this.#options.ask(['GRAPH.LIST']) as unknown[])
    let asked = 0
    let failures = 0
    for (const tenant of [...this.#due]) {
      const graphs = keys.get(tenant) ?? []
      if (this.#closed || (asked > 0 && asked + graphs.length > graphsPerRound)) return
      asked += graphs.length
      // Before asking: what is written meanwhile is for the next look.
      this.#due.delete(tenant)
      try {
        this.#judge(tenant, await this.#bytes(graphs))
        failures = 0
      } catch (err) {
        this.#due.add(tenant)
        this.#failed(err)
        if (++failures === failuresPerRound) return
      }
    }
    if (failures === 0) this.#failing = false
  }

  /** The keys of those that are due. */
  #byTenant (list: unknown[]): Map<string, string[]> {
    if (!this.#options.multiTenancy) return new Map([['', list.map(String)]])
    const keys = new Map<string, string[]>()
    const due = new Map([...this.#due].map(tenant => [tenantPrefix(tenant), tenant]))
    for (const key of list.map(String)) {
      const tenant = due.get(key.slice(0, key.indexOf('_') + 1))
      if (tenant === undefined) continue
      const row = keys.get(tenant)
      if (row === undefined) keys.set(tenant, [key])
      else row.push(key)
    }
    return keys
  }

  /** As far as it is needed to know that it is too much. */
  async #bytes (keys: readonly string[]): Promise<number> {
    let bytes = 0
    for (const key of keys) {
      bytes += await this.#graphBytes(key)
      if (bytes > this.#options.maxMemoryBytes) break
    }
    return bytes
  }

  /** FalkorDB tells whole MB, rounded down, as names and values in turn. */
  async #graphBytes (key: string): Promise<number> {
    let reply: unknown[]
    try {
      reply = await this.#options.ask(['GRAPH.MEMORY', 'USAGE', key]) as unknown[]
    } catch (error) {
      if (isGone(error)) return 0
      throw error
    }
    const megabytes = Number(reply[reply.indexOf('total_graph_sz_mb') + 1])
    if (!Number.isFinite(megabytes)) throw new Error('FalkorDB does not tell how much memory a graph takes')
    return megabytes * bytesPerMegabyte
  }

  #judge (tenant: string, bytes: number) {
    const { maxMemoryBytes, logger } = this.#options
    const over = bytes > maxMemoryBytes
    if (over === this.#over.has(tenant)) return
    if (over) this.#over.add(tenant)
    else this.#over.delete(tenant)
    logger?.info({ tenant }, over ? 'the tenant is over its quota of memory: it may only remove' : 'the tenant is within its quota of memory again')
  }

  #failed (err: unknown) {
    if (this.#failing) return
    this.#failing = true
    this.#options.logger?.warn({ err }, 'FalkorDB does not tell how much memory a tenant takes; trying again')
  }
}

/** Deleted since the list was made. */
const isGone = (error: unknown) => error instanceof NotFoundError || (error instanceof Error && /Invalid graph operation on empty key/.test(error.message))

const adding = new Set(['CREATE', 'MERGE', 'SET'])
/** Procedures that only read or drop; any other may add. */
const harmlessProcedure = /^(?:$|algo\.|dbms\.|db\.(?!idx\.)|db\.idx\.\w+\.(?:query|drop))/

/** Whether a query may add something to a graph, by its words: only a query that cannot is let through to a tenant that is over. */
function adds (query: string): boolean {
  const found = tokens(query)
  const words = found.some(({ kind, text }, index) => kind === 'word' && adding.has(text) && !isName(found[index - 1]) && !isLabelOrKey(found[index - 1]?.text, found[index + 1]?.text))
  return words || [...proceduresCalled(query)].some(name => !harmlessProcedure.test(name))
}

/** `(n:Set)`, `{set: 1}`: no clause stands beside a colon. */
const isLabelOrKey = (before: string | undefined, after: string | undefined) => before === ':' || after === ':'
