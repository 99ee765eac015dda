/**
 * Turns at a graph: reads together, a write alone, in the order of arrival. A write in FalkorDB 4.16 takes the server's one lock and waits for
 * the graph's readers only then (QueryCtx_LockForCommit), so that beside a read that lasts it would keep every tenant waiting, not its own alone.
 */
import { RateLimitError } from '@gateway/common/errors.ts'
import type { Patience } from './fair-queue.ts'

interface Waiting {
  mode: 'read' | 'write'
  begin: () => void
}

interface Line {
  reading: number
  writing: boolean
  /** In the order of arrival. */
  readonly waiting: Set<Waiting>
}

export class GraphTurns {
  /** Graphs with somebody at them or waiting. */
  readonly #lines = new Map<string, Line>()

  /** Graphs that it knows of: one with nobody at it or waiting is forgotten. */
  get graphs (): number { return this.#lines.size }

  /**
   * Runs work in its turn, which ends with the work.
   * @param patience for the turn
   * @throws RateLimitError queue_full after `ms`, the signal's reason, and what the work throws
   */
  async run<T> (key: string, mode: Waiting['mode'], patience: Patience, work: () => Promise<T>): Promise<T> {
    const line = this.#lines.get(key) ?? { reading: 0, writing: false, waiting: new Set() }
    this.#lines.set(key, line)
    await this.#turn(key, line, mode, patience)
    try {
      return await work()
    } finally {
      if (mode === 'read') line.reading--
      else line.writing = false
      this.#settle(key, line)
    }
  }

  async #turn (key: string, line: Line, mode: Waiting['mode'], { ms, signal }: Patience): Promise<void> {
    // Nearly every call finds its graph free, and needs neither a timer nor a place in the row.
    if (line.waiting.size === 0 && signal?.aborted !== true && begin(line, mode)) return
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const waiting = { mode, begin: resolve }
    const giveUp = (reason: unknown) => {
      // Its turn has come meanwhile.
      if (!line.waiting.delete(waiting)) return
      reject(reason)
      this.#settle(key, line)
    }
    const gone = () => giveUp(signal?.reason)
    const timer = setTimeout(() => giveUp(new RateLimitError('queue_full', 'Other queries of this graph have taken the time of this one; wait until they have ended and try again.')), Math.max(0, ms))
    signal?.addEventListener('abort', gone)
    line.waiting.add(waiting)
    if (signal?.aborted) gone()
    else this.#settle(key, line)
    try {
      await promise
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', gone)
    }
  }

  /** Lets in whoever may, the first first; forgets the graph where nobody is left. */
  #settle (key: string, line: Line) {
    for (const next of line.waiting) {
      if (!begin(line, next.mode)) break
      line.waiting.delete(next)
      next.begin()
    }
    if (line.reading === 0 && !line.writing && line.waiting.size === 0) this.#lines.delete(key)
  }
}

/** Takes the turn if it is free. */
function begin (line: Line, mode: Waiting['mode']): boolean {
  if (line.writing || (mode === 'write' && line.reading > 0)) return false
  if (mode === 'read') line.reading++
  else line.writing = true
  return true
}
