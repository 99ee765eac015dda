/** The commands of API keys, on the file of the stack under test. */
import { execFile } from 'node:child_process'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { readStack, repository, stackPath } from './stack-file.ts'

const exec = promisify(execFile)

/** Runs `make api-key`, `make api-keys` or `make revoke-api-key`. @returns what it prints, without the last line break @throws with its words where it fails */
export async function apiKeys (command: 'make' | 'list' | 'revoke', settings: Record<string, string> = {}): Promise<string> {
  const { compose } = readStack()
  const where = compose === undefined ? { DEV_DIR: dirname(stackPath()) } : { API_KEYS_FILE: join(String(compose.env.CONFIG_DIR), 'api-keys.json') }
  const { stdout } = await exec(process.execPath, ['deploy/api-keys.ts', command], { cwd: repository, env: { PATH: process.env.PATH, ...where, ...settings } })
  return stdout.trimEnd()
}
