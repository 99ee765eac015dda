/** Settings of the verify service. Each is an environment variable; .env.example is made from them. */
import { Type, type Static } from 'typebox'
import { resourceUrl } from '@gateway/common/challenge.ts'
import { ConfigurationError, list, loadConfig } from '@gateway/common/config.ts'
import { scopeFaults, scopeNames, type Scope } from '@gateway/common/scopes.ts'
import { parseSecrets } from '@gateway/common/secrets.ts'
import type { ServerTls } from '@gateway/common/service.ts'
import { addressSettings, checkAddresses, checkCommon, commonSettings } from '@gateway/common/settings.ts'
import { isTenantId, soleTenant } from '@gateway/common/tenants.ts'
import { readTextFile } from '@gateway/common/watched-file.ts'
import { parseApiKeys } from './credentials/api-key-file.ts'
import type { ApiKeyOptions } from './credentials/api-keys.ts'
import { isJwtShaped } from './credentials/shape.ts'
import { addressFault } from './issuers/addresses.ts'
import { builtInIssuer } from './issuers/built-in.ts'
import { readIssuers, usualAlgorithms, type IssuerEntry, type ReadIssuers, type Surroundings, type TrustedIssuer } from './issuers/trusted.ts'
import { parseTenantRegistry } from './tenants/registry.ts'
import { parseTls, tlsFiles } from './transport.ts'

const addresses = 'Internal addresses (set by compose and make dev)'
const issuer = 'Token issuer'
const apiKey = 'API key'
const tenants = 'Tenants'
const limits = 'Limits'
const state = 'Shared state'
const operation = 'Operation'
const port = (description: string, value: number) => Type.Integer({ group: addresses, description, default: value, minimum: 0, maximum: 65535 })
const optional = (group: string, description: string, example?: string) => Type.String({ group, description, default: '', ...(example && { example }) })

