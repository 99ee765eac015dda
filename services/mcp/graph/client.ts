/**
 * The graph database as the tools know it: one call, one answer or one GatewayError. Every query runs with FalkorDB's own limits in force,
 * on a connection of its own, at most once.
 */
import type { FastifyBaseLogger } from 'fastify'
import { DatabaseError, NotFoundError, TimeoutError } from '@gateway/common/errors.ts'
import type { Send } from './connection.ts'
import { Control, graceMs } from './control.ts'
import type { GraphCall, GraphDatabase, GraphDatabaseInfo, GraphResult, GraphTarget, QueryTarget } from './database.ts'
import { outcomeUnknown, sendFailure, unavailable, type FailedCall } from './failures.ts'
import { applyLimits, wantedLimits, type Limits } from './limits.ts'
import { bindParameters } from './parameters.ts'
import { planWrites, proceduresCalled, writingProceduresQuery } from './plan.ts'
import { Pool } from './pool.ts'
import { extend, noNames, SchemaNamesCache, versionMismatch, type VersionedNames } from './schema-names.ts'
import { decodeReply, rowCount, UnknownNameError, UnreadableReplyError, type Raw } from './values.ts'

export interface GraphDatabaseOptions {
  /** redis:// or rediss:// */
  url: string
  /** Rows of a result at most; FalkorDB gives one more, so that truncation is seen. */
  maxRows: number
  timeoutDefaultMs: number
  timeoutMaxMs: number
  queryMemoryBytes: number
  /** Queries of one tenant at once; four times as many may wait. */
  tenantConcurrency: number
  /** Connections, and so queries of all tenants at once. Default 32. */
  poolSize?: number
  /** Refuse to work where FalkorDB does not take the limits. */
  requireLimits?: boolean
  logger?: FastifyBaseLogger
}

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
  readonly #names = new SchemaNamesCache()
  readonly #control: Control
  readonly #pool: Pool
  #limits: Partial<Limits> = {}
  #warnings: string[] = []

  constructor (options: GraphDatabaseOptions) {
    this.#options = options
    this.#wanted = wantedLimits(options)
    const prepare = (send: Send) => this.#prepare(send)
    this.#control = new Control({ url: options.url, logger: options.logger, prepare, onSilence: () => this.#pool.dropOverdue() })
    this.#pool = new Pool({
      size: options.poolSize ?? 32,
      tenantConcurrency: options.tenantConcurrency,
      makeClient: () => this.#control.makeClient(),
      prepare,
      up: () => this.up
    })
  }

  async start () {
    await this.#control.start()
    if (this.#missesLimits) {
      await this.close()
      throw this.#limitsMissing()
    }
  }

  get up (): boolean { return this.#control.up }

  async query (call: GraphCall): Promise<GraphResult> {
    const { text, originalOffset } = bindParameters(call.query, call.parameters)
    const timeoutMs = this.#timeout(call.timeoutMs)
    const failed: FailedCall = { key: call.key, query: call.query, mode: call.mode, originalOffset }
    return await this.#run(call.tenant, timeoutMs, failed, async (send, sendWrite) => {
      const verb = call.mode === 'read' ? 'GRAPH.RO_QUERY' : 'GRAPH.QUERY'
      let names = this.#names.get(call.key) ?? await this.#loadNames(send, call, timeoutMs)
      for (let round = 0; ; round++) {
        const versioned = names.version !== undefined && round < maxRounds
        const reply = await (call.mode === 'read' ? send : sendWrite)([verb, call.key, text, '--compact', 'TIMEOUT', String(timeoutMs), ...(versioned ? ['VERSION', names.version as string] : [])])
        const version = versionMismatch(reply)
        if (version !== undefined) names = await this.#loadNames(send, call, timeoutMs, version)
        else return await this.#read(reply, call, names, () => this.#loadNames(send, call, timeoutMs, names.version))
      }
    })
  }

  explain (call: QueryTarget): Promise<string[]> { return this.#plan('GRAPH.EXPLAIN', call) }

  profile (call: QueryTarget): Promise<string[]> { return this.#plan('GRAPH.PROFILE', call) }

  async #plan (verb: 'GRAPH.EXPLAIN' | 'GRAPH.PROFILE', call: QueryTarget): Promise<string[]> {
    const { text, originalOffset } = bindParameters(call.query, call.parameters)
    const mode = verb === 'GRAPH.PROFILE' ? 'write' : 'read'
    return await this.#run(call.tenant, this.#timeout(call.timeoutMs), { key: call.key, query: call.query, mode, originalOffset }, async (send, sendWrite) => {
      const reply = await (mode === 'write' ? sendWrite : send)([verb, call.key, text])
      return Array.isArray(reply) ? reply.map(String) : [String(reply)]
    })
  }

  async writes (call: QueryTarget): Promise<boolean> {
    const { key, query } = call
    const { text, originalOffset } = bindParameters(query, call.parameters)
    const timeoutMs = this.#timeout(call.timeoutMs)
    return await this.#run(call.tenant, timeoutMs, { key, query, mode: 'read', originalOffset }, async send => {
      const plan = planWrites(await send(['GRAPH.EXPLAIN', key, text]))
      if (plan !== 'depends on procedures') return plan
      const called = proceduresCalled(query)
      const { rows } = decodeReply(await send(['GRAPH.RO_QUERY', key, writingProceduresQuery, '--compact', 'TIMEOUT', String(timeoutMs)]), noNames, Infinity)
      return rows.some(([name]) => called.has(String(name).toLowerCase()))
    })
  }

  async remove ({ tenant, key }: GraphTarget) {
    const timeoutMs = this.#timeout(this.#options.timeoutDefaultMs)
    await this.#run(tenant, timeoutMs, { key, query: '', mode: 'write', originalOffset: offset => offset }, async (_send, sendWrite) => await sendWrite(['GRAPH.DELETE', key]))
  }

  async keys (_tenant: string, prefix: string): Promise<string[]> {
    const reply = await this.#control.ask(['GRAPH.LIST'])
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
    const graph = (modules as string[][]).find(([, name]) => name === 'graph')
    return { version, module: moduleVersion(graph?.[graph.indexOf('ver') + 1]), limits: this.#limits as Record<string, number>, warnings: this.#warnings }
  }

  async close () {
    this.#pool.close()
    this.#control.close()
  }

  async #prepare (send: Send) {
    const { limits, warnings } = await applyLimits(send, this.#wanted)
    this.#limits = limits
    this.#warnings = warnings
  }

  get #missesLimits (): boolean { return this.#options.requireLimits === true && this.#warnings.length > 0 }

  #limitsMissing () {
    return new DatabaseError('database_limits_missing', 'FalkorDB does not keep the limits that this gateway requires.', { cause: new Error(this.#warnings.join(' ')) })
  }

  /** No more than FalkorDB's TIMEOUT_MAX, above which it refuses a query. */
  #timeout (ms: number): number {
    const max = this.#limits.TIMEOUT_MAX ?? this.#options.timeoutMaxMs
    return Math.max(1, Math.floor(max > 0 ? Math.min(ms, max) : ms))
  }

  /** Runs work on a connection of its own. Its caller waits no longer than the query may take and a little more; the connection does. */
  async #run<T> (tenant: string, timeoutMs: number, call: FailedCall, work: (send: Send, sendWrite: Send) => Promise<T>): Promise<T> {
    if (this.#missesLimits) throw this.#limitsMissing()
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    this.#pool.run(tenant, timeoutMs, async connection => {
      let writing = false
      const timer = setTimeout(() => {
        connection.overdue = true
        reject(writing ? outcomeUnknown() : new TimeoutError('query_timeout', 'FalkorDB has not ended the query in its time.', { details: { hint: 'Ask for less, or raise timeoutMs.' } }))
      }, timeoutMs + graceMs)
      const exchange = (mode: 'read' | 'write'): Send => async command => {
        // The caller has been told that it is over: nothing may happen after that.
        if (connection.overdue) throw unavailable()
        writing = mode === 'write'
        try {
          return await connection.send(command)
        } catch (error) {
          throw sendFailure(error, call, mode)
        } finally {
          writing = false
        }
      }
      try {
        resolve(await work(exchange('read'), exchange('write')))
      } finally {
        clearTimeout(timer)
      }
    }).catch(reject)
    return await promise
  }

  async #loadNames (send: Send, { key, mode }: GraphCall, timeoutMs: number, version?: string): Promise<VersionedNames> {
    try {
      return await this.#names.load(send, key, timeoutMs, version)
    } catch (error) {
      if (mode === 'write' && error instanceof NotFoundError) return noNames
      throw error
    }
  }

  async #read (reply: Raw, call: GraphCall, names: VersionedNames, reload: () => Promise<VersionedNames>): Promise<GraphResult> {
    const limit = Math.min(call.maxRows, this.#options.maxRows)
    try {
      const count = rowCount(reply)
      const cut = this.#limits.RESULTSET_SIZE ?? 0
      return { ...await this.#decode(reply, limit, names, reload), truncated: count > limit || (cut > 0 && cut <= limit && count === cut) }
    } catch (cause) {
      const message = call.mode === 'write' ? 'The query was run and what it wrote is kept, but its result could not be read.' : 'The result could not be read; try again.'
      throw new DatabaseError('result_unreadable', message, { cause })
    }
  }

  async #decode (reply: Raw, limit: number, names: VersionedNames, reload: () => Promise<VersionedNames>) {
    try {
      return decodeReply(reply, names, limit)
    } catch (error) {
      if (!(error instanceof UnknownNameError)) throw error
      // The query itself, or another one meanwhile, has added names.
      const later = await reload()
      if (!extend(later, names)) throw new UnreadableReplyError('the graph was replaced while the query ran')
      return decodeReply(reply, later, limit)
    }
  }
}

/** 41603 → 4.16.3 */
function moduleVersion (number: string | undefined): string {
  const digits = Number(number)
  return Number.isInteger(digits) ? `${Math.floor(digits / 10_000)}.${Math.floor(digits / 100) % 100}.${digits % 100}` : 'unknown'
}
