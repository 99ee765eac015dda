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

interface Row { inside: number, readonly waiting: Set<() => void> }

/** A tenant with a thousand waiting calls gets one place, then every other tenant that waits gets one, then it again. */
export class FairQueue {
  readonly #options: FairQueueOptions
  /** Tenants with somebody inside or waiting, in the order in which their turn comes. */
  readonly #rows = new Map<string, Row>()
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
    if (this.#inside < this.#options.places && row.inside < this.#options.placesPerTenant) return this.#admit(tenant, row)
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
        this.#forget(tenant, row)
        reject(reason)
      }
      const gone = () => giveUp(signal?.reason)
      const timer = setTimeout(() => giveUp(full()), Math.max(0, ms))
      signal?.addEventListener('abort', gone)
      row.waiting.add(admitted)
    })
  }

  /** Gives a place back. */
  leave (tenant: string) {
    const row = this.#rows.get(tenant)
    if (row === undefined || row.inside === 0) throw new Error('more have left than entered')
    row.inside--
    this.#inside--
    this.#forget(tenant, row)
    for (const [next, { inside, waiting }] of this.#rows) {
      const [admitted] = waiting
      if (admitted === undefined || inside >= this.#options.placesPerTenant) continue
      const served = this.#rows.get(next)!
      this.#admit(next, served)
      return admitted()
    }
  }

  #admit (tenant: string, row: Row) {
    row.inside++
    this.#inside++
    // At the end of the round: the others come first.
    this.#rows.delete(tenant)
    this.#rows.set(tenant, row)
  }

  #forget (tenant: string, { inside, waiting }: Row) {
    if (inside === 0 && waiting.size === 0) this.#rows.delete(tenant)
  }
}

const full = () => new RateLimitError('queue_full', 'Too many queries run at once; wait until some have ended and try again.')
