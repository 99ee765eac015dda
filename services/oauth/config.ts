/** Settings of the oauth service. Each is an environment variable; .env.example is made from them. */
import { Type, type Static } from 'typebox'
import { list, loadConfig } from '@gateway/common/config.ts'
import { scopeFaults, scopeNames, type Scope } from '@gateway/common/scopes.ts'
import { parseSecrets } from '@gateway/common/secrets.ts'
import { addressSettings, checkAddresses, checkCommon, commonSettings } from '@gateway/common/settings.ts'
import { isTenantId } from '@gateway/common/tenants.ts'
import { isLocal } from './is-local.ts'
import { readUpstreams, upstreamChecks, upstreamWarnings, type UpstreamSettings } from './upstreams/settings.ts'

const addresses = 'Internal addresses (set by compose and make dev)'
const signIn = 'Sign-in'
const github = 'Sign-in with GitHub'
const google = 'Sign-in with Google Workspace'
const oidc = 'Sign-in with OpenID Connect'
const members = 'Who belongs to which tenant'
const tokens = 'Tokens'
const clients = 'OAuth clients'
const limits = 'Limits'
const optional = (group: string, description: string, example?: string) => Type.String({ group, description, default: '', ...(example && { example }) })
const seconds = (group: string, description: string, value: number, minimum: number, maximum: number) => Type.Integer({ group, description, default: value, minimum, maximum })
const rate = (description: string, value: number) => Type.Integer({ group: limits, description, default: value, minimum: 0, maximum: 1_000_000 })

/** Signature algorithms of access tokens. */
export const tokenAlgorithms = ['RS256', 'ES256', 'EdDSA'] as const
export type TokenAlgorithm = typeof tokenAlgorithms[number]

