/** The time by which keys take their turns. Tests bring one that only they move on. */

export interface Clock {
  /** Milliseconds since 1970. */
  now: () => number
  /**
   * Calls once when a time has come, later and never at once.
   * @param ms since 1970
   * @returns calls it off
   */
  at: (ms: number, fn: () => void) => () => void
}

/** Node's timers can wait no longer, in milliseconds. */
const longestMs = 2 ** 31 - 1

/** The clock of this machine. Its timers keep no process running. */
export const systemClock: Clock = {
  now: Date.now,
  at (ms, fn) {
    const wait = () => setTimeout(() => {
      if (Date.now() >= ms) fn()
      else timer = wait()
    }, Math.min(Math.max(ms - Date.now(), 0), longestMs)).unref()
    let timer = wait()
    return () => clearTimeout(timer)
  }
}
