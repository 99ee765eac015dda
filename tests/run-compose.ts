/**
 * `make test-compose`: the journeys, the faults and what only containers promise, against `docker compose up`.
 * The last line is `N passed, N failed`. Exit code 69 (EX_UNAVAILABLE): there is no container engine.
 * Words on the command line choose test files; without any, all are run.
 */
import '@gateway/common/node-version.ts'
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { globSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { apiKeysPath, ensureApiKeyFile, hostPath } from '../deploy/api-key-file.ts'
import { freePort } from '../dev/free-port.ts'
import { Report } from './support/report.ts'
import { repository, type Stack } from './support/stack-file.ts'

process.env.PATH = [join(repository, 'node_modules/.bin'), process.env.PATH].join(delimiter)

const engine = spawnSync('docker', ['compose', 'version'], { encoding: 'utf8' })
const daemon = spawnSync('docker', ['info', '--format', '{{.ServerVersion}}'], { encoding: 'utf8' })
if (engine.status !== 0 || daemon.status !== 0) {
  process.stderr.write(`make test-compose needs a container engine that answers \`docker info\`, with the compose plugin (2.26 or later):\n${engine.error?.message ?? engine.stderr}${daemon.stderr ?? ''}`)
  process.exit(69)
}

const [httpsPort, httpPort, issuerPort] = await Promise.all([freePort(), freePort(), freePort()])
const secret = () => randomBytes(32).toString('hex')
const project = `test-${process.pid}`
const files = ['docker-compose.yml', 'tests/compose/test.yml']
const folder = mkdtempSync(join(tmpdir(), 'gateway-compose-'))
const env = {
  COMPOSE_PROJECT_NAME: project,
  BIND_ADDRESS: '127.0.0.1',
  HTTPS_PORT: String(httpsPort),
  HTTP_PORT: String(httpPort),
  ISSUER_PORT: String(issuerPort),
  PUBLIC_URL: `https://localhost:${httpsPort}`,
  GATEWAY_SECRET: secret(),
  OAUTH_SECRET: secret(),
  FALKORDB_PASSWORD: secret(),
  VALKEY_PASSWORD: secret(),
  VALKEY_OAUTH_PASSWORD: secret(),
  VALKEY_VERIFY_PASSWORD: secret(),
  VALKEY_MCP_PASSWORD: secret(),
  // Beside the built-in sign-in, an issuer says which tenants it may name.
  BEARER_ISSUER: 'http://issuer:4188',
  BEARER_TENANTS: '*',
  OAUTH_REPLICAS: '2',
  LOCAL_SIGN_IN: 'true',
  LOCAL_SIGN_IN_TENANTS: 'acme,globex',
  ISSUER_MINT_SECRET: secret(),
  MCP_REPLICAS: '2',
  MCP_API_KEY: secret(),
  MCP_API_KEY_TENANT: 'api-key-tenant',
  MCP_API_KEY_SCOPES: 'graph:read graph:write',
  ALLOWED_ORIGINS: 'https://app.example',
  // All tests come from the bridge's own address.
  SHARED_EGRESS_RANGES: '10.0.0.0/8,172.16.0.0/12,192.168.0.0/16',
  TENANT_REQUESTS_PER_SECOND: '2000',
  SUBJECT_REQUESTS_PER_SECOND: '2000',
  CONFIG_DIR: join(folder, 'config'),
  LOG_LEVEL: 'info'
}

/** Runs docker compose; an .env of this checkout plays no part. @returns exit code and output, which is shown where it is not kept */
function compose (args: string[], keep = false) {
  const progress = args[0] === 'down' ? 'quiet' : 'plain'
  const { status, stdout } = spawnSync('docker', ['compose', '--env-file', '/dev/null', '--progress', progress, ...files.flatMap(file => ['-f', file]), ...args], {
    cwd: repository, env: { ...process.env, ...env }, stdio: ['ignore', keep ? 'pipe' : 'inherit', 'inherit'], encoding: 'utf8', maxBuffer: 64 * 1024 * 1024
  })
  return { status, stdout }
}

ensureApiKeyFile(hostPath(apiKeysPath(env), env), true)
const report = new Report()
const down = () => compose(['down', '--volumes', '--remove-orphans', '--rmi', 'local', '--timeout', '10'])
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    down()
    process.exit(130)
  })
}

try {
  report.heading('what the tests need')
  await report.program('tap is built with its plugins', 'tap', ['build'])
  report.heading('docker compose up')
  const { status } = compose(['up', '--detach', '--build', '--wait', '--wait-timeout', '300', '--quiet-pull'])
  report.count('every container is up and healthy', status === 0 ? [] : [`docker compose up ended with ${status}`])
  if (status === 0) {
    const ca = join(folder, 'ca.pem')
    writeFileSync(ca, compose(['exec', '-T', 'traefik', 'cat', '/tls/own/ca.pem'], true).stdout)
    const stack: Stack = {
      mode: 'compose',
      url: env.PUBLIC_URL,
      mcpUrl: `${env.PUBLIC_URL}/mcp`,
      ca,
      issuer: env.BEARER_ISSUER,
      mint: { url: `http://127.0.0.1:${issuerPort}`, secret: env.ISSUER_MINT_SECRET },
      services: { traefik: { httpUrl: `http://127.0.0.1:${httpPort}` }, verify: {}, mcp: [{}, {}], oauth: [{}, {}], falkordb: {}, valkey: {} },
      logs: '',
      compose: { project, files, env }
    }
    const path = join(folder, 'stack.json')
    writeFileSync(path, JSON.stringify(stack, null, 2))

    const chosen = process.argv.slice(2)
    const tests = (pattern: string) => globSync(pattern, { cwd: repository }).sort().filter(file => chosen.length === 0 || chosen.includes(file))
    const settings = { ...env, GATEWAY_STACK: path }
    const journeys = [...tests('tests/journeys/*.test.ts'), ...tests('tests/attacks/*.test.ts')]
    if (journeys.length > 0) {
      report.heading('journeys and attacks')
      await report.tap(journeys, settings, 2)
    }
    for (const file of [...tests('tests/faults/*.test.ts'), ...tests('tests/compose/*.test.ts')]) {
      report.heading(file)
      await report.tap([file], settings)
    }
  }
  if (report.failed) {
    report.heading('states and last lines of the containers')
    compose(['ps', '--all'])
    compose(['logs', '--no-color', '--tail', '60'])
  }
} finally {
  report.heading('docker compose down')
  const { status } = down()
  report.count('all containers, networks and volumes are gone', status === 0 ? [] : [`docker compose down ended with ${status}`])
  rmSync(folder, { recursive: true, force: true })
}
process.exitCode = report.end()
