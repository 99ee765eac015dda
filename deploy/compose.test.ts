/** What docker-compose.yml promises by itself, read from the file: no engine runs here. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { settings as mcpSettings } from '../services/mcp/settings.ts'
import { settings as oauthSettings } from '../services/oauth/config.ts'
import { settings as verifySettings } from '../services/verify/config.ts'
import { nodeArguments, nodeEnv } from '../dev/node-env.ts'
import { inFiles } from './env-example.ts'
import { composeSettings, users } from './settings.ts'

interface Service {
  image?: string
  deploy?: { replicas?: string }
  user?: string
  ports?: string[]
  environment?: Record<string, string>
  networks?: string[]
  network_mode?: string
  volumes?: string[]
  read_only?: boolean
  cap_drop?: string[]
  security_opt?: string[]
  mem_limit?: string
  pids_limit?: number
  healthcheck?: object
}

const text = readFileSync(resolve(import.meta.dirname, '../docker-compose.yml'), 'utf8')
const { services, networks } = parse(text, { merge: true }) as { services: Record<string, Service>, networks: Record<string, { internal?: boolean } | null> }
const all = Object.entries(services)
const on = (network: string) => all.filter(([, service]) => service.networks?.includes(network)).map(([name]) => name).sort()

t.test('each setting of a service reaches its container', async t => {
  for (const [name, schema] of [['verify', verifySettings], ['mcp', mcpSettings], ['oauth', oauthSettings]] as const) {
    const environment = services[name]?.environment ?? {}
    for (const [variable, { group }] of Object.entries(schema.properties as Record<string, { group?: string }>)) {
      if (group?.startsWith('Internal')) continue
      t.match(environment[variable] ?? '', `\${${variable}:`, `${name} takes ${variable} from .env`)
    }
  }
})

t.test('each secret that may lie in a file is mounted in every container that reads it', async t => {
  for (const [name, schema] of [['verify', verifySettings], ['mcp', mcpSettings], ['oauth', oauthSettings]] as const) {
    for (const variable of inFiles.filter(variable => variable in schema.properties)) {
      const path = `/run/secrets/${variable.toLowerCase().replaceAll('_', '-')}`
      t.equal(services[name]?.environment?.[`${variable}_FILE`], `\${${variable}_FILE:+${path}}`, `${name} is told where ${variable} lies`)
      t.ok(services[name]?.volumes?.includes(`\${${variable}_FILE:-/dev/null}:${path}:ro`), `${name} has the file`)
    }
  }
})

t.test('Traefik and verify are told of as many replicas of a service as there are', async t => {
  const { traefik, verify, mcp, oauth } = services
  t.equal(traefik?.environment?.MCP_REPLICAS, mcp?.deploy?.replicas)
  t.equal(traefik?.environment?.OAUTH_REPLICAS, oauth?.deploy?.replicas)
  t.equal(verify?.environment?.OAUTH_REPLICAS, oauth?.deploy?.replicas)
  for (const service of [traefik, verify, mcp]) t.notOk(Object.keys(service?.environment ?? {}).some(name => name.startsWith('OAUTH_SECRET')), 'the secret of sign-in is for nobody else')
  t.equal(new URL(verify?.environment?.OAUTH_URL ?? '').port, String((oauthSettings.properties.OAUTH_PORT as { default?: number }).default), 'at the port that it listens on')
})

t.test('each service is a user of its own in Valkey, whose password no other one is given', async t => {
  for (const name of ['verify', 'mcp', 'oauth']) {
    const variable = `VALKEY_${name.toUpperCase()}_PASSWORD`
    const password = `\${${variable}:-\${VALKEY_PASSWORD}}`
    t.equal(services[name]?.environment?.VALKEY_URL, `\${VALKEY_URL:-redis://${name}:${password}@valkey:6379}`)
    t.equal(services.valkey?.environment?.[`${name.toUpperCase()}_PASSWORD`], password)
    t.strictSame(all.filter(([, { environment }]) => Object.values(environment ?? {}).some(value => value.includes(variable))).map(([service]) => service).sort(), [name, 'valkey'].sort())
  }
})

t.test('defaults in the file are those of the schemas', async t => {
  const defaults = { ...composeSettings.properties, ...mcpSettings.properties, ...oauthSettings.properties } as Record<string, { default?: unknown }>
  const named = [...text.matchAll(/\$\{([A-Z_]+):-([^${}]+)\}/g)].filter(([, name]) => name !== 'TRUSTED_PROXIES' && !name?.endsWith('_FILE'))
  t.ok(named.length > 10)
  for (const [, name = '', value] of named) t.equal(value, String(defaults[name]?.default), name)
})

t.test('Node is started in the images as it is by make dev, and by the user that the image was made for', async t => {
  const dockerfile = readFileSync(resolve(import.meta.dirname, 'Dockerfile'), 'utf8')
  for (const [name, value] of Object.entries(nodeEnv('/app/compiled'))) t.match(dockerfile, `${name}=${value}`)
  for (const name of ['verify', 'mcp', 'oauth']) t.match(dockerfile, `CMD ${JSON.stringify(['node', ...nodeArguments, `services/${name}/server.ts`]).replaceAll(',', ', ')}`)
  for (const name of ['verify', 'mcp', 'oauth'] as const) t.match(dockerfile.split(/^FROM /m).find(stage => stage.includes(`AS ${name}\n`)), `USER ${users[name]}:${users[name]}\n`)
})

t.test('only Traefik publishes ports', async t => {
  t.strictSame(all.filter(([, service]) => service.ports !== undefined).map(([name]) => name), ['traefik'])
})

t.test('a network joins only those who must talk, and has a way out only where one is needed', async t => {
  t.strictSame(Object.fromEntries(Object.keys(networks).map(name => [name, on(name)])), {
    edge: ['traefik'],
    issuers: ['verify'],
    upstreams: ['oauth'],
    gate: ['traefik', 'verify'],
    'sign-in': ['oauth', 'traefik'],
    keys: ['oauth', 'verify'],
    tools: ['mcp', 'traefik'],
    graph: ['falkordb', 'mcp'],
    state: ['valkey', 'verify'],
    sessions: ['oauth', 'valkey'],
    streams: ['mcp', 'valkey']
  })
  t.strictSame(Object.keys(networks).filter(name => networks[name]?.internal !== true), ['edge', 'issuers', 'upstreams'])
})

t.test('every container is held to what it needs', async t => {
  for (const [name, service] of all) {
    t.equal(service.read_only, true, `${name}: read-only root`)
    t.strictSame(service.cap_drop, ['ALL'], `${name}: no capabilities`)
    t.strictSame(service.security_opt, ['no-new-privileges:true'], `${name}: no new privileges`)
    t.match(service.user, /^[1-9][0-9]*:[1-9][0-9]*$/, `${name}: a user other than root`)
    t.ok(service.mem_limit, `${name}: a memory limit`)
    t.ok(service.pids_limit, `${name}: a limit of processes`)
    t.ok(service.healthcheck, `${name}: a health check`)
  }
})

t.test('no two services share a user', async t => {
  const users = all.map(([, { user }]) => user)
  t.equal(new Set(users).size, users.length)
})

t.test('the users of the file are those that its checks know', async t => {
  for (const [name, id] of Object.entries(users)) t.equal(services[name]?.user, `${id}:${id}`, name)
})

t.test('30: the graphs lie where FalkorDB keeps its data', async t => {
  t.ok(services.falkordb?.volumes?.includes('graphs:/var/lib/falkordb/data'))
})

t.test('nothing asks an image registry for more than a tag', async t => {
  t.notMatch(text, /@sha256:|pull_policy/)
  t.notMatch(readFileSync(resolve(import.meta.dirname, 'Dockerfile'), 'utf8'), /^# *syntax|@sha256:/m)
})
