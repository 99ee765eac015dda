/** What one call says to FalkorDB: each command once, and none after its caller has gone or been told that it is over. */
import { TimeoutError, toGatewayError } from '@gateway/common/errors.ts'
import type { Connection, Send } from './connection.ts'
import { cancelled, outcomeUnknown, sendFailure, unavailable, type FailedCall } from './failures.ts'

export class Exchange {
  readonly #call: FailedCall
  readonly #end: number
  #connection: Connection | undefined
  #abandoned = false
  #writing = false
  /** FalkorDB has taken a write; what is asked after it only reads its result. */
  #written = false
  /** The quotas are to be told when the call has ended: a write was sent, or a new graph announced to them. */
  counted = false
  /** Of the command sent last: `ok`, or the code of its error. */
  outcome = 'nothing was sent'

  /** @param timeoutMs from now */
  constructor (call: FailedCall, timeoutMs: number) {
    this.#call = call
    this.#end = performance.now() + timeoutMs
  }

  get abandoned (): boolean { return this.#abandoned }

  /** What is left of the call's time, in ms; FalkorDB takes 0 for no limit. */
  get timeoutMs (): number { return Math.max(1, Math.floor(this.#end - performance.now())) }

  /** Runs work on a connection that nobody else has. */
  async on<T> (connection: Connection, work: (exchange: this) => Promise<T>): Promise<T> {
    if (this.#abandoned) throw cancelled()
    this.#connection = connection
    return await work(this)
  }

  readonly read: Send = command => this.#send(command, 'read')

  /** For a command that writes: if it was sent and not answered, its outcome is unknown. */
  readonly write: Send = command => this.#send(command, 'write')

  /** The caller has gone: what runs goes on, nothing follows it. */
  abandon (reason?: unknown) {
    this.#abandoned = true
    return cancelled(reason)
  }

  /** FalkorDB has not answered in the call's time. @returns what the caller is told */
  giveUp () {
    this.#abandoned = true
    if (this.#connection !== undefined) this.#connection.overdue = true
    return this.#writing || this.#written ? outcomeUnknown() : new TimeoutError('query_timeout', 'FalkorDB has not ended the query in its time.', { details: { hint: 'Ask for less, or raise timeoutMs.' } })
  }

  async #send (command: readonly string[], mode: 'read' | 'write') {
    if (this.#abandoned || this.#connection === undefined) throw unavailable()
    this.#writing = mode === 'write'
    this.counted ||= this.#writing
    this.outcome = 'not answered yet'
    try {
      const reply = await this.#connection.send(command)
      this.outcome = 'ok'
      this.#written ||= this.#writing
      return reply
    } catch (error) {
      const failure = sendFailure(error, this.#call, mode)
      this.outcome = toGatewayError(failure).code
      if (failure.code === 'database_refused') this.#connection.forgetUser()
      throw failure
    } finally {
      this.#writing = false
    }
  }
}
