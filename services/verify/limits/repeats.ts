/** Keeps a flood of like refusals out of a log: the first one in a window is told at once, the others as a number at the window's end. */
import { secondsLeft, windowOf } from './windows.ts'

/** Kinds that one window tells apart; of all further ones only the rule is told. */
const maxKinds = 500

export class Repeats {
  readonly #tell: (facts: object, times: number) => void
  readonly #now: () => number
  readonly #seen = new Map<string, { facts: object, times: number }>()
  #window = 0
  #timer: NodeJS.Timeout | undefined

  /**
   * @param tell writes how often what the facts describe has happened beside the first time
   * @param now milliseconds since 1970; for tests
   */
  constructor (tell: (facts: object, times: number) => void, now: () => number = Date.now) {
    this.#tell = tell
    this.#now = now
  }

  /**
   * True for the first refusal of its kind in this window, which is to be told at once; others are counted.
   * @param rule facts of which there are few
   * @param who facts of which there may be many
   */
  isFirst (rule: object, who: object): boolean {
    const now = this.#now()
    if (windowOf(now) !== this.#window) this.flush()
    this.#window = windowOf(now)
    this.#timer ??= setTimeout(() => { this.flush() }, secondsLeft(now) * 1000).unref()
    const kind = JSON.stringify([rule, who])
    if (!this.#seen.has(kind) && this.#seen.size < maxKinds) {
      this.#seen.set(kind, { facts: { ...rule, ...who }, times: 0 })
      return true
    }
    this.#count(this.#seen.has(kind) ? kind : JSON.stringify(rule), rule)
    return false
  }

  /** Tells what was counted, and begins anew. */
  flush (): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    for (const { facts, times } of this.#seen.values()) if (times > 0) this.#tell(facts, times)
    this.#seen.clear()
  }

  #count (kind: string, facts: object) {
    const counted = this.#seen.get(kind) ?? { facts, times: 0 }
    counted.times++
    this.#seen.set(kind, counted)
  }
}
