/** Where a command of make works: the dev stack of DEV_DIR, else the server that the environment names, else the compose stack, whose servers only its containers reach. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { CommandError } from '@gateway/common/command.ts'
import { defaultDir, readStackFile, StackError, type StackFile } from './file.ts'

export interface Nearest<Place> {
  /** The server that the command wants, and the variable that names one. */
  server: string
  variable: string
  inStack: (stack: StackFile) => Place
  inEnvironment: () => Place
}

/**
 * The place nearest to whoever runs the command; one line says which.
 * @returns undefined where only the compose stack is left
 * @throws CommandError where DEV_DIR names a folder in which no stack runs
 */
export async function nearest<Place> (env: NodeJS.ProcessEnv, { server, variable, inStack, inEnvironment }: Nearest<Place>): Promise<Place | undefined> {
  const dir = env.DEV_DIR || defaultDir
  try {
    const stack = await readStackFile(dir)
    process.stdout.write(`In the dev stack of ${dir}:\n`)
    return inStack(stack)
  } catch (error) {
    if (!(error instanceof StackError)) throw error
    if (env.DEV_DIR) throw new CommandError(error.message)
  }
  if (!env[variable] && !env[`${variable}_FILE`]) return undefined
  process.stdout.write(`In the ${server} of ${variable}:\n`)
  return inEnvironment()
}

type Streams = ['pipe' | 'ignore', 'pipe' | 'inherit', 'inherit']

/**
 * Runs a command of a service's `commands/` in that service's container of the compose stack, with those words.
 * @param variable what the caller could have set to need no container
 */
export function inContainer (service: 'verify' | 'mcp' | 'oauth', command: string, variable: string, words: Record<string, string | undefined>, stdio: Streams = ['ignore', 'inherit', 'inherit']) {
  const args = Object.entries(words).filter(([, value]) => value).map(([name, value]) => `${name}=${value}`)
  const child = spawn('docker', ['compose', 'exec', '-T', service, 'node', `services/${service}/commands/${command}.ts`, ...args], { cwd: resolve(import.meta.dirname, '../..'), stdio })
  const ended = once(child, 'close').then(([code]) => {
    // It has said why.
    if (code !== 0) process.exitCode = 1
  }, (error: Error) => { throw new CommandError(`No dev stack runs in ${defaultDir}, ${variable} is not set, and docker compose could not be run (${error.message}). Set ${variable}, or DEV_DIR.`) })
  return { child, ended }
}
