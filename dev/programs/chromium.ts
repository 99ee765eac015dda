/** Has Chromium on this machine, for the tests of pages and their pictures: a given or installed one, else Debian's. */
import { cached } from './cache.ts'
import { attempt, onPath, run, type Say } from './run.ts'

const help = 'install it (Debian: apt-get install chromium) or name a Chromium or Chrome in CHROMIUM_BIN'

/** As Debian, Fedora, Arch and Google name it. */
const names = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome']

/**
 * The Chromium of this machine: CHROMIUM_BIN, the PATH, else Debian's package, which is installed where this is root.
 * @returns the path of the program
 * @throws with what to install if there is none, or if CHROMIUM_BIN names something else
 */
export async function findChromium (say: Say): Promise<string> {
  const given = process.env.CHROMIUM_BIN
  if (given) {
    if (!await runs(given)) throw new Error(`CHROMIUM_BIN=${given} does not run: it must be Chromium or Chrome.`)
    return given
  }
  const installed = await installedHere()
  if (installed !== undefined) return installed
  if (process.getuid?.() !== 0 || await onPath('apt-get') === undefined) throw new Error(`There is no Chromium on the PATH: ${help}.`)
  // Nothing is put into the cache's folder: its lock keeps two test files from installing at once.
  await cached('chromium', say, async () => await installedHere() !== undefined, () => install(say))
  return (await installedHere())!
}

async function installedHere (): Promise<string | undefined> {
  for (const name of names) {
    const path = await onPath(name)
    if (path !== undefined && await runs(path)) return path
  }
}

/** Ubuntu's chromium-browser is a stub that tells of a snap, for one. */
async function runs (path: string): Promise<boolean> {
  const { code, stdout } = await attempt(path, ['--version']).catch(() => ({ code: 1, stdout: '' }))
  return code === 0 && /\bChrom(?:e|ium)\b.* \d+\./.test(stdout)
}

async function install (say: Say): Promise<void> {
  say('installing chromium from Debian by apt-get (about 100 MB to download); name another one in CHROMIUM_BIN to avoid it')
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  try {
    await run('apt-get', ['update'], { env })
    await run('apt-get', ['install', '--yes', '--no-install-recommends', 'chromium'], { env })
  } catch (cause) {
    throw new Error(`Chromium could not be installed: ${help}.\n${(cause as Error).message}`, { cause })
  }
}
