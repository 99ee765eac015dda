/** What this machine has and lacks for make dev and make up. Installs nothing. */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { cacheFolder } from '../programs/cache.ts'
import { findFalkordb } from '../programs/falkordb.ts'
import { attempt, isExecutable, lastLines, onPath } from '../programs/run.ts'
import { findTraefik, isFit, traefikVersion } from '../programs/traefik.ts'
import { missingLibraries, packagesOf } from '../programs/valkey.ts'
import { fault, note, ok, type Finding } from './finding.ts'

/** Programs and libraries, in the order in which a first start needs them. */
export async function examineMachine (env: NodeJS.ProcessEnv): Promise<Finding[]> {
  return [
    ok(`Node ${process.versions.node} on ${process.platform}-${process.arch}`),
    await onPath('npm') === undefined ? fault('npm is missing', 'install it with Node.js: https://nodejs.org, or apt-get install npm') : ok('npm'),
    await onPath('setpriv') === undefined ? note('setpriv is missing: a killed make dev would leave its parts behind', 'install util-linux') : ok('setpriv'),
    ...await examineTraefik(env),
    ...env.FALKORDB_URL ? [ok('FALKORDB_URL is set: no embedded FalkorDB is needed')] : await examineFalkordb(),
    ...await examineDocker()
  ]
}

const ignore = () => {}

async function examineTraefik (env: NodeJS.ProcessEnv): Promise<Finding[]> {
  if (env.TRAEFIK_BIN || existsSync(join(cacheFolder, 'traefik', traefikVersion))) {
    try {
      return [ok(`Traefik: ${await findTraefik(ignore)}`)]
    } catch (error) {
      return [fault((error as Error).message, 'correct or unset TRAEFIK_BIN')]
    }
  }
  const installed = await onPath('traefik')
  const version = installed && /^Version:\s+v?(\S+)/m.exec((await attempt(installed, ['version'])).stdout)?.[1]
  if (installed && isFit(version)) return [ok(`Traefik: ${installed}`)]
  const go = await onPath('go')
  const here = installed ? `Traefik ${version} of ${installed} does not fit (3.7, at least ${traefikVersion})` : 'Traefik is not here yet'
  return go === undefined
    ? [note(`${here}; make dev downloads the official release, and has no Go to build it where that cannot be reached`, `put Traefik ${traefikVersion} on the PATH or name it in TRAEFIK_BIN, or install Go 1.26`)]
    : [note(`${here}; make dev downloads the official release or builds it by ${go} (some minutes, once)`)]
}

async function examineFalkordb (): Promise<Finding[]> {
  const folder = moduleFolder()
  if (folder === undefined) return [fault(`There is no embedded FalkorDB for ${process.platform}-${process.arch} in node_modules`, 'run npm ci; where the platform has none use make up, or set FALKORDB_URL')]
  if (existsSync(join(cacheFolder, 'valkey-bookworm'))) {
    try {
      return [ok(`FalkorDB's server: ${(await findFalkordb(ignore)).server}`)]
    } catch (error) {
      return [fault((error as Error).message, 'see the message')]
    }
  }
  const own = join(folder, 'redis-server')
  const server = await fitServer() ?? (await isExecutable(own) && (await missingLibraries(own)).length === 0 ? own : undefined)
  if (server === undefined) {
    return await onPath('apt-get') === undefined
      ? [fault('FalkorDB has no server to run in', 'install valkey or redis 7.2 or newer, or set FALKORDB_URL')]
      : [note('FalkorDB has no server to run in yet; on Debian 12 make dev downloads Valkey into .cache/ (20 MB), elsewhere install valkey or redis 7.2 or newer')]
  }
  const missing = await missingLibraries(join(folder, 'falkordb.so'))
  if (missing.length === 0) return [ok(`FalkorDB's server: ${server}`)]
  return [fault(`FalkorDB's module lacks ${missing.join(', ')}`, `apt-get install ${packagesOf(missing).join(' ') || 'a newer C library'}, or set FALKORDB_URL`)]
}

function moduleFolder (): string | undefined {
  try {
    return join(dirname(createRequire(import.meta.url).resolve(`@falkordblite/${process.platform}-${process.arch}/package.json`)), 'bin')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND') return undefined
    throw error
  }
}

async function fitServer (): Promise<string | undefined> {
  for (const name of ['valkey-server', 'redis-server']) {
    const path = await onPath(name)
    const [, major, minor] = /\bv=(\d+)\.(\d+)/.exec(path === undefined ? '' : (await attempt(path, ['--version'])).output) ?? []
    if (Number(major) > 7 || (Number(major) === 7 && Number(minor) >= 2)) return path
  }
}

/** Docker serves make up alone, so that its absence is no fault. */
async function examineDocker (): Promise<Finding[]> {
  const install = 'install Docker with its compose plugin: https://docs.docker.com/engine/install'
  if (await onPath('docker') === undefined) return [note('docker is missing: make up cannot run here, make dev can', install)]
  const engine = await attempt('docker', ['version', '--format', '{{.Server.Version}}'])
  if (engine.code !== 0) return [note(`no docker engine answers (${lastLines(engine.output, 1)}): make up cannot run, make dev can`, 'start the engine, or let this user reach it')]
  const compose = await attempt('docker', ['compose', 'version', '--short'])
  if (compose.code !== 0) return [note('docker has no compose plugin: make up cannot run here, make dev can', install)]
  return [ok(`docker ${engine.stdout.trim()}, compose ${compose.stdout.trim()}`), ...await examineContainers()]
}

/** Containers of the compose stack that do not do their work. */
async function examineContainers (): Promise<Finding[]> {
  const { code, stdout } = await attempt('docker', ['compose', 'ps', '--all', '--format', '{{.Service}} {{.State}} {{.Health}}'])
  if (code !== 0) return []
  return stdout.split('\n').filter(Boolean).map(line => {
    const [service = '', state = '', health = ''] = line.split(' ')
    const well = state === 'running' ? health === '' || health === 'healthy' : false
    return well ? ok(`container ${service}: ${health || state}`) : fault(`container ${service} is ${health && state === 'running' ? health : state}`, `docker compose logs --tail 50 ${service}`)
  })
}
