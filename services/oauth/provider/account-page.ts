/**
 * The page of connected clients signs its person in as any client does, by the authorization endpoint. It wants neither code nor token
 * (response_type none, OAuth 2.0 Multiple Response Type Encoding Practices section 4): only that the browser has a session afterwards.
 */
import { accountActions } from '../pages/index.ts'
import type { ClientMetadata, Grant, KoaContextWithOIDC } from 'oidc-provider'

export const accountPaths = { page: '/account', signIn: '/account/sign-in', signedIn: '/account/signed-in', ...accountActions } as const

const clientId = 'gateway-account-page'

export const isAccountPage = (id: unknown): boolean => id === clientId

export function accountPageClient (publicUrl: string): ClientMetadata & { client_id: string } {
  return {
    client_id: clientId,
    client_name: 'Connected clients',
    redirect_uris: [`${publicUrl}${accountPaths.signedIn}`],
    response_types: ['none'],
    grant_types: [],
    token_endpoint_auth_method: 'none',
    application_type: 'web'
  }
}

/** What sends a browser to sign in for that page. @param state comes back with it */
export function accountSignInUrl (publicUrl: string, state: string): string {
  const query = new URLSearchParams({ client_id: clientId, response_type: 'none', scope: 'openid', redirect_uri: `${publicUrl}${accountPaths.signedIn}`, state })
  return `${publicUrl}/authorize?${query}`
}

/** Nobody is asked to allow our own page to show them what is theirs. */
export async function grantOfAccountPage (ctx: KoaContextWithOIDC): Promise<Grant | undefined> {
  const { client, account, provider } = ctx.oidc
  if (client?.clientId !== clientId || account === undefined) return undefined
  const grant = new provider.Grant({ accountId: account.accountId, clientId })
  grant.addOIDCScope('openid')
  await grant.save()
  return grant
}
