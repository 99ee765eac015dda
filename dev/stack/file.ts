/** DEV_DIR: what one stack keeps there, its lock, and `stack.json`, by which tests and tools find the running stack. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { IssuerAccess } from '../issuer/client.ts'

/** One part as the file names it. */
export interface StackPart {
  pid?: number | undefined
  url: string
  /** Origin of its /metrics; verify, mcp and oauth have /live and /ready there too. */
  metrics?: string
}

/** Where the parts of a stack find the secret that they share. It outlives the stack, as what is signed or wrapped by it in the state store does. */
export const gatewaySecretIn = (dir: string) => join(dir, 'gateway-secret')
/** The one that only oauth has. */
export const oauthSecretIn = (dir: string) => join(dir, 'oauth-secret')

/** The running stack. The file is readable by its owner alone: it holds the secret that mints tokens. */
export interface StackFile {
  ready: true
  /** The process that supervises the parts. */
  pid: number
  /** The public origin. */
  url: string
  mcpUrl: string
  /** PEM file of the authority that signed the public certificate; relative paths are relative to the folder of the start. */
  ca: string
  /** The development issuer, which stands for one outside. */
  issuer: string
  /** The tenants of whoever signs in at the built-in sign-in, under any name; absent where that is not allowed. */
  localTenants?: string[] | undefined
  /** How to have tokens signed; see dev/issuer/client.ts. */
  mint: IssuerAccess
  /** Folder of the parts' log files. */
  logs: string
  services: {
    traefik: StackPart & { /** The port that redirects. */ httpUrl: string }
    verify: StackPart
    mcp: StackPart[]
    /** The built-in sign-in; empty where OAUTH_REPLICAS is 0. */
    oauth: StackPart[]
    issuer: StackPart
    /** Without pid where FALKORDB_URL named one that runs elsewhere. */
    falkordb: StackPart
    /** Without pid where VALKEY_URL named one that runs elsewhere. */
    valkey: StackPart
  }
  /** Prometheus endpoints by part. */
  metrics: Record<string, string>
}

/** The folder of a stack where DEV_DIR names no other. */
export const defaultDir = '.dev'

/** A fault that its reader can mend: shown without a stack trace. */
export class StackError extends Error {
  override readonly name = 'StackError'
}

/**
 * Takes the folder for one stack: nobody else can start another in it until it is released or this process ends.
 * @throws StackError if a stack runs there already
 */
export async function takeDirectory (dir: string): Promise<{ release: () => Promise<void> }> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  // An abstract socket: the kernel frees it however its holder ends, so that no stale lock can be left.
  const lock = createServer()
  const name = `\0falkordb-mcp-gateway-${createHash('sha256').update(await realpath(dir)).digest('hex')}`
  try {
    await once(lock.listen({ path: name }), 'listening')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    throw new StackError(`A stack already runs in ${dir}. Stop it (Ctrl-C where it runs), or start another beside it: make dev PORT=8444 DEV_DIR=.dev2`)
  }
  lock.unref()
  // Of a stack whose process was killed.
  await rm(join(dir, 'stack.json'), { force: true })
  return { release: async () => { await new Promise(resolve => lock.close(resolve)) } }
}

/** Writes the file whole or not at all. */
export async function writeStackFile (dir: string, stack: StackFile): Promise<void> {
  const path = join(dir, 'stack.json')
  await writeFile(`${path}.new`, `${JSON.stringify(stack, undefined, 2)}\n`, { mode: 0o600 })
  await rename(`${path}.new`, path)
}

/**
 * Reads the file of a running stack.
 * @throws StackError where no stack is ready in that folder
 */
export async function readStackFile (dir: string): Promise<StackFile> {
  const path = join(dir, 'stack.json')
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    throw new StackError(`No stack is ready in ${dir} (there is no ${path}). Start one with: make dev`)
  }
  const stack = JSON.parse(text) as StackFile
  if (!isAlive(stack.pid)) throw new StackError(`The stack of ${path} no longer runs: its process ${stack.pid} is gone. Start it again with: make dev`)
  return stack
}

/** Whether a process of that id exists. */
export function isAlive (pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it exists and belongs to somebody else.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
