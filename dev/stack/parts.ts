/** What each part of a stack is: its program, its environment, and how it shows that it answers. */
import { createWriteStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { parseEnv } from 'node:util'
import { resourceUrl } from '@gateway/common/challenge.ts'
import { list } from '@gateway/common/config.ts'
import { usualFloodLimit } from '../../deploy/settings.ts'
import { settings as mcpSettings } from '../../services/mcp/settings.ts'
import { settings as oauthSettings } from '../../services/oauth/config.ts'
import { settings as verifySettings } from '../../services/verify/config.ts'
import { algorithms } from '../issuer/keys.ts'
import { freePort } from '../free-port.ts'
import { nodeArguments, nodeEnv } from '../node-env.ts'
import { answersOk, startProcess } from '../process.ts'
import { startFalkordb } from '../programs/falkordb.ts'
import type { RunningServer } from '../programs/server.ts'
import { startStateStore } from '../programs/state-store.ts'
import type { Part } from '../supervisor.ts'

export const repository = resolve(import.meta.dirname, '../..')

/** Environment of one part. */
export type Env = Record<string, string | undefined>
/** Services whose environment a caller may add to. */
export type ServiceName = 'traefik' | 'oauth' | 'verify' | 'mcp' | 'issuer'

export interface Ports {
  public: number
  http: number
  internal: number
  issuer: number
  verify: number
  decision: number
  verifyMetrics: number
  falkordb: number
  valkey: number
  mcp: Array<{ port: number, metrics: number }>
  /** Empty: no built-in sign-in. */
  oauth: Array<{ port: number, metrics: number }>
}

/** Ports on 127.0.0.1, all different; `publicPort` 0 takes a free one, as the others do. */
export async function takePorts (publicPort: number, issuerPort: number | undefined, replicas: { mcp: number, oauth: number }): Promise<Ports> {
  const taken = new Set([publicPort, issuerPort])
  const next = async (): Promise<number> => {
    const port = await freePort()
    if (taken.has(port)) return next()
    taken.add(port)
    return port
  }
  const pairs = async (count: number) => {
    const pairs: Ports['mcp'] = []
    for (let replica = 0; replica < count; replica++) pairs.push({ port: await next(), metrics: await next() })
    return pairs
  }
  return {
    public: publicPort === 0 ? await next() : publicPort,
    issuer: issuerPort ?? await next(),
    http: await next(),
    internal: await next(),
    verify: await next(),
    decision: await next(),
    verifyMetrics: await next(),
    falkordb: await next(),
    valkey: await next(),
    mcp: await pairs(replicas.mcp),
    oauth: await pairs(replicas.oauth)
  }
}

export interface Surroundings {
  ports: Ports
  publicUrl: string
  /** Certificate files as deploy/certificates.ts made them. */
  certificates: { ca: string } & Record<'verify' | 'traefik' | 'edge', { cert: string, key: string }>
  gatewaySecret: string
  oauthSecret: string
  mintSecret: string
  falkordbUrl: string
  valkeyUrl: string
  /** File of API keys. */
  apiKeys: string
  /** File of the issuer's keys. */
  issuerKeys: string
  /** Path of the log file of a part. */
  logOf: (part: string) => string
  /** Where settings of the services are taken from that the stack does not decide itself. */
  settings: Env
  /** Added to a service's environment, above everything else. */
  extra: Partial<Record<ServiceName, Env>>
}

const local = (port: number) => `http://127.0.0.1:${port}`

/** Addresses by which the parts are reached. */
export function addressesOf ({ ports }: Pick<Surroundings, 'ports'>) {
  return {
    issuer: local(ports.issuer),
    http: local(ports.http),
    internal: local(ports.internal),
    verify: `https://127.0.0.1:${ports.verify}`,
    decision: `https://127.0.0.1:${ports.decision}/decision`,
    verifyMetrics: local(ports.verifyMetrics),
    mcp: ports.mcp.map(({ port, metrics }) => ({ url: local(port), metrics: local(metrics) })),
    oauth: ports.oauth.map(({ port, metrics }) => ({ url: local(port), metrics: local(metrics) }))
  }
}

/** The development issuer. */
export function issuerPart (around: Surroundings): Part {
  const { ports, publicUrl, issuerKeys, mintSecret } = around
  const { issuer } = addressesOf(around)
  return nodePart('issuer', around, 'issuer', join(repository, 'dev/issuer/server.ts'), `${issuer}/live`, {
    ISSUER_URL: issuer,
    ISSUER_PORT: String(ports.issuer),
    ISSUER_AUDIENCE: resourceUrl(publicUrl),
    ISSUER_KEYS_FILE: issuerKeys,
    ISSUER_MINT_SECRET: mintSecret
  })
}

/** The environment of verify, without what the caller adds. */
function verifyEnv (around: Surroundings): Env {
  const { ports, publicUrl, certificates, gatewaySecret, valkeyUrl } = around
  const { issuer, oauth } = addressesOf(around)
  return {
    API_KEYS_FILE: around.apiKeys,
    ...settingsFor(verifySettings.properties, around.settings),
    PUBLIC_URL: publicUrl,
    GATEWAY_SECRET: gatewaySecret,
    VERIFY_HOST: '127.0.0.1',
    VERIFY_PORT: String(ports.verify),
    VERIFY_DECISION_PORT: String(ports.decision),
    VERIFY_TLS_CERT: certificates.verify.cert,
    VERIFY_TLS_KEY: certificates.verify.key,
    VERIFY_TLS_CA: certificates.ca,
    METRICS_HOST: '127.0.0.1',
    METRICS_PORT: String(ports.verifyMetrics),
    VALKEY_URL: valkeyUrl,
    OAUTH_URL: oauth[0]?.url ?? '',
    OAUTH_REPLICAS: String(oauth.length),
    // The development issuer stands for one outside, beside the built-in sign-in; it may name every tenant, which must be written out.
    BEARER_ISSUERS: JSON.stringify([{ issuer, jwks_uri: `${issuer}/jwks`, audience: [resourceUrl(publicUrl)], algorithms, tenants: ['*'] }])
  }
}

export function verifyPart (around: Surroundings): Part {
  const { verifyMetrics } = addressesOf(around)
  return nodePart('verify', around, 'verify', join(repository, 'services/verify/server.ts'), `${verifyMetrics}/ready`, verifyEnv(around))
}

/** The environment of one replica of the oauth service, without what the caller adds. */
function oauthEnv (around: Surroundings, replica: number): Env {
  const { ports, publicUrl, gatewaySecret, oauthSecret, valkeyUrl } = around
  return {
    ...localSignIn,
    ...settingsFor(oauthSettings.properties, around.settings),
    PUBLIC_URL: publicUrl,
    GATEWAY_SECRET: gatewaySecret,
    OAUTH_SECRET: oauthSecret,
    VALKEY_URL: valkeyUrl,
    OAUTH_HOST: '127.0.0.1',
    OAUTH_PORT: String(ports.oauth[replica]?.port),
    METRICS_HOST: '127.0.0.1',
    METRICS_PORT: String(ports.oauth[replica]?.metrics)
  }
}

/** How people sign in to a stack of this machine, unless the settings say otherwise. */
export const localSignIn = { LOCAL_SIGN_IN: 'true', LOCAL_SIGN_IN_TENANTS: 'acme,globex' }

/** The tenants of whoever signs in locally; undefined where nobody can. */
export function localTenants (around: Surroundings): string[] | undefined {
  const { LOCAL_SIGN_IN: local, LOCAL_SIGN_IN_TENANTS: tenants = '' } = { ...oauthEnv(around, 0), ...around.extra.oauth }
  return around.ports.oauth.length > 0 && local === 'true' ? list(tenants) : undefined
}

export function oauthPart (around: Surroundings, replica: number): Part {
  const metrics = addressesOf(around).oauth[replica]?.metrics
  // Not /ready: with the store away, starting it again would not help.
  return { ...nodePart(oauthName(replica), around, 'oauth', join(repository, 'services/oauth/server.ts'), `${metrics}/live`, oauthEnv(around, replica)), whenItDies: 'restart' }
}

export const oauthName = (replica: number) => `oauth-${replica + 1}`

/** The environment of one replica of the tool service, without what the caller adds. */
function mcpEnv (around: Surroundings, replica: number): Env {
  const { ports, publicUrl, gatewaySecret, falkordbUrl, valkeyUrl } = around
  return {
    ...settingsFor(mcpSettings.properties, around.settings),
    PUBLIC_URL: publicUrl,
    GATEWAY_SECRET: gatewaySecret,
    FALKORDB_URL: falkordbUrl,
    VALKEY_URL: valkeyUrl,
    MCP_REPLICAS: String(ports.mcp.length),
    MCP_HOST: '127.0.0.1',
    MCP_PORT: String(ports.mcp[replica]?.port),
    METRICS_HOST: '127.0.0.1',
    METRICS_PORT: String(ports.mcp[replica]?.metrics)
  }
}

/** @param entry the module to run; tests bring one with more tools */
export function mcpPart (around: Surroundings, replica: number, entry: string): Part {
  const metrics = addressesOf(around).mcp[replica]?.metrics
  // Not /ready: with the database away a replica still answers, and starting it again would not help.
  return { ...nodePart(mcpName(replica), around, 'mcp', entry, `${metrics}/live`, mcpEnv(around, replica)), whenItDies: 'restart' }
}

export const mcpName = (replica: number) => `mcp-${replica + 1}`

export async function traefikPart (around: Surroundings, program: string): Promise<Part> {
  const { ports, publicUrl, certificates } = around
  const addresses = addressesOf(around)
  const fixed = parseEnv(await readFile(join(repository, 'traefik/static.env'), 'utf8'))
  const env: Env = {
    ...fixed,
    TRAEFIK_ENTRYPOINTS_WEBSECURE_ADDRESS: `127.0.0.1:${ports.public}`,
    TRAEFIK_ENTRYPOINTS_WEB_ADDRESS: `127.0.0.1:${ports.http}`,
    TRAEFIK_ENTRYPOINTS_INTERNAL_ADDRESS: `127.0.0.1:${ports.internal}`,
    TRAEFIK_PROVIDERS_FILE_DIRECTORY: join(repository, 'traefik/dynamic'),
    PUBLIC_URL: publicUrl,
    ALLOWED_ORIGINS: around.settings.ALLOWED_ORIGINS,
    FLOOD_REQUESTS_PER_SECOND: around.settings.FLOOD_REQUESTS_PER_SECOND || String(usualFloodLimit),
    SHARED_EGRESS_RANGES: around.settings.SHARED_EGRESS_RANGES,
    ...proxies(around.settings.TRUSTED_PROXIES),
    VERIFY_URL: addresses.verify,
    VERIFY_DECISION_URL: addresses.decision,
    INTERNAL_CA: certificates.ca,
    INTERNAL_CERT: certificates.traefik.cert,
    INTERNAL_KEY: certificates.traefik.key,
    MCP_URLS: addresses.mcp.map(({ url }) => url).join(','),
    OAUTH_URLS: addresses.oauth.map(({ url }) => url).join(','),
    OAUTH_REPLICAS: String(addresses.oauth.length),
    TLS_MODE: 'own',
    TLS_CERT: certificates.edge.cert,
    TLS_KEY: certificates.edge.key
  }
  return {
    name: 'traefik',
    whenItDies: 'stop all',
    start: signal => startProcess({
      command: [program],
      cwd: repository,
      env: { ...ambient(), ...env, ...around.extra.traefik },
      log: around.logOf('traefik'),
      isReady: signal => answersOk(`${addresses.internal}/ping`, signal)
    }, signal)
  }
}

/** Whose forwarded addresses are believed. Traefik takes no empty list. */
function proxies (trusted: string | undefined): Env {
  if (!trusted) return {}
  return {
    TRUSTED_PROXIES: trusted,
    TRAEFIK_ENTRYPOINTS_WEBSECURE_FORWARDEDHEADERS_TRUSTEDIPS: trusted,
    TRAEFIK_ENTRYPOINTS_WEBSECURE_PROXYPROTOCOL_TRUSTEDIPS: trusted
  }
}

/** The embedded FalkorDB; its append-only file in `dir` brings the graphs back after a restart. */
export function falkordbPart (around: Surroundings, dir: string): Part {
  const { MAX_ROWS, QUERY_TIMEOUT_MS, QUERY_TIMEOUT_MAX_MS, QUERY_MEMORY_BYTES } = { ...around.settings, ...around.extra.mcp }
  // As mcp sets them; from the start, so that a restarted database is never without.
  const args = Object.fromEntries(Object.entries({
    RESULTSET_SIZE: MAX_ROWS && Number(MAX_ROWS) + 1,
    TIMEOUT_DEFAULT: QUERY_TIMEOUT_MS,
    TIMEOUT_MAX: QUERY_TIMEOUT_MAX_MS,
    QUERY_MEM_CAPACITY: QUERY_MEMORY_BYTES
  }).filter(([, value]) => value).map(([name, value]) => [name, Number(value)]))
  return serverPart('falkordb', around, say => startFalkordb({ port: around.ports.falkordb, dir, args, say }))
}

/** The embedded store of shared state; its append-only file in `dir` brings the revocations back after a restart. */
export function valkeyPart (around: Surroundings, dir: string): Part {
  return serverPart('valkey', around, say => startStateStore({ port: around.ports.valkey, dir, say }))
}

function serverPart (name: string, around: Surroundings, begin: (say: (line: string) => void) => Promise<RunningServer>): Part {
  return {
    name,
    whenItDies: 'restart',
    async start () {
      let said = ''
      const running = await begin(line => { said = line })
      const log = createWriteStream(around.logOf(name), { flags: 'a' })
      running.process.stdout?.pipe(log, { end: false })
      running.process.stderr?.pipe(log, { end: false })
      const ended = new Promise<string>(resolve => running.process.once('exit', () => {
        log.end()
        resolve(said.replace(/^\S+ /, '') || 'ended')
      }))
      return { pid: running.pid, ended, stop: () => running.stop() }
    }
  }
}

function nodePart (name: string, around: Surroundings, service: ServiceName, entry: string, readyUrl: string, env: Env): Part {
  return {
    name,
    whenItDies: 'stop all',
    start: signal => startProcess({
      command: [process.execPath, ...nodeArguments, entry],
      cwd: repository,
      env: { ...ambient(), ...nodeEnv(join(repository, '.cache/compiled')), ...env, ...around.extra[service] },
      log: around.logOf(name),
      isReady: signal => answersOk(readyUrl, signal)
    }, signal)
  }
}

/** What any program may need of the machine, and nothing that could configure one of ours by accident. */
function ambient (): Env {
  const names = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'TZ']
  return Object.fromEntries(names.map(name => [name, process.env[name]]))
}

/** The settings of a service that somebody has set for this stack. Who issues tokens is the stack's own affair. */
function settingsFor (properties: object, settings: Env): Env {
  const names = Object.keys(properties).filter(name => !name.startsWith('BEARER_'))
  return Object.fromEntries(names.filter(name => settings[name]).map(name => [name, settings[name]]))
}