export const settings = Type.Object({
  ...commonSettings,
  VERIFY_HOST: Type.String({ group: addresses, description: 'Address that the verify service listens on.', default: '127.0.0.1' }),
  VERIFY_PORT: port('Port of its public routes; 0 takes a free one.', 4180),
  VERIFY_DECISION_PORT: port('Port of the decision that Traefik asks for; no public route may lead there.', 4181),
  VERIFY_TLS_CERT: optional(addresses, 'PEM file with the certificate of both ports, of the CA that Traefik knows as INTERNAL_CA. Empty: plain HTTP, on a loopback address only.'),
  VERIFY_TLS_KEY: optional(addresses, 'PEM file with the key of VERIFY_TLS_CERT.'),
  VERIFY_TLS_CA: optional(addresses, 'PEM file of the CA whose client certificates INTERNAL_MTLS asks for.'),
  INTERNAL_MTLS: Type.Boolean({ group: 'TLS', description: 'true: verify answers only who shows a client certificate of the stack\'s own CA, as Traefik then does.', default: false }),

  OAUTH_URL: optional(addresses, 'Origin of the oauth service, where verify fetches its keys. Empty: there is no built-in sign-in.'),
  OAUTH_REPLICAS: Type.Integer({ group: 'Sign-in', description: 'Replicas of the built-in sign-in, services/oauth, whose issuer is PUBLIC_URL. 0: off, people sign in by BEARER_ISSUER alone; make up takes that where BEARER_ISSUER is set and this is not.', default: 1, minimum: 0, maximum: 64 }),

  BEARER_ISSUER: optional(issuer, 'Your OIDC or OAuth issuer, exactly as "iss" of its tokens has it.', 'https://login.example.com/realms/main'),
  BEARER_JWKS_URI: optional(issuer, 'URL of its keys; empty: found through the metadata of the issuer.'),
  BEARER_AUDIENCE: optional(issuer, 'Audiences of which a token must name one, comma separated; empty: PUBLIC_URL/mcp.'),
  BEARER_ALGORITHMS: Type.String({ group: issuer, description: 'Signature algorithms that its tokens may use, comma separated; never a symmetric one.', default: usualAlgorithms.join(',') }),
  BEARER_TENANT_CLAIM: Type.String({ group: issuer, description: 'Claim that names the tenant; a dotted path into objects.', default: 'tenant_id' }),
  BEARER_TENANTS: optional(issuer, 'Tenants that it may name, comma separated; each * stands for any characters. Empty: all.'),
  BEARER_SCOPE_CLAIM: optional(issuer, 'Claim with the scopes, a text or a list; empty: scope, else scp.'),
  BEARER_SCOPE_MAPPING: optional(issuer, 'The issuer\'s own names of scopes, e.g. read=graph:read,write=graph:write.'),
  BEARER_USER_CLAIM: Type.String({ group: issuer, description: 'Claim that names the person or program.', default: 'sub' }),
  BEARER_CLIENT_CLAIM: optional(issuer, 'Claim that names the OAuth client; empty: client_id, azp, cid or appid.'),
  BEARER_TYP: optional(issuer, 'The "typ" that its access tokens must have, e.g. at+jwt; empty: JWT, at+jwt or none.'),
  BEARER_CLOCK_SKEW_SECONDS: Type.Number({ group: issuer, description: 'By how many seconds its clock may be ahead of this one.', default: 10, minimum: 0, maximum: 300 }),
  BEARER_ISSUERS: Type.String({ group: issuer, secret: true, default: '', description: 'Several issuers in place of BEARER_ISSUER: a JSON list, each with the tenants that it may name; docs/identity-providers has examples.', example: '[{"issuer":"https://a.example","tenants":["acme"]},{"issuer":"https://b.example","tenants":["b-*"]}]' }),
  CHALLENGE_SCOPES: Type.String({
    group: issuer,
    description: 'Scopes that clients are told to ask for, in the issuer\'s own names, space separated.',
    default: 'graph:read graph:write',
    // RFC 6749 section 3.3
    pattern: '^[!#-\\[\\]-~]+( [!#-\\[\\]-~]+)*$'
  }),

  ISSUER_OUTAGE_SECONDS: Type.Integer({ group: issuer, description: 'For how long known keys of an issuer go on while it cannot be asked.', default: 21_600, minimum: 60, maximum: 604_800 }),
  TOKEN_CACHE_ENTRIES: Type.Integer({ group: issuer, description: 'Verified tokens that are remembered, so that a signature is verified once; 0: none.', default: 10_000, minimum: 0, maximum: 1_000_000 }),
  TOKEN_CACHE_BYTES: Type.Integer({ group: issuer, description: 'Memory for them at most, roughly.', default: 16_777_216, minimum: 65_536 }),

  TENANTS_DENIED: optional(tenants, 'Tenants that are refused, comma separated; each * stands for any characters.'),

  MCP_API_KEY: Type.String({ group: apiKey, secret: true, description: 'One static key, sent as X-API-Key or as Bearer; empty: none. At least 32 random characters: openssl rand -hex 32.', default: '' }),
  MCP_API_KEY_TENANT: optional(apiKey, 'Tenant of MCP_API_KEY; must be set with it, unless ENABLE_MULTI_TENANCY=false.'),
  MCP_API_KEY_SCOPES: Type.String({ group: apiKey, description: 'Scopes of MCP_API_KEY, space separated.', default: 'graph:read graph:write' }),
  API_KEYS_FILE: optional(apiKey, 'JSON file of API keys, of which it holds only digests; made by make api-key, read again when it changes. Compose has it in CONFIG_DIR.', '/config/api-keys.json'),

  TENANT_REGISTRY_FILE: optional(tenants, 'JSON file of the tenants that are served, each with its scopes and limits; read again when it changes. Empty: every tenant that an issuer may name.', '/config/tenants.json'),

  TENANT_REQUESTS_PER_SECOND: Type.Integer({ group: limits, description: 'Calls of one tenant, averaged over 10 s, on all replicas together; 0: no limit.', default: 200, minimum: 0, maximum: 1_000_000 }),
  SUBJECT_REQUESTS_PER_SECOND: Type.Integer({ group: limits, description: 'Calls of one person or program, likewise.', default: 100, minimum: 0, maximum: 1_000_000 }),
  ADDRESS_FAILURES_PER_SECOND: Type.Integer({ group: limits, description: 'Refused credentials from one address, averaged over 10 s; beyond it only known credentials are looked at. 0: no limit.', default: 10, minimum: 0, maximum: 1_000_000 }),
  ...addressSettings,

  REVOCATION_OUTAGE: Type.Union([Type.Literal('continue'), Type.Literal('refuse')], { group: state, description: 'While Valkey cannot be asked: continue with the revocations that are known, or refuse every call.', default: 'continue' }),

  AUDIT_LOG_FILE: optional(operation, 'File for the audit log of verify; empty: standard output.')
})

