/** Settings of the compose stack itself: those that Docker, Traefik and the databases read, and no service of ours. */
import { Type, type Static } from 'typebox'
import { isIP } from 'node:net'
import { rangeFaults } from '@gateway/common/address-ranges.ts'
import { ConfigurationError, list, loadConfig } from '@gateway/common/config.ts'
import { settings as mcpSettings } from '../services/mcp/settings.ts'
import { settings as verifySettings } from '../services/verify/config.ts'

const address = 'Public address'
const tls = 'TLS'
const resources = 'Size'

/** Ways to TLS: the stack's own certificate, Let's Encrypt, given files, or ended before Traefik. */
const tlsModes = ['own', 'acme', 'files', 'upstream'] as const

/** User ids, which are group ids as well, in docker-compose.yml. */
export const users = { traefik: 10003, verify: 10002, mcp: 10004, oauth: 10005 } as const

/** Requests per second from one address. */
export const usualFloodLimit = 300

const port = { minimum: 1, maximum: 65535 }
const password = { secret: true, group: 'Secrets', pattern: '^[A-Za-z0-9_-]{24,}$' }
/** Empty in a .env that was made before there were users. */
const userPassword = { ...password, pattern: `^$|${password.pattern}`, default: '' }
const size = { group: resources, pattern: '^[1-9][0-9]*[kmg]b?$' }

export const composeSettings = Type.Object({
  DOMAIN: Type.String({ group: address, description: 'Host name that leads to this machine. PUBLIC_URL is https://DOMAIN where it is not set itself.', default: 'localhost' }),
  HTTPS_PORT: Type.Integer({ group: address, description: 'Published port of the gateway. With another than 443 set PUBLIC_URL to what clients type.', default: 443, ...port }),
  HTTP_PORT: Type.Integer({ group: address, description: 'Published port that redirects to PUBLIC_URL and answers ACME challenges.', default: 80, ...port }),
  BIND_ADDRESS: Type.String({ group: address, description: 'Address of this machine that both ports are published on; 127.0.0.1 keeps them to this machine.', default: '0.0.0.0' }),
  TLS_MODE: Type.Union(tlsModes.map(mode => Type.Literal(mode)), {
    group: tls,
    description: 'own: a certificate of the stack\'s own authority. acme: Let\'s Encrypt, for DOMAIN. files: TLS_CERT_FILE and TLS_KEY_FILE. upstream: TLS ends at TRUSTED_PROXIES and HTTPS_PORT speaks plain HTTP; let nobody else reach it.',
    default: 'own'
  }),
  TLS_CERT_FILE: Type.String({ group: tls, description: 'Path on this machine of the certificate with its chain, in PEM, for TLS_MODE=files.', default: '' }),
  TLS_KEY_FILE: Type.String({ group: tls, description: `Path on this machine of its private key. Traefik reads it as user ${users.traefik}: chgrp ${users.traefik} FILE; chmod 640 FILE.`, default: '' }),
  ACME_EMAIL: Type.String({ group: tls, description: 'Contact of the account, for TLS_MODE=acme.', default: '', pattern: '^$|^[^@\\s]+@[^@\\s]+$' }),
  ACME_CA_SERVER: Type.String({ group: tls, description: 'Directory of the ACME server, e.g. Let\'s Encrypt\'s staging or one of your own.', default: 'https://acme-v02.api.letsencrypt.org/directory', pattern: '^https://' }),
  TRUSTED_PROXIES: Type.String({
    group: tls,
    description: 'Addresses or CIDR ranges of proxies before Traefik, comma separated. Their X-Forwarded-For and PROXY protocol are believed, nobody else\'s. They must pass the Host on. Name the proxies, not the networks of clients.',
    default: ''
  }),
  FLOOD_REQUESTS_PER_SECOND: Type.Integer({
    group: 'Limits',
    description: 'Requests from one address, averaged, that Traefik passes on before anybody is asked who it is; ten times as many at once. 0: no limit. Behind TRUSTED_PROXIES that send X-Forwarded-For it is off where SHARED_EGRESS_RANGES is set.',
    default: usualFloodLimit,
    minimum: 0,
    maximum: 1_000_000
  }),
  CONFIG_DIR: Type.String({
    group: 'API key',
    description: 'Folder of this machine that verify and oauth see as /config: api-keys.json, which make api-key changes, the tenant registry, the tenants\' members. It begins with ./ or /.',
    default: './config',
    // Compose takes another text for the name of a volume.
    pattern: '^\\.{0,2}/'
  }),
  FALKORDB_PASSWORD: Type.String({ ...password, description: 'Password of FalkorDB, 24 or more of A-Z a-z 0-9 _ -: openssl rand -hex 32.' }),
  VALKEY_PASSWORD: Type.String({ ...password, description: 'Password of Valkey, likewise.' }),
  VALKEY_OAUTH_PASSWORD: Type.String({ ...userPassword, description: 'Password of Valkey\'s user oauth, who reaches the keys of sign-in and revocations. Where one of these three is empty, VALKEY_PASSWORD takes its place, and whoever has that service has all of Valkey.' }),
  VALKEY_VERIFY_PASSWORD: Type.String({ ...userPassword, description: 'Password of Valkey\'s user verify, who reaches revocations and the counts of limits.' }),
  VALKEY_MCP_PASSWORD: Type.String({ ...userPassword, description: 'Password of Valkey\'s user mcp, who reaches the streams of /sse.' }),
  MCP_REPLICAS: mcpSettings.properties.MCP_REPLICAS,
  OAUTH_REPLICAS: verifySettings.properties.OAUTH_REPLICAS,
  FALKORDB_MEMORY: Type.String({ ...size, description: 'Memory limit of the FalkorDB container; beyond it the kernel ends FalkorDB, which starts again from its file.', default: '2g' }),
  FALKORDB_MAXMEMORY: Type.String({ ...size, description: 'Data beyond this are refused. Leave a quarter of FALKORDB_MEMORY for queries.', default: '1400mb' }),
  FALKORDB_THREADS: Type.Integer({ group: resources, description: 'Queries that FalkorDB runs at the same time, of all tenants; the tool services share them out so that one tenant never holds all.', default: 16, minimum: 1, maximum: 256 })
})

