/** One socket to FalkorDB that can be leased once its limits are in place. */
import { EventEmitter, once } from 'node:events'
import { RESP_TYPES, type RedisClientType } from '@redis/client'
import { unavailable } from './failures.ts'
import type { Raw } from './values.ts'

/** Sends one command; the reply's integers are strings. */
export type Send = (command: readonly string[]) => Promise<Raw>

const exactIntegers = { typeMapping: { [RESP_TYPES.NUMBER]: String } }

/**
 * FalkorDB blocks a connection while its query runs, so each is for one command at a time. It comes back by itself after a loss;
 * what was under way is then rejected, never sent again.
 */
export class Connection {
  readonly #client: RedisClientType
  readonly #prepare: (send: Send) => Promise<void>
  readonly #events = new EventEmitter()
  #usable = false
  #closed = false
  /** Its call has been given up by the caller; FalkorDB still owes an answer. */
  overdue = false

  /**
   * @param client not connected yet, made with disableOfflineQueue
   * @param prepare runs on each new socket before it can be leased; where it fails the socket is given up and another one opened
   */
  constructor (client: RedisClientType, prepare: (send: Send) => Promise<void>) {
    this.#client = client
    this.#prepare = prepare
    client.on('ready', () => { this.#ready().catch(() => this.#reopen()) })
    // A lost connection: the calls that it concerns fail by themselves.
    client.on('error', () => { this.#usable = false })
    client.on('end', () => { this.#usable = false })
    this.#open()
  }

  get usable (): boolean { return this.#usable && this.#client.isReady }

  readonly send: Send = command => sendExactly(this.#client, command)

  /** @throws DatabaseError where it is not usable within `ms` */
  async untilUsable (ms: number): Promise<void> {
    if (this.usable) return
    try {
      await once(this.#events, 'usable', { signal: AbortSignal.timeout(ms) })
    } catch (cause) {
      throw unavailable(cause)
    }
  }

  /** Gives the socket up, with whatever runs on it. */
  destroy () {
    this.#closed = true
    this.#usable = false
    if (this.#client.isOpen) this.#client.destroy()
  }

  #open () {
    // Rejected only when destroyed meanwhile: a connection that fails is tried again.
    this.#client.connect().catch(() => {})
  }

  async #ready () {
    await this.#prepare(this.send)
    this.#usable = true
    this.#events.emit('usable')
  }

  #reopen () {
    if (this.#closed) return
    if (this.#client.isOpen) this.#client.destroy()
    setTimeout(() => { if (!this.#closed) this.#open() }, 250).unref()
  }
}

/** Sends a command as it is, without the client's own reading of the reply. */
export function sendExactly (client: RedisClientType, command: readonly string[]): Promise<Raw> {
  return client.sendCommand(command, exactIntegers) as Promise<Raw>
}
