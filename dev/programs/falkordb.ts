/** Has FalkorDB on this machine and runs it: the module of an npm package on a Redis or Valkey server. */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { connect } from 'node:net'
import { tmpdir, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { missingLibraries, unpackValkey, packagesOf } from './valkey.ts'
import { attempt, isExecutable, lastLines, onPath, type Say } from './run.ts'

export interface FalkordbProgram {
  /** Path of a redis or valkey server ≥ 7.2. */
  server: string
  /** Path of falkordb.so. */
  module: string
  /** What the server needs in its environment. */
  env: Record<string, string>
}

const useYourOwn = 'or start a FalkorDB of your own and set FALKORDB_URL=redis://HOST:6379'

/**
 * The FalkorDB of this machine: the module of `@falkordblite/<platform>`, on a server ≥ 7.2 from the PATH, else the package's own
 * where the C library is new enough for it, else Valkey from Debian's backports under `.cache/`.
 * @throws with what to install if there is none
 */
export async function findFalkordb (say: Say): Promise<FalkordbProgram> {
  const folder = packageFolder()
  const module = join(folder, 'falkordb.so')
  const server = await serverOnPath(say) ?? await ownServer(join(folder, 'redis-server'))
  if (server !== undefined) {
    const missing = await missingLibraries(module)
    if (missing.length === 0) return { server, module, env: {} }
    if (missing.some(name => !packagesOf([name]).length)) throw new Error(`FalkorDB does not run here: ${missing.join(', ')}. It needs glibc 2.35 or newer, ${useYourOwn}.`)
    throw new Error(`FalkorDB needs ${missing.join(', ')}: install ${packagesOf(missing).join(' ')} (apt-get install ${packagesOf(missing).join(' ')}), ${useYourOwn}.`)
  }
  return { ...await unpackValkey(module, say, useYourOwn), module }
}

function packageFolder (): string {
  const platform = `${process.platform}-${process.arch}`
  try {
    return join(dirname(createRequire(import.meta.url).resolve(`@falkordblite/${platform}/package.json`)), 'bin')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw cause
    const help = platform === 'linux-x64' ? 'The package @falkordblite/linux-x64 is not installed: run npm ci (without --omit=optional)' : `There is no embedded FalkorDB for ${platform}: use docker compose (make up)`
    throw new Error(`${help}, ${useYourOwn}.`, { cause })
  }
}

async function serverOnPath (say: Say): Promise<string | undefined> {
  for (const name of ['valkey-server', 'redis-server']) {
    const path = await onPath(name)
    if (path === undefined) continue
    const { output } = await attempt(path, ['--version'])
    const [, major, minor] = /\bv=(\d+)\.(\d+)/.exec(output) ?? []
    if (Number(major) > 7 || (Number(major) === 7 && Number(minor) >= 2)) return path
    say(`${path} is not used: FalkorDB wants version 7.2 or newer (it says: ${lastLines(output, 1)})`)
  }
}

async function ownServer (path: string): Promise<string | undefined> {
  const runs = await isExecutable(path) && (await missingLibraries(path)).length === 0
  return runs ? path : undefined
}

/** FalkorDB's own settings, as named by its documentation; the values a gateway starts with. Times in ms, memory in bytes. */
const graphDefaults: Record<string, number> = {
  // Both are needed: without them a write ignores the timeout of its own query.
  TIMEOUT_DEFAULT: 10_000,
  TIMEOUT_MAX: 60_000,
  RESULTSET_SIZE: 1_001,
  QUERY_MEM_CAPACITY: 256 * 2 ** 20,
  MAX_QUEUED_QUERIES: 256,
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

export interface RunningFalkordb {
  /** redis://127.0.0.1:PORT */
  url: string
  pid: number
  process: ChildProcess
  /** Ends the process and returns when it is gone; never fails. */
  stop (): Promise<void>
}

/**
 * Starts FalkorDB on 127.0.0.1 and returns when it answers graph commands. It ends with this process, also when that is killed.
 * @throws with the server's last lines if it does not answer within 30 s; nothing is left running then
 */
export async function startFalkordb ({ port, say, dir, memoryBytes = defaultMemory(), args = {} }: FalkordbOptions): Promise<RunningFalkordb> {
  const { server, module, env } = await findFalkordb(say)
  if (dir !== undefined) await mkdir(dir, { recursive: true })
  const home = dir ?? await mkdtemp(join(tmpdir(), 'falkordb-'))
  const child = spawn(...await bounded(memoryBytes, [
    server, '--bind', '127.0.0.1', '--port', String(port), '--dir', home,
    '--save', '', '--appendonly', dir === undefined ? 'no' : 'yes',
    '--loadmodule', module, ...Object.entries({ ...graphDefaults, ...args }).flatMap(([name, value]) => [name, String(value)])
  ]), {
    // A Ctrl-C in the terminal goes to whoever started this, which stops it in order.
    detached: true,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const gone = new Promise<void>(resolve => child.once('close', () => resolve()).once('error', () => resolve()))
  let output = ''
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding('utf8').on('data', text => { output = (output + text).slice(-100_000) })
  }
  let stopping = false
  const stop = async () => {
    stopping = true
    if (isRunning(child)) {
      child.kill('SIGTERM')
      // A running query can hold up the end.
      const patience = setTimeout(() => child.kill('SIGKILL'), 5_000)
      await gone
      clearTimeout(patience)
    }
    if (dir === undefined) await rm(home, { recursive: true, force: true })
  }
  try {
    await untilReady(child, port, () => output)
  } catch (error) {
    await stop()
    throw error
  }
  child.once('exit', (code, signal) => {
    if (stopping) return
    say(`FalkorDB ended (${signal ?? `exit code ${code}`}): ${reason(output)}`)
    if (dir === undefined) rm(home, { recursive: true, force: true }).catch(error => say(`${home} could not be removed: ${error.message}`))
  })
  return { url: `redis://127.0.0.1:${port}`, pid: child.pid!, process: child, stop }
}

function defaultMemory (): number {
  const machine = Math.min(totalmem(), process.constrainedMemory() || Infinity)
  return Math.min(3 * 2 ** 30, Math.floor(machine / 2))
}

/** The command under a limit of its address space, and ended by the kernel when its parent dies. Both keep the process id. */
async function bounded (bytes: number, command: string[]): Promise<[string, string[]]> {
  const limited = ['/bin/sh', '-c', `ulimit -v ${Math.floor(bytes / 1024)} && exec "$@"`, 'sh', ...command]
  const setpriv = await onPath('setpriv')
  return setpriv === undefined ? [limited[0]!, limited.slice(1)] : [setpriv, ['--pdeathsig', 'KILL', ...limited]]
}

function isRunning (child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null
}

async function untilReady (child: ChildProcess, port: number, output: () => string): Promise<void> {
  let failure: Error | undefined
  child.once('error', error => { failure = error })
  for (const end = Date.now() + 30_000; Date.now() < end; await delay(50)) {
    if (failure !== undefined || !isRunning(child)) break
    if (isReady(await ask(port), child.pid!)) return
  }
  const what = isRunning(child) ? 'does not answer within 30 s' : 'ended at its start'
  throw new Error(`FalkorDB ${what} (port ${port}): ${failure?.message ?? reason(output())}\n${lastLines(output())}`, { cause: failure })
}

/** The answers to PING, GRAPH.LIST and INFO in the order asked; the process id tells our server from another one on this port. */
function isReady (answer: string, pid: number): boolean {
  return answer.startsWith('+PONG\r\n*') && answer.includes(`\r\nprocess_id:${pid}\r\n`)
}

async function ask (port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8').setTimeout(2_000)
  let answer = ''
  socket.on('data', text => { answer += text })
  socket.on('timeout', () => socket.destroy())
  // Refused while the server is starting: the empty answer says so.
  socket.on('error', () => {})
  socket.write('PING\r\nGRAPH.LIST\r\nINFO server\r\nQUIT\r\n')
  await new Promise<void>(resolve => { socket.on('close', () => resolve()) })
  return answer
}

/** The line of a server's log that tells why it ended. */
function reason (output: string): string {
  const telling = output.split('\n').filter(line => /out of memory|cannot open shared|assertion|crashed by signal|can't load module|fatal|address already in use|# .*(failed|error)/i.test(line))
  return telling[0]?.trim() ?? lastLines(output, 1)
}
