/** The one resource that tokens are for, and what its access tokens say (RFC 8707, RFC 9068). */
import { errors, type KoaContextWithOIDC, type ResourceServer } from 'oidc-provider'
import { resourceUrl } from '@gateway/common/challenge.ts'
import { scopes } from '@gateway/common/scopes.ts'
import type { Config } from '../config.ts'
import type { KeyRing } from '../keys/key-ring.ts'
import type { Account } from './account.ts'

/** Metadata that only the operator's commands may give a client; open registration refuses both. */
export const machineMetadata = { isMachine: 'gateway_machine', tenant: 'gateway_tenant' } as const

/**
 * What oidc-provider asks of a resource, at each authorization and each token.
 * @throws errors.InvalidTarget for any other resource than ours
 */
export function describeResource (ctx: KoaContextWithOIDC, indicator: string, config: Config, keys: KeyRing): ResourceServer {
  const resource = resourceUrl(config.PUBLIC_URL)
  if (indicator !== resource) throw new errors.InvalidTarget(`the resource of this server is ${resource}`)
  const { params, client } = ctx.oidc
  // RFC 6749 section 3.3: a machine that names no scope gets the ones that it was made with.
  if (params?.grant_type === 'client_credentials') params.scope ??= client?.scope
  const account = ctx.oidc.account as Account | undefined
  return {
    // At a token, what its person may do today: less than was granted, if a rule has changed.
    scope: (ctx.oidc.route === 'token' && account ? account.membership?.scopes ?? [] : scopes).join(' '),
    audience: resource,
    accessTokenFormat: 'jwt',
    accessTokenTTL: config.ACCESS_TOKEN_TTL_S,
    // The key of now, whose algorithm the setting may have left behind for a moment.
    jwt: { sign: { alg: keys.jwks.keys[0]!.alg as 'RS256' } }
  }
}
