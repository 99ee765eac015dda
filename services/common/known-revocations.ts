/** Which credentials were revoked, in the memory of one replica of a service. */
import type { Logger } from 'pino'
import { Gauge, type Registry } from 'prom-client'
import { nowSeconds, parseRecord, readRevocations, restoreRevocations, revocationsChannel, type Remembered, type RevocationKind } from './revocations.ts'
import { metric } from './service.ts'
import type { State, StateClient } from './state.ts'

/** What a record may cover of a credential. */
export interface Revocable {
  issuer: string
  userId: string
  tokenId: string | undefined
  grantId: string | undefined
  /** Seconds since 1970. */
  issuedAt: number
}

export interface Revocations {
  /** True where a record covers the credential: its token, its grant, its subject or its tenant. */
  covers: (credential: Revocable, tenantId: string) => boolean
  /** False where nobody can say what was revoked, and REVOCATION_OUTAGE=refuse; also in the first seconds of the process, until the records have been read. */
  readonly trusted: boolean
  /** For /ready: `ok`, or what is wrong. */
  status: () => string
  close: () => Promise<void>
}

/** Where no VALKEY_URL is set nothing can be revoked. */
const noRevocations: Revocations = { covers: () => false, trusted: true, status: () => 'ok', close: async () => {} }

export interface RevocationsOptions {
  /** REVOCATION_OUTAGE. */
  outage: 'continue' | 'refuse'
  logger: Logger
  registry: Registry
  /** Time between two readings of all records, ms: a published message can be lost. */
  rereadMs?: number
  /** For so long at most a new process waits for its first reading, ms; then REVOCATION_OUTAGE holds. */
  firstReadMs?: number
}

/** Wait after a reading that failed, ms. */
const retryMs = 1_000

/**
 * Keeps the records in memory: by subscription within a second, by a reading of all of them every minute and after each connection.
 * A record that was known stays until it is over, even where Valkey has lost it, and is then written back.
 * @param state made in the same turn, so that nothing published is missed
 */
export function openRevocations (state: State | undefined, { outage, logger, registry, rereadMs = 60_000, firstReadMs = 5_000 }: RevocationsOptions): Revocations {
  if (state === undefined) return noRevocations
  /** Two readings may fail before what is known counts as old. */
  const staleMs = 2 * rereadMs + 10_000
  const openedAt = performance.now()
  let known = new Records()
  /** What the reading under way has found so far. */
  let fresh: Records | undefined
  let work: Promise<void> | undefined
  let again = false
  const closing = new AbortController()
  /** Nothing can have been missed: all records were read since the last connection was made. */
  let complete = false
  let readAt = -Infinity
  let unreadable = 0
  let retry: NodeJS.Timeout | undefined

  metric(registry, 'revocations_known', () => new Gauge({ name: 'revocations_known', help: 'Revocations that this replica knows', registers: [registry], collect () { this.set(known.size) } }))
  metric(registry, 'revocations_unreadable', () => new Gauge({ name: 'revocations_unreadable', help: 'Damaged records at the last reading', registers: [registry], collect () { this.set(unreadable) } }))
  metric(registry, 'state_up', () => new Gauge({ name: 'state_up', help: '1 while Valkey is connected', registers: [registry], collect () { this.set(state.connected ? 1 : 0) } }))

  state.subscribe(revocationsChannel, message => {
    const record = parseRecord(message)
    if ('fault' in record) return logger.error({ fault: record.fault }, 'a revocation was published that cannot be read')
    known.add(record)
    fresh?.add(record)
  })
  state.onConnect(() => {
    complete = false
    // A reading under way began on the connection before this one.
    again = work !== undefined
    begin()
  })
  const timer = setInterval(() => { if (state.connected) begin() }, rereadMs).unref()

  function begin () {
    clearTimeout(retry)
    work ??= read().finally(() => { work = undefined })
  }

  async function read () {
    do {
      again = false
      try {
        await readAll((state as State).client)
      } catch (err) {
        // The loss of the connection is told by itself, and the next one begins a new reading.
        if (closing.signal.aborted || !state?.client.isReady) return
        logger.error({ err }, 'the revocations could not be read; trying again')
        retry = setTimeout(begin, retryMs).unref()
        return
      } finally {
        fresh = undefined
      }
    } while (again && !closing.signal.aborted)
  }

  async function readAll (client: StateClient) {
    const found = fresh = new Records()
    let faults = 0
    const onFault = (fault: string) => {
      if (faults++ === 0) logger.error({ fault }, 'a revocation in Valkey cannot be read, and does not hold; see docs/revocation.md')
    }
    for await (const records of readRevocations(client, onFault)) {
      for (const record of records) found.add(record)
    }
    const lost = known.missingIn(found, nowSeconds())
    for (const record of lost) found.add(record)
    known = found
    unreadable = faults
    readAt = performance.now()
    complete = !again
    if (lost.length === 0) return
    logger.warn({ records: lost.length }, 'Valkey has lost revocations that are known here; they are written back')
    await restoreRevocations(client, lost)
  }

  const sound = () => complete && (state as State).connected && performance.now() - readAt <= staleMs
  let started = false
  /** The records have been read once, or have been waited for long enough. */
  const hasStarted = () => {
    started ||= readAt > 0 || performance.now() - openedAt > firstReadMs
    return started
  }

  return {
    covers: ({ issuer, userId, tokenId, grantId, issuedAt }, tenantId) => known.size > 0 && (
      (tokenId !== undefined && known.covers('token', issuer, tokenId, issuedAt)) ||
      (grantId !== undefined && known.covers('grant', issuer, grantId, issuedAt)) ||
      known.covers('subject', issuer, userId, issuedAt) ||
      known.covers('tenant', anyIssuer, tenantId, issuedAt)),
    get trusted () { return hasStarted() && (outage === 'continue' || sound()) },
    status () {
      if (!hasStarted()) return 'the revocations are being read'
      const wrong = fault()
      if (wrong === undefined) return 'ok'
      return outage === 'refuse' && !sound() ? wrong : `warning: ${wrong}`
    },
    close: async () => {
      closing.abort()
      clearInterval(timer)
      clearTimeout(retry)
      await work
    }
  }

  function fault (): string | undefined {
    const end = outage === 'refuse' ? 'every call is refused' : readAt > 0 ? 'those known before still hold' : 'none is known'
    if (!(state as State).connected) return `Valkey cannot be reached, so that new revocations are not heard of; ${end}`
    if (!sound()) return `the revocations could not be read lately; ${end}`
    return unreadable > 0 ? `${unreadable} of the revocations in Valkey cannot be read` : undefined
  }
}

