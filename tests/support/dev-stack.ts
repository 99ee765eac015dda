/** A stack of processes for tests, with a folder of its own, and a stop that looks behind every door. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { family, listening, mentioning, stillListening, stillRunning } from './processes.ts'
import { endWithUs } from './report.ts'
import { repository } from './stack-file.ts'

export interface DevStack {
  /** Path of its stack.json. */
  path: string
  pid: number
  /** All that it has printed until now. */
  output: () => string
  /** Stops it as Ctrl-C does. @returns what it left behind, in words; empty where all is gone */
  stop: () => Promise<string[]>
}

/** Minutes to a ready stack: the first time on a machine, Traefik is built from source. */
const patience = 12

/**
 * Starts a stack as a child process, in a folder of its own, and waits until it is ready.
 * @param env beside this process's own
 * @param script what starts it: the one with test-only tools, or dev/stack.ts as people run it
 * @throws with the stack's own output where it ends before, or is not ready in time
 */
export async function startDevStack (env: Record<string, string>, script = 'tests/support/stack-process.ts'): Promise<DevStack> {
  const folder = mkdtempSync(join(tmpdir(), 'gateway-test-'))
  const child = spawn(process.execPath, [script], {
    cwd: repository, env: { ...process.env, ...env, DEV_DIR: folder }, stdio: ['ignore', 'pipe', 'pipe']
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk: string) => { output += chunk })
  const ended = once(child, 'exit')
  endWithUs(child, 'SIGINT')
  const path = join(folder, 'stack.json')

  const end = Date.now() + patience * 60_000
  while (!isReady(path)) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`the stack ended with ${child.exitCode ?? child.signalCode}:\n${output}`)
    if (Date.now() > end) {
      child.kill('SIGTERM')
      throw new Error(`the stack was not ready after ${patience} minutes:\n${output}`)
    }
    await new Promise(resolve => setTimeout(resolve, 100))
  }

  let stopped: Promise<string[]> | undefined
  const stop = () => {
    stopped ??= stopAll()
    return stopped
  }

  async function stopAll (): Promise<string[]> {
    const members = await family(child.pid as number)
    const ports = await listening(members)
    child.kill('SIGINT')
    const inTime = await Promise.race([ended.then(() => true), new Promise<false>(resolve => setTimeout(() => resolve(false), 30_000).unref())])
    const left = async () => [
      ...[...await stillRunning(members), ...await mentioning(folder)].map(({ pid, command }) => `process ${pid} still runs: ${command.slice(0, 200)}`),
      ...(await stillListening(ports)).map(({ port }) => `port ${port} is still open`)
    ]
    // The kernel takes a moment to clear away a process that was killed.
    for (const end = Date.now() + 2_000; Date.now() < end && (await left()).length > 0;) await new Promise(resolve => setTimeout(resolve, 50))
    const faults = [
      ...(inTime ? [] : ['the stack did not stop within 30 s']),
      ...(existsSync(path) ? ['its stack.json is still there'] : []),
      ...await left()
    ]
    for (const { pid } of await stillRunning(members)) process.kill(pid, 'SIGKILL')
    rmSync(folder, { recursive: true, force: true })
    return [...new Set(faults)]
  }
  return { path, pid: child.pid as number, output: () => output, stop }
}

function isReady (path: string): boolean {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).ready === true
  } catch {
    // Not there yet, or half written.
    return false
  }
}
