/**
 * Revocation and introspection of the JWTs that were issued (RFC 7009, RFC 7662). oidc-provider refuses structured tokens at both
 * endpoints, because it does not keep them; that answer is taken up here, after it has authenticated the client.
 */
import { createLocalJWKSet, errors as joseErrors, jwtVerify, type JWK, type JWTPayload } from 'jose'
import type { KoaContextWithOIDC, Provider } from 'oidc-provider'
import { resourceUrl } from '@gateway/common/challenge.ts'
import type { Revocations } from '@gateway/common/known-revocations.ts'
import { revoke } from '@gateway/common/revocations.ts'
import type { StateClient } from '@gateway/common/state.ts'
import type { Config } from '../config.ts'
import type { KeyRing } from '../keys/key-ring.ts'
import type { Store } from '../state/store.ts'

export interface IssuedTokensOptions { config: Config, keys: KeyRing, client: StateClient, store: Store, revocations: Revocations }

/** Adds the answers for JWTs to a provider; the library's own for opaque tokens stay. */
export function answerForIssuedTokens (provider: Provider, { config, keys, client, store, revocations }: IssuedTokensOptions): void {
  // A provider is made anew when the keys change.
  const publicKeys = createLocalJWKSet({ keys: keys.jwks.keys.map(publicPart) })
  const verify = async (token: string): Promise<JWTPayload | undefined> => {
    try {
      const { payload } = await jwtVerify(token, publicKeys, { issuer: config.issuer, audience: resourceUrl(config.PUBLIC_URL), typ: 'at+jwt' })
      return payload
    } catch (error) {
      if (error instanceof joseErrors.JOSEError) return undefined
      throw error
    }
  }

  provider.use(async (ctx, next) => {
    await next()
    const { oidc, body } = ctx as unknown as KoaContextWithOIDC & { body?: { error?: string } }
    if (body?.error !== 'unsupported_token_type' || (oidc?.route !== 'revocation' && oidc?.route !== 'introspection')) return
    const caller = oidc.client
    const claims = await verify(String(oidc.params?.token))
    // A client is told of its own tokens, and ends its own, only (RFC 7009 section 2.1, RFC 7662 section 4).
    const own = claims !== undefined && caller !== undefined && claims.client_id === caller.clientId
    ctx.status = 200
    if (oidc.route === 'revocation') {
      if (own) await revoke(client, { kind: 'token', issuer: config.issuer, id: String(claims.jti) }, claims.exp)
      ctx.body = ''
    } else {
      ctx.body = own && await isActive(claims) ? { active: true, token_type: 'Bearer', ...claims } : { active: false }
    }
  })

  async function isActive ({ jti, gid, sub, iat, tenant_id: tenant }: JWTPayload): Promise<boolean> {
    if (gid !== undefined && await store.grants.find(String(gid)) === undefined) return false
    return !revocations.covers({ issuer: config.issuer, userId: String(sub), tokenId: String(jti), grantId: gid as string | undefined, issuedAt: Number(iat) }, String(tenant))
  }
}

/** Members of a public key (RFC 7518 section 6, RFC 8037 section 2) with what names it. */
function publicPart ({ kty, crv, x, y, n, e, kid, alg, use }: JWK): JWK {
  return Object.fromEntries(Object.entries({ kty, crv, x, y, n, e, kid, alg, use }).filter(([, value]) => value !== undefined)) as unknown as JWK
}
