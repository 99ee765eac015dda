/**
 * The keys of the oauth service as one replica has them: what signs tokens and cookies now, and what is published. Every replica follows the
 * one ring that is stored, in a file or in Valkey, and its own clock; rotating.ts changes it.
 */
import { isDeepStrictEqual } from 'node:util'
import type { JWK } from 'jose'
import type { Logger } from 'pino'
import { ConfigurationError } from '@gateway/common/config.ts'
import type { State, StateClient } from '@gateway/common/state.ts'
import { watchFile } from '@gateway/common/watched-file.ts'
import type { TokenAlgorithm } from '../config.ts'
import { systemClock, type Clock } from './clock.ts'
import { parseRingFile, ringInFile } from './ring-in-file.ts'
import { ringChannel, ringInValkey } from './ring-in-valkey.ts'
import type { RingStorage } from './ring-storage.ts'
import { inOrder, makeRing, makeSigningKey, newestAlgorithm, nextTurn, noticeSeconds, rotatingUntil, withNextSigningKey, type StoredRing } from './stored-ring.ts'

export interface KeyRing {
  /**
   * Private JWKs for oidc-provider: the one that signs now first; the next and former ones behind it. Another object after each change.
   * The algorithm of the first is the one to sign with: after a change of ACCESS_TOKEN_ALG it is the former one for a while.
   */
  readonly jwks: { keys: JWK[] }
  /** Secrets of cookies: the one that signs now first. */
  readonly cookieKeys: string[]
  /** Calls back after each change of what is above. */
  onChange: (fn: () => void) => void
  /** For /ready: `ok`, or `warning: …` while the last good keys go on. */
  status: () => string
  /** Follows no more. Call it before the state is closed. */
  close: () => Promise<void>
}

export interface KeyRingOptions {
  /** SIGNING_KEYS_FILE; '': the keys lie in Valkey. */
  file: string
  client: StateClient
  state: Pick<State, 'subscribe' | 'onConnect' | 'connected'>
  /** Of OAUTH_SECRET, newest first. */
  secrets: readonly string[]
  /** ACCESS_TOKEN_ALG. Where the ring has none of it, a next key of it is added. */
  algorithm: TokenAlgorithm
  accessTokenSeconds: number
  logger: Logger
  clock?: Clock
}

/**
 * Opens the ring, or makes it where there is none anywhere: of several replicas that start at once, one makes it. Where the keys lie in Valkey
 * it waits until Valkey answers. Must be called in the same turn as openState, for it subscribes before it waits.
 * @throws ConfigurationError where there are keys that cannot be read: new ones would end every token, so none are made
 */
export async function openKeyRing (options: KeyRingOptions): Promise<KeyRing> {
  return options.file === '' ? await openInValkey(options) : await openInFile(options)
}

/** Wait between two attempts to put ACCESS_TOKEN_ALG into effect, in seconds. */
const retrySeconds = 60
/** Waits between attempts to read what could not be read, in milliseconds. */
const retryMs = (failures: number) => Math.min(100 * 2 ** failures, 5_000)

async function openInValkey ({ client, state, secrets, logger, ...options }: KeyRingOptions): Promise<KeyRing> {
  const storage = ringInValkey(client, secrets)
  const ring = new Following(storage, logger, options)
  const { promise: opened, resolve, reject } = Promise.withResolvers<void>()
  let reading: Promise<void> | undefined
  let again = false
  let failures = 0
  let retry: NodeJS.Timeout | undefined
  let broken = ''
  let closed = false

  const follow = () => {
    again = true
    reading ??= readOn().finally(() => { reading = undefined })
  }

  async function readOn () {
    clearTimeout(retry)
    while (again) {
      again = false
      if (closed) return
      try {
        ring.adopt(await newest())
        failures = 0
        broken = ''
        resolve()
      } catch (error) {
        failed(error)
      }
    }
  }

  /** The newer one of what lies there and what this replica knows: Valkey may have lost its last second, or everything. */
  async function newest (): Promise<StoredRing> {
    for (;;) {
      const own = ring.known ?? (await storage.read() === undefined ? await makeRing(options.algorithm, ring.now()) : undefined)
      const found = await storage.change(stored => own === undefined || (stored !== undefined && stored.revision >= own.revision) ? stored : own)
      if (found !== undefined) return found
    }
  }

  function failed (error: unknown) {
    if (closed) return
    if (error instanceof ConfigurationError) {
      // Before there are keys it is a fault of the configuration; later the keys that are known go on.
      if (ring.known === undefined) return reject(error)
      if (broken === '') logger.error(`${error.faults.join('; ')}; the last good keys go on`)
      broken = error.faults.join('; ')
      return
    }
    // That Valkey is away is told by the state, and onConnect comes after it.
    if (state.connected && failures++ === 0) logger.warn({ err: error }, 'the keys cannot be read from Valkey; trying again')
    retry = setTimeout(follow, retryMs(failures)).unref()
  }

  state.subscribe(ringChannel, follow)
  state.onConnect(follow)
  if (state.connected) follow()
  const close = async () => {
    closed = true
    clearTimeout(retry)
    await reading
    await ring.close()
  }
  try {
    await opened
  } catch (error) {
    await close()
    throw error
  }
  return ring.asKeyRing(() => broken === '' ? 'ok' : `warning: ${broken}; the last good keys go on`, close)
}

