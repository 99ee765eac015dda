/** Replicas of a key ring under a clock that only the test moves on. */
import { createLocalJWKSet, decodeProtectedHeader, importJWK, jwtVerify, SignJWT, type JWK } from 'jose'
import { pino } from 'pino'
import { openState } from '@gateway/common/state.ts'
import type { Clock } from './clock.ts'
import { openKeyRing, type KeyRing, type KeyRingOptions } from './key-ring.ts'
import type { Place } from './rotating.ts'

interface Ending { teardown: (end: () => unknown) => void }

export const secret = 'f3a1c07be92d4865a0b7c1d2e3f40516'
export const otherSecret = '0c9d8e7f6a5b4c3d2e1f00112233445a'
/** Seconds since 1970 at which the clocks of tests begin. */
export const start = 1_790_000_000
export const accessTokenSeconds = 600
const cookieSeconds = 28_800

export type TestClock = Clock & {
  /** Seconds since 1970. */
  readonly seconds: number
  /** Moves on to a time, second by second where something is due. */
  moveTo: (seconds: number) => void
}

/** @param ahead by how many seconds this clock is ahead of the time that it is moved to */
export function testClock (ahead = 0): TestClock {
  let ms = start * 1000
  const due = new Set<{ ms: number, fn: () => void }>()
  const shown = () => ms + ahead * 1000
  return {
    get seconds () { return ms / 1000 },
    now: shown,
    at (ms, fn) {
      const entry = { ms, fn }
      due.add(entry)
      return () => { due.delete(entry) }
    },
    moveTo (seconds) {
      while (ms < seconds * 1000) {
        ms = Math.min(seconds * 1000, Math.max(Math.min(...[...due].map(entry => entry.ms - ahead * 1000)), ms + 1))
        for (const entry of [...due]) if (entry.ms <= shown() && due.delete(entry)) entry.fn()
      }
    }
  }
}

export interface Replica {
  ring: KeyRing
  lines: string[]
  /** How often it said that something has changed. */
  changes: () => number
  close: () => Promise<void>
}

/**
 * A replica as a process has it: with a connection of its own to Valkey.
 * @param lines what it logs is added to them
 */
export async function replica (t: Ending, url: string, options: Partial<KeyRingOptions> = {}, lines: string[] = []): Promise<Replica> {
  const logger = pino({ level: 'info' }, { write: line => lines.push(line) })
  const state = openState(url, logger)
  const opening = openKeyRing({ file: '', client: state.client, state, secrets: [secret], algorithm: 'RS256', accessTokenSeconds, logger, clock: testClock(), ...options })
  const close = async () => {
    await (await opening.catch(() => undefined))?.close()
    await state.close()
  }
  t.teardown(close)
  const ring = await opening
  let changes = 0
  ring.onChange(() => { changes++ })
  return { ring, lines, close, changes: () => changes }
}

/** The place of a rotation; the ring in Valkey where no file is named. */
export const placeOf = (valkeyUrl: string, more: Partial<Place> = {}): Place => ({ file: '', valkeyUrl, secrets: [secret], algorithm: 'RS256', accessTokenSeconds, cookieSeconds, ...more })

export const kidsOf = ({ jwks }: KeyRing) => jwks.keys.map(({ kid }) => kid)

/** A token as the replica would sign it at a time. */
export async function signedBy ({ jwks: { keys: [jwk] } }: KeyRing, seconds: number): Promise<string> {
  const { alg, kid } = jwk as JWK
  return await new SignJWT({ iat: seconds, exp: seconds + accessTokenSeconds }).setProtectedHeader({ alg: alg as string, kid: kid as string }).sign(await importJWK(jwk as JWK))
}

/** Whether a token is good at a time by what the replica publishes. */
export async function verifies (token: string, { jwks }: KeyRing, seconds: number): Promise<boolean> {
  const published = { keys: jwks.keys.map(({ kty, kid, alg, use, n, e, crv, x, y }) => ({ kty, kid, alg, use, n, e, crv, x, y }) as JWK) }
  return await jwtVerify(token, createLocalJWKSet(published), { currentDate: new Date(seconds * 1000) }).then(() => true, () => false)
}

export const kidOf = (token: string) => decodeProtectedHeader(token).kid