export const settings = Type.Object({
  ...commonSettings,
  OAUTH_HOST: Type.String({ group: addresses, description: 'Address that the oauth service listens on.', default: '127.0.0.1' }),
  OAUTH_PORT: Type.Integer({ group: addresses, description: 'Its port; 0 takes a free one.', default: 4170, minimum: 0, maximum: 65535 }),
  ...addressSettings,

  OAUTH_SECRET: Type.String({ group: 'Secrets', secret: true, description: 'Wraps the signing keys of the built-in sign-in, and seals what it remembers of people. At least 32 random characters, other ones than GATEWAY_SECRET, which takes its place where this is not set: then mcp could read the keys and sign tokens. Rotate with new,old; to begin with it: new,GATEWAY_SECRET, then new.', default: '' }),
  LOCAL_SIGN_IN: Type.Boolean({ group: signIn, description: 'true: a development sign-in that believes whatever name is typed. Only where PUBLIC_URL is on this machine (localhost); elsewhere the service does not start with it.', default: false }),
  LOCAL_SIGN_IN_TENANTS: optional(signIn, 'Tenants of whoever signs in locally, comma separated, where TENANTS_FILE is not set.', 'acme,globex'),
  GITHUB_CLIENT_ID: optional(github, 'Client ID of your GitHub OAuth app; its callback URL is PUBLIC_URL/callback/github.'),
  GITHUB_CLIENT_SECRET: Type.String({ group: github, secret: true, description: 'Its client secret.', default: '' }),
  GITHUB_URL: Type.String({ group: github, description: 'Another GitHub: that of GitHub Enterprise Server.', default: 'https://github.com', pattern: '^https?://[^/?#@]+$' }),
  GOOGLE_CLIENT_ID: optional(google, 'Client ID of your Google OAuth client; its redirect URI is PUBLIC_URL/callback/google.'),
  GOOGLE_CLIENT_SECRET: Type.String({ group: google, secret: true, description: 'Its client secret.', default: '' }),
  GOOGLE_HOSTED_DOMAINS: optional(google, 'Workspace domains whose members may sign in (the "hd" of their tokens), comma separated; must be set: private accounts have none and are refused.', 'example.com'),
  GOOGLE_ISSUER: Type.String({ group: google, description: 'Google\'s issuer; another one for tests only.', default: 'https://accounts.google.com' }),
  OIDC_ISSUER: optional(oidc, 'Issuer of your Keycloak, Entra ID, Okta or any other OpenID provider; its redirect URI is PUBLIC_URL/callback/OIDC_ID.', 'https://login.example.com/realms/main'),
  OIDC_CLIENT_ID: optional(oidc, 'Client ID of the gateway there.'),
  OIDC_CLIENT_SECRET: Type.String({ group: oidc, secret: true, description: 'Its client secret.', default: '' }),
  OIDC_ID: Type.String({ group: oidc, description: 'Short name in URLs, subjects and rules, e.g. keycloak:alice.', default: 'oidc', pattern: '^[a-z][a-z0-9-]{0,30}$' }),
  OIDC_LABEL: Type.String({ group: oidc, description: 'What its button says.', default: 'your company account' }),
  OIDC_SCOPES: Type.String({ group: oidc, description: 'Scopes that it is asked for.', default: 'openid profile email' }),
  OIDC_GROUPS_CLAIM: Type.String({ group: oidc, description: 'Claim with the groups of a person; a dotted path into objects.', default: 'groups' }),
  OIDC_TRUST_EMAIL: Type.Boolean({ group: oidc, description: 'true: an e-mail address counts without email_verified, for providers that never send it (Entra ID) and let nobody choose one freely.', default: false }),
  OIDC_EMAIL_DOMAINS: optional(oidc, 'Domains whose e-mail addresses it may vouch for, comma separated; other addresses do not count. Empty: any. Set it where there are other ways to sign in beside this one.', 'example.com'),
  OIDC_PROVIDERS: Type.String({ group: oidc, secret: true, description: 'Several OpenID providers in place of OIDC_ISSUER: a JSON list.', default: '', example: '[{"id":"keycloak","label":"Keycloak","issuer":"https://a.example","client_id":"gateway","client_secret":"…"}]' }),
  ALLOWED_USERS: optional(signIn, 'Who may sign in, beside belonging to a tenant: verified e-mail addresses or names such as github:octocat, comma separated. With ALLOWED_ORGANISATIONS and ALLOWED_DOMAINS: whoever fits one of the three. All empty: everybody who belongs to a tenant.'),
  ALLOWED_ORGANISATIONS: optional(signIn, 'GitHub organisations or groups of an OpenID provider whose members may sign in, e.g. github:acme-inc,keycloak:/engineers.'),
  ALLOWED_DOMAINS: optional(signIn, 'Domains of verified e-mail addresses that may sign in.'),

  TENANTS_FILE: optional(members, 'JSON file of tenants with their users, groups and domains; read again when it changes. docs/members.md describes it.', '/config/members.json'),
  TENANT_FROM: Type.Union(['', 'domain', 'groups'].map(choice => Type.Literal(choice)), { group: members, description: 'Without a file: domain (the tenant is the domain of the verified e-mail address, ALLOWED_DOMAINS or GOOGLE_HOSTED_DOMAINS must name it) or groups (each group or organisation of ALLOWED_ORGANISATIONS is a tenant of its own).', default: '' }),
  TENANT_SCOPES: Type.String({ group: members, description: 'Scopes of members where no rule says other ones, space separated.', default: 'graph:read graph:write' }),
  MEMBERSHIP_RECHECK_S: seconds(members, 'For so long what GitHub or an OpenID provider said of a person counts; at a refresh after that it is asked again.', 300, 0, 86_400),
  SIGN_IN_VALID_S: seconds(members, 'For so long a sign-in counts at an upstream that cannot be asked again without the person (an OpenID provider that gives no refresh token); then they sign in anew. Seconds: 7 days.', 604_800, 60, 34_560_000),
  UPSTREAM_OUTAGE_S: seconds(members, 'For how long refreshes go on while it cannot be asked.', 3_600, 0, 604_800),

  ACCESS_TOKEN_TTL_S: seconds(tokens, 'Life of an access token, seconds.', 600, 10, 86_400),
  REFRESH_TOKEN_TTL_S: seconds(tokens, 'Life of a refresh token since its last use, seconds: 30 days.', 2_592_000, 60, 31_536_000),
  GRANT_TTL_S: seconds(tokens, 'After so long a person is asked anew, however often the client was used, seconds: 180 days.', 15_552_000, 60, 34_560_000),
  SESSION_TTL_S: seconds(tokens, 'How long a browser stays signed in, seconds: 8 hours.', 28_800, 60, 2_592_000),
  REFRESH_REUSE_GRACE_S: seconds(tokens, 'A refresh token that is used again within so many seconds is refused only; later it ends the grant, as a stolen one would.', 10, 0, 300),
  ACCESS_TOKEN_ALG: Type.Union(tokenAlgorithms.map(algorithm => Type.Literal(algorithm)), { group: tokens, description: 'Signature algorithm of access tokens.', default: 'RS256' }),
  SIGNING_KEYS_FILE: optional(tokens, 'File of the signing and cookie keys, made at the first start; every replica needs the same. Empty: they lie in Valkey, wrapped by OAUTH_SECRET.', '/keys/oauth.json'),

  CIMD_TRUSTED_HOSTS: optional(clients, 'Hosts, with a port where it is not 443, whose client ID metadata documents are fetched wherever they lie, comma separated: for tests and private networks. Refused where PUBLIC_URL is on the public internet.'),
  CIMD_CA_FILE: optional(clients, 'PEM file of an authority that CIMD_TRUSTED_HOSTS are trusted by, beside the usual ones.'),
  CLIENTS_MAX: Type.Integer({ group: clients, description: 'Registered clients that are kept; beyond it registration is refused.', default: 100_000, minimum: 1, maximum: 10_000_000 }),
  CLIENT_UNUSED_S: seconds(clients, 'A registered client that is not used for so long is forgotten, seconds: 400 days. One that never led to a sign-in after a day.', 34_560_000, 3_600, 315_360_000),

  REGISTRATIONS_PER_HOUR: rate('Client registrations from one address in an hour; 0: no limit.', 200),
  SIGN_INS_PER_MINUTE: rate('Sign-ins begun from one address in a minute, and twice as many other requests of pages; 0: no limit.', 120),
  TOKENS_PER_MINUTE: rate('Token, revocation and introspection requests from one address in a minute; 0: no limit.', 1_200),
  CLIENT_TOKENS_PER_MINUTE: rate('Token requests of one client\'s grant, or of one machine client, in a minute; 0: no limit.', 30),
  ACCOUNT_SIGN_INS_PER_HOUR: rate('Sign-ins of one person in an hour; 0: no limit.', 60)
})

