/** Has Traefik on this machine: a given or installed one, the official release, or a build from source. */
import { createHash } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cached } from './cache.ts'
import { attempt, isExecutable, onPath, run, type Say } from './run.ts'

/** The version that is downloaded or built; deploy/traefik/go.mod names the same one. */
export const traefikVersion = '3.7.12'

const toolModule = join(import.meta.dirname, '../../deploy/traefik')
const releases = `https://github.com/traefik/traefik/releases/download/v${traefikVersion}`
const help = 'put Traefik 3.7 (3.7.12 or newer) on the PATH or name it in TRAEFIK_BIN, or install Go 1.26 or newer to build it'

/**
 * The Traefik of this machine: TRAEFIK_BIN, the PATH, `.cache/`, the official release with its checksum, else a build of the pinned source.
 * @returns the path of the program
 * @throws with what to install if none can be had, or if TRAEFIK_BIN names an unfit one
 */
export async function findTraefik (say: Say): Promise<string> {
  const given = process.env.TRAEFIK_BIN
  if (given) {
    const version = await versionOf(given)
    if (!isFit(version)) throw new Error(`TRAEFIK_BIN=${given} ${version === undefined ? 'does not run' : `is version ${version}`}: it must be Traefik 3.7, at least ${traefikVersion}.`)
    return given
  }
  const installed = await onPath('traefik')
  if (installed !== undefined) {
    const version = await versionOf(installed)
    if (isFit(version)) return installed
    say(`${installed} is not used: it is version ${version ?? 'unknown'}, and the routes want Traefik 3.7, at least ${traefikVersion}`)
  }
  const isSound = async (folder: string) => await versionOf(join(folder, 'traefik')) === traefikVersion
  const folder = await cached(`traefik/${traefikVersion}`, say, isSound, async folder => {
    try {
      await download(folder, say)
    } catch (error) {
      if (error instanceof ChecksumError) throw error
      const { message, cause } = error as Error
      say(`the official Traefik release cannot be had (${cause instanceof Error ? cause.message : message})`)
      await build(folder, say)
    }
  })
  return join(folder, 'traefik')
}

/** What `traefik version` says, or undefined if the file does not run. */
async function versionOf (path: string): Promise<string | undefined> {
  if (!await isExecutable(path)) return undefined
  const { stdout } = await attempt(path, ['version'])
  return /^Version:\s+v?(\S+)/m.exec(stdout)?.[1]
}

/** Whether a version is of the line 3.7 and no older than ours. */
export function isFit (version: string | undefined): boolean {
  const patch = /^3\.7\.(\d+)$/.exec(version ?? '')?.[1]
  return patch !== undefined && Number(patch) >= Number(traefikVersion.split('.')[2])
}

class ChecksumError extends Error {}

async function download (folder: string, say: Say): Promise<void> {
  const architecture = { x64: 'amd64', arm64: 'arm64' }[process.arch as string]
  const name = `traefik_v${traefikVersion}_${process.platform}_${architecture}.tar.gz`
  say(`downloading the official Traefik ${traefikVersion} release from GitHub (giving up after 10 s without an answer)`)
  const sums = (await fetchAll(`${releases}/traefik_v${traefikVersion}_checksums.txt`)).toString()
  const archive = await fetchAll(`${releases}/${name}`)
  requireChecksum(archive, name, sums)
  const file = join(folder, name)
  await writeFile(file, archive)
  await run('tar', ['-xzf', file, '-C', folder, 'traefik'])
  await rm(file)
}

/**
 * Compares an archive with its line in a release's list of SHA-256 sums.
 * @throws ChecksumError if it differs or is not listed: it must not be used, nor passed over in silence
 */
export function requireChecksum (archive: Buffer, name: string, sums: string): void {
  const expected = sums.split('\n').map(line => line.trim().split(/\s+\*?/)).find(([, file]) => file?.replace(/^\.\//, '') === name)?.[0]
  const actual = createHash('sha256').update(archive).digest('hex')
  if (expected !== actual) throw new ChecksumError(`${name} has the SHA-256 ${actual}, but the release says ${expected ?? 'nothing about it'}: it is not used. Try again, or ${help}.`)
}

/** The whole body; gives up when nothing has arrived for 10 s. */
async function fetchAll (url: string): Promise<Buffer> {
  const patience = new AbortController()
  const timer = setTimeout(() => patience.abort(new Error(`no answer from ${new URL(url).host} within 10 s`)), 10_000)
  try {
    const response = await fetch(url, { signal: patience.signal })
    if (!response.ok || response.body === null) throw new Error(`${url} answered ${response.status}`)
    const chunks: Uint8Array[] = []
    for await (const chunk of response.body) {
      chunks.push(chunk)
      timer.refresh()
    }
    return Buffer.concat(chunks)
  } finally {
    clearTimeout(timer)
  }
}

async function build (folder: string, say: Say): Promise<void> {
  const go = await onPath('go')
  if (go === undefined) throw new Error(`Traefik cannot be had: its release cannot be downloaded, and Go is not installed. To go on, ${help}.`)
  say('building Traefik from source, about 5 minutes the first time')
  const start = Date.now()
  const progress = setInterval(() => say(`still building Traefik (${Math.round((Date.now() - start) / 1000)} s)`), 30_000)
  try {
    await run(go, [
      'build', '-mod=readonly', '-buildvcs=false', '-o', join(folder, 'traefik'),
      '-ldflags', `-s -w -X github.com/traefik/traefik/v3/pkg/version.Version=${traefikVersion}`,
      'github.com/traefik/traefik/v3/cmd/traefik'
    ], { cwd: toolModule, env: { CGO_ENABLED: '0', GOWORK: 'off' } })
  } catch (cause) {
    throw new Error(`Traefik could not be built: ${help}.\n${(cause as Error).message}`, { cause })
  } finally {
    clearInterval(progress)
  }
}
