/** The streams that this replica holds: what is written to each, and when it ends. */
import { Readable } from 'node:stream'
import type { FastifyBaseLogger } from 'fastify'
import type { Bounds } from './bounds.ts'
import type { Session, SessionMessage } from './sessions.ts'

/** Why a stream ended, for the log. */
export type EndReason = 'client gone' | 'idle' | 'old' | 'slow reader' | 'Valkey lost' | 'record lost' | 'replica lost' | 'answer lost' | 'stopping'

export class Stream {
  readonly session: Session
  /** The body of the answer to GET /sse. */
  readonly body = new Readable({ read: () => {} })
  readonly #log: FastifyBaseLogger
  readonly #bounds: Pick<Bounds, 'unread' | 'idleMs' | 'lifeMs'>
  readonly #openedAt = performance.now()
  #usedAt = this.#openedAt
  /** How many messages each replica works on. */
  readonly #pending = new Map<string, number>()
  #ended = false

  constructor (session: Session, log: FastifyBaseLogger, bounds: Pick<Bounds, 'unread' | 'idleMs' | 'lifeMs'>) {
    this.session = session
    this.#log = log
    this.#bounds = bounds
    // Relative, so that it holds under PUBLIC_URL, whatever the request's Host says.
    this.write(`event: endpoint\ndata: /messages?sessionId=${session.id}\n\n`)
  }

  /** Takes what a replica tells of this session. */
  hear ({ from, began, events, done, lost }: SessionMessage) {
    if (began) {
      this.#usedAt = performance.now()
      this.#count(from, 1)
    }
    if (events !== undefined) {
      const opened = this.session.seal.open(events)
      if (opened === undefined) this.end('answer lost')
      else this.write(opened)
    }
    if (done) this.#count(from, -1)
    if (lost) this.end('answer lost')
  }

  #count (replica: string, change: 1 | -1) {
    const count = (this.#pending.get(replica) ?? 0) + change
    if (count > 0) this.#pending.set(replica, count)
    else this.#pending.delete(replica)
  }

  /** Replicas that still owe an answer. */
  get pending (): Iterable<string> { return this.#pending.keys() }

  owes (replica: string): boolean { return this.#pending.has(replica) }

  write (events: string) {
    if (this.#ended) return
    this.body.push(events)
    // It cannot be told politely: what it does not read would only grow.
    if (this.body.readableLength > this.#bounds.unread) this.end('slow reader')
  }

  /** A comment for the proxies in between, or the end where its time has come. */
  tick () {
    const now = performance.now()
    if (now - this.#openedAt > this.#bounds.lifeMs) this.end('old')
    else if (now - this.#usedAt > this.#bounds.idleMs && this.#pending.size === 0) this.end('idle')
    else this.write(': still here\n\n')
  }

  /** Ends the answer; a client opens another stream then. Only the first reason counts. */
  end (reason: EndReason) {
    if (this.#ended) return
    this.#ended = true
    this.#log.info({ reason }, 'a stream of the 2024-11-05 transport ends')
    if (reason === 'slow reader' || reason === 'client gone') this.body.destroy()
    else this.body.push(null)
  }
}