type Settings = Static<typeof settings>

export interface Config extends Settings {
  issuers: readonly TrustedIssuer[]
  apiKey: ApiKeyOptions | undefined
  secrets: readonly string[]
  tls: ServerTls | undefined
  /** What deserves a line in the log at every start. */
  warnings: readonly string[]
}

/**
 * Reads the settings of the verify service.
 * @throws ConfigurationError with every fault
 */
export function loadVerifyConfig (env: NodeJS.ProcessEnv): Config {
  const config = loadConfig(settings, env, [checkCommon, config => issuersOf(config, '').faults, checkApiKey, checkOrigins, checkTls, checkAddresses, checkFiles, checkState, checkOauthUrl, checkSomeCredential])
  const { issuers, warnings } = issuersOf(config, resourceUrl(config.PUBLIC_URL))
  return {
    ...config,
    issuers,
    apiKey: config.MCP_API_KEY === ''
      ? undefined
      : { key: config.MCP_API_KEY, tenant: config.MCP_API_KEY_TENANT || soleTenant, scopes: scopeNames(config.MCP_API_KEY_SCOPES) as Scope[] },
    secrets: parseSecrets(config.GATEWAY_SECRET).secrets,
    tls: config.VERIFY_TLS_CERT === '' ? undefined : readTls(config),
    warnings: [
      ...warnings,
      ...config.VERIFY_TLS_CERT === '' ? ['VERIFY_TLS_CERT is not set: this service speaks plain HTTP, on this machine only'] : [],
      ...config.VALKEY_URL === '' ? ['VALKEY_URL is not set: no credential can be revoked, and each replica counts its limits alone'] : []
    ]
  }
}

/** The variable of the shorthand that stands for a member of a BEARER_ISSUERS entry; groups, required claims and introspection have none. */
const shorthand: Partial<Record<keyof IssuerEntry, keyof Settings>> = {
  issuer: 'BEARER_ISSUER',
  jwks_uri: 'BEARER_JWKS_URI',
  audience: 'BEARER_AUDIENCE',
  algorithms: 'BEARER_ALGORITHMS',
  typ: 'BEARER_TYP',
  clock_skew_seconds: 'BEARER_CLOCK_SKEW_SECONDS',
  tenant_claim: 'BEARER_TENANT_CLAIM',
  tenants: 'BEARER_TENANTS',
  scope_claim: 'BEARER_SCOPE_CLAIM',
  scope_mapping: 'BEARER_SCOPE_MAPPING',
  user_claim: 'BEARER_USER_CLAIM',
  client_claim: 'BEARER_CLIENT_CLAIM'
}

/** @param resource audience of issuers that name none; their faults do not depend on it */
function issuersOf (config: Settings, resource: string): ReadIssuers {
  const builtIn = hasBuiltIn(config) ? [builtInIssuer(config.PUBLIC_URL, config.OAUTH_URL, resource)] : []
  const configured = configuredIssuers(config, { resource, multiTenancy: config.ENABLE_MULTI_TENANCY, besides: builtIn.length })
  const faults = builtIn.length > 0 && configured.issuers.some(({ issuer }) => issuer === config.PUBLIC_URL)
    ? ['PUBLIC_URL is the issuer of the built-in sign-in, which needs no entry among the configured issuers; take it out, or set OAUTH_REPLICAS=0']
    : []
  return { issuers: [...builtIn, ...configured.issuers], faults: [...faults, ...configured.faults], warnings: configured.warnings }
}

