/** The .env of the compose stack: made with fresh secrets, read as compose reads it, checked by the loaders of those who use it. */
import { randomBytes, X509Certificate, createPrivateKey } from 'node:crypto'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { isIP } from 'node:net'
import { dirname } from 'node:path'
import { parseEnv } from 'node:util'
import { ConfigurationError } from '@gateway/common/config.ts'
import { readTextFile } from '@gateway/common/watched-file.ts'
import { loadMcpConfig } from '../services/mcp/config.ts'
import { loadVerifyConfig } from '../services/verify/config.ts'
import { loadOauthConfig } from '../services/oauth/config.ts'
import { parseApiKeys } from '../services/verify/credentials/api-key-file.ts'
import { apiKeysPath, hostPath, isInConfig } from './api-key-file.ts'
import { loadComposeSettings, publicUrl, users, valkeyUserPasswords } from './settings.ts'

/** The tenant of the API key and of the local sign-in in a fresh .env. */
export const firstTenant = 'default'

const secret = () => randomBytes(32).toString('hex')

/** A .env that starts on this machine as it is: fresh secrets, a sign-in that believes any name, and one API key for scripts. */
export function freshEnv (): string {
  return `# Made by "make up". Every setting is described in .env.example. Keep this file to yourself.

# Where it is reached: from this machine alone. For a domain of yours: DOMAIN=graphs.example.com and TLS_MODE=acme (or files, or upstream),
# without BIND_ADDRESS and with another sign-in than the local one.
BIND_ADDRESS=127.0.0.1
#DOMAIN=localhost
#TLS_MODE=own

# Who may sign in. The local sign-in believes whatever name is typed; docs/sign-in.md is about GitHub, Google and OpenID providers.
LOCAL_SIGN_IN=true
LOCAL_SIGN_IN_TENANTS=${firstTenant}

# The API key is for scripts and the first steps.
MCP_API_KEY=${secret()}
MCP_API_KEY_TENANT=${firstTenant}

GATEWAY_SECRET=${secret()}
OAUTH_SECRET=${secret()}
FALKORDB_PASSWORD=${secret()}
VALKEY_PASSWORD=${secret()}
${valkeyUserPasswords.map(name => `${name}=${secret()}\n`).join('')}`
}

/** What a .env lacks without which the stack starts all the same, but keeps less apart; undefined where nothing is. */
export function missingPasswords (env: NodeJS.ProcessEnv): string | undefined {
  const missing = valkeyUserPasswords.filter(name => !env[name])
  if (env.VALKEY_URL || missing.length === 0) return undefined
  return `.env lacks ${missing.join(', ')}: add each with a value of its own (openssl rand -hex 32), or the services that they belong to can write all that is in Valkey, sign-in's records too.`
}

/** What compose takes its variables from: the file, and over it the environment of the process. */
export function readEnv (path: string, environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { ...parseEnv(readFileSync(path, 'utf8')), ...environment }
}

/** Whether issuers of somebody else are trusted. */
export const hasIssuers = ({ BEARER_ISSUER: one, BEARER_ISSUERS: several, BEARER_ISSUERS_FILE: file }: NodeJS.ProcessEnv) => Boolean(one || several || file)

/** The same settings with OAUTH_REPLICAS said: where another issuer is configured, the built-in sign-in runs only if it is asked for. */
export function withSignIn (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return env.OAUTH_REPLICAS || !hasIssuers(env) ? env : { ...env, OAUTH_REPLICAS: '0' }
}

/** Whether the built-in sign-in is to run; a number that is none counts as one, and is told as a fault. */
export const signsIn = (env: NodeJS.ProcessEnv) => Number(withSignIn(env).OAUTH_REPLICAS || 1) !== 0

