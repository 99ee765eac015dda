/** The upstreams that are configured, checked. */
import { Type, type Static } from 'typebox'
import { ConfigurationError, list, type Check } from '@gateway/common/config.ts'
import { jsonReader } from '@gateway/common/json-file.ts'
import { isLocal } from '../is-local.ts'

export type UpstreamSettings =
  | { kind: 'github', id: 'github', label: string, url: string, clientId: string, clientSecret: string }
  | { kind: 'google', id: 'google', label: string, issuer: string, clientId: string, clientSecret: string, hostedDomains: readonly string[] }
  | { kind: 'oidc', id: string, label: string, issuer: string, clientId: string, clientSecret: string, scopes: string, groupsClaim: string, trustEmail: boolean, /** Whose addresses it may vouch for; empty: anybody's. */ emailDomains: readonly string[] }
  | { kind: 'local', id: 'local', label: string }

/** The settings that this reads, as services/oauth/config.ts has them. */
export interface UpstreamEnvironment {
  LOCAL_SIGN_IN: boolean
  GITHUB_CLIENT_ID: string
  GITHUB_CLIENT_SECRET: string
  GITHUB_URL: string
  GOOGLE_CLIENT_ID: string
  GOOGLE_CLIENT_SECRET: string
  GOOGLE_HOSTED_DOMAINS: string
  GOOGLE_ISSUER: string
  OIDC_ISSUER: string
  OIDC_CLIENT_ID: string
  OIDC_CLIENT_SECRET: string
  OIDC_ID: string
  OIDC_LABEL: string
  OIDC_SCOPES: string
  OIDC_GROUPS_CLAIM: string
  OIDC_TRUST_EMAIL: boolean
  OIDC_EMAIL_DOMAINS: string
  OIDC_PROVIDERS: string
}

interface Read { upstreams: UpstreamSettings[], faults: string[] }

const readers: ReadonlyArray<(env: UpstreamEnvironment) => Read> = [readGithub, readGoogle, readOidc, readLocal]

/** The upstreams in the order of their buttons (the local one last), and what is wrong with their settings. */
export function readUpstreams (env: UpstreamEnvironment): Read {
  const read = readers.map(reader => reader(env))
  return { upstreams: read.flatMap(({ upstreams }) => upstreams), faults: read.flatMap(({ faults }) => faults) }
}

/** The same faults, a rule for each upstream: a wrong setting of one leaves the others to be judged. */
export const upstreamChecks: ReadonlyArray<Check<UpstreamEnvironment>> = readers.map(reader => env => reader(env).faults)

function readGithub ({ GITHUB_CLIENT_ID: clientId, GITHUB_CLIENT_SECRET: clientSecret, GITHUB_URL: url }: UpstreamEnvironment): Read {
  const faults = [...pairFaults('GITHUB_CLIENT', clientId, clientSecret), ...addressFaults('GITHUB_URL', url)]
  return { upstreams: clientId === '' ? [] : [{ kind: 'github', id: 'github', label: 'GitHub', url, clientId, clientSecret }], faults }
}

function readGoogle ({ GOOGLE_CLIENT_ID: clientId, GOOGLE_CLIENT_SECRET: clientSecret, GOOGLE_HOSTED_DOMAINS: domains, GOOGLE_ISSUER: issuer }: UpstreamEnvironment): Read {
  const hostedDomains = list(domains).map(domain => domain.toLowerCase())
  const faults = [...pairFaults('GOOGLE_CLIENT', clientId, clientSecret), ...addressFaults('GOOGLE_ISSUER', issuer)]
  if (clientId !== '' && hostedDomains.length === 0) faults.push('GOOGLE_CLIENT_ID is set without GOOGLE_HOSTED_DOMAINS: name the Workspace domains whose members may sign in')
  for (const domain of hostedDomains) if (!isDomain(domain)) faults.push(`GOOGLE_HOSTED_DOMAINS has ${JSON.stringify(domain)}; a domain is like example.com`)
  return { upstreams: clientId === '' ? [] : [{ kind: 'google', id: 'google', label: 'Google', issuer, clientId, clientSecret, hostedDomains }], faults }
}

function readLocal ({ LOCAL_SIGN_IN: local }: UpstreamEnvironment): Read {
  return { upstreams: local ? [{ kind: 'local', id: 'local', label: 'a name for development' }] : [], faults: [] }
}

const ProviderSchema = Type.Object({
  id: Type.String(),
  label: Type.String(),
  issuer: Type.String(),
  client_id: Type.String(),
  client_secret: Type.String(),
  scopes: Type.Optional(Type.String()),
  groups_claim: Type.Optional(Type.String()),
  trust_email: Type.Optional(Type.Boolean()),
  email_domains: Type.Optional(Type.Array(Type.String(), { minItems: 1 }))
}, { additionalProperties: false })
type Provider = Static<typeof ProviderSchema>

const readProviders = jsonReader(Type.Array(ProviderSchema, { minItems: 1, maxItems: 20 }))

function readOidc (env: UpstreamEnvironment): Read {
  if (env.OIDC_PROVIDERS === '') return readSingle(env)
  const faults = env.OIDC_ISSUER === '' ? [] : ['OIDC_ISSUER and OIDC_PROVIDERS are both set; put all providers into OIDC_PROVIDERS']
  try {
    const providers = readProviders(env.OIDC_PROVIDERS)
    const read = providers.map((provider, index) => readProvider(provider, name => `OIDC_PROVIDERS[${index}].${name}`))
    const twice = providers.filter(({ id }, index) => providers.findIndex(other => other.id === id) < index)
    faults.push(...read.flatMap(provider => provider.faults), ...twice.map(({ id }) => `OIDC_PROVIDERS names the id ${JSON.stringify(id)} a second time`))
    return { upstreams: read.flatMap(({ upstreams }) => upstreams), faults }
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    return { upstreams: [], faults: [...faults, ...error.faults.map(fault => `OIDC_PROVIDERS: ${fault}`)] }
  }
}

