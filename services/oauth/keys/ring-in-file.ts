/** The ring in a file that only the service may read. A folder that the replicas share holds it for all of them. */
import { existsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { ConfigurationError } from '@gateway/common/config.ts'
import { replaceFile, type ReplaceFileOptions } from '@gateway/common/replace-file.ts'
import { readTextFile } from '@gateway/common/watched-file.ts'
import type { RingStorage } from './ring-storage.ts'
import { formatRing, parseRing } from './stored-ring.ts'

/** @param waitMs for how long a second writer waits for the first */
export function ringInFile (path: string, waitMs?: number): RingStorage {
  const read = async () => existsSync(path) ? parseRingFile(path, readTextFile(path)) : undefined
  return {
    where: path,
    read,
    change: async change => {
      let ring: ReturnType<typeof change>
      await replaceFile(path, { waitMs, modes: 0o770, faults }, async () => {
        const former = await read()
        ring = change(former)
        return ring === undefined || ring === former ? undefined : formatRing(ring)
      })
      return ring
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

const faults: ReplaceFileOptions['faults'] = {
  busy: lock => new ConfigurationError([`another process is writing the keys, or was killed while it did. If none does, remove ${lock} and try again`]),
  refused: (lock, code) => new ConfigurationError([code === 'ENOENT'
    ? `${dirname(lock)}, the folder of SIGNING_KEYS_FILE, is not there; make it, for the user of the service alone`
    : `${lock} cannot be written (${code}); the service runs as user ${process.getuid?.()}, let that user write to the folder`]),
  foreign: ({ uid, gid }, code) => new ConfigurationError([`the file of the keys belongs to user ${uid} and group ${gid}, which this user cannot give a new one to (${code}); run the command as that user or as root`])
}