const hasBuiltIn = ({ OAUTH_URL: url, OAUTH_REPLICAS: replicas }: Settings) => url !== '' && replicas > 0

function configuredIssuers (config: Settings, surroundings: Surroundings): ReadIssuers {
  const faults = (config.BEARER_ISSUER === '' && config.BEARER_JWKS_URI !== '') ? ['BEARER_JWKS_URI is set without BEARER_ISSUER, whose keys it would name'] : []
  if (config.BEARER_ISSUERS === '') {
    const entries = config.BEARER_ISSUER === '' ? [] : [shorthandEntry(config)]
    const read = readIssuers(entries, (_index, key) => shorthand[key.split('.')[0] as keyof IssuerEntry] ?? key, surroundings)
    return { ...read, faults: [...faults, ...read.faults] }
  }
  if (config.BEARER_ISSUER !== '') faults.push('BEARER_ISSUER and BEARER_ISSUERS are both set; put all issuers into BEARER_ISSUERS')
  const entries = parseList(config.BEARER_ISSUERS)
  if (entries === undefined) return { issuers: [], warnings: [], faults: [...faults, 'BEARER_ISSUERS is no JSON list of objects, e.g. [{"issuer":"https://login.example.com","tenants":["acme"]}]'] }
  const read = readIssuers(entries, (index, key) => `BEARER_ISSUERS[${index}]${key === '' ? '' : `.${key}`}`, surroundings)
  return { ...read, faults: [...faults, ...read.faults] }
}

function shorthandEntry (config: Settings): IssuerEntry {
  const audience = list(config.BEARER_AUDIENCE)
  const tenants = list(config.BEARER_TENANTS)
  return {
    issuer: config.BEARER_ISSUER,
    algorithms: list(config.BEARER_ALGORITHMS),
    clock_skew_seconds: config.BEARER_CLOCK_SKEW_SECONDS,
    tenant_claim: config.BEARER_TENANT_CLAIM,
    user_claim: config.BEARER_USER_CLAIM,
    scope_mapping: Object.fromEntries(list(config.BEARER_SCOPE_MAPPING).map(pair => [pair.split('=')[0] ?? '', pair.slice(pair.indexOf('=') + 1)])),
    ...(config.BEARER_JWKS_URI !== '' && { jwks_uri: config.BEARER_JWKS_URI }),
    ...(audience.length > 0 && { audience }),
    ...(tenants.length > 0 && { tenants }),
    ...(config.BEARER_SCOPE_CLAIM !== '' && { scope_claim: config.BEARER_SCOPE_CLAIM }),
    ...(config.BEARER_CLIENT_CLAIM !== '' && { client_claim: config.BEARER_CLIENT_CLAIM }),
    ...(config.BEARER_TYP !== '' && { typ: config.BEARER_TYP })
  }
}

function parseList (json: string): unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(json)
    return Array.isArray(value) && value.length > 0 ? value : undefined
  } catch {
    return undefined
  }
}

function checkApiKey ({ MCP_API_KEY: key, MCP_API_KEY_TENANT: tenant, MCP_API_KEY_SCOPES: granted, ENABLE_MULTI_TENANCY: multiTenancy }: Settings): string[] {
  const faults = scopeFaults('MCP_API_KEY_SCOPES', granted)
  if (key === '') return faults
  // The same bar as for GATEWAY_SECRET, whose words name another variable.
  faults.push(...parseSecrets(key, 'MCP_API_KEY').faults)
  if (!/^[\x21-\x2b\x2d-\x7e]*$/.test(key)) faults.push('MCP_API_KEY holds a space, a comma or a character that no header can carry')
  if (isJwtShaped(key)) faults.push('MCP_API_KEY has two dots and would be taken for a JWT')
  if (multiTenancy && tenant === '') faults.push('MCP_API_KEY is set without MCP_API_KEY_TENANT: whose graphs does it open? (or set ENABLE_MULTI_TENANCY=false)')
  else if (tenant !== '' && !isTenantId(tenant)) faults.push('MCP_API_KEY_TENANT is longer than 128 bytes')
  return faults
}