/** All that is wrong with these settings, each fault once, in words. */
export function faultsIn (given: NodeJS.ProcessEnv): string[] {
  const env = withSignIn(given)
  // What docker-compose.yml sets by itself; the files of verify's certificate and of oauth's keys are inside the stack.
  const set = {
    PUBLIC_URL: publicUrl(env),
    FALKORDB_URL: env.FALKORDB_URL || 'redis://falkordb:6379',
    VALKEY_URL: env.VALKEY_URL || 'redis://valkey:6379',
    OAUTH_URL: 'http://oauth:4170',
    VERIFY_HOST: '',
    VERIFY_TLS_CERT: '',
    VERIFY_TLS_KEY: '',
    SIGNING_KEYS_FILE: '',
    ...configFiles(env)
  }
  const faults = [
    () => loadComposeSettings(env),
    () => loadVerifyConfig({ ...env, ...set }),
    () => loadMcpConfig({ ...env, ...set }),
    ...signsIn(env) ? [() => loadOauthConfig({ ...env, ...set })] : []
  ].flatMap(collected)
  return [...new Set([...faults, ...certificateFaults(env), ...secretFileFaults(env), ...configFileFaults(env), ...signInFaults(env), ...externalFaults(env)])]
}

/** What only the containers make wrong. */
function signInFaults (env: NodeJS.ProcessEnv): string[] {
  if (!signsIn(env)) return []
  const { LOCAL_SIGN_IN: local, BIND_ADDRESS: bind = '', SIGNING_KEYS_FILE: keys } = env
  const faults: string[] = []
  // The Host of a request can be anybody's: what counts is who reaches the port.
  if (local === 'true' && !/^(?:127\.|::1$)/.test(bind)) faults.push('LOCAL_SIGN_IN is on and the ports are published beyond this machine: whoever reaches them could sign in as anybody. Set BIND_ADDRESS=127.0.0.1, or configure another sign-in')
  if (keys && !/^\/keys\/[^/]+$/.test(keys)) faults.push(`SIGNING_KEYS_FILE is ${JSON.stringify(keys)}; it must be a file in /keys, which is a volume of the stack`)
  return faults
}

// Its networks lead nowhere but to the stack's own FalkorDB.
function externalFaults ({ FALKORDB_URL: url, COMPOSE_FILE: files = '' }: NodeJS.ProcessEnv): string[] {
  if (!url || files.includes('external-falkordb.yml')) return []
  return ['FALKORDB_URL is set, but mcp has no way out to it: set COMPOSE_FILE=docker-compose.yml:deploy/external-falkordb.yml as well']
}

function collected (load: () => unknown): readonly string[] {
  try {
    load()
    return []
  } catch (error) {
    if (error instanceof ConfigurationError) return error.faults
    throw error
  }
}

/** What is wrong with the certificate and key of TLS_MODE=files: Traefik would start and serve one of its own making. */
export function certificateFaults (env: NodeJS.ProcessEnv): string[] {
  if (env.TLS_MODE !== 'files') return []
  const { TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile } = env
  if (!certFile || !keyFile) return ['TLS_MODE=files needs TLS_CERT_FILE and TLS_KEY_FILE']
  try {
    const certificate = new X509Certificate(readFileSync(certFile))
    const faults = [certFile, keyFile].filter(file => !readable(file, users.traefik)).map(file => `Traefik cannot read ${file}; it runs as user ${users.traefik}: chgrp ${users.traefik} ${file}; chmod 640 ${file}`)
    if (!certificate.checkPrivateKey(createPrivateKey(readFileSync(keyFile)))) faults.push('TLS_KEY_FILE is not the key of TLS_CERT_FILE')
    if (certificate.validToDate.getTime() < Date.now()) faults.push(`TLS_CERT_FILE ended on ${certificate.validToDate.toISOString().slice(0, 10)}`)
    const host = URL.canParse(publicUrl(env)) ? new URL(publicUrl(env)).hostname : ''
    if ((isIP(host) ? certificate.checkIP(host) : certificate.checkHost(host)) === undefined) faults.push(`TLS_CERT_FILE is not for ${host}`)
    return faults
  } catch (error) {
    return [`TLS_CERT_FILE or TLS_KEY_FILE cannot be used: ${(error as Error).message}`]
  }
}

