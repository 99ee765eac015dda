/** Sign-in with any OpenID provider: Keycloak, Entra ID, Okta. */
import * as client from 'openid-client'
import type { Logger } from 'pino'
import { AnswerError } from './failures.ts'
import { askedAgain, authorizationUrl, discovered, exchanged, memoryOf, told, type Tokens } from './relying-party.ts'
import { emailOf, groupsOf, handleOf, personId } from './persons.ts'
import type { UpstreamSettings } from './settings.ts'
import type { Upstream, Vouched } from './upstream.ts'

type OidcSettings = Extract<UpstreamSettings, { kind: 'oidc' }>
type Claims = Record<string, unknown>

export function openOidc (settings: OidcSettings, logger: Logger): Upstream {
  const { id, label } = settings
  const configuration = discovered(settings)
  const vouch = async (known: client.Configuration, tokens: Tokens, subject: string, memory: string | undefined) =>
    vouchedFor(settings, logger, subject, await claimsOf(settings, known, tokens, subject), memory)
  return {
    id,
    label,
    begin: callbackUrl => told(label, async () => {
      const known = await configuration()
      return await authorizationUrl(known, true, { redirect_uri: callbackUrl, scope: scopeOf(settings, known) })
    }),
    finish: (callback, kept) => told(label, async () => {
      const known = await configuration()
      const { tokens, claims } = await exchanged(known, callback, kept)
      return await vouch(known, tokens, claims.sub, memoryOf(claims.sub, tokens.refresh_token))
    }),
    again: memory => askedAgain(configuration, memory, vouch)
  }
}

/** offline_access: a refresh token that outlives the person's session there (OpenID Connect Core section 11). */
function scopeOf ({ scopes }: OidcSettings, configuration: client.Configuration): string {
  const asked = new Set(scopes.split(/\s+/).filter(scope => scope !== ''))
  if (configuration.serverMetadata().scopes_supported?.includes('offline_access')) asked.add('offline_access')
  return [...asked].join(' ')
}

/** What the ID token says and, where it lacks groups or an address, the userinfo endpoint; the one that says more is first. */
async function claimsOf ({ groupsClaim }: OidcSettings, configuration: client.Configuration, tokens: Tokens, subject: string): Promise<Claims[]> {
  const idToken: Claims | undefined = tokens.claims()
  const complete = idToken !== undefined && claimAt(idToken, groupsClaim) !== undefined && idToken.email !== undefined
  if (complete || configuration.serverMetadata().userinfo_endpoint === undefined) {
    if (idToken === undefined) throw new AnswerError('there is no ID token, and no userinfo endpoint')
    return [idToken]
  }
  const userinfo: Claims = await client.fetchUserInfo(configuration, tokens.access_token, subject)
  return idToken === undefined ? [userinfo] : [idToken, userinfo]
}

function vouchedFor (settings: OidcSettings, logger: Logger, subject: string, sources: Claims[], memory: string | undefined): Vouched {
  const { id, groupsClaim } = settings
  const email = sources.filter(claims => claims.email !== undefined).slice(0, 1).map(claims => verifiedEmail(claims, settings))[0]
  const groups = sources.map(claims => claimAt(claims, groupsClaim)).find(claim => claim !== undefined)
  if (groups === undefined && sources.some(leavesGroupsOut)) logger.warn({ upstream: id }, 'a person has more groups than the provider lists in a token; none counts here: assign groups to the application, or use app roles (docs/sign-in.md)')
  const username = sources.map(claims => claims.preferred_username).find(isText)
  const name = username ?? email ?? sources.map(claims => claims.name).find(isText) ?? subject
  const person = {
    id: personId(id, subject),
    upstream: id,
    name: name.slice(0, 200),
    handle: handleOf(id, username ?? email ?? subject, subject),
    email,
    groups: groupsOf(id, (Array.isArray(groups) ? groups : [groups]).filter(isText))
  }
  return { person, memory }
}

const isText = (value: unknown): value is string => typeof value === 'string' && value.trim() !== ''

/** Address and verification from one and the same answer. A provider that says "not verified" is believed, trusted or not. */
function verifiedEmail (claims: Claims, { trustEmail, emailDomains }: OidcSettings): string | undefined {
  const email = claims.email_verified === true || (trustEmail && claims.email_verified === undefined) ? emailOf(claims.email) : undefined
  // Another domain's addresses are not its own to give: with several providers one could name the other's people.
  return email === undefined || emailDomains.length === 0 || emailDomains.includes(email.slice(email.lastIndexOf('@') + 1)) ? email : undefined
}

/** Entra ID puts a reference in place of more than 200 groups (OpenID Connect Core section 5.6.2). */
const leavesGroupsOut = (claims: Claims) => claimAt(claims, '_claim_names.groups') !== undefined || claims.hasgroups === true || claims.hasgroups === 'true'

/** A claim by its name, or by a dotted path into objects. A claim whose own name holds dots, such as a URL, comes first. */
function claimAt (claims: Claims, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path]
  let value: unknown = claims
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
    value = (value as Claims)[name]
  }
  return value
}