async function openInFile ({ file, logger, ...options }: KeyRingOptions): Promise<KeyRing> {
  const storage = ringInFile(file)
  const ring = new Following(storage, logger, options)
  if (await storage.read() === undefined) {
    const first = await makeRing(options.algorithm, ring.now())
    await storage.change(stored => stored ?? first)
  }
  const watched = watchFile({ name: 'SIGNING_KEYS_FILE', path: file, parse: text => parseRingFile(file, text), logger })
  watched.onChange(stored => ring.adopt(stored))
  ring.adopt(watched.value)
  return ring.asKeyRing(() => watched.status(), async () => {
    watched.close()
    await ring.close()
  })
}

/** Follows a ring through its turns. */
class Following {
  readonly #storage: RingStorage
  readonly #logger: Logger
  readonly #options: Pick<KeyRingOptions, 'algorithm' | 'accessTokenSeconds'>
  readonly #clock: Clock
  readonly #listeners: Array<() => void> = []
  #ring: StoredRing | undefined
  #jwks: { keys: JWK[] } = { keys: [] }
  #cookieKeys: string[] = []
  #callOff = () => {}
  /** Whether the setting has been put into effect once: two replicas with different ones must not take turns at it. */
  #settled = false
  #settling: Promise<void> | undefined
  #fault = ''
  #closed = false

  constructor (storage: RingStorage, logger: Logger, { algorithm, accessTokenSeconds, clock = systemClock }: Pick<KeyRingOptions, 'algorithm' | 'accessTokenSeconds' | 'clock'>) {
    this.#storage = storage
    this.#logger = logger
    this.#options = { algorithm, accessTokenSeconds }
    this.#clock = clock
  }

  get known (): StoredRing | undefined { return this.#ring }

  /** Seconds since 1970. */
  now (): number { return this.#clock.now() / 1000 }

  adopt (ring: StoredRing): void {
    if (this.#closed || isDeepStrictEqual(ring, this.#ring)) return
    this.#ring = ring
    this.#turn(ring)
  }

  asKeyRing (status: () => string, close: () => Promise<void>): KeyRing {
    const following = this
    return {
      get jwks () { return following.#jwks },
      get cookieKeys () { return following.#cookieKeys },
      onChange: fn => { this.#listeners.push(fn) },
      status: () => status() === 'ok' && this.#fault !== '' ? `warning: ${this.#fault}` : status(),
      close
    }
  }

  async close (): Promise<void> {
    this.#closed = true
    this.#callOff()
    await this.#settling
  }

  /** Puts the keys into the order of this moment, and waits for the next one at which it changes. */
  #turn (ring: StoredRing): void {
    const now = this.now()
    const jwks = { keys: inOrder(ring.signing, now).map(({ jwk }) => jwk) }
    const cookieKeys = inOrder(ring.cookies, now).map(({ secret }) => secret)
    this.#turnAt(nextTurn(ring, now), ring)
    this.#settle(ring, now)
    if (isDeepStrictEqual([jwks, cookieKeys], [this.#jwks, this.#cookieKeys])) return
    const signs = jwks.keys[0]?.kid
    if (signs !== this.#jwks.keys[0]?.kid) this.#logger.info({ kid: signs, published: jwks.keys.length }, 'tokens are signed by this key')
    this.#jwks = jwks
    this.#cookieKeys = cookieKeys
    for (const listener of this.#listeners) this.#call(listener)
  }

  #turnAt (seconds: number, ring: StoredRing): void {
    this.#callOff()
    if (seconds < Infinity) this.#callOff = this.#clock.at(seconds * 1000, () => this.#turn(ring))
  }

  #call (listener: () => void): void {
    try {
      listener()
    } catch (error) {
      this.#logger.error({ err: error }, 'the keys that count now could not be put to use')
    }
  }

  /** Puts the algorithm of the setting into effect; while a rotation is under way, at its end, which is a turn. */
  #settle (ring: StoredRing, now: number): void {
    this.#settled ||= newestAlgorithm(ring) === this.#options.algorithm
    if (this.#settled || rotatingUntil(ring, now) !== undefined) return
    this.#settling ??= this.#addOfSetting(ring, now).finally(() => { this.#settling = undefined })
  }

  async #addOfSetting (ring: StoredRing, now: number): Promise<void> {
    const { algorithm, accessTokenSeconds } = this.#options
    try {
      const jwk = await makeSigningKey(algorithm)
      let added = false
      const changed = await this.#storage.change(stored => {
        // Another replica may have been faster.
        added = stored !== undefined && newestAlgorithm(stored) !== algorithm && rotatingUntil(stored, now) === undefined
        return stored === undefined || !added ? stored : withNextSigningKey(stored, jwk, now, accessTokenSeconds)
      })
      this.#fault = ''
      if (added) this.#logger.info({ algorithm, kid: jwk.kid }, `a key of ACCESS_TOKEN_ALG was added; it signs in ${noticeSeconds} seconds`)
      if (changed !== undefined) this.adopt(changed)
    } catch (error) {
      if (this.#closed) return
      this.#fault = `ACCESS_TOKEN_ALG=${algorithm} is not in effect, because no key of it could be stored; it is tried again every minute`
      this.#logger.error({ err: error }, this.#fault)
      this.#turnAt(Math.min(nextTurn(ring, now), now + retrySeconds), ring)
    }
  }
}
