/**
 * What one replica does for clients of MCP 2024-11-05 (HTTP+SSE): it holds streams, works on messages of streams that any replica
 * holds, and passes the answers on through Valkey. An answer that cannot be passed on ends the stream: a client that waits for
 * something that never comes would be worse off than one that connects again.
 */
import { randomUUID } from 'node:crypto'
import type { FastifyBaseLogger } from 'fastify'
import { Gauge, type Registry } from 'prom-client'
import { NotFoundError, RateLimitError, UnavailableError } from '@gateway/common/errors.ts'
import type { Identity } from '@gateway/common/identity.ts'
import { metric } from '@gateway/common/service.ts'
import type { State } from '@gateway/common/state.ts'
import type { Bounds } from './bounds.ts'
import { channelOf, createSessions, endedChannel, type Session, type SessionMessage } from './sessions.ts'
import { Stream } from './streams.ts'

/** Work on one message of a client. */
export interface Run {
  /** Aborts when nobody waits for its answer any longer. */
  readonly signal: AbortSignal
  /** Passes events on to the client as they come; returns when all are told, or nobody waits. Never fails. */
  pass: (events: AsyncIterable<Uint8Array>) => Promise<void>
  /** There is nothing to pass on. */
  done: () => Promise<void>
}

export interface Exchange {
  /** @throws RateLimitError, UnavailableError */
  open: (caller: Identity, log: FastifyBaseLogger) => Promise<Stream>
  /** Forgets a stream whose connection has closed. */
  closed: (stream: Stream) => Promise<void>
  /**
   * Begins to work on a message.
   * @throws NotFoundError where this caller has no such session
   */
  begin: (sessionId: string, caller: Identity, log: FastifyBaseLogger) => Promise<Run>
  /** Ends all streams, so that their clients go to another replica. */
  stop: () => void
  /** Returns when what was begun has been passed on. */
  settled: () => Promise<void>
}

export interface ExchangeOptions {
  state: State
  /** Of GATEWAY_SECRET, newest first. */
  secrets: readonly string[]
  logger: FastifyBaseLogger
  registry: Registry
  bounds: Bounds
}

