/** A file that is changed whole or not at all, by one writer at a time, and keeps its owner and mode. */
import { chownSync, closeSync, existsSync, fchmodSync, fsyncSync, openSync, renameSync, rmSync, statSync, writeFileSync, type Stats } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

export interface ReplaceFileOptions {
  /** For how long a second writer waits for the first, in milliseconds. */
  waitMs?: number | undefined
  /** Bits of the former file's mode that the new one may have. */
  modes: number
  /** What is thrown, in the words of whose file it is. */
  faults: {
    /** Another writer did not end in time, or was killed. @param lock the file to remove then */
    busy: (lock: string) => Error
    /** It cannot be made. @param code of the system, e.g. ENOENT where the folder is not there */
    refused: (lock: string, code: string | undefined, cause: unknown) => Error
    /** The former file's owner cannot be kept. */
    foreign: (owner: Pick<Stats, 'uid' | 'gid'>, code: string | undefined, cause: unknown) => Error
  }
}

/** For so long a second writer usually waits, in milliseconds. */
const patienceMs = 5_000

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code

/**
 * Writes a file anew while nobody else can.
 * @param make the new text, from what the file holds now; undefined: it stays as it is
 * @throws as `faults` says, or what `make` throws; the file is then as it was
 */
export async function replaceFile (path: string, { waitMs = patienceMs, modes, faults }: ReplaceFileOptions, make: () => string | undefined | Promise<string | undefined>): Promise<void> {
  // Only one can make this file: it is the lock, and what is renamed into place.
  const next = `${resolve(path)}.new`
  const file = await openExclusively(next, waitMs, faults)
  try {
    const text = await make()
    if (text === undefined) return rmSync(next)
    writeFileSync(file, text)
    if (existsSync(path)) keepOwner(file, next, statSync(path), modes, faults)
    fsyncSync(file)
    renameSync(next, path)
    syncFolder(dirname(next))
  } catch (error) {
    rmSync(next, { force: true })
    throw error
  } finally {
    closeSync(file)
  }
}

async function openExclusively (path: string, waitMs: number, faults: ReplaceFileOptions['faults']): Promise<number> {
  for (const end = Date.now() + waitMs; ; await delay(50)) {
    try {
      return openSync(path, 'wx', 0o600)
    } catch (error) {
      const code = codeOf(error)
      if (code !== 'EEXIST') throw faults.refused(path, code, error)
      if (Date.now() > end) throw faults.busy(path)
    }
  }
}

// Else a service could no longer read its own file after a command of root.
function keepOwner (file: number, path: string, { uid, gid, mode }: Stats, modes: number, faults: ReplaceFileOptions['faults']): void {
  const made = statSync(path)
  try {
    if (made.uid !== uid || made.gid !== gid) chownSync(path, uid, gid)
    fchmodSync(file, mode & modes)
  } catch (error) {
    throw faults.foreign({ uid, gid }, codeOf(error), error)
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
