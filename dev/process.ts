/** One part of a stack as a process: its output in a file, its life bound to this process, its end in order. */
import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { warningIn } from './log-watch.ts'
import { lastLines, onPath } from './programs/run.ts'
import type { Running } from './supervisor.ts'

export interface ProcessOptions {
  /** The program and its arguments. */
  command: readonly [string, ...string[]]
  cwd?: string
  /** The whole environment of the process. */
  env: NodeJS.ProcessEnv
  /** File that both outputs are appended to. */
  log: string
  /** Whether the process answers; asked until it does. */
  isReady: (signal: AbortSignal) => Promise<boolean>
  /** Milliseconds until it must answer. */
  startMs?: number
  /** Milliseconds from SIGTERM to SIGKILL. */
  graceMs?: number
}

/**
 * Starts a process and returns when it answers. The kernel ends it when this process dies, however that happens.
 * @throws with the last lines of its log if it does not answer; nothing is left running then
 */
export async function startProcess (options: ProcessOptions, signal: AbortSignal): Promise<Running> {
  const { command, cwd, env, log, isReady, startMs = 60_000, graceMs = 25_000 } = options
  signal.throwIfAborted()
  const [program, ...args] = await boundToParent(command)
  const output = openSync(log, 'a')
  const from = (await stat(log)).size
  const child = spawn(program, args, {
    cwd,
    env,
    stdio: ['ignore', output, output],
    // A Ctrl-C of the terminal goes to its foreground group: only the stack's own process may get it, or the order of the stop is lost.
    detached: true
  })
  closeSync(output)
  const ended = endOf(child).then(async why => `${why}${await tellingEnd(log, from)}`)
  const running: Running = { pid: child.pid, ended, stop: () => stopProcess(child, ended, graceMs) }
  try {
    await untilReady(child, isReady, startMs, signal)
    return running
  } catch (error) {
    const dead = hasEnded(child)
    await running.stop()
    if (signal.aborted) throw error
    throw new Error(dead ? await ended : `${(error as Error).message}${await tellingEnd(log, from)}`, { cause: error })
  }
}

/** PR_SET_PDEATHSIG through util-linux, which Debian always has: the process keeps its pid and dies with its parent. */
async function boundToParent (command: readonly [string, ...string[]]): Promise<readonly [string, ...string[]]> {
  const setpriv = await onPath('setpriv')
  return setpriv === undefined ? command : [setpriv, '--pdeathsig', 'KILL', '--', ...command]
}

const hasEnded = (child: ChildProcess) => child.pid === undefined || child.exitCode !== null || child.signalCode !== null

function endOf (child: ChildProcess): Promise<string> {
  return new Promise(resolve => {
    child.once('error', error => resolve(`could not be started (${error.message})`))
    child.once('exit', (code, signal) => resolve(signal === null ? `ended with exit code ${code}` : `ended by ${signal}`))
  })
}

async function untilReady (child: ChildProcess, isReady: ProcessOptions['isReady'], startMs: number, signal: AbortSignal) {
  const deadline = AbortSignal.timeout(startMs)
  const either = AbortSignal.any([deadline, signal])
  while (!hasEnded(child)) {
    // Another process may hold the port: only a child that lives can be the one that answered.
    if (await isReady(either) && !hasEnded(child)) return
    signal.throwIfAborted()
    if (deadline.aborted) throw new Error(`does not answer within ${startMs / 1000} s`)
    await delay(40)
  }
  throw new Error('ended at its start')
}

async function stopProcess (child: ChildProcess, ended: Promise<string>, graceMs: number): Promise<void> {
  if (hasEnded(child)) return
  child.kill('SIGTERM')
  const patience = setTimeout(() => child.kill('SIGKILL'), graceMs)
  await ended
  clearTimeout(patience)
}

/** The last lines that the process wrote since `from`, on lines of their own; '' where there are none. */
async function tellingEnd (log: string, from: number): Promise<string> {
  const file = await open(log)
  try {
    const { size } = await file.stat()
    const start = Math.max(from, size - 4_096)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - start), 0, size - start, start)
    const written = buffer.toString('utf8', 0, bytesRead).split('\n')
    // The first line of a window in the middle of the file is a part of one.
    const said = (start > from ? written.slice(1) : written).flatMap(telling)
    const lines = lastLines(said.join('\n'), 8)
    return lines === '' ? '' : `\n${lines.replace(/^/gm, '    ')}\n  (${log})`
  } finally {
    await file.close()
  }
}

/** What a line tells a person: of JSON its warnings alone, and not where in its code a program failed. */
function telling (line: string): string[] {
  if (line.startsWith('{"')) return [warningIn(line)].filter(warning => warning !== undefined)
  return line.trim() === '' || /^\s+at /.test(line) ? [] : [line]
}

/** Whether an HTTP GET of the URL is answered 200 within two seconds. */
export async function answersOk (url: string, signal: AbortSignal): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(2_000)]), headers: { connection: 'close' } })
    await response.body?.cancel()
    return response.status === 200
  } catch {
    // Refused, reset or silent: it does not answer yet, and the caller asks again.
    return false
  }
}
