/**
 * The public keys of one issuer, parsed once and kept by `kid`.
 *
 * The whole set is loaded each time, by undici and not by get-jwks 11: that one asks the issuer anew for every `kid`, so that a cooldown
 * would let forged kids keep a new key out; it goes on serving a withdrawn key; and it takes no timeout.
 */
import type { Logger } from 'pino'
import { refusal } from '../refusals.ts'
import type { Algorithm, SigningKey } from './algorithms.ts'
import type { LoadKeySet } from './key-set.ts'
import type { TrustedIssuer } from './trusted.ts'

export interface IssuerKeysOptions {
  load: LoadKeySet
  logger: Logger
  /** Between two attempts to load that unknown kids cause, in milliseconds: all forged kids of that time share one request. */
  cooldownMs?: number
  /** The same after a load that failed: shorter, because all tokens of the issuer may be waiting. */
  failureCooldownMs?: number
  /** How long keys serve while the issuer cannot be asked, in milliseconds; ISSUER_OUTAGE_SECONDS. */
  maxAgeMs?: number
  /** A clock in milliseconds that never goes back. */
  clock?: () => number
}

/** Between two loads in the background: a withdrawn key dies within this time, a new one is known before most of its tokens. */
export const refreshMs = 5 * 60_000

export class IssuerKeys {
  readonly #issuer: TrustedIssuer
  readonly #load: LoadKeySet
  readonly #logger: Logger
  readonly #cooldownMs: number
  readonly #failureCooldownMs: number
  readonly #maxAgeMs: number
  readonly #clock: () => number
  #keys: readonly SigningKey[] = []
  #loadedAt = -Infinity
  #nextAttemptAt = -Infinity
  #failing = false
  #loading: Promise<void> | undefined

  constructor (issuer: TrustedIssuer, { load, logger, cooldownMs = 10_000, failureCooldownMs = 2_000, maxAgeMs = 6 * 3_600_000, clock = () => performance.now() }: IssuerKeysOptions) {
    this.#issuer = issuer
    this.#load = load
    this.#logger = logger
    this.#cooldownMs = cooldownMs
    this.#failureCooldownMs = failureCooldownMs
    this.#maxAgeMs = maxAgeMs
    this.#clock = clock
  }

  /**
   * The key for a token's header, asked for where it is not at hand.
   * @throws AuthenticationError where the issuer has no such key, UnavailableError where it cannot be asked
   */
  async find (kid: unknown, algorithm: Algorithm): Promise<SigningKey> {
    const known = this.known(kid, algorithm)
    if (known !== undefined) return known
    if (this.#loading !== undefined || this.#clock() >= this.#nextAttemptAt) await this.refresh()
    const found = this.known(kid, algorithm)
    if (found !== undefined) return found
    if (!this.#failing) throw refusal('key_unknown')
    throw refusal('issuer_unavailable', { retryAfter: Math.max(1, Math.ceil((this.#nextAttemptAt - this.#clock()) / 1000)) })
  }

  /** The key for a token's header, where it is at hand. */
  known (kid: unknown, algorithm: Algorithm): SigningKey | undefined {
    return this.#usable() ? this.#keys.find(key => key.kid === kid && key.algorithms.includes(algorithm)) : undefined
  }

  /** True while the issuer publishes this key, and was heard of recently enough: what it has verified counts no longer than that. */
  holds (key: SigningKey): boolean { return this.#usable() && this.#keys.includes(key) }

  /** Loads the keys anew; calls at the same time share one load. Never throws: what went wrong is logged, and known keys go on. */
  refresh (): Promise<void> {
    this.#loading ??= this.#reload().finally(() => { this.#loading = undefined })
    return this.#loading
  }

  /** For /ready: `ok`, or what is wrong. Starts another attempt where the last one failed; does not wait for it. */
  status (): string {
    const usable = this.#usable()
    if (usable && !this.#failing) return 'ok'
    if (this.#clock() >= this.#nextAttemptAt) this.refresh()
    return usable ? 'warning: the issuer cannot be asked, known keys go on' : 'its keys cannot be had'
  }

  #usable () { return this.#clock() - this.#loadedAt < this.#maxAgeMs }

  async #reload (): Promise<void> {
    try {
      const loaded = await this.#load(this.#issuer)
      // A key that stays the same stays the same object, by which tokens know it.
      this.#keys = loaded.map(key => this.#keys.find(old => old.kid === key.kid && old.key.equals(key.key) && old.algorithms.join() === key.algorithms.join()) ?? key)
      this.#loadedAt = this.#clock()
      if (this.#failing) this.#logger.info({ issuer: this.#issuer.issuer }, 'the keys of the issuer can be had again')
      if (this.#keys.length === 0 && this.#issuer.introspection === undefined) this.#logger.warn({ issuer: this.#issuer.issuer }, 'the issuer publishes no key that could verify a token')
      this.#failing = false
    } catch (error) {
      this.#failing = true
      this.#logger.warn({ issuer: this.#issuer.issuer, cause: error instanceof Error ? error.message : String(error) }, 'the keys of the issuer cannot be had')
    }
    this.#nextAttemptAt = this.#clock() + (this.#failing ? this.#failureCooldownMs : this.#cooldownMs)
  }
}