// The loaders have said already what cannot be read by whoever runs this.
function secretFileFaults (env: NodeJS.ProcessEnv): string[] {
  const oauth = signsIn(env) ? [users.oauth] : []
  const readers = {
    GATEWAY_SECRET_FILE: [users.verify, users.mcp, ...oauth],
    OAUTH_SECRET_FILE: oauth,
    MCP_API_KEY_FILE: [users.verify],
    BEARER_ISSUERS_FILE: [users.verify],
    GITHUB_CLIENT_SECRET_FILE: oauth,
    GOOGLE_CLIENT_SECRET_FILE: oauth,
    OIDC_CLIENT_SECRET_FILE: oauth,
    OIDC_PROVIDERS_FILE: oauth
  }
  return Object.entries(readers).flatMap(([name, ids]) => {
    const file = env[name]
    if (!file || !existsSync(file) || ids.every(id => readable(file, id))) return []
    return [`${name}: ${file} cannot be read in the containers, by users ${ids.join(' and ')}: chmod 644 it, in a folder that only you may enter`]
  })
}

/** The files of CONFIG_DIR by their paths here. A key file that is not made yet, or holds no key, lets nobody in, and so counts as not set. */
function configFiles (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const keys = hostPath(apiKeysPath(env), env)
  const here = (path = '') => isInConfig(path) ? hostPath(path, env) : ''
  return {
    API_KEYS_FILE: holdsNoKey(keys) ? '' : keys,
    TENANT_REGISTRY_FILE: here(env.TENANT_REGISTRY_FILE),
    TENANTS_FILE: here(env.TENANTS_FILE),
    CIMD_CA_FILE: here(env.CIMD_CA_FILE)
  }
}

function holdsNoKey (path: string): boolean {
  if (!existsSync(path)) return true
  try {
    return parseApiKeys(readTextFile(path)).every(({ revoked }) => revoked !== undefined)
  } catch (error) {
    // Whatever is wrong with it, verify's own configuration names it.
    if (error instanceof ConfigurationError) return false
    throw error
  }
}

function configFileFaults (env: NodeJS.ProcessEnv): string[] {
  const files: Array<[name: string, path: string | undefined, reader: 'verify' | 'oauth']> = [
    ['API_KEYS_FILE', apiKeysPath(env), 'verify'],
    ['TENANT_REGISTRY_FILE', env.TENANT_REGISTRY_FILE, 'verify'],
    ...signsIn(env) ? (['TENANTS_FILE', 'CIMD_CA_FILE'] as const).map((name): [string, string | undefined, 'oauth'] => [name, env[name], 'oauth']) : []
  ]
  return files.flatMap(([name, path, reader]) => {
    if (!path) return []
    if (!isInConfig(path)) return [`${name} is ${JSON.stringify(path)}; it must be a path below /config, which is CONFIG_DIR of this machine`]
    const file = hostPath(path, env)
    // Root's make api-key gives the folder to verify's group, to which oauth belongs as well.
    const reads = (path: string, needed?: number) => readable(path, users[reader], needed, users.verify)
    if (!existsSync(file) || (reads(file) && reads(dirname(file), 0o5))) return []
    return [`${name}: ${file} cannot be read in ${reader}'s container, by user ${users[reader]}: chmod 755 ${dirname(file)}; chmod 644 ${file}`]
  })
}

// Docker mounts a file or folder with the owner and mode that it has here; the folders above play no part.
function readable (path: string, id: number, needed = 0o4, group = id): boolean {
  const { mode, uid, gid } = statSync(path)
  const allows = (bits: number) => (bits & needed) === needed
  return allows(mode) || ((gid === id || gid === group) && allows(mode >> 3)) || (uid === id && allows(mode >> 6))
}
