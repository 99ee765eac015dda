/**
 * The graph database as the tools know it: one call, one answer or one GatewayError. Every query runs with FalkorDB's own limits in force,
 * on a connection of its own, at most once.
 */
import type { FastifyBaseLogger } from 'fastify'
import { DatabaseError, NotFoundError } from '@gateway/common/errors.ts'
import { Background } from './connections/background.ts'
import { Connection, type Send } from './connections/connection.ts'
import { Control, graceMs } from './connections/control.ts'
import type { GraphCall, GraphDatabase, GraphDatabaseInfo, GraphResult, GraphTarget, QueryTarget } from './database.ts'
import { Exchange } from './connections/exchange.ts'
import type { FailedCall } from './connections/failures.ts'
import type { FairQueueOptions } from './connections/fair-queue.ts'
import { GraphTurns } from './connections/graph-turns.ts'
import { applyLimits, wantedLimits, type LimitName, type Limits, type ToldLimits } from './limits.ts'
import { bindParameters } from './values/parameters.ts'
import { sharePlaces } from './connections/places.ts'
import { planWrites, proceduresCalled, writingProceduresQuery } from './plan.ts'
import { oneAtATime } from './connections/one-at-a-time.ts'
import { Pool } from './connections/pool.ts'
import type { Quotas } from './quotas.ts'
import { extend, noNames, SchemaNamesCache, versionMismatch, type VersionedNames } from './values/schema-names.ts'
import { TenantUsers, type TenantUserOptions } from './connections/tenant-users.ts'
import { decodeReply, rowCount, UnknownNameError, UnreadableReplyError, type Raw } from './values/values.ts'
import { addressOf, type Address } from './connections/wire.ts'

export interface GraphDatabaseOptions {
  /** redis:// or rediss:// */
  url: string
  /** Rows of a result at most; FalkorDB gives one more, so that truncation is seen. */
  maxRows: number
  timeoutDefaultMs: number
  timeoutMaxMs: number
  queryMemoryBytes: number
  /** Queries of one tenant at once, over all replicas; four times as many may wait. */
  tenantConcurrency: number
  /** Replicas of the tool service, which share FalkorDB's workers. Default 1. */
  replicas?: number
  /** Connections, and so queries of all tenants at once, in place of this replica's share of FalkorDB's workers. */
  poolSize?: number
  /** How tenants are users of the database; `off`: every query runs as the user of the URL. */
  tenantAcl: TenantUserOptions | 'off'
  /** Bytes of one reply of FalkorDB at most; a longer one is cut at the socket. Default 16 MiB. */
  maxReplyBytes?: number
  /** Of this database. @param ask as the administrator, who never runs a caller's query */
  quotas?: (ask: Send) => Quotas
  /** Refuse to work where FalkorDB does not take the limits. */
  requireLimits?: boolean
  logger?: FastifyBaseLogger
}

const defaultMaxReplyBytes = 16 * 2 ** 20

/** Rounds of learning the names that others add meanwhile. */
const maxRounds = 8

/**
 * Connects, sets FalkorDB's limits and reads them back. Where FalkorDB is away it returns all the same after 2 s, connects by itself later,
 * and every call fails with DatabaseError until then.
 * @throws DatabaseError database_limits_missing where limits are required and FalkorDB does not take them
 */
export async function connectGraphDatabase (options: GraphDatabaseOptions): Promise<GraphDatabase> {
  const database = new Database(options)
  await database.start()
  return database
}

class Database implements GraphDatabase {
  readonly #options: GraphDatabaseOptions
  readonly #wanted: Limits
  readonly #address: Address
  readonly #names = new SchemaNamesCache()
  readonly #control: Control
  readonly #users: TenantUsers | undefined
  readonly #background: Background
  readonly #quotas: Quotas | undefined
  readonly #pool: Pool
  readonly #turns = new GraphTurns()
  /** Everybody's graphs: FalkorDB does nothing else meanwhile, and no tenant's place is taken by it. */
  readonly #list = oneAtATime(() => this.#control.ask(['GRAPH.LIST']))
  readonly #places: FairQueueOptions = { places: 1, placesPerTenant: 1, waitingPerTenant: 1 }
  #limits: ToldLimits = {}
  #missing: LimitName[] = []
  #limitWarnings: string[] = []
  #placeWarnings: string[] = []