/** Begins to listen; call it in the same turn as openState. */
export function createExchange ({ state, secrets, logger, registry, bounds }: ExchangeOptions): Exchange {
  const replica = randomUUID()
  const sessions = createSessions({ client: state.client, secrets, replica, bounds })
  const streams = new Map<string, Stream>()
  const runs = new Map<string, Set<AbortController>>()
  /** Sessions to which something could not be told, with their replicas. */
  const untold = new Map<string, string>()
  const working = new Set<Promise<void>>()
  let opening = 0
  let stopping = false

  metric(registry, 'legacy_sse_streams', () => new Gauge({
    name: 'legacy_sse_streams', help: 'Open streams of the 2024-11-05 transport', registers: [registry], collect () { this.set(streams.size) }
  }))

  state.subscribe(channelOf(replica), text => {
    const message = messageOf(text)
    if (message === undefined) logger.warn('something that no replica says came through Valkey')
    else streams.get(message.session)?.hear(message)
  })
  state.subscribe(endedChannel, name => {
    for (const run of runs.get(name) ?? []) run.abort()
  })
  // What was published meanwhile nobody has heard.
  state.onDisconnect(() => { for (const stream of streams.values()) stream.end('Valkey lost') })
  state.onConnect(() => {
    for (const [session, holder] of untold) sessions.tell(holder, { session, from: replica, lost: true }).catch(warn('could not end a stream of which an answer was lost'))
    untold.clear()
  })

  const warn = (what: string) => (err: unknown) => logger.warn({ err }, what)

  /** @throws UnavailableError in place of what a command fails with */
  async function ask<T> (command: () => Promise<T>): Promise<T> {
    if (!state.connected) throw away()
    try {
      return await command()
    } catch (cause) {
      throw cause instanceof RateLimitError ? cause : away(cause)
    }
  }

  async function tick () {
    for (const stream of streams.values()) stream.tick()
    if (!state.connected || streams.size === 0) return
    for (const { name } of await sessions.keep([...streams.values()].map(({ session }) => session))) streams.get(name)?.end('record lost')
    const indebted = new Set([...streams.values()].flatMap(stream => [...stream.pending]))
    for (const lost of await sessions.gone([...indebted])) {
      for (const stream of streams.values()) if (stream.owes(lost)) stream.end('replica lost')
    }
  }
  let ticking = false
  const timer = setInterval(() => {
    if (ticking) return
    ticking = true
    tick().catch(warn('the records of open streams could not be prolonged')).finally(() => { ticking = false })
  }, bounds.tickMs).unref()

  async function forget (session: Session) {
    try {
      await sessions.close(session)
    } catch (err) {
      // It ends by itself within bounds.recordMs.
      logger.debug({ err }, 'the record of a stream could not be removed')
    }
  }

  function beginRun (name: string): AbortController {
    const run = new AbortController()
    const all = runs.get(name) ?? new Set()
    runs.set(name, all.add(run))
    return run
  }

  function endRun (name: string, run: AbortController) {
    const all = runs.get(name)
    all?.delete(run)
    if (all?.size === 0) runs.delete(name)
  }

  return {
    async open (caller, log) {
      if (stopping) throw new UnavailableError('stopping', 'This replica is stopping. Connect again.', { retryAfter: 1 })
      // Those on their way count as well: many may come at once.
      if (streams.size + opening >= bounds.perReplica) throw new UnavailableError('too_many_streams', 'This replica holds as many streams as it may. Try again, or use /mcp, which needs none.', { retryAfter: 15 })
      opening++
      try {
        const session = await ask(() => sessions.open(caller))
        // Either may have happened while Valkey was asked.
        if (stopping || !state.connected) {
          await forget(session)
          throw away()
        }
        const stream = new Stream(session, log, bounds)
        streams.set(session.name, stream)
        return stream
      } finally {
        opening--
      }
    },

    async closed (stream) {
      stream.end('client gone')
      if (!streams.delete(stream.session.name)) return
      const forgetting = forget(stream.session)
      working.add(forgetting)
      await forgetting
      working.delete(forgetting)
    },

    async begin (sessionId, caller, log) {
      const found = await ask(() => sessions.find(sessionId, caller))
      // The same for one that is another's: nobody learns which ids exist.
      if (found === undefined) throw new NotFoundError('session_not_found', 'There is no such session of yours. Open a new stream with GET /sse, or use /mcp, which needs none.')
      const { name, replica: holder, seal } = found
      const tell = (message: Partial<SessionMessage>) => sessions.tell(holder, { session: name, from: replica, ...message })
      const failed = (err: unknown) => {
        untold.set(name, holder)
        log.error({ err }, 'an answer could not be passed on; its stream is ended as soon as Valkey is back')
      }
      if ((runs.get(name)?.size ?? 0) >= bounds.runsPerSession) {
        await tell({ done: true }).catch(failed)
        throw new RateLimitError('too_many_messages', `This session has ${bounds.runsPerSession} messages without an answer. Wait for some of them.`)
      }
      const run = beginRun(name)

      async function pass (events: AsyncIterable<Uint8Array>) {
        const decoder = new TextDecoder()
        try {
          for await (const chunk of events) {
            if (run.signal.aborted) break
            if (!await tell({ events: seal.close(decoder.decode(chunk, { stream: true })) })) run.abort()
          }
          if (run.signal.aborted) log.info('the client of a stream went away before its answer')
          else await tell({ done: true })
        } catch (err) {
          run.abort()
          failed(err)
        } finally {
          endRun(name, run)
        }
      }

      return {
        signal: run.signal,
        pass (events) {
          const passing = pass(events)
          working.add(passing)
          return passing.finally(() => working.delete(passing))
        },
        async done () {
          endRun(name, run)
          await tell({ done: true }).catch(failed)
        }
      }
    },

    stop () {
      stopping = true
      clearInterval(timer)
      for (const stream of streams.values()) stream.end('stopping')
    },

    async settled () { await Promise.all(working) }
  }
}

/** An error thrown where a message is heard would end the process. */
function messageOf (text: string): SessionMessage | undefined {
  try {
    const message = JSON.parse(text) as Partial<SessionMessage> | null
    return typeof message?.session === 'string' && typeof message.from === 'string' && ['string', 'undefined'].includes(typeof message.events) ? message as SessionMessage : undefined
  } catch {
    return undefined
  }
}

const away = (cause?: unknown) => new UnavailableError('streams_unavailable', 'Streams cannot be served at the moment. Try again, or use /mcp, which needs none.', { ...(cause !== undefined && { cause }) })
