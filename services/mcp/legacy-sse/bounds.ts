/** What the streams of 2024-11-05 clients may take. Tests change some. */
export interface Bounds {
  /** Streams of one principal, over all replicas. */
  perPrincipal: number
  /** Streams of one tenant, over all replicas. */
  perTenant: number
  /** Streams that one replica holds. */
  perReplica: number
  /** Messages of one session that one replica works on at the same time. */
  runsPerSession: number
  /** Most characters that wait for a client that does not read; a stream with more is ended. */
  unread: number
  /** Between two looks at all streams, ms: each is sent a comment then, so that no proxy thinks it idle. */
  tickMs: number
  /** Life of a record in Valkey where its replica does not prolong it, ms. */
  recordMs: number
  /** Longest time without a message from the client, ms. */
  idleMs: number
  /** Longest life of a stream, ms. */
  lifeMs: number
}

/** @param maxResultBytes MAX_RESULT_BYTES: a client must be able to fall behind by a few results */
export const usualBounds = (maxResultBytes: number): Bounds => ({
  perPrincipal: 10,
  perTenant: 100,
  perReplica: 1_000,
  runsPerSession: 32,
  unread: Math.max(2 ** 20, 4 * maxResultBytes),
  tickMs: 15_000,
  recordMs: 60_000,
  idleMs: 30 * 60_000,
  lifeMs: 60 * 60_000
})