/** Stands where a tenant's record has no issuer; no issuer has this name. */
const anyIssuer = ''

interface Term {
  /** What was issued up to then is covered, seconds since 1970. */
  at: number
  /** Whole seconds since 1970. */
  until: number
}

/** Records by kind, issuer and id: three steps, because two texts in one key could be split in two ways. */
class Records {
  readonly #byKind: Record<RevocationKind, Map<string, Map<string, Term>>> = { token: new Map(), grant: new Map(), subject: new Map(), tenant: new Map() }
  size = 0

  add ({ revocation: { kind, issuer = anyIssuer, id, at = Infinity }, until }: Remembered) {
    const ofKind = this.#byKind[kind]
    let ofIssuer = ofKind.get(issuer)
    if (ofIssuer === undefined) ofKind.set(issuer, ofIssuer = new Map())
    const term = ofIssuer.get(id)
    if (term === undefined) {
      ofIssuer.set(id, { at, until })
      this.size++
    } else if (at >= term.at) {
      // The later revocation holds for all that an earlier one covers; the time of the same one may have become known.
      term.until = at > term.at ? until : Math.max(term.until, until)
      term.at = at
    }
  }

  covers (kind: RevocationKind, issuer: string, id: string, issuedAt: number): boolean {
    const term = this.#byKind[kind].get(issuer)?.get(id)
    // Times of issue are whole seconds: what was issued in the second of the revocation is covered.
    return term !== undefined && Math.floor(issuedAt) <= term.at
  }

  /** Those that are still in force and that the others lack. */
  missingIn (others: Records, now: number): Remembered[] {
    const missing: Remembered[] = []
    for (const [kind, ofKind] of Object.entries(this.#byKind) as Array<[RevocationKind, Map<string, Map<string, Term>>]>) {
      for (const [issuer, ofIssuer] of ofKind) {
        const same = others.#byKind[kind].get(issuer)
        for (const [id, { at, until }] of ofIssuer) {
          const other = same?.get(id)
          if (until <= now || (other !== undefined && other.at >= at)) continue
          missing.push({ revocation: { kind, id, ...(issuer !== anyIssuer && { issuer }), ...(at !== Infinity && { at }) }, until })
        }
      }
    }
    return missing
  }
}
