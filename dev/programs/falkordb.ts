/** Has FalkorDB on this machine and runs it: the module of an npm package on a Redis or Valkey server. */
import { join } from 'node:path'
import { defaultMemory, packageFolder, serverHere, startServer, type RunningServer, type ServerProgram } from './server.ts'
import { missingLibraries, unpackValkey, packagesOf } from './valkey.ts'
import type { Say } from './run.ts'

export interface FalkordbProgram extends ServerProgram {
  /** Path of falkordb.so. */
  module: string
}

const useYourOwn = 'or start a FalkorDB of your own and set FALKORDB_URL=redis://HOST:6379'

/**
 * The FalkorDB of this machine: the module of `@falkordblite/<platform>`, on a server ≥ 7.2 from the PATH, else the package's own
 * where the C library is new enough for it, else Valkey from Debian's backports under `.cache/`.
 * @throws with what to install if there is none
 */
export async function findFalkordb (say: Say): Promise<FalkordbProgram> {
  const module = join(requirePackage(), 'falkordb.so')
  const server = await serverHere(say)
  if (server !== undefined) {
    const missing = await missingLibraries(module)
    if (missing.length === 0) return { server, module, env: {} }
    if (missing.some(name => !packagesOf([name]).length)) throw new Error(`FalkorDB does not run here: ${missing.join(', ')}. It needs glibc 2.35 or newer, ${useYourOwn}.`)
    throw new Error(`FalkorDB needs ${missing.join(', ')}: install ${packagesOf(missing).join(' ')} (apt-get install ${packagesOf(missing).join(' ')}), ${useYourOwn}.`)
  }
  return { ...await unpackValkey(module, say, useYourOwn), module }
}

function requirePackage (): string {
  const folder = packageFolder()
  if (folder !== undefined) return folder
  const platform = `${process.platform}-${process.arch}`
  const help = platform === 'linux-x64' ? 'The package @falkordblite/linux-x64 is not installed: run npm ci (without --omit=optional)' : `There is no embedded FalkorDB for ${platform}: use docker compose (make up)`
  throw new Error(`${help}, ${useYourOwn}.`)
}

/** FalkorDB's own settings, as named by its documentation; the values a gateway starts with. Times in ms, memory in bytes. */
const graphDefaults: Record<string, number> = {
  // Both are needed: without them a write ignores the timeout of its own query.
  TIMEOUT_DEFAULT: 10_000,
  TIMEOUT_MAX: 60_000,
  RESULTSET_SIZE: 1_001,
  QUERY_MEM_CAPACITY: 256 * 2 ** 20,
  MAX_QUEUED_QUERIES: 1_000,
  THREAD_COUNT: 16
}

export interface FalkordbOptions {
  /** Port on 127.0.0.1. */
  port: number
  say: Say
  /** Keeps the graphs there (append-only file). Absent: in memory only. */
  dir?: string
  /** Address space that the process may take; a query that wants more ends the process. Default 3 GiB, at most half of the machine. */
  memoryBytes?: number
  /** Settings of the module, beside and above the defaults. */
  args?: Record<string, number>
}

/**
 * Starts FalkorDB on 127.0.0.1 and returns when it answers graph commands. It ends with this process, also when that is killed.
 * @throws with the server's last lines if it does not answer within 30 s; nothing is left running then
 */
export async function startFalkordb ({ args = {}, ...options }: FalkordbOptions): Promise<RunningServer> {
  const program = await findFalkordb(options.say)
  const settings = Object.entries({ ...graphDefaults, ...args }).flatMap(([name, value]) => [name, String(value)])
  // Data beyond this are refused; the rest is for queries.
  const maxmemory = Math.floor((options.memoryBytes ?? defaultMemory()) * 0.7)
  return await startServer({ name: 'FalkorDB', program, args: ['--maxmemory', String(maxmemory), '--loadmodule', program.module, ...settings], question: 'GRAPH.LIST', ...options })
}
