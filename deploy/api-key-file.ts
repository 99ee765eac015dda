/** The file of API keys as an operator's machine has it: where it lies, and how it is changed while the gate reads it. */
import { chmodSync, chownSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { ConfigurationError } from '@gateway/common/config.ts'
import { replaceFile, type ReplaceFileOptions } from '@gateway/common/replace-file.ts'
import { readTextFile } from '@gateway/common/watched-file.ts'
import { formatApiKeys, parseApiKeys, type ApiKeyEntry } from '../services/verify/credentials/api-key-file.ts'
import { users } from './settings.ts'

const repository = resolve(import.meta.dirname, '..')
/** Where verify's container has CONFIG_DIR. */
const containerFolder = '/config/'

/** A fault that its reader can mend: shown without a stack trace. */
export class ApiKeyFileError extends Error {
  override readonly name = 'ApiKeyFileError'
}

/** The key file of a stack of processes. */
export const apiKeysInStack = (dir: string) => join(dir, 'config/api-keys.json')
/** The key file as verify's container knows it. */
export const apiKeysPath = ({ API_KEYS_FILE: path }: NodeJS.ProcessEnv) => path || `${containerFolder}api-keys.json`
/** Whether it lies in the folder that CONFIG_DIR is mounted as. */
export const isInConfig = (path: string) => path.startsWith(containerFolder) && !path.includes('..')

/** Where on this machine a file of CONFIG_DIR lies that verify's container knows by this path. */
export function hostPath (path: string, { CONFIG_DIR: folder }: NodeJS.ProcessEnv): string {
  return resolve(repository, folder || './config', path.slice(containerFolder.length))
}

/**
 * Makes an empty key file, and its folder, where there is none.
 * @param shared verify runs as a user of its own, in a container; else as this one
 */
export function ensureApiKeyFile (path: string, shared: boolean): void {
  // Root gives both to verify's group. Anybody else can only let all read: the file holds digests, and no key can be found from one.
  const group = shared && process.getuid?.() === 0 ? users.verify : undefined
  const [folderMode, fileMode] = !shared ? [0o700, 0o600] : group === undefined ? [0o755, 0o644] : [0o750, 0o640]
  const own = (path: string, mode: number) => {
    if (group !== undefined) chownSync(path, 0, group)
    // Whatever umask is.
    chmodSync(path, mode)
  }
  const folder = dirname(path)
  if (!existsSync(folder)) {
    mkdirSync(folder, { recursive: true })
    own(folder, folderMode)
  }
  if (existsSync(path)) return
  writeFileSync(path, formatApiKeys([]), { flag: 'wx' })
  own(path, fileMode)
}

/**
 * The keys of a file.
 * @throws ApiKeyFileError where it cannot be read or is broken, with each fault
 */
export function readApiKeyFile (path: string): ApiKeyEntry[] {
  try {
    return parseApiKeys(readTextFile(path))
  } catch (error) {
    if (error instanceof ConfigurationError) throw new ApiKeyFileError(`${path} is left as it is, for it is no file of API keys:\n${error.faults.map(fault => `  - ${fault}`).join('\n')}`, { cause: error })
    throw error
  }
}

/**
 * Changes the keys of a file, whole or not at all; its owner and mode stay. A second writer waits for the first.
 * @throws ApiKeyFileError where the file is broken, another is at work for too long, or its owner cannot be kept
 */
export async function changeApiKeys (path: string, change: (keys: ApiKeyEntry[]) => ApiKeyEntry[], waitMs?: number): Promise<void> {
  await replaceFile(path, { waitMs, modes: 0o777, faults }, () => {
    const text = formatApiKeys(change(readApiKeyFile(path)))
    parseApiKeys(text)
    return text
  })
}

const faults: ReplaceFileOptions['faults'] = {
  busy: lock => new ApiKeyFileError(`Another command is changing the keys, or was killed while it did. If none runs, remove ${lock} and try again.`),
  refused: (lock, code, cause) => new ApiKeyFileError(`${lock} cannot be written (${code})`, { cause }),
  foreign: ({ uid, gid }, _code, cause) => new ApiKeyFileError(`The file belongs to user ${uid} and group ${gid}, which this user cannot give a new one to; run the command as that user or as root.`, { cause })
}
