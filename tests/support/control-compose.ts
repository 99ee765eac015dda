/** Control over containers, by docker compose alone; nothing is sent to a container's own address. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify, stripVTControlCharacters } from 'node:util'
import type { Control } from './control.ts'
import { readStack, repository } from './stack-file.ts'
import { until } from './until.ts'

const exec = promisify(execFile)

/** Runs docker compose on the stack's project. @returns what it printed */
export async function compose (...args: string[]): Promise<string> {
  const { compose } = readStack()
  if (compose === undefined) throw new Error('the stack file names no compose project')
  const files = compose.files.flatMap(file => ['-f', file])
  const { stdout } = await exec('docker', ['compose', '--env-file', '/dev/null', '-p', compose.project, ...files, ...args], {
    cwd: repository, env: { ...process.env, ...compose.env }, maxBuffer: 256 * 1024 * 1024
  })
  return stdout
}

type Replicated = 'mcp' | 'oauth'

/** Names of the containers of a service, in the order of their numbers. */
async function replicaNames (service: Replicated): Promise<string[]> {
  const names = await compose('ps', '-a', service, '--format', '{{.Name}}')
  return names.trim().split('\n').sort()
}

const healthy = async (container: string) => {
  const { stdout } = await exec('docker', ['inspect', '-f', '{{.State.Health.Status}}', container])
  return stdout.trim() === 'healthy'
}

const read = (url: string) => `fetch(${JSON.stringify(url)}).then(r => r.text()).then(t => process.stdout.write(t))`

/** A file of keys means nothing in a container: make gives its text, too. */
const withoutFile = (word: string) => word.startsWith('JWKS_FILE=') ? `JWKS=${readFileSync(word.slice('JWKS_FILE='.length), 'utf8')}` : word

export function composeControl (): Control {
  const oneOf = async (service: Replicated, index: number) => (await replicaNames(service))[index] ?? ''
  const replicasOf = (service: Replicated) => Number(readStack().compose?.env[service === 'mcp' ? 'MCP_REPLICAS' : 'OAUTH_REPLICAS'] ?? 1)
  const kill = async (service: Replicated, index: number) => { await exec('docker', ['kill', await oneOf(service, index)]) }
  const back = async (service: Replicated, index: number) => {
    // docker kill counts as a stop by hand, after which the restart policy waits for a start by hand.
    await exec('docker', ['start', await oneOf(service, index)])
    await until(`${service} ${index}`, async () => await healthy(await oneOf(service, index)), 60)
  }
  const falkordbId = async () => (await compose('ps', '-a', '-q', 'falkordb')).trim()
  return {
    replicas: () => replicasOf('mcp'),
    killReplica: index => kill('mcp', index),
    replicaBack: index => back('mcp', index),
    oauthReplicas: () => replicasOf('oauth'),
    killOauth: index => kill('oauth', index),
    stopOauth: async index => { await exec('docker', ['stop', await oneOf('oauth', index)]) },
    oauthBack: index => back('oauth', index),
    restart: async part => {
      await compose('restart', part)
      await until(part, async () => await healthy((await compose('ps', '-a', '-q', part)).trim()), 60)
    },
    killFalkordb: async () => { await compose('kill', 'falkordb') },
    falkordbBack: async () => {
      await compose('start', 'falkordb')
      await until('FalkorDB', async () => await healthy(await falkordbId()), 60)
    },
    killValkey: async () => { await compose('kill', 'valkey') },
    valkeyBack: async () => {
      await compose('start', 'valkey')
      await until('Valkey', async () => await healthy((await compose('ps', '-a', '-q', 'valkey')).trim()), 60)
    },
    revoke: (...words) => compose('exec', '-T', 'verify', 'node', 'services/verify/commands/revoke.ts', ...words),
    revocations: () => compose('exec', '-T', 'verify', 'node', 'services/verify/commands/revocations.ts'),
    oauthCommand: (command, ...words) => compose('exec', '-T', 'oauth', 'node', `services/oauth/commands/${command}.ts`, ...words.map(withoutFile)),
    exportTenant: tenant => compose('exec', '-T', 'mcp', 'node', 'services/mcp/commands/tenant-export.ts', `TENANT=${tenant}`),
    deleteTenant: (tenant, confirm) => compose('exec', '-T', 'mcp', 'node', 'services/mcp/commands/tenant-delete.ts', `TENANT=${tenant}`, `CONFIRM=${confirm}`),
    pauseFalkordb: async () => { await compose('pause', 'falkordb') },
    resumeFalkordb: async () => {
      const { stdout } = await exec('docker', ['inspect', '-f', '{{.State.Paused}}', await falkordbId()])
      if (stdout.trim() === 'true') await compose('unpause', 'falkordb')
    },
    falkordb: async (...words) => (await compose('exec', '-T', 'falkordb', 'redis-cli', ...words)).trim(),
    verifyReceived: async () => {
      const table = await compose('exec', '-T', 'verify', 'cat', '/proc/net/dev')
      return [...table.matchAll(/^\s*eth\d+:\s*(\d+)/gm)].reduce((sum, match) => sum + Number(match[1]), 0)
    },
    // compose clears lines of its own even where nobody sees them.
    logs: async name => stripVTControlCharacters(await compose('logs', '--no-color', '--no-log-prefix', name)),
    metrics: async name => {
      const count = name === 'verify' ? 1 : replicasOf(name)
      return await Promise.all(Array.from({ length: count }, (_, at) =>
        compose('exec', '-T', '--index', String(at + 1), name, 'node', '-e', read('http://127.0.0.1:9090/metrics'))))
    }
  }
}
