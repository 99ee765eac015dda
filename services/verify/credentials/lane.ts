/**
 * Signatures wait their turn: one is verified in each turn of the event loop, so that a flood of forged tokens delays a caller whose
 * token is known by one signature, and not by as many as the flood has connections.
 */
import { refusal } from '../refusals.ts'

/** Tokens that wait at most; at some 5,000 signatures a second that is a fifth of a second. */
const most = 1_000

export class Lane {
  readonly #waiting: Array<() => void> = []
  #taken = false

  /**
   * Does the work at once where nothing else was done in this turn, else in one of the next.
   * @throws UnavailableError where too much waits already
   */
  run<T> (work: () => T): T | Promise<T> {
    if (!this.#taken) {
      this.#take()
      return work()
    }
    if (this.#waiting.length >= most) throw refusal('signatures_waiting', { retryAfter: 1 })
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => {
        try {
          resolve(work())
        } catch (error) {
          reject(error)
        }
      })
    })
  }

  #take () {
    this.#taken = true
    setImmediate(() => {
      const next = this.#waiting.shift()
      if (next === undefined) {
        this.#taken = false
        return
      }
      this.#take()
      next()
    })
  }
}
