/** `.cache/`: programs that were downloaded or built, shared by every stack and test run of this checkout. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { basename, dirname, join } from 'node:path'
import type { Say } from './run.ts'

/** The repository's cache folder. Git ignores it; deleting it costs time only. */
export const cacheFolder = join(import.meta.dirname, '../../.cache')

/**
 * The cache's entry of that name, made if it is absent or no longer sound. Readers see a whole entry or none, whatever dies meanwhile.
 * @param sound tells whether the folder holds a usable entry
 * @param make fills an empty folder, which then becomes the entry
 * @returns the entry's folder
 */
export async function cached (name: string, say: Say, sound: (folder: string) => Promise<boolean>, make: (folder: string) => Promise<void>): Promise<string> {
  const entry = join(cacheFolder, name)
  if (await sound(entry)) return entry
  return await alone(entry, say, async () => {
    if (await sound(entry)) return entry
    await mkdir(dirname(entry), { recursive: true })
    // Left by a process that was killed.
    for (const stale of await readdir(dirname(entry))) {
      if (stale.startsWith(`${basename(entry)}.new-`)) await rm(join(dirname(entry), stale), { recursive: true, force: true })
    }
    const draft = await mkdtemp(`${entry}.new-`)
    try {
      await make(draft)
      if (!await sound(draft)) throw new Error(`What was put into ${draft} does not run.`)
      await rm(entry, { recursive: true, force: true })
      await rename(draft, entry)
    } finally {
      await rm(draft, { recursive: true, force: true })
    }
    return entry
  })
}

/** Does the work while no other process of this machine does it for the same entry. The kernel frees this lock (an abstract socket) however its holder ends. */
async function alone<T> (entry: string, say: Say, work: () => Promise<T>): Promise<T> {
  const path = `\0gateway-${createHash('sha256').update(entry).digest('hex')}`
  for (let told = false; ; told = true) {
    const waiting = new Set<{ destroy (): void }>()
    const lock = createServer(other => {
      waiting.add(other)
      other.on('error', () => other.destroy()).on('close', () => waiting.delete(other))
    })
    try {
      await once(lock.listen({ path }), 'listening')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
      if (!told) say(`waiting for another process that makes ${entry}`)
      await new Promise<void>(resolve => { connect({ path }).on('error', () => {}).on('close', () => resolve()).resume() })
      continue
    }
    try {
      return await work()
    } finally {
      lock.close()
      for (const other of waiting) other.destroy()
    }
  }
}
