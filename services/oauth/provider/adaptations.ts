/** What oidc-provider does otherwise than is wanted here, and has no setting for. */
import { Provider, errors, type KoaContextWithOIDC } from 'oidc-provider'
import { unavailableSeconds } from '@gateway/common/errors.ts'
import { hashOfSecret, isHashOfSecret } from '../state/clients.ts'

/** All of it but what must be there from the constructor on. */
export function adapt (provider: Provider): void {
  keepSecretsHashed(provider)
  refuseNoTexts(provider)
  tellWhatIsOffered(provider)
  tellWhenToComeBack(provider)
  nameForeignGrants(provider)
}

/** form_post is a page with a script, and no page here has one: unknown, it is refused as any other mode that there is not. */
export class ScriptlessProvider extends Provider {
  override registerResponseMode (...[name, handler]: Parameters<Provider['registerResponseMode']>): void {
    if (responseModes.includes(name)) super.registerResponseMode(name, handler)
  }
}

/** Where an answer may stand in the client's redirect. */
const responseModes = ['query', 'fragment']

/** The adapter keeps digests of client secrets; what a client shows is compared by its digest, and none is ever told again. */
function keepSecretsHashed (provider: Provider): void {
  const { prototype } = provider.Client as unknown as { prototype: { clientSecret?: string, compareClientSecret: (actual: string) => boolean } }
  const compare = prototype.compareClientSecret
  prototype.compareClientSecret = function (actual) { return compare.call(this, hashOfSecret(actual)) }
  provider.use(async (ctx, next) => {
    await next()
    const { body } = ctx as unknown as { body?: Record<string, unknown> }
    // One that was made by this very request is told.
    if (isHashOfSecret(body?.client_secret)) delete body!.client_secret
  })
}

/** oidc-provider reads names of algorithms before it has looked whether they are texts. */
function refuseNoTexts (provider: Provider): void {
  const client = provider.Client as unknown as { needsSecret: (metadata: Record<string, unknown>) => boolean }
  const { needsSecret } = client
  client.needsSecret = metadata => {
    const wrong = Object.keys(metadata).find(name => /^[a-z_]+_alg$/.test(name) && typeof metadata[name] === 'object' && metadata[name] !== null)
    if (wrong !== undefined) throw new errors.InvalidClientMetadata(`${wrong} must be a text`)
    return needsSecret.call(client, metadata)
  }
}

/** The library lists response modes that it was not given, and `none`, which is the account page's alone. */
function tellWhatIsOffered (provider: Provider): void {
  provider.use(async (ctx, next) => {
    await next()
    const { oidc, body } = ctx as unknown as { oidc?: { route?: string }, body?: object }
    if (oidc?.route === 'discovery' && body) Object.assign(body, { response_types_supported: ['code'], response_modes_supported: responseModes })
  })
}

/** Its errors know no Retry-After. */
function tellWhenToComeBack (provider: Provider): void {
  provider.use(async (ctx, next) => {
    await next()
    if (ctx.status === 503) ctx.set('Retry-After', String(unavailableSeconds))
  })
}

/** RFC 6749 section 5.2 has a code of its own for a grant type that is not the client's. */
function nameForeignGrants (provider: Provider): void {
  provider.use(async (ctx, next) => {
    await next()
    const { oidc, body } = ctx as unknown as Partial<KoaContextWithOIDC> & { body?: { error?: string } }
    if (oidc?.route !== 'token' || body?.error !== 'invalid_request' || oidc.client === undefined) return
    const { grant_type: type } = oidc.params ?? {}
    if (typeof type === 'string' && !oidc.client.grantTypeAllowed(type)) body.error = 'unauthorized_client'
  })
}