// A browser sends scheme, host and port and nothing else; another text would never match, silently.
function checkOrigins ({ ALLOWED_ORIGINS: origins }: Settings): string[] {
  return list(origins).filter(origin => !/^[a-z][a-z0-9+.-]*:\/\/[^/?#*\s]+$/.test(origin)).map(origin => `ALLOWED_ORIGINS holds ${JSON.stringify(origin)}; an origin is like https://app.example.com, lower-case and without a path`)
}

function checkTls (settings: Settings): string[] {
  const { VERIFY_TLS_CERT: cert, VERIFY_TLS_KEY: key, VERIFY_TLS_CA: ca, INTERNAL_MTLS: mtls, VERIFY_HOST: host } = settings
  if ((cert === '') !== (key === '')) return ['VERIFY_TLS_CERT and VERIFY_TLS_KEY must be set together']
  if (mtls && cert === '') return ['INTERNAL_MTLS is set without VERIFY_TLS_CERT: without TLS nobody can show a certificate']
  if (mtls && ca === '') return ['INTERNAL_MTLS is set without VERIFY_TLS_CA: whose client certificates would be good?']
  if (cert === '') return /^(?:127\.\d+\.\d+\.\d+|::1|localhost)$/.test(host) ? [] : [`VERIFY_TLS_CERT is not set: without TLS this service listens on a loopback address only, not on ${host}`]
  try {
    readTls(settings)
    return []
  } catch (error) {
    if (error instanceof ConfigurationError) return [...error.faults]
    throw error
  }
}

function readTls (settings: Settings): ServerTls {
  const [cert = '', key = '', clientCa] = tlsFiles(settings).map(path => readTextFile(path))
  return parseTls(cert, key, clientCa)
}

// The gate reads them again when they change; at the start a broken one is a fault among the others.
function checkFiles ({ API_KEYS_FILE: apiKeys, TENANT_REGISTRY_FILE: registry }: Settings): string[] {
  return [...fileFaults('API_KEYS_FILE', apiKeys, parseApiKeys), ...fileFaults('TENANT_REGISTRY_FILE', registry, parseTenantRegistry)]
}

function fileFaults (name: string, path: string, parse: (text: string) => unknown): string[] {
  if (path === '') return []
  try {
    parse(readTextFile(path))
    return []
  } catch (error) {
    if (error instanceof ConfigurationError) return error.faults.map(fault => `${name}: ${fault}`)
    throw error
  }
}

function checkState ({ VALKEY_URL: url, REVOCATION_OUTAGE: outage }: Settings): string[] {
  return url === '' && outage === 'refuse' ? ['REVOCATION_OUTAGE=refuse is set without VALKEY_URL, without which nothing can be revoked'] : []
}

// A path would be lost: what is asked for stands at the root.
function checkOauthUrl ({ OAUTH_URL: url }: Settings): string[] {
  if (url === '') return []
  const fault = addressFault(url) ?? (/^https?:\/\/[^/?#]+$/.test(url) ? undefined : 'must be an origin: scheme, host and port')
  return fault === undefined ? [] : [`OAUTH_URL ${fault}`]
}

function checkSomeCredential (config: Settings): string[] {
  const { BEARER_ISSUER, BEARER_ISSUERS, MCP_API_KEY, API_KEYS_FILE } = config
  return hasBuiltIn(config) || [BEARER_ISSUER, BEARER_ISSUERS, MCP_API_KEY, API_KEYS_FILE].some(value => value !== '') ? [] : ['nobody could ever call: set BEARER_ISSUER (or BEARER_ISSUERS), MCP_API_KEY or API_KEYS_FILE, or let the built-in sign-in run (OAUTH_REPLICAS)']
}
