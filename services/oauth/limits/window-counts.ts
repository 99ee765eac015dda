/** Counts of one replica in windows of time, in bounded memory. */
import { LRUCache } from 'lru-cache'

/** Callers that are remembered; of more, the ones that were quiet the longest are forgotten. */
const maxCallers = 10_000

export interface WindowCountsOptions {
  /** Requests in one window. */
  most: number
  /** Length of a window, which begins with a caller's first request. */
  seconds: number
  /** Milliseconds since 1970. */
  now: () => number
}

export class WindowCounts {
  readonly #options: WindowCountsOptions
  readonly #callers = new LRUCache<string, { ends: number, count: number }>({ max: maxCallers })

  constructor (options: WindowCountsOptions) { this.#options = options }

  /** Counts a request. @returns the time to wait in milliseconds where it is one too many */
  count (caller: string): number | undefined {
    const { most, seconds, now } = this.#options
    const at = now()
    const known = this.#callers.get(caller)
    if (known === undefined || known.ends <= at) {
      this.#callers.set(caller, { ends: at + seconds * 1000, count: 1 })
      return undefined
    }
    known.count++
    return known.count > most ? known.ends - at : undefined
  }
}