type Settings = Static<typeof settings>

/** Rules over who may sign in at all; empty lists allow everybody who belongs to a tenant. Names are in lower case. */
export interface AllowLists { users: readonly string[], organisations: readonly string[], domains: readonly string[] }

export interface Config extends Settings {
  /** The issuer identifier: PUBLIC_URL, byte for byte. */
  issuer: string
  /** Of OAUTH_SECRET, else of GATEWAY_SECRET; newest first. */
  secrets: readonly string[]
  upstreams: readonly UpstreamSettings[]
  allowed: AllowLists
  /** Scopes of members where no rule says other ones. */
  memberScopes: readonly Scope[]
  localTenants: readonly string[]
  cimdTrustedHosts: readonly string[]
  /** What deserves a line in the log at every start. */
  warnings: readonly string[]
}

/**
 * Reads the settings of the oauth service.
 * @throws ConfigurationError with every fault
 */
export function loadOauthConfig (env: NodeJS.ProcessEnv): Config {
  const config = loadConfig(settings, env, [checkCommon, checkSecret, checkState, ...upstreamChecks, checkLocal, checkSomeUpstream, checkMembers, checkScopes, checkTrustedHosts, checkAddresses])
  const lower = (value: string) => list(value).map(part => part.toLowerCase())
  return {
    ...config,
    issuer: config.PUBLIC_URL,
    secrets: secretsOf(config),
    upstreams: readUpstreams(config).upstreams,
    allowed: { users: lower(config.ALLOWED_USERS), organisations: lower(config.ALLOWED_ORGANISATIONS), domains: lower(config.ALLOWED_DOMAINS) },
    memberScopes: scopeNames(config.TENANT_SCOPES) as Scope[],
    localTenants: list(config.LOCAL_SIGN_IN_TENANTS),
    cimdTrustedHosts: lower(config.CIMD_TRUSTED_HOSTS),
    warnings: [
      ...config.LOCAL_SIGN_IN ? ['LOCAL_SIGN_IN is on: whoever reaches this machine signs in as anybody'] : [],
      ...upstreamWarnings(config),
      ...config.OAUTH_SECRET === '' ? ['OAUTH_SECRET is not set: whoever has GATEWAY_SECRET, as verify and mcp do, and reads Valkey, could sign tokens'] : []
    ]
  }
}

export { isLocal }

/** The secrets of this service, newest first. */
export function secretsOf ({ OAUTH_SECRET: own, GATEWAY_SECRET: shared }: Pick<Settings, 'OAUTH_SECRET' | 'GATEWAY_SECRET'>): string[] {
  return parseSecrets(own === '' ? shared : own).secrets
}

