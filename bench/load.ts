/**
 * The load generator: a process of its own, so that its CPU is in nobody's figures. It takes orders by IPC:
 * `prepare` opens the connections and warms the server up, `run` measures, and each is answered once.
 */
import { percentile } from './statistics.ts'
import { openConnections, type Answer, type Connection, type LoadRequest, type Target } from './transports.ts'

export type Order =
  | { order: 'prepare', target: Target, concurrency: number, requests: LoadRequest[], warmUp: number }
  | { order: 'run', requests: LoadRequest[], count: number }

export interface LoadResult {
  /** Answers received. */
  count: number
  seconds: number
  p50Ms: number
  p99Ms: number
  maxMs: number
  /** CPU of the load generator itself, in microseconds per request. */
  loadCpuUs: number
}

export type Reply = { ok: true, result?: LoadResult } | { ok: false, message: string }

/** Every answer's status is checked, and the content of every eighth: reading all would make the generator the bottleneck. */
const contentSample = 8

let connections: Connection[] = []

async function prepare ({ target, concurrency, requests, warmUp }: Extract<Order, { order: 'prepare' }>) {
  await closeAll()
  connections = await openConnections(target, concurrency)
  await sendAll(requests, warmUp)
}

/** `count` requests by closed loops, one for each connection: each sends when its last answer has come. */
async function sendAll (requests: LoadRequest[], count: number): Promise<Float64Array> {
  const latencies = new Float64Array(count)
  let next = 0
  await Promise.all(connections.map(async connection => {
    while (next < count) {
      const at = next++
      const request = requests[at % requests.length]!
      const start = performance.now()
      const answer = await connection.send(request)
      latencies[at] = performance.now() - start
      const fault = faultOf(request, answer, at % contentSample === 0)
      if (fault !== undefined) throw new Error(`${request.method} ${request.path}: ${fault}`)
    }
  }))
  return latencies
}

function faultOf ({ expect }: LoadRequest, { status, headers, body }: Answer, readContent: boolean): string | undefined {
  if (status !== expect.status && status !== expect.orStatus) return `answered ${status}, not ${expect.status}: ${body.slice(0, 500)}`
  if (!readContent) return undefined
  if (expect.header !== undefined && headers[expect.header[0]] !== expect.header[1]) return `header ${expect.header[0]} is ${String(headers[expect.header[0]])}, not ${expect.header[1]}`
  const missing = expect.body?.find(text => !body.includes(text))
  return missing === undefined ? undefined : `the answer lacks ${missing}: ${body.slice(0, 500)}`
}

async function run (requests: LoadRequest[], count: number): Promise<LoadResult> {
  const before = process.cpuUsage()
  const start = performance.now()
  const latencies = await sendAll(requests, count)
  const seconds = (performance.now() - start) / 1000
  const { user, system } = process.cpuUsage(before)
  latencies.sort()
  return { count, seconds, p50Ms: percentile(latencies, 0.5), p99Ms: percentile(latencies, 0.99), maxMs: percentile(latencies, 1), loadCpuUs: (user + system) / count }
}

async function closeAll () {
  await Promise.all([...new Set(connections)].map(connection => connection.close()))
  connections = []
}

async function obey (order: Order): Promise<Reply> {
  try {
    if (order.order === 'run') return { ok: true, result: await run(order.requests, order.count) }
    await prepare(order)
    return { ok: true }
  } catch (error) {
    return { ok: false, message: wordsOf(error) }
  }
}

const wordsOf = (error: unknown): string =>
  error instanceof Error ? [error.message, ...(error.cause === undefined ? [] : [wordsOf(error.cause)])].join(': ') : String(error)

process.on('message', async (order: Order) => { process.send?.(await obey(order)) })
// The parent's end ends this process, also when it was killed.
process.on('disconnect', () => process.exit())
