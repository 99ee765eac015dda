/** The bench's end of the load generator process. */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { LoadResult, Order, Reply } from './load.ts'
import type { LoadRequest, Target } from './transports.ts'

export interface LoadPlan {
  target: Target
  concurrency: number
  /** What the server is warmed up with. */
  requests: LoadRequest[]
  /** How many are sent, and checked, before anything is measured. */
  warmUp: number
}

export interface LoadGenerator extends AsyncDisposable {
  /** Opens connections and warms up. @throws with the first wrong answer */
  prepare: (plan: LoadPlan) => Promise<void>
  /** Sends `count` requests, in turn and again from the first. @throws with the first wrong answer */
  run: (requests: LoadRequest[], count: number) => Promise<LoadResult>
}

/** Starts the load generator. It ends when disposed, or with this process. */
export function startLoadGenerator (): LoadGenerator {
  // A Ctrl-C in the terminal goes to the bench alone, which stops all in order.
  const child = fork(join(import.meta.dirname, 'load.ts'), { detached: true })
  const gone = once(child, 'exit')
  return {
    prepare: async plan => { await ask(child, { order: 'prepare', ...plan }) },
    run: async (requests, count) => {
      const result = await ask(child, { order: 'run', requests, count })
      if (result === undefined) throw new TypeError('the load generator measured nothing')
      return result
    },
    [Symbol.asyncDispose]: async () => {
      child.kill()
      await gone
    }
  }
}

async function ask (child: ChildProcess, order: Order): Promise<LoadResult | undefined> {
  const gone = new AbortController()
  const ended = () => gone.abort(new Error('the load generator has ended'))
  child.once('exit', ended)
  try {
    child.send(order)
    const [reply] = await once(child, 'message', { signal: gone.signal }) as [Reply]
    if (!reply.ok) throw new Error(reply.message)
    return reply.result
  } catch (error) {
    throw gone.signal.aborted ? gone.signal.reason : error
  } finally {
    child.off('exit', ended)
  }
}
