/** Starts the processes that are measured. None outlives the bench, however that ends. */
import { readFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { nodeArguments, nodeEnv } from '../dev/node-env.ts'
import { startProcess } from '../dev/process.ts'
import { attempt, lastLines } from '../dev/programs/run.ts'

const root = resolve(import.meta.dirname, '..')

export interface Child {
  name: string
  pid: number
  /** Where it listens, by the names that it gave. */
  urls: Record<string, string>
}

/** A folder for this run alone, removed with what it holds when `started` is disposed. */
export async function temporaryFolder (started: AsyncDisposableStack): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-'))
  started.defer(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/**
 * Starts a program of this repository with this Node, and returns when it has told its URLs: a JSON line with `urls`, as the services log when ready.
 * @param script path from the repository's root
 * @param env all that it gets: a setting in the operator's shell must not change what is measured
 * @throws with the end of its output where it does not start
 */
export async function startNode (started: AsyncDisposableStack, name: string, script: string, env: Record<string, string> = {}): Promise<Child> {
  const log = join(await temporaryFolder(started), 'log')
  let urls: Record<string, string> | undefined
  const running = await startProcess({
    command: [process.execPath, ...nodeArguments, ...profileArguments(name), join(root, script)],
    cwd: root,
    env: { PATH: process.env.PATH ?? '', ...nodeEnv(join(root, '.cache/compiled')), ...env },
    log,
    isReady: async () => { urls = urlsIn(await readFile(log, 'utf8')); return urls !== undefined }
  }, new AbortController().signal).catch(async (cause: Error) => {
    // The log goes with the run: what it says has to be in the message, a stack of Node's included.
    throw new Error(`${name} did not start:\n${lastLines(await readFile(log, 'utf8'), 30)}`, { cause })
  })
  started.defer(running.stop)
  return { name, pid: running.pid!, urls: urls! }
}

/**
 * Has a service compiled, as its image has (deploy/Dockerfile): where a file has changed since, the stripper of types would stand in its memory.
 * @throws where it does anything else than to ask for its settings
 */
export async function compile (script: string): Promise<void> {
  const { code, output } = await attempt(process.execPath, [...nodeArguments, join(root, script)], { env: { ...nodeEnv(join(root, '.cache/compiled')), ...noSecret } })
  if (code !== 78) throw new Error(`${script} ended with ${code} in place of 78 (EX_CONFIG):\n${lastLines(output, 30)}`)
}

/** With it, a service would start: the operator's shell may have one. */
const noSecret = { GATEWAY_SECRET: '', GATEWAY_SECRET_FILE: '' }

/** One replica of the tool service. @param concurrency of each tenant, so that its limit is not what is measured */
export const startMcp = (started: AsyncDisposableStack, secret: string, falkordbUrl: string, concurrency: number): Promise<Child> => startNode(started, 'mcp', 'services/mcp/server.ts', {
  PUBLIC_URL: 'https://localhost',
  GATEWAY_SECRET: secret,
  FALKORDB_URL: falkordbUrl,
  MCP_PORT: '0',
  METRICS_PORT: '0',
  MCP_REPLICAS: '1',
  TENANT_CONCURRENCY: String(concurrency)
})

function urlsIn (output: string): Record<string, string> | undefined {
  const line = output.split('\n').find(line => line.includes('"urls":{') && line.endsWith('}'))
  return line === undefined ? undefined : (JSON.parse(line) as { urls: Record<string, string> }).urls
}

/** BENCH_PROFILE=FOLDER: each process leaves a CPU profile there when it stops. */
function profileArguments (name: string): string[] {
  const folder = process.env.BENCH_PROFILE
  return folder ? ['--cpu-prof', `--cpu-prof-dir=${resolve(folder)}`, `--cpu-prof-name=${name.replace(/\W+/g, '-')}.cpuprofile`] : []
}
