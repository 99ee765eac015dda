/** A Redis or Valkey server as a process of this machine: which program it is, its start, its limits and its end. FalkorDB is a module in one. */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { connect } from 'node:net'
import { tmpdir, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { missingLibraries } from './valkey.ts'
import { attempt, isExecutable, lastLines, onPath, type Say } from './run.ts'

export interface ServerProgram {
  /** Path of a redis or valkey server ≥ 7.2. */
  server: string
  /** What the server needs in its environment. */
  env: Record<string, string>
}

/** Where `@falkordblite/<platform>` keeps its programs; undefined where it is not installed. */
export function packageFolder (): string | undefined {
  try {
    return join(dirname(createRequire(import.meta.url).resolve(`@falkordblite/${process.platform}-${process.arch}/package.json`)), 'bin')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND') return undefined
    throw error
  }
}

/** The server that is on this machine already: on the PATH, else the package's own where the C library is new enough for it. */
export async function serverHere (say: Say): Promise<string | undefined> {
  const folder = packageFolder()
  return await serverOnPath(say) ?? (folder === undefined ? undefined : await ownServer(join(folder, 'redis-server')))
}

async function serverOnPath (say: Say): Promise<string | undefined> {
  for (const name of ['valkey-server', 'redis-server']) {
    const path = await onPath(name)
    if (path === undefined) continue
    const { output } = await attempt(path, ['--version'])
    const [, major, minor] = /\bv=(\d+)\.(\d+)/.exec(output) ?? []
    if (Number(major) > 7 || (Number(major) === 7 && Number(minor) >= 2)) return path
    say(`${path} is not used: version 7.2 or newer is wanted (it says: ${lastLines(output, 1)})`)
  }
}

async function ownServer (path: string): Promise<string | undefined> {
  const runs = await isExecutable(path) && (await missingLibraries(path)).length === 0
  return runs ? path : undefined
}

export interface ServerOptions {
  /** What it is, for messages. */
  name: string
  program: ServerProgram
  /** Port on 127.0.0.1. */
  port: number
  say: Say
  /** Keeps the data there (append-only file). Absent: in memory only. */
  dir?: string
  /** Address space that the process may take; one that wants more ends. Default 3 GiB, at most half of the machine. */
  memoryBytes?: number
  /** Beside those that every server gets. */
  args: readonly string[]
  /** A command that is answered with an array as soon as the server does its work. */
  question: string
}

export interface RunningServer {
  /** redis://127.0.0.1:PORT */
  url: string
  pid: number
  process: ChildProcess
  /** Ends the process and returns when it is gone; never fails. */
  stop (): Promise<void>
}

/**
 * Starts a server on 127.0.0.1 and returns when it answers. It ends with this process, also when that is killed.
 * @throws with the server's last lines if it does not answer within 30 s; nothing is left running then
 */
export async function startServer ({ name, program, port, say, dir, memoryBytes = defaultMemory(), args, question }: ServerOptions): Promise<RunningServer> {
  if (dir !== undefined) await mkdir(dir, { recursive: true })
  const home = dir ?? await mkdtemp(join(tmpdir(), `${name.toLowerCase()}-`))
  const child = spawn(...await bounded(memoryBytes, [
    program.server, '--bind', '127.0.0.1', '--port', String(port), '--dir', home,
    '--save', '', '--appendonly', dir === undefined ? 'no' : 'yes', ...args
  ]), {
    // A Ctrl-C in the terminal goes to whoever started this, which stops it in order.
    detached: true,
    env: { ...process.env, ...program.env },
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
      // A running command can hold up the end.
      const patience = setTimeout(() => child.kill('SIGKILL'), 5_000)
      await gone
      clearTimeout(patience)
    }
    if (dir === undefined) await rm(home, { recursive: true, force: true })
  }
  try {
    await untilReady(name, question, child, port, () => output)
  } catch (error) {
    await stop()
    throw error
  }
  child.once('exit', (code, signal) => {
    if (stopping) return
    say(`${name} ended (${signal ?? `exit code ${code}`}): ${reason(output)}`)
    if (dir === undefined) rm(home, { recursive: true, force: true }).catch(error => say(`${home} could not be removed: ${error.message}`))
  })
  return { url: `redis://127.0.0.1:${port}`, pid: child.pid!, process: child, stop }
}

/** Of memoryBytes, where none is given. */
export function defaultMemory (): number {
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

async function untilReady (name: string, question: string, child: ChildProcess, port: number, output: () => string): Promise<void> {
  let failure: Error | undefined
  child.once('error', error => { failure = error })
  for (const end = Date.now() + 30_000; Date.now() < end; await delay(50)) {
    if (failure !== undefined || !isRunning(child)) break
    if (isReady(await ask(port, question), child.pid!)) return
  }
  const what = isRunning(child) ? 'does not answer within 30 s' : 'ended at its start'
  throw new Error(`${name} ${what} (port ${port}): ${failure?.message ?? reason(output())}\n${lastLines(output())}`, { cause: failure })
}

/** The answers to PING, the question and INFO in the order asked; the process id tells our server from another one on this port. */
function isReady (answer: string, pid: number): boolean {
  return answer.startsWith('+PONG\r\n*') && answer.includes(`\r\nprocess_id:${pid}\r\n`)
}

async function ask (port: number, question: string): Promise<string> {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8').setTimeout(2_000)
  let answer = ''
  socket.on('data', text => { answer += text })
  socket.on('timeout', () => socket.destroy())
  // Refused while the server is starting: the empty answer says so.
  socket.on('error', () => {})
  socket.write(`PING\r\n${question}\r\nINFO server\r\nQUIT\r\n`)
  await new Promise<void>(resolve => { socket.on('close', () => resolve()) })
  return answer
}

/** The line of a server's log that tells why it ended. */
function reason (output: string): string {
  const telling = output.split('\n').filter(line => /out of memory|cannot open shared|assertion|crashed by signal|can't load module|fatal|address already in use|# .*(failed|error)/i.test(line))
  return telling[0]?.trim() ?? lastLines(output, 1)
}
