/** Counts calls in windows of ten seconds that begin at the same moment on every replica. */
import type { Logger } from 'pino'
import { RateLimiterMemory } from 'rate-limiter-flexible'

export const windowSeconds = 10
export const windowMs = windowSeconds * 1000

/** Number of the window that holds a time in milliseconds since 1970. */
export const windowOf = (ms: number) => Math.floor(ms / windowMs)
/** Whole seconds to the end of the window: 1 to 10. */
export const secondsLeft = (ms: number) => Math.ceil((windowMs - ms % windowMs) / 1000)

/** Callers that one window counts: more than a replica can answer in ten seconds, and a bound of its memory (about 250 bytes each beside their names). */
const maxKeys = 50_000

/** The current window of one kind of limit. */
export class Windows {
  readonly kind: string
  readonly #logger: Logger
  #current: Window

  constructor (kind: string, logger: Logger) {
    this.kind = kind
    this.#logger = logger
    this.#current = new Window(0, () => {})
  }

  /** @param ms since 1970. A window that has ended is forgotten as a whole. */
  at (ms: number): Window {
    const number = windowOf(ms)
    if (this.#current.number !== number) this.#current = new Window(number, () => this.#logger.warn({ limit: this.kind, callers: maxKeys }, 'more callers within ten seconds than are counted: the others are not limited'))
    return this.#current
  }
}

export class Window {
  readonly number: number
  // Each caller's limit may differ: the library counts, the caller's rule decides. Without a duration it needs no timer per key.
  readonly #calls = new RateLimiterMemory({ points: Number.MAX_SAFE_INTEGER, duration: 0, keyPrefix: '' })
  #keys = 0
  #full: (() => void) | undefined
  /** By key that the other replicas should know of: calls that they have not been told of. */
  readonly #untold = new Map<string, number>()
  /** By key: calls that the other replicas have counted; they are among #calls, too. */
  readonly #others = new Map<string, number>()

  /** @param full called when the first caller is not counted */
  constructor (number: number, full: () => void) {
    this.number = number
    this.#full = full
  }

  /**
   * Counts a call that is within the limit.
   * @param limit calls in this window
   * @returns false where it is beyond, and does not count
   */
  async count (key: string, limit: number): Promise<boolean> {
    if (this.#keys >= maxKeys && await this.#calls.get(key) === null) return this.#letUncounted()
    const { consumedPoints, isFirstInDuration } = await this.#calls.consume(key)
    if (consumedPoints > limit) {
      await this.#calls.reward(key)
      return false
    }
    if (isFirstInDuration) this.#keys++
    // Most callers stay far below their limit, and nobody needs to hear of them.
    if (consumedPoints * 100 >= limit) this.#untold.set(key, (this.#untold.get(key) ?? 0) + 1)
    return true
  }

  /** Undoes a count. */
  async giveBack (key: string): Promise<void> {
    if (await this.#calls.get(key) !== null) await this.#calls.reward(key)
  }

  /** True where another call would be beyond the limit. */
  async usedUp (key: string, limit: number): Promise<boolean> { return await this.#total(key) >= limit }

  /** Keys of which the replicas should tell each other, those with the most untold calls first. */
  notable (most: number): string[] {
    if (this.#untold.size <= most) return [...this.#untold.keys()]
    return [...this.#untold].sort(([, one], [, other]) => other - one).slice(0, most).map(([key]) => key)
  }

  /** All calls of the key on this replica, and how many of them are untold. */
  async own (key: string): Promise<{ calls: number, untold: number }> {
    const untold = this.#untold.get(key) ?? 0
    return { calls: await this.#total(key) - (this.#others.get(key) ?? 0), untold }
  }

  /**
   * Notes that the others know of this replica's calls now, and what they have counted.
   * @param untold as `own` gave it
   * @param others all their calls in this window
   */
  async told (key: string, untold: number, others: number): Promise<void> {
    this.#untold.set(key, (this.#untold.get(key) ?? 0) - untold)
    const more = others - (this.#others.get(key) ?? 0)
    // Less than before: Valkey has lost its memory, which the others will refresh.
    if (more <= 0) return
    this.#others.set(key, others)
    await this.#calls.penalty(key, more)
  }

  async #total (key: string): Promise<number> { return (await this.#calls.get(key))?.consumedPoints ?? 0 }

  #letUncounted (): true {
    this.#full?.()
    this.#full = undefined
    return true
  }
}
