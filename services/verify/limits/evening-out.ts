/**
 * Lets the replicas know of each other's counts through Valkey, once a second and in the background. For each window and caller there
 * is one hash, with the count of each replica under its own name: writing it twice changes nothing, so that no failure counts a call
 * double, and what was counted while Valkey was away is told as soon as it is back.
 */
import { hash, randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import { Gauge, type Registry } from 'prom-client'
import { metric } from '@gateway/common/service.ts'
import type { State } from '@gateway/common/state.ts'
import { windowMs, type Window, type Windows } from './windows.ts'

/** What is needed of the shared state. */
export type SharedCounts = Pick<State, 'client' | 'connected'>

export interface EveningOutOptions {
  state: SharedCounts
  logger: Logger
  registry: Registry
  /** Milliseconds since 1970. */
  now: () => number
  roundMs: number
}

/** Callers of one kind that one round tells of. */
const keysPerRound = 1_000
/** Callers of one command: a long one would hold up Valkey. */
const keysPerBatch = 100
/** A replica's clock may be behind: its window is still needed then. */
const expiryMs = 3 * windowMs

/** Notes the counts of one replica, and returns all replicas' together. One script costs this process a tenth of what three commands a caller do. */
const exchangeScript = `
local totals = {}
for index, name in ipairs(KEYS) do
  redis.call('HSET', name, ARGV[1], ARGV[index + 2])
  redis.call('PEXPIRE', name, ARGV[2])
  totals[index] = 0
  for _, count in ipairs(redis.call('HVALS', name)) do totals[index] = totals[index] + count end
end
return totals`

/** Begins the rounds. @returns what ends them */
export function evenOut (kinds: readonly Windows[], { state, logger, registry, now, roundMs }: EveningOutOptions): () => void {
  const replica = randomUUID()
  const shared = metric(registry, 'limits_shared', () => new Gauge({
    name: 'limits_shared', help: '1 while the replicas know of each other\'s counts; 0 while each one counts alone', registers: [registry]
  }))
  let stopped = false
  let running = false
  let works: boolean | undefined

  function note (worked: boolean, error?: unknown) {
    shared.set(worked ? 1 : 0)
    if (worked === works) return
    if (!worked) logger.warn({ err: error }, 'Valkey cannot be asked: each replica holds the limits alone, until it can')
    else if (works === false) logger.info('Valkey answers again: the replicas hold the limits together')
    works = worked
  }

  async function round () {
    if (running) return
    running = true
    try {
      if (state.connected) for (const kind of kinds) await tell(kind.at(now()), kind.kind)
      if (!stopped) note(state.connected)
    } catch (error) {
      if (!stopped) note(false, error)
    } finally {
      running = false
    }
  }

  async function tell (window: Window, kind: string) {
    const keys = window.notable(keysPerRound)
    for (let start = 0; start < keys.length; start += keysPerBatch) await exchange(window, kind, keys.slice(start, start + keysPerBatch))
  }

  async function exchange (window: Window, kind: string, keys: string[]) {
    const own = await Promise.all(keys.map(key => window.own(key)))
    const totals = await state.client.eval(exchangeScript, {
      keys: keys.map(key => nameOf(window, kind, key)),
      arguments: [replica, String(expiryMs), ...own.map(({ calls }) => String(calls))]
    }) as number[]
    await Promise.all(own.map(({ calls, untold }, index) => window.told(keys[index]!, untold, totals[index]! - calls)))
  }

  // It tells of its own failures.
  const timer = setInterval(round, roundMs).unref()
  return () => {
    stopped = true
    clearInterval(timer)
  }
}

/** Nobody who reads Valkey's keys reads who called. */
const nameOf = (window: Window, kind: string, key: string) => `gateway:limits:${kind}:${window.number}:${hash('sha256', key, 'base64url')}`
