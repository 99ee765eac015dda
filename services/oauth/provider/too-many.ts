/** A limit that is passed inside oidc-provider, in the words of OAuth: it knows its own errors only. */
import { errors, type KoaContextWithOIDC } from 'oidc-provider'
import { RateLimitError } from '@gateway/common/errors.ts'

/** @throws errors.OIDCProviderError 429 with Retry-After where the limit says so; any other error as it is */
export async function within (ctx: KoaContextWithOIDC | undefined, counted: Promise<void>): Promise<void> {
  try {
    await counted
  } catch (error) {
    if (!(error instanceof RateLimitError)) throw error
    const { retryAfter = 1, message } = error
    ctx?.set('Retry-After', String(retryAfter))
    const refused = new errors.CustomOIDCProviderError('temporarily_unavailable', message)
    throw Object.assign(refused, { status: 429, statusCode: 429 })
  }
}
