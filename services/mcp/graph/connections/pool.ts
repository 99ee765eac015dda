/** The connections to FalkorDB, leased for one call each, and shared fairly among tenants. */
import { setTimeout as delay } from 'node:timers/promises'
import { Connection } from './connection.ts'
import { unavailable } from './failures.ts'
import { FairQueue, type FairQueueOptions, type Patience } from './fair-queue.ts'
import type { TenantUsers } from './tenant-users.ts'

export interface PoolOptions {
  /** Connections, and so calls, at most; looked at anew for each call. */
  places: FairQueueOptions
  /** A connection on which FalkorDB's limits hold. */
  open: () => Promise<Connection>
  /** undefined: every call runs as the URL's user. */
  users: TenantUsers | undefined
  /** Whether FalkorDB answers at all. */
  up: () => boolean
}

/** How long a call waits for a connection that is being opened, ms. */
const openingMs = 2_000
const openAgainMs = 250

export class Pool {
  readonly #options: PoolOptions
  readonly #queue: FairQueue
  /** The one used last is the last one. */
  readonly #idle: Connection[] = []
  readonly #leased = new Set<Connection>()
  readonly #stop = new AbortController()
  #opening = 0

  constructor (options: PoolOptions) {
    this.#options = options
    this.#queue = new FairQueue(options.places)
  }

  /**
   * Runs work on a connection of its own, as the tenant's user. The connection, and the tenant's place, stay taken until the work has ended,
   * however long the caller has been gone: FalkorDB cannot be told to stop.
   * @param patience for a place
   * @throws RateLimitError queue_full, DatabaseError database_unavailable or database_refused, the signal's reason, and what the work throws
   */
  async run<T> (tenant: string, patience: Patience, work: (connection: Connection) => Promise<T>): Promise<T> {
    if (!this.#options.up()) throw unavailable()
    await this.#queue.enter(tenant, patience)
    try {
      return await this.#lease(tenant, work)
    } finally {
      this.#queue.leave(tenant)
    }
  }

  /** Gives up the connections whose calls are overdue; new ones take their places. For when FalkorDB does not answer at all. */
  dropOverdue () {
    for (const connection of this.#leased) if (connection.overdue) this.#drop(connection)
  }

  close () {
    this.#stop.abort()
    for (const connection of this.#idle.splice(0)) connection.destroy()
    for (const connection of this.#leased) this.#drop(connection)
  }

  #drop (connection: Connection) {
    this.#leased.delete(connection)
    connection.destroy()
  }

  async #lease<T> (tenant: string, work: (connection: Connection) => Promise<T>): Promise<T> {
    const { users, up } = this.#options
    if (!up()) throw unavailable()
    const connection = this.#takeIdle(users?.of(tenant).name) ?? await this.#open()
    this.#leased.add(connection)
    try {
      if (users !== undefined) await this.#become(connection, tenant, users)
      return await work(connection)
    } finally {
      connection.overdue = false
      // Dropped meanwhile: it does not come back.
      if (this.#leased.delete(connection) && connection.usable) this.#idle.push(connection)
    }
  }

  async #become (connection: Connection, tenant: string, users: TenantUsers) {
    try {
      await connection.become(tenant, users)
    } catch (error) {
      this.#drop(connection)
      throw error
    }
  }

  /** One that is this user's already, else the one unused for longest; none while there may be one more. */
  #takeIdle (user: string | undefined): Connection | undefined {
    for (let index = this.#idle.length - 1; index >= 0; index--) {
      const connection = this.#idle[index]!
      if (connection.usable && connection.user !== user) continue
      this.#idle.splice(index, 1)
      if (connection.usable) return connection
    }
    const connections = this.#idle.length + this.#leased.size + this.#opening
    return connections < this.#options.places.places ? undefined : this.#idle.shift()
  }

  /** Tries until there is one: nothing was sent yet. @throws DatabaseError after 2 s */
  async #open (): Promise<Connection> {
    const { open } = this.#options
    const end = performance.now() + openingMs
    this.#opening++
    try {
      for (;;) {
        try {
          const connection = await open()
          if (!this.#stop.signal.aborted) return connection
          connection.destroy()
          throw unavailable()
        } catch (error) {
          if (this.#stop.signal.aborted || performance.now() + openAgainMs > end) throw unavailable(error)
        }
        await delay(openAgainMs)
      }
    } finally {
      this.#opening--
    }
  }
}
