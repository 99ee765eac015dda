/** Keeps the parts of a stack alive together: what may die is started again, the death of any other ends all of them. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Say } from './programs/run.ts'

/** A part that runs. */
export interface Running {
  /** Absent where the process is not ours. */
  pid: number | undefined
  /** Resolves with the reason, in words, when the part has ended. */
  ended: Promise<string>
  /** Ends the part and returns when it is gone; never fails. */
  stop (): Promise<void>
}

export interface Part {
  name: string
  /** What its death means for the others. */
  whenItDies: 'restart' | 'stop all'
  /** Starts the part and returns when it answers. */
  start (signal: AbortSignal): Promise<Running>
}

interface Member {
  part: Part
  running: Running | undefined
  /** A start under way, the first or a later one: a stop waits for it, or what it starts would stay. */
  starting: Promise<void>
}

/** Waits before each attempt to start a dead part again, in milliseconds; after the last of them the stack gives up. */
const backoff = [100, 250, 500, 1_000, 2_000, 4_000, 8_000]
/** A part that has lived for so many milliseconds is forgiven its earlier deaths. */
const forgiveMs = 60_000

export class Supervisor {
  readonly #say: Say
  readonly #changed: () => void
  readonly #levels: Member[][] = []
  readonly #deaths = new Map<Part, number>()
  readonly #stopping = new AbortController()
  readonly #over = Promise.withResolvers<string | undefined>()
  #stopped: Promise<void> | undefined

  /** @param changed called when a part has been started again: its pid is another one */
  constructor (say: Say, changed: () => void = () => {}) {
    this.#say = say
    this.#changed = changed
  }

  /** Resolves when everything has been stopped: with the reason if that was a death, with undefined if it was asked for. */
  get over (): Promise<string | undefined> { return this.#over.promise }

  /** Aborted as soon as the stop begins. */
  get stopping (): AbortSignal { return this.#stopping.signal }

  /**
   * Starts parts side by side. What is started later is stopped earlier.
   * @throws if one of them does not start; the others of this call then run or have ended, so call stop()
   */
  async start (...parts: Part[]): Promise<void> {
    this.stopping.throwIfAborted()
    const level = parts.map((part): Member => ({ part, running: undefined, starting: Promise.resolve() }))
    this.#levels.push(level)
    const outcomes = await Promise.allSettled(level.map(member => {
      const starting = this.#startMember(member).catch(cause => {
        if (this.stopping.aborted) throw cause
        throw new Error(`${member.part.name} ${(cause as Error).message}`, { cause })
      })
      member.starting = starting.catch(() => {})
      return starting
    }))
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
    this.stopping.throwIfAborted()
  }

  /** The pid of a part while it runs. */
  pid (name: string): number | undefined {
    return this.#levels.flat().find(member => member.part.name === name)?.running?.pid
  }

  /** Stops all parts, those that were started last first; safe to call more than once. */
  stop (reason?: string): Promise<void> {
    this.#stopped ??= this.#stopAll(reason)
    return this.#stopped
  }

  /** Kills the processes at once. For somebody who does not want to wait for stop(). */
  kill () {
    for (const { running } of this.#levels.flat()) {
      if (running?.pid === undefined) continue
      try {
        process.kill(running.pid, 'SIGKILL')
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
      }
    }
  }

  async #stopAll (reason: string | undefined): Promise<void> {
    this.#stopping.abort(new Error(reason ?? 'the stack is being stopped'))
    for (const level of this.#levels.toReversed()) {
      await Promise.all(level.map(async member => {
        await member.starting
        await member.running?.stop()
        member.running = undefined
      }))
    }
    this.#over.resolve(reason)
  }

  async #startMember (member: Member): Promise<void> {
    const running = await member.part.start(this.stopping)
    member.running = running
    const { name, whenItDies } = member.part
    const started = performance.now()
    running.ended.then(why => {
      if (this.stopping.aborted || member.running !== running) return
      member.running = undefined
      if (whenItDies === 'restart') {
        member.starting = this.#restart(member, why, performance.now() - started)
        return
      }
      this.#say(`${name} ${why}: everything is being stopped`)
      this.stop(`${name} ${why}`)
    })
  }

  async #restart (member: Member, why: string, livedMs: number): Promise<void> {
    const { part } = member
    if (livedMs > forgiveMs) this.#deaths.delete(part)
    this.#say(`${part.name} ${why}: starting it again`)
    for (;;) {
      const deaths = this.#deaths.get(part) ?? 0
      this.#deaths.set(part, deaths + 1)
      const wait = backoff[deaths]
      if (wait === undefined) {
        this.#say(`${part.name} ended ${deaths} times in a row: everything is being stopped`)
        // Not awaited: the stop waits for this restart to be over.
        this.stop(`${part.name} does not stay up: ${why}`)
        return
      }
      try {
        await delay(wait, undefined, { signal: this.stopping })
        await this.#startMember(member)
        this.#say(`${part.name} runs again (pid ${member.running?.pid})`)
        this.#changed()
        return
      } catch (error) {
        if (this.stopping.aborted) return
        why = (error as Error).message
        this.#say(`${part.name} could not be started: ${why}`)
      }
    }
  }
}
