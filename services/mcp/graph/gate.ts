/** At most so many at once, and so many waiting in a row for at most so long. */
import { RateLimitError } from '@gateway/common/errors.ts'

export class Gate {
  readonly #places: number
  readonly #maxWaiting: number
  readonly #waiting = new Set<() => void>()
  #inside = 0

  constructor (places: number, maxWaiting: number) {
    this.#places = places
    this.#maxWaiting = maxWaiting
  }

  /** Nobody inside and nobody waiting. */
  get idle (): boolean { return this.#inside === 0 && this.#waiting.size === 0 }

  /**
   * Waits for a place; leave() must follow.
   * @throws RateLimitError queue_full at once where too many wait, or after `ms`
   */
  async enter (ms: number): Promise<void> {
    if (this.#inside < this.#places) {
      this.#inside++
      return
    }
    if (this.#waiting.size >= this.#maxWaiting) throw full()
    await new Promise<void>((resolve, reject) => {
      const admit = () => {
        clearTimeout(timer)
        resolve()
      }
      const timer = setTimeout(() => {
        this.#waiting.delete(admit)
        reject(full())
      }, ms)
      this.#waiting.add(admit)
    })
  }

  /** Gives the place to whoever has waited longest. */
  leave () {
    const [next] = this.#waiting
    if (next === undefined) this.#inside--
    else {
      this.#waiting.delete(next)
      next()
    }
  }
}

const full = () => new RateLimitError('queue_full', 'Too many queries run at once; wait until some have ended and try again.')
