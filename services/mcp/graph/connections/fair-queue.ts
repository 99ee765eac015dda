/** At most so many calls at once, and so many of one tenant; who waits is let in tenant by tenant, not in the order of arrival. */
import { RateLimitError } from '@gateway/common/errors.ts'

export interface FairQueueOptions {
  /** Calls of all tenants at once. */
  places: number
  /** Calls of one tenant at once. */
  placesPerTenant: number
  /** Calls of one tenant that may wait. */
  waitingPerTenant: number
}

export interface Patience {
  /** Longest wait in ms. */
  ms: number
  /** Leaves the row when it aborts. */
  signal?: AbortSignal | undefined
}

interface Row {
  inside: number
  /** In the order of arrival. */
  readonly waiting: Set<() => void>
}

/** A tenant with a thousand waiting calls gets one place, then every other tenant that waits gets one, then it again. */
export class FairQueue {
  readonly #options: FairQueueOptions
  /** Tenants with somebody inside or waiting. */
  readonly #rows = new Map<string, Row>()
  /** Those that wait and may have another place, in the order of their turns: leave() takes the first, however many wait at their own limit. */
  readonly #turns = new Map<string, Row>()
  #inside = 0

  constructor (options: FairQueueOptions) { this.#options = options }

  /** Tenants that it knows of: a tenant with nobody inside or waiting is forgotten. */
  get tenants (): number { return this.#rows.size }

  /**
   * Waits for a place; leave() of the same tenant must follow.
   * @throws RateLimitError queue_full at once where too many of the tenant wait, or after `ms`; the signal's reason
   */
  async enter (tenant: string, { ms, signal }: Patience): Promise<void> {
    signal?.throwIfAborted()
    const row = this.#rows.get(tenant) ?? { inside: 0, waiting: new Set() }
    // Nobody is overtaken: who may have a place and waits, waits for all places to be taken.
    if (this.#inside < this.#options.places && this.#hasRoom(row)) {
      this.#rows.set(tenant, row)
      return this.#admit(row)
    }
    if (row.waiting.size >= this.#options.waitingPerTenant) throw full()
    this.#rows.set(tenant, row)
    await new Promise<void>((resolve, reject) => {
      const end = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', gone)
        row.waiting.delete(admitted)
      }
      const admitted = () => {
        end()
        resolve()
      }
      const giveUp = (reason: unknown) => {
        end()
        this.#settle(tenant, row)
        reject(reason)
      }
      const gone = () => giveUp(signal?.reason)
      const timer = setTimeout(() => giveUp(full()), Math.max(0, ms))
      signal?.addEventListener('abort', gone)
      row.waiting.add(admitted)
      this.#settle(tenant, row)
    })
  }

  /** Gives a place back. */
  leave (tenant: string) {
    const row = this.#rows.get(tenant)
    if (row === undefined || row.inside === 0) throw new Error('more have left than entered')
    row.inside--
    this.#inside--
    this.#settle(tenant, row)
    const [turn] = this.#turns
    if (turn === undefined) return
    const [next, served] = turn
    const [admitted] = served.waiting
    // To the end of the round: the others come first.
    this.#turns.delete(next)
    this.#admit(served)
    admitted?.()
    this.#settle(next, served)
  }

  #hasRoom ({ inside }: Row): boolean { return inside < this.#options.placesPerTenant }

  #admit (row: Row) {
    row.inside++
    this.#inside++
  }

  /** Gives the tenant a turn, takes its turn away, or forgets it, as its row now is; a turn that it has keeps its place in the order. */
  #settle (tenant: string, row: Row) {
    if (row.waiting.size === 0 || !this.#hasRoom(row)) this.#turns.delete(tenant)
    else if (!this.#turns.has(tenant)) this.#turns.set(tenant, row)
    if (row.inside === 0 && row.waiting.size === 0) this.#rows.delete(tenant)
  }
}

const full = () => new RateLimitError('queue_full', 'Too many queries run at once; wait until some have ended and try again.')
