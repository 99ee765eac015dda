/** The connections to FalkorDB, leased for one call each, and shared fairly among tenants. */
import type { RedisClientType } from '@redis/client'
import { Connection, type Send } from './connection.ts'
import { unavailable } from './failures.ts'
import { Gate } from './gate.ts'

export interface PoolOptions {
  /** Connections at most; made as they are needed. */
  size: number
  /** Calls of one tenant at once. */
  tenantConcurrency: number
  /** A client that is not connected yet. */
  makeClient: () => RedisClientType
  /** See Connection. */
  prepare: (send: Send) => Promise<void>
  /** Whether FalkorDB answers at all. */
  up: () => boolean
}

/** Calls of one tenant that may wait, by calls that may run. */
const waitingPerRunning = 4
/** How long a call waits for a connection that is being opened, ms. */
const openingMs = 2_000

export class Pool {
  readonly #options: PoolOptions
  readonly #gate: Gate
  readonly #tenants = new Map<string, Gate>()
  readonly #idle: Connection[] = []
  readonly #leased = new Set<Connection>()

  constructor (options: PoolOptions) {
    this.#options = options
    this.#gate = new Gate(options.size, options.size * waitingPerRunning)
  }

  /**
   * Runs work on a connection of its own. The connection, and the tenant's place, stay taken until the work has ended,
   * however long the caller has been gone: FalkorDB cannot be told to stop.
   * @param waitMs for a place at most
   * @throws RateLimitError queue_full, DatabaseError database_unavailable, and what the work throws
   */
  async run<T> (tenant: string, waitMs: number, work: (connection: Connection) => Promise<T>): Promise<T> {
    const tenantGate = this.#tenantGate(tenant)
    const start = performance.now()
    try {
      await tenantGate.enter(waitMs)
    } catch (error) {
      this.#forget(tenant, tenantGate)
      throw error
    }
    try {
      await this.#gate.enter(Math.max(1, waitMs - (performance.now() - start)))
      try {
        return await this.#lease(work)
      } finally {
        this.#gate.leave()
      }
    } finally {
      tenantGate.leave()
      this.#forget(tenant, tenantGate)
    }
  }

  /** Gives up the connections whose calls are overdue; new ones take their places. For when FalkorDB does not answer at all. */
  dropOverdue () {
    for (const connection of this.#leased) if (connection.overdue) this.#drop(connection)
  }

  close () {
    for (const connection of this.#idle.splice(0)) connection.destroy()
    for (const connection of this.#leased) this.#drop(connection)
  }

  #drop (connection: Connection) {
    this.#leased.delete(connection)
    connection.destroy()
  }

  async #lease<T> (work: (connection: Connection) => Promise<T>): Promise<T> {
    if (!this.#options.up()) throw unavailable()
    const connection = this.#take()
    try {
      await connection.untilUsable(openingMs)
      return await work(connection)
    } finally {
      // Dropped meanwhile: it does not come back.
      connection.overdue = false
      if (this.#leased.delete(connection)) this.#idle.push(connection)
    }
  }

  /** A connection that can be used now, else any, else a new one: the gate lets no more in than there may be. */
  #take (): Connection {
    const usable = this.#idle.findLastIndex(connection => connection.usable)
    const [connection] = usable >= 0 ? this.#idle.splice(usable, 1) : this.#idle.splice(0, 1)
    const taken = connection ?? new Connection(this.#options.makeClient(), this.#options.prepare)
    this.#leased.add(taken)
    return taken
  }

  #tenantGate (tenant: string): Gate {
    const { tenantConcurrency } = this.#options
    const gate = this.#tenants.get(tenant) ?? new Gate(tenantConcurrency, tenantConcurrency * waitingPerRunning)
    this.#tenants.set(tenant, gate)
    return gate
  }

  #forget (tenant: string, gate: Gate) {
    if (gate.idle) this.#tenants.delete(tenant)
  }
}
