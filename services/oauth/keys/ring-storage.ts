import type { StoredRing } from './stored-ring.ts'

/** Where the replicas' one ring lies. */
export interface RingStorage {
  /** For messages: what an operator would look for. */
  readonly where: string
  /**
   * What lies there; undefined where there is none yet.
   * @throws ConfigurationError where it cannot be read as a ring
   */
  read: () => Promise<StoredRing | undefined>
  /**
   * Changes it, whole or not at all: two who change it at once do so one after the other.
   * @param change asked perhaps more than once; it returns the same ring, or undefined where there is none, to leave it so
   * @returns what lies there now
   * @throws ConfigurationError where it cannot be read as a ring, or not be written
   */
  change: (change: (ring: StoredRing | undefined) => StoredRing | undefined) => Promise<StoredRing | undefined>
}