function readSingle (env: UpstreamEnvironment): Read {
  const { OIDC_ISSUER: issuer, OIDC_CLIENT_ID: clientId, OIDC_CLIENT_SECRET: clientSecret } = env
  if (issuer === '') return { upstreams: [], faults: clientId === '' && clientSecret === '' ? [] : ['OIDC_CLIENT_ID or OIDC_CLIENT_SECRET is set without OIDC_ISSUER: at which provider?'] }
  const provider = { id: env.OIDC_ID, label: env.OIDC_LABEL, issuer, client_id: clientId, client_secret: clientSecret, scopes: env.OIDC_SCOPES, groups_claim: env.OIDC_GROUPS_CLAIM, trust_email: env.OIDC_TRUST_EMAIL, email_domains: list(env.OIDC_EMAIL_DOMAINS) }
  return readProvider(provider, name => `OIDC_${name.toUpperCase()}`)
}

/** Ids whose subjects are someone else's: two ways in must never name the same person. */
const reserved = new Set(['github', 'google', 'local'])

function readProvider (provider: Provider, nameOf: (member: string) => string): Read {
  const { id, label, issuer, client_id: clientId, client_secret: clientSecret, scopes = 'openid profile email', groups_claim: groupsClaim = 'groups', trust_email: trustEmail = false, email_domains: domains = [] } = provider
  const emailDomains = domains.map(domain => domain.toLowerCase())
  const faults: string[] = []
  if (!/^[a-z][a-z0-9-]{0,30}$/.test(id)) faults.push(`${nameOf('id')} must be a short name of small letters, digits and hyphens, e.g. keycloak`)
  if (reserved.has(id)) faults.push(`${nameOf('id')} must be none of ${[...reserved].join(', ')}`)
  if (label.trim() === '' || label.length > 60) faults.push(`${nameOf('label')} must have 1 to 60 characters, as a button can show`)
  faults.push(...issuerFaults(nameOf('issuer'), issuer))
  if (clientId === '') faults.push(`${nameOf('client_id')} is not set`)
  if (clientSecret === '') faults.push(`${nameOf('client_secret')} is not set`)
  if (!scopes.split(/\s+/).includes('openid')) faults.push(`${nameOf('scopes')} lacks openid, without which nobody is named`)
  for (const domain of emailDomains) if (!isDomain(domain)) faults.push(`${nameOf('email_domains')} has ${JSON.stringify(domain)}; a domain is like example.com`)
  if (groupsClaim === '') faults.push(`${nameOf('groups_claim')} is empty`)
  return { upstreams: [{ kind: 'oidc', id, label, issuer, clientId, clientSecret, scopes, groupsClaim, trustEmail, emailDomains }], faults }
}

/**
 * What deserves a line in the log: rules by e-mail address do not ask which upstream vouched for it, so that of several each would stand for
 * everybody's.
 */
export function upstreamWarnings (env: UpstreamEnvironment): string[] {
  const { upstreams } = readUpstreams(env)
  const open = upstreams.filter(upstream => upstream.kind === 'oidc' && upstream.emailDomains.length === 0).map(({ id }) => id)
  return open.length === 0 || upstreams.length === 1 ? [] : [`${open.join(', ')} may vouch for any e-mail address, and there are several ways to sign in: whoever runs one of these providers could sign in as a person of another tenant; name the domains of each (email_domains or OIDC_EMAIL_DOMAINS)`]
}

function pairFaults (name: string, id: string, secret: string): string[] {
  if (id !== '' && secret === '') return [`${name}_ID is set without ${name}_SECRET (or ${name}_SECRET_FILE)`]
  if (id === '' && secret !== '') return [`${name}_SECRET is set without ${name}_ID, whose secret it would be`]
  return []
}

/** Codes and tokens travel there: never in the clear over more than this machine. */
function addressFaults (name: string, text: string): string[] {
  if (!URL.canParse(text)) return [`${name} is no URL`]
  const url = new URL(text)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLocal(text))) return [`${name} must begin with https:// (plain http is taken on this machine only)`]
  if (url.username !== '' || url.password !== '') return [`${name} must not hold a user name or password`]
  return url.search === '' && url.hash === '' ? [] : [`${name} must not have a query or a fragment`]
}

function issuerFaults (name: string, issuer: string): string[] {
  const faults = addressFaults(name, issuer)
  if (faults.length > 0) return faults
  const { hostname, pathname } = new URL(issuer)
  // openid-client takes a URL of metadata as it is, and asks no more whose it is.
  if (pathname.includes('/.well-known/')) return [`${name} names the metadata of an issuer; the issuer is what stands before /.well-known/`]
  // Their metadata name no issuer but a pattern, which every directory of the world fits.
  if (hostname === 'login.microsoftonline.com' && /^\/(?:common|organizations|consumers)(?:\/|$)/.test(pathname)) return [`${name} stands for everybody's Entra ID; name your own directory: https://login.microsoftonline.com/<directory id>/v2.0`]
  return []
}

const isDomain = (text: string) => text.length <= 253 && /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]$/.test(text)