/** Faults of OAUTH_SECRET, in words. */
export function checkSecret ({ OAUTH_SECRET: own, GATEWAY_SECRET: shared }: Pick<Settings, 'OAUTH_SECRET' | 'GATEWAY_SECRET'>): string[] {
  if (own === '') return []
  const { secrets: [first], faults } = parseSecrets(own, 'OAUTH_SECRET')
  return parseSecrets(shared).secrets.includes(first!) ? [...faults, 'OAUTH_SECRET begins with GATEWAY_SECRET, which other services have; make another one: openssl rand -hex 32'] : faults
}

function checkState ({ VALKEY_URL: url }: Settings): string[] {
  return url === '' ? ['VALKEY_URL is not set: sessions, clients and tokens have nowhere to be'] : []
}

function checkLocal ({ LOCAL_SIGN_IN: local, LOCAL_SIGN_IN_TENANTS: tenants, TENANTS_FILE: file, ENABLE_MULTI_TENANCY: multiTenancy, PUBLIC_URL: url }: Settings): string[] {
  if (!local) return []
  const faults = URL.canParse(url) && isLocal(url) ? [] : ['LOCAL_SIGN_IN is on, but PUBLIC_URL is no address of this machine: everybody there could sign in as anybody. Configure GitHub, Google or an OpenID provider instead']
  if (tenants === '' && file === '' && multiTenancy) faults.push('LOCAL_SIGN_IN is on without LOCAL_SIGN_IN_TENANTS or TENANTS_FILE: nobody would belong to a tenant')
  for (const tenant of list(tenants)) if (!isTenantId(tenant)) faults.push(`LOCAL_SIGN_IN_TENANTS has ${JSON.stringify(tenant)}, which is longer than 128 bytes`)
  return faults
}

function checkSomeUpstream (config: Settings): string[] {
  const { upstreams, faults } = readUpstreams(config)
  return config.LOCAL_SIGN_IN || upstreams.length > 0 || faults.length > 0 ? [] : ['nobody could sign in: set GITHUB_CLIENT_ID, GOOGLE_CLIENT_ID or OIDC_ISSUER (docs/sign-in.md); or OAUTH_REPLICAS=0 for no built-in sign-in']
}

function checkMembers (config: Settings): string[] {
  const { TENANTS_FILE: file, TENANT_FROM: from, ALLOWED_DOMAINS: domains, ALLOWED_ORGANISATIONS: organisations, GOOGLE_HOSTED_DOMAINS: hosted, ENABLE_MULTI_TENANCY: multiTenancy } = config
  if (!multiTenancy) return []
  const faults: string[] = []
  if (file !== '' && from !== '') faults.push('TENANTS_FILE and TENANT_FROM are both set; the file can have rules for groups and domains itself')
  if (from === 'domain' && domains === '' && hosted === '') faults.push('TENANT_FROM=domain needs ALLOWED_DOMAINS or GOOGLE_HOSTED_DOMAINS: else whoever has a mailbox somewhere would have a tenant')
  if (from === 'groups' && organisations === '') faults.push('TENANT_FROM=groups needs ALLOWED_ORGANISATIONS: the groups that are tenants')
  if (readUpstreams(config).upstreams.some(({ kind }) => kind !== 'local') && file === '' && from === '') faults.push('nobody would belong to a tenant: set TENANTS_FILE or TENANT_FROM (docs/members.md)')
  return faults
}

function checkScopes ({ TENANT_SCOPES: granted }: Settings): string[] {
  return scopeFaults('TENANT_SCOPES', granted)
}

function checkTrustedHosts ({ CIMD_TRUSTED_HOSTS: hosts, CIMD_CA_FILE: ca, PUBLIC_URL: url }: Settings): string[] {
  const faults = list(hosts).filter(host => !/^[A-Za-z0-9.-]+(:\d{1,5})?$|^\[[0-9A-Fa-f:]+\](:\d{1,5})?$/.test(host)).map(host => `CIMD_TRUSTED_HOSTS has ${JSON.stringify(host)}; a host is like clients.internal or localhost:8444`)
  if (hosts !== '' && URL.canParse(url) && isPublic(url)) faults.push('CIMD_TRUSTED_HOSTS is set on a public domain: whoever may name a client there could have this service fetch from inside your network')
  if (ca !== '' && hosts === '') faults.push('CIMD_CA_FILE is set without CIMD_TRUSTED_HOSTS, for which alone it is asked')
  return faults
}

/** True unless the host can be reached from inside only. */
function isPublic (url: string): boolean {
  const { hostname } = new URL(url)
  return !isLocal(url) && hostname.includes('.') && !/\.(?:internal|local|lan|home\.arpa|svc|test)$/.test(hostname) && !/^(?:10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.)/.test(hostname)
}