  constructor (options: GraphDatabaseOptions) {
    this.#options = options
    this.#address = addressOf(options.url)
    this.#wanted = wantedLimits(options)
    this.#share()
    this.#control = new Control({ url: options.url, logger: options.logger, prepare: send => this.#prepare(send), onSilence: () => this.#pool.dropOverdue() })
    this.#users = options.tenantAcl === 'off' ? undefined : new TenantUsers(options.tenantAcl, this.#control.send)
    this.#background = new Background(() => this.#connect({ asUrlUser: true }))
    // GRAPH.MEMORY waits for a worker.
    this.#quotas = options.quotas?.(async command => command[0] === 'GRAPH.LIST' ? await this.#list() : await (command[0] === 'GRAPH.MEMORY' ? this.#background : this.#control).ask(command))
    this.#pool = new Pool({ places: this.#places, open: () => this.#open(), users: this.#users, up: () => this.up })
  }

  async start () {
    await this.#control.start()
    await this.#users?.check().catch((err: Error) => this.#options.logger?.warn({ err }, 'FalkorDB is away: whether it lets the gateway make users is seen later'))
    for (const warning of this.#users?.warnings ?? []) this.#options.logger?.error(warning)
    if (this.#missesLimits) {
      await this.close()
      throw this.#limitsMissing()
    }
  }

  get up (): boolean { return this.#control.up }

  async query (call: GraphCall): Promise<GraphResult> {
    const { tenant, key, query, mode } = call
    const { text, originalOffset } = bindParameters(query, call.parameters)
    if (mode === 'write') this.#quotas?.beforeWrite(tenant, query)
    return await this.#run(call, call.timeoutMs, { key, query, mode, originalOffset }, async exchange => {
      const verb = mode === 'read' ? 'GRAPH.RO_QUERY' : 'GRAPH.QUERY'
      let names = this.#names.get(key) ?? await this.#loadNames(exchange, call)
      let created = names === noNames
      for (let round = 0; ; round++) {
        const versioned = names.version !== undefined && round < maxRounds
        const reply = await exchange[mode]([verb, key, text, '--compact', 'TIMEOUT', String(exchange.timeoutMs), ...(versioned ? ['VERSION', names.version as string] : [])])
        const version = versionMismatch(reply)
        if (version === undefined) return { ...await this.#read(reply, call, names, () => this.#loadNames(exchange, call, names.version)), ...(created && { created }) }
        // FalkorDB makes a graph before it compares versions: one that was known and now has no names is a new one.
        created ||= mode === 'write' && version === noNames.version && names.version !== undefined
        names = await this.#loadNames(exchange, call, version)
      }
    })
  }

  async explain (call: QueryTarget): Promise<string[]> {
    const { key, query } = call
    const { text, originalOffset } = bindParameters(query, call.parameters)
    return await this.#run(call, call.timeoutMs, { key, query, mode: 'read', originalOffset }, async ({ read }) => lines(await read(['GRAPH.EXPLAIN', key, text])))
  }

  async profile (call: QueryTarget): Promise<string[]> {
    const { tenant, key, query } = call
    const { text, originalOffset } = bindParameters(query, call.parameters)
    this.#quotas?.beforeWrite(tenant, query)
    return await this.#run(call, call.timeoutMs, { key, query, mode: 'write', originalOffset }, async ({ read, write }) => {
      // GRAPH.PROFILE would make a graph that is not there.
      await read(['GRAPH.EXPLAIN', key, text])
      return lines(await write(['GRAPH.PROFILE', key, text]))
    })
  }

  async writes (call: QueryTarget): Promise<boolean> {
    const { key, query } = call
    const { text, originalOffset } = bindParameters(query, call.parameters)
    return await this.#run(call, call.timeoutMs, { key, query, mode: 'read', originalOffset }, async exchange => {
      const plan = planWrites(await exchange.read(['GRAPH.EXPLAIN', key, text]))
      if (plan !== 'depends on procedures') return plan
      const called = proceduresCalled(query)
      const { rows } = decodeReply(await exchange.read(['GRAPH.RO_QUERY', key, writingProceduresQuery, '--compact', 'TIMEOUT', String(exchange.timeoutMs)]), noNames, Infinity)
      return rows.some(([name]) => called.has(String(name).toLowerCase()))
    })
  }

  async remove ({ tenant, key }: GraphTarget) {
    await this.#run({ tenant }, this.#options.timeoutDefaultMs, { key, query: '', mode: 'write', originalOffset: offset => offset }, async ({ write }) => await write(['GRAPH.DELETE', key]))
    this.#names.forget(key)
  }

  async keys (_tenant: string, prefix: string): Promise<string[]> {
    const reply = await this.#list()
    return (reply as string[]).filter(key => key.startsWith(prefix)).sort()
  }

  async ping () {
    await this.#control.ask(['PING'])
    if (this.#missesLimits) throw this.#limitsMissing()
  }

  async info (): Promise<GraphDatabaseInfo> {
    const [server, modules] = await Promise.all([this.#control.ask(['INFO', 'server']), this.#control.ask(['MODULE', 'LIST'])])
    // Valkey also names the Redis version that it stands in for.
    const [, version = 'unknown'] = /^valkey_version:(\S+)/m.exec(String(server)) ?? /^redis_version:(\S+)/m.exec(String(server)) ?? []
    // Whoever runs it may have mended it meanwhile.
    if (this.#users?.warnings.length) await this.#users.check()
    const graph = (modules as string[][]).find(([, name]) => name === 'graph')
    return { version, module: moduleVersion(graph?.[graph.indexOf('ver') + 1]), limits: this.#limits as Record<string, number>, warnings: [...this.#limitWarnings, ...this.#placeWarnings, ...this.#users?.warnings ?? []] }
  }

  async close () {
    this.#quotas?.close()
    this.#background.close()
    this.#pool.close()
    this.#control.close()
  }

  /** Through the administrator's connection: a tenant's user may not. */
  async #prepare (send: Send) {
    const { limits, warnings, missing } = await applyLimits(send, this.#wanted)
    this.#limits = limits
    this.#limitWarnings = warnings
    this.#missing = missing
    this.#share()
  }

  /** A restarted FalkorDB may have other threads, and has forgotten its limits. */
  #share () {
    const { tenantConcurrency, replicas = 1, poolSize } = this.#options
    const { THREAD_COUNT: threadCount } = this.#limits
    const { places, warnings } = sharePlaces({ threadCount, tenantConcurrency, replicas })
    Object.assign(this.#places, places, poolSize === undefined ? {} : { places: poolSize })
    this.#placeWarnings = warnings
  }

  async #open (): Promise<Connection> {
    const connection = await this.#connect({ asUrlUser: this.#users === undefined })
    try {
      await this.#prepare(this.#control.send)
      return connection
    } catch (error) {
      connection.destroy()
      throw error
    }
  }

  async #connect ({ asUrlUser }: { asUrlUser: boolean }): Promise<Connection> {
    const { maxReplyBytes = defaultMaxReplyBytes } = this.#options
    return await Connection.open(this.#address, { maxReplyBytes, asUrlUser })
  }

  get #missesLimits (): boolean { return this.#options.requireLimits === true && this.#missing.length > 0 }

  #limitsMissing () {
    return new DatabaseError('database_limits_missing', 'FalkorDB does not keep the limits that this gateway requires.', { cause: new Error(this.#limitWarnings.join(' ')) })
  }

  /** No more than FalkorDB's TIMEOUT_MAX, above which it refuses a query. */
  #timeout (ms: number): number {
    const max = this.#limits.TIMEOUT_MAX ?? this.#options.timeoutMaxMs
    return Math.max(1, Math.floor(max > 0 ? Math.min(ms, max) : ms))
  }

  /**
   * Runs work on a connection of its own. Its caller waits no longer than the call may take and a little more, or until it goes away;
   * the connection and the tenant's place stay taken until FalkorDB has answered.
   */
  async #run<T> ({ tenant, signal }: { tenant: string, signal?: AbortSignal | undefined }, wantedMs: number, call: FailedCall, work: (exchange: Exchange) => Promise<T>): Promise<T> {
    if (this.#missesLimits) throw this.#limitsMissing()
    const timeoutMs = this.#timeout(wantedMs)
    const start = performance.now()
    const exchange = new Exchange(call, timeoutMs)
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const timer = setTimeout(() => reject(exchange.giveUp()), timeoutMs + graceMs)
    const gone = () => reject(exchange.abandon(signal?.reason))
    if (signal?.aborted) gone()
    signal?.addEventListener('abort', gone)
    this.#pool.run(tenant, { ms: timeoutMs, signal }, connection => this.#turns.run(call.key, call.mode, { ms: exchange.timeoutMs, signal }, () => exchange.on(connection, work))).then(resolve, reject).finally(() => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', gone)
      if (exchange.counted) this.#quotas?.wrote(tenant, call.key)
      if (exchange.abandoned) this.#options.logger?.info({ tenant, mode: call.mode, ms: Math.round(performance.now() - start), outcome: exchange.outcome }, 'a call that nobody waited for any more has ended')
    })
    return await promise
  }

  async #loadNames (exchange: Exchange, { tenant, key, mode }: GraphCall, version?: string): Promise<VersionedNames> {
    try {
      return await this.#names.load(exchange.read, key, exchange.timeoutMs, version)
    } catch (error) {
      if (mode !== 'write' || !(error instanceof NotFoundError)) throw error
      await this.#quotas?.beforeCreate(tenant, key)
      exchange.counted = true
      return noNames
    }
  }

  async #read (reply: Raw, call: GraphCall, names: VersionedNames, reload: () => Promise<VersionedNames>): Promise<GraphResult> {
    const { skipRows = 0 } = call
    const limit = Math.min(call.maxRows, this.#options.maxRows)
    const end = skipRows + limit
    try {
      const count = rowCount(reply)
      const cut = this.#limits.RESULTSET_SIZE ?? 0
      return { ...await this.#decode(reply, { limit, skipRows }, names, reload), truncated: count > end || (cut > 0 && cut <= end && count === cut) }
    } catch (cause) {
      const message = call.mode === 'write' ? 'The query was run and what it wrote is kept, but its result could not be read.' : 'The result could not be read; try again.'
      throw new DatabaseError('result_unreadable', message, { cause })
    }
  }

  async #decode (reply: Raw, { limit, skipRows }: { limit: number, skipRows: number }, names: VersionedNames, reload: () => Promise<VersionedNames>) {
    try {
      return decodeReply(reply, names, limit, skipRows)
    } catch (error) {
      if (!(error instanceof UnknownNameError)) throw error
      // The query itself, or another one meanwhile, has added names.
      const later = await reload()
      if (!extend(later, names)) throw new UnreadableReplyError('the graph was replaced while the query ran')
      return decodeReply(reply, later, limit, skipRows)
    }
  }
}

const lines = (reply: Raw): string[] => Array.isArray(reply) ? reply.map(String) : [String(reply)]

/** 41603 → 4.16.3 */
function moduleVersion (number: string | undefined): string {
  const digits = Number(number)
  return Number.isInteger(digits) ? `${Math.floor(digits / 10_000)}.${Math.floor(digits / 100) % 100}.${digits % 100}` : 'unknown'
}
