/**
 * The connection for what FalkorDB answers at once, whatever queries run: the administrator's, as the URL has it. It never runs a caller's query.
 * It tells whether FalkorDB answers at all.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { RESP_TYPES, type RedisClientType } from '@redis/client'
import { FalkorDB } from 'falkordb'
import type { FastifyBaseLogger } from 'fastify'
import { within } from '@gateway/common/within.ts'
import type { Raw } from '../values/values.ts'
import type { Send } from './connection.ts'
import { ownFailure, unavailable } from './failures.ts'

/** How long FalkorDB may take to answer what needs no work, and past a query's own timeout, ms. */
export const graceMs = 2_000
const heartbeatMs = 5_000

export interface ControlOptions {
  url: string
  logger: FastifyBaseLogger | undefined
  /** Runs on the first connection. */
  prepare: (send: Send) => Promise<void>
  /** FalkorDB has not answered within graceMs: a hung one keeps its sockets open. */
  onSilence: () => void
}

export class Control {
  readonly #options: ControlOptions
  readonly #stop = new AbortController()
  #client: RedisClientType | undefined
  #answers = true
  #heartbeat: NodeJS.Timeout | undefined

  constructor (options: ControlOptions) { this.#options = options }

  get up (): boolean { return !this.#closed && this.#client?.isReady === true && this.#answers }

  /** Returns when connected and prepared, or after graceMs and goes on by itself. */
  async start () {
    const started = new AbortController()
    await Promise.race([this.#connect(), delay(graceMs, undefined, { signal: started.signal }).catch(() => {})])
    started.abort()
    this.#heartbeat = setInterval(() => { this.#beat().catch(() => {}) }, heartbeatMs).unref()
  }

  /** @throws ErrorReply for what FalkorDB refuses, else DatabaseError or Error where it does not answer within graceMs */
  readonly send: Send = async command => {
    if (!this.up) throw unavailable()
    return await within(graceMs, 'FalkorDB', sendExactly(this.#client as RedisClientType, command))
  }

  /** @throws DatabaseError where FalkorDB does not answer within graceMs, and what it refuses as a GatewayError */
  readonly ask: Send = async command => {
    try {
      return await this.send(command)
    } catch (error) {
      throw ownFailure(error)
    }
  }

  close () {
    this.#stop.abort()
    clearInterval(this.#heartbeat)
    if (this.#client?.isOpen) this.#client.destroy()
  }

  get #closed (): boolean { return this.#stop.signal.aborted }

  /** Until FalkorDB is there. From then on the connection comes back by itself. */
  async #connect () {
    const { signal } = this.#stop
    for (let attempt = 0; !this.#closed; attempt++) {
      try {
        return await this.#connectOnce()
      } catch (err) {
        this.#options.logger?.[attempt === 0 ? 'error' : 'debug']({ err }, 'FalkorDB cannot be reached; trying again')
        await delay(retryMs(attempt), undefined, { signal }).catch(() => {})
      }
    }
  }

  async #connectOnce () {
    const { url, logger, prepare } = this.#options
    const options = {
      url,
      // A command queued while FalkorDB is away would run later, when nobody waits for it.
      disableOfflineQueue: true,
      RESP: 2 as const,
      socket: { connectTimeout: graceMs, reconnectStrategy: (retries: number) => this.#closed ? false as const : retryMs(retries) }
    }
    const falkordb = await FalkorDB.connect(options)
    const client = await falkordb.connection as unknown as RedisClientType
    if (this.#closed) return client.destroy()
    // Without a listener an error would end the process; it comes again at each attempt to reconnect.
    falkordb.on('error', () => {})
    let away = false
    client.on('error', err => {
      logger?.[away ? 'debug' : 'error']({ err }, 'FalkorDB is away')
      away = true
    })
    client.on('ready', () => {
      logger?.info('FalkorDB is back')
      away = false
    })
    try {
      await prepare(command => sendExactly(client, command))
    } catch (error) {
      client.destroy()
      throw error
    }
    this.#client = client
    logger?.info('connected to FalkorDB')
  }

  async #beat () {
    const client = this.#client
    if (client === undefined || !client.isReady) return
    try {
      await within(graceMs, 'FalkorDB', sendExactly(client, ['PING']))
      this.#answers = true
    } catch {
      if (this.#answers) this.#options.logger?.error('FalkorDB does not answer')
      this.#answers = false
      this.#options.onSilence()
    }
  }
}

const exactIntegers = { typeMapping: { [RESP_TYPES.NUMBER]: String } }

/** Sends a command as it is, without the client's own reading of the reply. */
function sendExactly (client: RedisClientType, command: readonly string[]): Promise<Raw> {
  return client.sendCommand(command, exactIntegers) as Promise<Raw>
}

const retryMs = (attempt: number) => Math.min(50 * 2 ** attempt, 2_000)