export type ComposeSettings = Static<typeof composeSettings>

/** The passwords of Valkey's users, one for each service. */
export const valkeyUserPasswords = ['VALKEY_OAUTH_PASSWORD', 'VALKEY_VERIFY_PASSWORD', 'VALKEY_MCP_PASSWORD'] as const

/**
 * Reads the settings of the compose stack.
 * @throws ConfigurationError with every fault
 */
export function loadComposeSettings (env: NodeJS.ProcessEnv): ComposeSettings {
  try {
    return loadConfig(composeSettings, env, [
      checkHost, checkAcme, checkProxies, checkMemory, checkSecrets, settings => checkPublicUrl(settings, env.PUBLIC_URL ?? '')
    ])
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    // The images of the databases take their passwords from the environment alone.
    throw new ConfigurationError(error.faults.map(fault => fault.replace(/ \(nor \w+_FILE\)/, '')))
  }
}

/** The origin that clients type, as docker-compose.yml derives it. */
export function publicUrl (env: NodeJS.ProcessEnv): string {
  return env.PUBLIC_URL || `https://${env.DOMAIN || 'localhost'}`
}

function checkHost ({ DOMAIN: domain, BIND_ADDRESS: bind }: ComposeSettings): string[] {
  const faults: string[] = []
  if (!/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(domain)) faults.push(`DOMAIN is a host name without scheme, port or path (it is ${JSON.stringify(domain)})`)
  if (isIP(bind) === 0) faults.push(`BIND_ADDRESS is no IP address (it is ${JSON.stringify(bind)})`)
  return faults
}

function checkAcme ({ TLS_MODE: mode, DOMAIN: domain }: ComposeSettings): string[] {
  if (mode !== 'acme' || (isIP(domain) === 0 && domain.includes('.') && !domain.endsWith('.localhost'))) return []
  return [`TLS_MODE=acme needs in DOMAIN a name that the ACME server can reach (it is ${JSON.stringify(domain)})`]
}

function checkProxies ({ TLS_MODE: mode, TRUSTED_PROXIES: proxies }: ComposeSettings): string[] {
  const faults = rangeFaults('TRUSTED_PROXIES', proxies)
  for (const range of list(proxies)) if (range.endsWith('/0')) faults.push(`TRUSTED_PROXIES has ${range}: everybody could say who they are`)
  if (mode === 'upstream' && list(proxies).length === 0) faults.push('TLS_MODE=upstream needs TRUSTED_PROXIES: the addresses of the proxies that end TLS')
  return faults
}

/** Bytes of Docker's and Redis' sizes; both mean powers of 1024 where a `b` follows, and Docker always does. */
function bytes (text: string): number {
  const unit = { k: 1, m: 2, g: 3 }[text.replace(/[\db]/g, '') as 'k' | 'm' | 'g']
  return parseInt(text) * 1024 ** unit
}

function checkMemory ({ FALKORDB_MEMORY: container, FALKORDB_MAXMEMORY: data }: ComposeSettings): string[] {
  if (bytes(data) <= bytes(container) * 0.8) return []
  return [`FALKORDB_MAXMEMORY (${data}) leaves less than a fifth of FALKORDB_MEMORY (${container}) for queries`]
}

function checkSecrets (settings: ComposeSettings): string[] {
  const names = (['FALKORDB_PASSWORD', 'VALKEY_PASSWORD', ...valkeyUserPasswords] as const).filter(name => settings[name] !== '')
  const faults = names.filter(name => new Set(settings[name]).size < 8).map(name => `${name} repeats a few characters; make a random one: openssl rand -hex 32`)
  for (const same of Map.groupBy(names, name => settings[name]).values()) {
    if (same.length > 1) faults.push(`${same.join(' and ')} are the same; each needs its own`)
  }
  return faults
}

function checkPublicUrl ({ HTTPS_PORT: httpsPort, DOMAIN: domain, TLS_MODE: mode }: ComposeSettings, url: string): string[] {
  if (url.startsWith('http:')) return ['PUBLIC_URL is http:; clients send tokens to https: alone']
  if (url === '' && httpsPort !== 443 && mode !== 'upstream') return [`HTTPS_PORT is ${httpsPort}: set PUBLIC_URL to what clients type, e.g. https://${domain}:${httpsPort}`]
  return []
}
