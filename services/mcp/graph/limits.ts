/** The limits that FalkorDB itself keeps on every query: set on each new connection, because a restarted FalkorDB has forgotten them. */

/** GRAPH.CONFIG names; times in ms, memory in bytes, 0 for none. */
export type LimitName = 'RESULTSET_SIZE' | 'TIMEOUT_DEFAULT' | 'TIMEOUT_MAX' | 'QUERY_MEM_CAPACITY' | 'MAX_QUEUED_QUERIES'
export type Limits = Record<LimitName, number>

/** Settings that FalkorDB takes only when it is loaded: they are told, not set. */
const loadTimeNames = ['THREAD_COUNT', 'CACHE_SIZE', 'OMP_THREAD_COUNT'] as const
export type LoadTimeName = typeof loadTimeNames[number]
/** What FalkorDB says; absent where it does not. */
export type ToldLimits = Partial<Record<LimitName | LoadTimeName, number>>

/** Queries that may wait inside FalkorDB: more than all gateways together send. */
const maxQueuedQueries = 1_000
/** Fewer workers than these are all held by one tenant's few queries. */
const fewestThreads = 4
const goodThreads = 16

export interface LimitOptions { maxRows: number, timeoutDefaultMs: number, timeoutMaxMs: number, queryMemoryBytes: number }

/** Both timeouts are needed: without them FalkorDB ignores the timeout of a write. One row more than is shown tells that there are more. */
export function wantedLimits ({ maxRows, timeoutDefaultMs, timeoutMaxMs, queryMemoryBytes }: LimitOptions): Limits {
  return { RESULTSET_SIZE: maxRows + 1, TIMEOUT_DEFAULT: timeoutDefaultMs, TIMEOUT_MAX: timeoutMaxMs, QUERY_MEM_CAPACITY: queryMemoryBytes, MAX_QUEUED_QUERIES: maxQueuedQueries }
}

export type Send = (command: readonly string[]) => Promise<unknown>

export interface AppliedLimits {
  limits: ToldLimits
  /** One line for each thing that an operator should mend. */
  warnings: string[]
  /** Those of the wanted limits that FalkorDB does not keep. */
  missing: LimitName[]
}

/**
 * Sets the limits that differ and reads all of them back.
 * @returns what FalkorDB says that they are, and a warning for each that is not as wanted, or that leaves the whole database open to one query
 * @throws what `send` throws for a lost connection, and FalkorDB's LOADING
 */
export async function applyLimits (send: Send, wanted: Limits): Promise<AppliedLimits> {
  const before = await readLimits(send, wanted)
  for (const name of settingOrder(before, wanted)) {
    if (before[name] === wanted[name]) continue
    // Refused (a managed FalkorDB, an ACL): reading back tells.
    await send(['GRAPH.CONFIG', 'SET', name, String(wanted[name])]).catch(rethrowUnlessRefused)
  }
  const limits = await readLimits(send, wanted)
  const memory = await readMemory(send)
  const missing = names(wanted).filter(name => limits[name] !== wanted[name])
  return { limits, missing, warnings: [...missing.map(name => unlike(name, limits[name], wanted[name])), ...threadWarnings(limits), ...memoryWarnings(memory)] }
}

function unlike (name: LimitName, is: number | undefined, wanted: number): string {
  return `FalkorDB's ${name} ${is === undefined ? 'cannot be read' : `is ${is}`}; the gateway wants ${wanted}. Set it in FalkorDB's own configuration or allow GRAPH.CONFIG SET.`
}

function threadWarnings ({ THREAD_COUNT: threads }: ToldLimits): string[] {
  if (threads === undefined) return [`FalkorDB's THREAD_COUNT cannot be read: allow GRAPH.CONFIG GET, and see that FalkorDB was started with THREAD_COUNT ${goodThreads} or so.`]
  return threads >= fewestThreads ? [] : [`FalkorDB has only ${threads} worker ${threads === 1 ? 'thread' : 'threads'}; start it with THREAD_COUNT ${goodThreads}.`]
}

/** The server's own limit, which QUERY_MEM_CAPACITY does not stand in for: range() makes its list before that is looked at. */
function memoryWarnings ({ maxmemory, 'maxmemory-policy': policy }: Record<string, string>): string[] {
  if (maxmemory === undefined || policy === undefined) return ['The database\'s maxmemory cannot be read: allow CONFIG GET, and see that it is set, with maxmemory-policy noeviction.']
  return [
    ...(maxmemory === '0' ? ['The database has no maxmemory, so one query may take the machine\'s memory: start it with --maxmemory, at three quarters of what it may have.'] : []),
    ...(policy === 'noeviction' ? [] : [`The database's maxmemory-policy is ${policy}, by which it may throw graphs away: set it to noeviction.`])
  ]
}

const names = (limits: Limits) => Object.keys(limits) as LimitName[]

/** FalkorDB refuses a TIMEOUT_DEFAULT above TIMEOUT_MAX at every moment. */
function settingOrder (before: ToldLimits, wanted: Limits): LimitName[] {
  const raise = wanted.TIMEOUT_MAX >= (before.TIMEOUT_DEFAULT ?? 0)
  const timeouts: LimitName[] = raise ? ['TIMEOUT_MAX', 'TIMEOUT_DEFAULT'] : ['TIMEOUT_DEFAULT', 'TIMEOUT_MAX']
  return [...timeouts, ...names(wanted).filter(name => !name.startsWith('TIMEOUT'))]
}

async function readLimits (send: Send, wanted: Limits): Promise<ToldLimits> {
  const limits: ToldLimits = {}
  const told = new Set<string>([...names(wanted), ...loadTimeNames])
  const reply = await send(['GRAPH.CONFIG', 'GET', '*']).catch(rethrowUnlessRefused)
  if (Array.isArray(reply)) for (const [name, value] of reply as Array<[LimitName, string]>) if (told.has(name)) limits[name] = Number(value)
  return limits
}

/** Names and values in turn. */
async function readMemory (send: Send): Promise<Record<string, string>> {
  const reply = await send(['CONFIG', 'GET', 'maxmemory', 'maxmemory-policy']).catch(rethrowUnlessRefused)
  const read: Record<string, string> = {}
  if (Array.isArray(reply)) for (let at = 0; at < reply.length; at += 2) read[String(reply[at])] = String(reply[at + 1])
  return read
}

function rethrowUnlessRefused (error: unknown): undefined {
  const said = error instanceof Error ? error.message : ''
  if (/^(?:NOPERM|ERR|Failed to set|This configuration|Unknown)/.test(said) || /configuration parameter/.test(said)) return undefined
  throw error
}
