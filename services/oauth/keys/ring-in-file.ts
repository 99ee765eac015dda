/** The ring in a file that only the service may read. A folder that the replicas share holds it for all of them. */
import { chownSync, closeSync, existsSync, fchmodSync, fsyncSync, openSync, renameSync, rmSync, statSync, writeFileSync, type Stats } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { ConfigurationError } from '@gateway/common/config.ts'
import { readTextFile } from '@gateway/common/watched-file.ts'
import type { RingStorage } from './ring-storage.ts'
import { formatRing, parseRing } from './stored-ring.ts'

/** For how long a second writer waits for the first, in milliseconds. */
const patienceMs = 5_000

/** @param waitMs for how long a second writer waits for the first */
export function ringInFile (path: string, waitMs = patienceMs): RingStorage {
  const read = async () => existsSync(path) ? parseRingFile(path, readTextFile(path)) : undefined
  return {
    where: path,
    read,
    change: async change => {
      // Only one can make this file: it is the lock, and what is renamed into place.
      const next = `${resolve(path)}.new`
      const file = await openExclusively(next, waitMs)
      try {
        const former = await read()
        const ring = change(former)
        if (ring === undefined || ring === former) {
          rmSync(next)
          return ring
        }
        writeFileSync(file, formatRing(ring))
        if (former !== undefined) keepOwner(file, next, statSync(path))
        fsyncSync(file)
        renameSync(next, path)
        syncFolder(dirname(next))
        return ring
      } catch (error) {
        rmSync(next, { force: true })
        throw error
      } finally {
        closeSync(file)
      }
    }
  }
}

/**
 * The ring of a file's text, which nobody but its owner and group may read. A group may: Kubernetes gives it the files of a volume.
 * @throws ConfigurationError
 */
export function parseRingFile (path: string, text: string) {
  if ((statSync(path).mode & 0o007) !== 0) throw new ConfigurationError([`${path} holds the keys that sign tokens, and every user of this machine may read it: chmod 600 ${path}, and if somebody else could, make rotate-keys NOW=true`])
  return parseRing(text)
}

async function openExclusively (path: string, waitMs: number): Promise<number> {
  for (const end = Date.now() + waitMs; ; await delay(50)) {
    try {
      return openSync(path, 'wx', 0o600)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT') throw new ConfigurationError([`${dirname(path)}, the folder of SIGNING_KEYS_FILE, is not there; make it, for the user of the service alone`])
      if (code !== 'EEXIST') throw new ConfigurationError([`${path} cannot be written (${code}); the service runs as user ${process.getuid?.()}, let that user write to the folder`])
      if (Date.now() > end) throw new ConfigurationError([`another process is writing the keys, or was killed while it did. If none does, remove ${path} and try again`])
    }
  }
}

// Else the service could no longer read its own file after a command of root.
function keepOwner (file: number, path: string, { uid, gid, mode }: Stats): void {
  const made = statSync(path)
  try {
    if (made.uid !== uid || made.gid !== gid) chownSync(path, uid, gid)
    fchmodSync(file, mode & 0o770)
  } catch (cause) {
    throw new ConfigurationError([`the file of the keys belongs to user ${uid} and group ${gid}, which this user cannot give a new one to (${(cause as NodeJS.ErrnoException).code}); run the command as that user or as root`])
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
