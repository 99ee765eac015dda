/** Running other programs: to their end, or looking for them on the PATH. */
import { spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { delimiter, join } from 'node:path'

/** Takes one line that tells the user what is being done. */
export type Say = (line: string) => void

export interface RunOptions {
  cwd?: string
  /** Added to this process's environment. */
  env?: Record<string, string>
}

/**
 * Runs a program to its end.
 * @returns its exit code, its standard output, and both outputs together
 * @throws if it cannot be started
 */
export async function attempt (command: string, args: string[], { cwd, env }: RunOptions = {}): Promise<{ code: number | null, stdout: string, output: string }> {
  const child = spawn(command, args, { cwd, env: { ...process.env, LC_ALL: 'C', ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let output = ''
  child.stdout.setEncoding('utf8').on('data', text => { stdout += text; output += text })
  child.stderr.setEncoding('utf8').on('data', text => { output += text })
  const code = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve))
  return { code, stdout, output }
}

/**
 * Runs a program that must succeed.
 * @returns its standard output
 * @throws with the program's last lines if it fails
 */
export async function run (command: string, args: string[], options?: RunOptions): Promise<string> {
  const { code, stdout, output } = await attempt(command, args, options)
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} failed (exit code ${code}):\n${lastLines(output)}`)
  return stdout
}

/** The end of a program's output, as much as a terminal shows at a glance. */
export function lastLines (text: string, count = 12): string {
  return text.trimEnd().split('\n').slice(-count).join('\n')
}

/** The full path of a program on the PATH, or undefined. */
export async function onPath (name: string): Promise<string | undefined> {
  for (const folder of (process.env.PATH ?? '').split(delimiter).filter(Boolean)) {
    if (await isExecutable(join(folder, name))) return join(folder, name)
  }
}

/** Whether this user may execute the file. */
export async function isExecutable (path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(() => true, () => false)
}
