/**
 * Stands in for Google's accounts of Workspace members, after developers.google.com/identity: an OpenID provider with `hd` in its ID tokens, and a refresh token for `access_type=offline`
 * at the first consent, or where consent is asked for anew. The real one needs a Workspace, a registered client and a browser that Google believes in.
 */
import { startOpenid, type Openid, type OpenidPerson } from './openid.ts'

/** A member of a Workspace; other `claims` make someone else of them. */
export const workspaceMember = (claims: Record<string, unknown> = {}): OpenidPerson => ({
  sub: '110169484474386276334',
  claims: { hd: 'Example.com', email: 'Ada@Example.com', email_verified: true, ...claims }
})

export async function startGoogle (): Promise<Openid> {
  const consented = new Set<string>()
  const google = await startOpenid({
    name: 'Google',
    paths: { authorize: '/o/oauth2/v2/auth', token: '/token', keys: '/oauth2/v3/certs', userinfo: '/v1/userinfo' },
    metadata: () => ({ scopes_supported: ['openid', 'email', 'profile'], token_endpoint_auth_methods_supported: ['client_secret_post', 'client_secret_basic'] }),
    isRefreshable: (query, { sub }) => {
      const isAsked = query.get('access_type') === 'offline' && (!consented.has(sub) || query.get('prompt')?.split(' ').includes('consent') === true)
      consented.add(sub)
      return isAsked
    },
    rotates: false,
    namesItself: false
  })
  google.person = workspaceMember()
  return google
}
