/** What `make rotate-keys` does, wherever it runs: one write, after which every replica takes the turns by its clock. */
import { CommandError } from '@gateway/common/command.ts'
import { ConfigurationError } from '@gateway/common/config.ts'
import { connectOnce, stateUrlFault } from '@gateway/common/state.ts'
import type { TokenAlgorithm } from '../config.ts'
import { ringInFile } from './ring-in-file.ts'
import { ringInValkey } from './ring-in-valkey.ts'
import type { RingStorage } from './ring-storage.ts'
import { inOrder, makeCookieSecret, makeRing, makeSigningKey, rotatingUntil, withNextCookieKey, withNextSigningKey, type StoredRing } from './stored-ring.ts'

/** The words of the command. NOW=true is for a key that has leaked. */
export const wordNames = ['NOW'] as const
export type Words = Partial<Record<typeof wordNames[number], string | undefined>>

/** What decides how long former keys stay, all in seconds, and which key comes next. */
export interface RotationRules {
  algorithm: TokenAlgorithm
  accessTokenSeconds: number
  /** Longest life of a cookie: a browser that comes back with one that a former key has signed is known again, and its cookie signed anew. */
  cookieSeconds: number
}

/** Where the ring lies, as the oauth service reads it from its environment. */
export interface Place extends RotationRules {
  /** SIGNING_KEYS_FILE; '': in Valkey. */
  file: string
  valkeyUrl: string
  secrets: readonly string[]
}

/**
 * Adds a next signing key and a next cookie key to a ring.
 * @param now seconds since 1970
 * @throws CommandError where there is no ring yet, or a rotation is under way
 */
export async function rotate (storage: RingStorage, { algorithm, accessTokenSeconds, cookieSeconds }: RotationRules, now: number): Promise<StoredRing> {
  const [jwk, secret] = [await makeSigningKey(algorithm), makeCookieSecret()]
  return await changed(storage, ring => {
    const until = rotatingUntil(ring, now)
    // A third key would gain nothing, and a loop of commands would fill the key set.
    if (until !== undefined) throw new CommandError(`A rotation is under way until ${time(until)}: the former key is published so long, because tokens that it signed are valid. Nothing was changed. Wait for its end; or, where a key has leaked, make rotate-keys NOW=true.`)
    return withNextCookieKey(withNextSigningKey(ring, jwk, now, accessTokenSeconds), secret, now, cookieSeconds)
  })
}

/**
 * Puts new keys in the place of all that there are, at once and whatever is under way.
 * @param now seconds since 1970
 * @throws CommandError where there is no ring yet
 */
export async function replaceAll (storage: RingStorage, algorithm: TokenAlgorithm, now: number): Promise<StoredRing> {
  const fresh = await makeRing(algorithm, now)
  return await changed(storage, ring => ({ ...fresh, revision: ring.revision + 1 }))
}

async function changed (storage: RingStorage, change: (ring: StoredRing) => StoredRing): Promise<StoredRing> {
  return await storage.change(ring => {
    if (ring === undefined) throw new CommandError(`There are no keys yet (${storage.where}): the oauth service makes them when it first starts. Nothing was changed.`)
    return change(ring)
  }) as StoredRing
}

/**
 * Rotates the keys of a place.
 * @param now seconds since 1970
 * @returns lines that say what comes when
 * @throws CommandError where it cannot be done
 */
export async function rotateThere ({ NOW }: Words, place: Place, now = Date.now() / 1000): Promise<string> {
  if (NOW && NOW !== 'true') throw new CommandError('NOW is either true, which withdraws the keys that sign now at once, or left out.')
  return await storing(place, async storage => {
    if (NOW) return withdrawn(await replaceAll(storage, place.algorithm, now))
    return planned(await rotate(storage, place, now), now)
  })
}

function planned ({ signing, cookies }: StoredRing, now: number): string {
  const [former, next] = inOrder(signing, now) as [StoredRing['signing'][0], StoredRing['signing'][0]]
  const [formerCookie] = inOrder(cookies, now) as [StoredRing['cookies'][0]]
  return [
    `The next signing key ${next.jwk.kid} (${next.jwk.alg}) is published now and signs tokens from ${time(next.signsFrom)}.`,
    `The former one, ${former.jwk.kid}, stays published until ${time(former.until as number)}: tokens that it signed are good until they expire.`,
    `The next cookie key signs from the same time; cookies of the former one are good until ${time(formerCookie.until as number)}.`,
    'Nothing is to be restarted, and nobody notices.'
  ].join('\n')
}

function withdrawn ({ signing: [signer] }: StoredRing): string {
  return [
    `The signing key ${signer?.jwk.kid} (${signer?.jwk.alg}) signs tokens from now on; all former ones are withdrawn, and so are the cookie keys.`,
    'All access tokens that the former ones signed have ended: clients get new ones by their refresh tokens, browsers sign in again.',
    'verify refuses the former ones as soon as it meets a token of the new one, at the latest after 5 minutes; restart verify where that is too long.'
  ].join('\n')
}

async function storing<T> (place: Place, work: (storage: RingStorage) => Promise<T>): Promise<T> {
  try {
    return place.file === '' ? await inValkey(place, work) : await work(ringInFile(place.file))
  } catch (error) {
    if (error instanceof ConfigurationError) throw new CommandError(`Nothing was changed: ${error.faults.join('; ')}.`, { cause: error })
    throw error
  }
}

async function inValkey<T> ({ valkeyUrl, secrets }: Place, work: (storage: RingStorage) => Promise<T>): Promise<T> {
  if (valkeyUrl === '') throw new CommandError('Neither SIGNING_KEYS_FILE nor VALKEY_URL is set: the keys lie in one of them.')
  const fault = stateUrlFault('VALKEY_URL', valkeyUrl)
  if (fault !== undefined) throw new CommandError(`${fault}.`)
  const client = await connectOnce(valkeyUrl).catch((cause: Error) => { throw new CommandError(`Valkey cannot be reached, so nothing was done: ${cause.message}`, { cause }) })
  try {
    return await work(ringInValkey(client, secrets)).catch((cause: Error) => {
      if (cause instanceof CommandError || cause instanceof ConfigurationError) throw cause
      throw new CommandError(`Valkey has not confirmed it, so it may not hold; mend the cause and run the command again: ${cause.message}`, { cause })
    })
  } finally {
    client.destroy()
  }
}

const time = (seconds: number) => new Date(seconds * 1000).toISOString()
