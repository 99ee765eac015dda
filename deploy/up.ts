/** `make up`: writes .env where there is none, refuses a bad one with all its faults, starts the stack and says how to go on. */
import '@gateway/common/node-version.ts'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { ConfigurationError } from '@gateway/common/config.ts'
import { apiKeysPath, ensureApiKeyFile, hostPath } from './api-key-file.ts'
import { faultsIn, firstTenant, freshEnv, hasIssuers, missingPasswords, readEnv, signsIn, withSignIn } from './env-file.ts'
import { publicUrl } from './settings.ts'

const repository = resolve(import.meta.dirname, '..')
const envPath = resolve(repository, '.env')
/** Where the authority of TLS_MODE=own is copied to, for clients to trust. */
const caPath = resolve(repository, '.cache/compose-ca.pem')

const say = (line: string) => process.stdout.write(`${line}\n`)

/** What compose is told beside .env and the environment. */
const decided: Record<string, string> = {}

function docker (args: readonly string[], output: 'inherit' | 'pipe' = 'inherit') {
  const run = spawnSync('docker', ['compose', ...args], { cwd: repository, env: { ...process.env, ...decided }, stdio: ['ignore', output, 'inherit'], encoding: 'utf8' })
  if (run.error) throw new Error(`docker compose could not be run (${run.error.message}). Install Docker with its compose plugin: https://docs.docker.com/engine/install`)
  return run
}

function up (): void {
  if (!existsSync(envPath)) {
    writeFileSync(envPath, freshEnv(), { mode: 0o600, flag: 'wx' })
    say('.env was not there: made one with fresh secrets, a sign-in for this machine alone and an API key.')
  }
  const read = readEnv(envPath, process.env)
  const env = withSignIn(read)
  if (env !== read) {
    decided.OAUTH_REPLICAS = '0'
    say('Another issuer is configured, so the built-in sign-in is not started; OAUTH_REPLICAS=1 in .env starts it beside that.')
  }
  const faults = faultsIn(env)
  if (faults.length > 0) throw new ConfigurationError(faults)
  const missing = missingPasswords(env)
  if (missing !== undefined) say(missing)
  ensureApiKeyFile(hostPath(apiKeysPath(env), env), true)

  if (docker(['up', '--detach', '--build', '--wait', '--remove-orphans']).status !== 0) {
    docker(['ps', '--all'])
    docker(['logs', '--no-color', '--tail', '20'])
    throw new Error('The stack did not come up. The states and last lines of its parts are above; "make down" stops what runs and keeps the data.')
  }
  const own = (env.TLS_MODE || 'own') === 'own'
  if (own) saveAuthority()
  say(nextSteps(publicUrl(env), env, own))
}

function saveAuthority (): void {
  const { stdout, status } = docker(['exec', '-T', 'traefik', 'cat', '/tls/own/ca.pem'], 'pipe')
  if (status !== 0) throw new Error('The certificate authority could not be read from Traefik\'s container.')
  mkdirSync(resolve(repository, '.cache'), { recursive: true })
  writeFileSync(caPath, stdout)
}

function nextSteps (url: string, env: NodeJS.ProcessEnv, own: boolean): string {
  const trust = own ? '--cacert .cache/compose-ca.pem ' : ''
  const lines = [
    '',
    `The gateway answers at ${url}/mcp`,
    ...own ? ['  Its certificate is its own authority\'s: give clients NODE_EXTRA_CA_CERTS=.cache/compose-ca.pem, or set DOMAIN and TLS_MODE=acme in .env.'] : []
  ]
  if (signsIn(env)) {
    lines.push(
      '  People sign in in the browser that their client opens:',
      `    claude mcp add --transport http graphs ${url}/mcp`,
      ...env.LOCAL_SIGN_IN === 'true' ? [`    Any name will do there, because LOCAL_SIGN_IN is on; it belongs to ${env.LOCAL_SIGN_IN_TENANTS || 'the tenants of TENANTS_FILE'}.`] : []
    )
  }
  if (env.MCP_API_KEY) {
    lines.push(
      `  The API key MCP_API_KEY in .env opens it, for the tenant ${JSON.stringify(env.MCP_API_KEY_TENANT || firstTenant)}:`,
      '    key=$(sed -n \'s/^MCP_API_KEY=//p\' .env)',
      `    curl ${trust}${url}/api/mcp/context -H "Authorization: Bearer $key" -H 'Content-Type: application/json' \\`,
      '      -d \'{"graphName": "first", "query": "CREATE (n:Hello {at: 1}) RETURN n"}\''
    )
  }
  lines.push('  A key of its own for each program: make api-key TENANT=acme NAME=ci. It works at once; docs/api-keys.md says the rest.')
  if (!signsIn(env) && !hasIssuers(env)) lines.push('  Nobody can sign in: the built-in sign-in is off (OAUTH_REPLICAS=0), and BEARER_ISSUER names no other.')
  return [...lines, '  "make down" stops it and keeps the data.'].join('\n')
}

try {
  up()
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`)
  if (error instanceof ConfigurationError) process.stderr.write('They are in .env, or in the environment; each variable is described in .env.example.\n')
  process.exitCode = error instanceof ConfigurationError ? 78 : 1
}
