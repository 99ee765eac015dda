/** Counts that all replicas share through Valkey; while it is away, each replica counts alone. */
import type { Logger } from 'pino'
import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible'
import type { StateClient } from '@gateway/common/state.ts'
import { digestOf } from '../state/names.ts'
import { WindowCounts, type WindowCountsOptions } from './window-counts.ts'

export interface SharedCountsOptions extends WindowCountsOptions {
  /** What is counted: `client`, `account`. Part of the keys `oauth:limits:<kind>:<digest>`. */
  kind: string
  client: StateClient
  logger: Logger
}

export class SharedCounts {
  readonly #shared: RateLimiterRedis
  readonly #alone: WindowCounts
  readonly #logger: Logger
  readonly #kind: string
  #works = true

  constructor ({ kind, client, logger, ...options }: SharedCountsOptions) {
    this.#kind = kind
    this.#logger = logger
    // Its own fallback, an insurance limiter, would keep every caller of an outage in memory.
    this.#shared = new RateLimiterRedis({ storeClient: client, useRedisPackage: true, rejectIfRedisNotReady: true, points: options.most, duration: options.seconds, keyPrefix: `oauth:limits:${kind}` })
    this.#alone = new WindowCounts(options)
  }

  /** Counts a request. @returns the time to wait in milliseconds where it is one too many */
  async count (caller: string): Promise<number | undefined> {
    // Whoever may look into Valkey learns no names there, and a long name makes no long key.
    const key = digestOf(caller)
    try {
      await this.#shared.consume(key)
      this.#note(true)
      return undefined
    } catch (error) {
      if (error instanceof RateLimiterRes) {
        this.#note(true)
        return error.msBeforeNext
      }
      this.#note(false, error)
      return this.#alone.count(key)
    }
  }

  #note (works: boolean, error?: unknown): void {
    if (works === this.#works) return
    this.#works = works
    if (works) this.#logger.info({ limit: this.#kind }, 'Valkey answers again: the replicas hold the limit together')
    else this.#logger.warn({ err: error, limit: this.#kind }, 'Valkey cannot be asked: each replica holds the limit alone, until it can')
  }
}
