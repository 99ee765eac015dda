/** The file of API keys as an operator's machine has it: where it lies, and how it is changed while the gate reads it. */
import { chmodSync, chownSync, closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, statSync, writeFileSync, type Stats } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { ConfigurationError } from '@gateway/common/config.ts'
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

/** For how long a second writer waits for the first, in milliseconds. */
const patienceMs = 5_000

/**
 * Changes the keys of a file, whole or not at all; its owner and mode stay. A second writer waits for the first.
 * @throws ApiKeyFileError where the file is broken, another is at work for too long, or its owner cannot be kept
 */
export async function changeApiKeys (path: string, change: (keys: ApiKeyEntry[]) => ApiKeyEntry[], waitMs = patienceMs): Promise<void> {
  // Only one can make this file: it is the lock, and what is renamed into place.
  const next = `${resolve(path)}.new`
  const file = await openExclusively(next, waitMs)
  try {
    const keys = change(readApiKeyFile(path))
    const text = formatApiKeys(keys)
    parseApiKeys(text)
    writeFileSync(file, text)
    keepOwner(next, statSync(path))
    fsyncSync(file)
    renameSync(next, path)
  } catch (error) {
    rmSync(next, { force: true })
    throw error
  } finally {
    closeSync(file)
  }
  syncFolder(dirname(next))
}

async function openExclusively (path: string, waitMs: number): Promise<number> {
  for (const end = Date.now() + waitMs; ; await delay(50)) {
    try {
      return openSync(path, 'wx', 0o600)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'EEXIST') throw new ApiKeyFileError(`${path} cannot be written (${code})`, { cause: error })
      if (Date.now() > end) throw new ApiKeyFileError(`Another command is changing the keys, or was killed while it did. If none runs, remove ${path} and try again.`)
    }
  }
}

// Else the gate could no longer read its own file.
function keepOwner (path: string, { uid, gid, mode }: Stats): void {
  const made = statSync(path)
  try {
    if (made.uid !== uid || made.gid !== gid) chownSync(path, uid, gid)
    chmodSync(path, mode & 0o777)
  } catch (error) {
    throw new ApiKeyFileError(`The file belongs to user ${uid} and group ${gid}, which this user cannot give a new one to; run the command as that user or as root.`, { cause: error })
  }
}

// A rename is on disk when its folder is.
function syncFolder (folder: string): void {
  const file = openSync(folder, 'r')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}
