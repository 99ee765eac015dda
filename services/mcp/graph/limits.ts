/** The limits that FalkorDB itself keeps on every query: set on each new connection, because a restarted FalkorDB has forgotten them. */

/** GRAPH.CONFIG names; times in ms, memory in bytes, 0 for none. */
export type LimitName = 'RESULTSET_SIZE' | 'TIMEOUT_DEFAULT' | 'TIMEOUT_MAX' | 'QUERY_MEM_CAPACITY' | 'MAX_QUEUED_QUERIES'
export type Limits = Record<LimitName, number>

/** Queries that may wait inside FalkorDB: more than all gateways together send. */
const maxQueuedQueries = 1_000

export interface LimitOptions { maxRows: number, timeoutDefaultMs: number, timeoutMaxMs: number, queryMemoryBytes: number }

/** Both timeouts are needed: without them FalkorDB ignores the timeout of a write. One row more than is shown tells that there are more. */
export function wantedLimits ({ maxRows, timeoutDefaultMs, timeoutMaxMs, queryMemoryBytes }: LimitOptions): Limits {
  return { RESULTSET_SIZE: maxRows + 1, TIMEOUT_DEFAULT: timeoutDefaultMs, TIMEOUT_MAX: timeoutMaxMs, QUERY_MEM_CAPACITY: queryMemoryBytes, MAX_QUEUED_QUERIES: maxQueuedQueries }
}

export type Send = (command: readonly string[]) => Promise<unknown>

/**
 * Sets the limits that differ and reads all of them back.
 * @returns what FalkorDB says that they are, and a warning for each that is not as wanted
 * @throws what `send` throws for a lost connection, and FalkorDB's LOADING
 */
export async function applyLimits (send: Send, wanted: Limits): Promise<{ limits: Partial<Limits>, warnings: string[] }> {
  const before = await readLimits(send, wanted)
  for (const name of settingOrder(before, wanted)) {
    if (before[name] === wanted[name]) continue
    // Refused (a managed FalkorDB, an ACL): reading back tells.
    await send(['GRAPH.CONFIG', 'SET', name, String(wanted[name])]).catch(rethrowUnlessRefused)
  }
  const limits = await readLimits(send, wanted)
  const warnings = names(wanted).filter(name => limits[name] !== wanted[name]).map(name => {
    const is = limits[name] === undefined ? 'cannot be read' : `is ${limits[name]}`
    return `FalkorDB's ${name} ${is}; the gateway wants ${wanted[name]}. Set it in FalkorDB's own configuration or allow GRAPH.CONFIG SET.`
  })
  return { limits, warnings }
}

const names = (limits: Limits) => Object.keys(limits) as LimitName[]

/** FalkorDB refuses a TIMEOUT_DEFAULT above TIMEOUT_MAX at every moment. */
function settingOrder (before: Partial<Limits>, wanted: Limits): LimitName[] {
  const raise = wanted.TIMEOUT_MAX >= (before.TIMEOUT_DEFAULT ?? 0)
  const timeouts: LimitName[] = raise ? ['TIMEOUT_MAX', 'TIMEOUT_DEFAULT'] : ['TIMEOUT_DEFAULT', 'TIMEOUT_MAX']
  return [...timeouts, ...names(wanted).filter(name => !name.startsWith('TIMEOUT'))]
}

async function readLimits (send: Send, wanted: Limits): Promise<Partial<Limits>> {
  const limits: Partial<Limits> = {}
  const reply = await send(['GRAPH.CONFIG', 'GET', '*']).catch(rethrowUnlessRefused)
  if (Array.isArray(reply)) for (const [name, value] of reply as Array<[LimitName, string]>) if (name in wanted) limits[name] = Number(value)
  return limits
}

function rethrowUnlessRefused (error: unknown): undefined {
  const said = error instanceof Error ? error.message : ''
  if (/^(?:NOPERM|ERR|Failed to set|This configuration|Unknown)/.test(said) || /configuration parameter/.test(said)) return undefined
  throw error
}
