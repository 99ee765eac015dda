/**
 * Stands in for a company's OpenID provider, as Keycloak, Entra ID and Okta are: discovery, authorization code with PKCE, signed ID tokens, refresh tokens that rotate, userinfo,
 * after OpenID Connect Core 1.0. Keycloak needs a Java machine and half a minute; the others an account of a company; and none can be told to sign a wrong token.
 */
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { clientOf, fitsChallenge, sendBack, standIn, unguessable, type Answer, type Asked, type StandIn } from './stand-in.ts'

export interface OpenidPerson {
  sub: string
  /** Claims of the ID token beside `sub`. */
  claims: Record<string, unknown>
  /** What only the userinfo endpoint says. */
  userinfo?: Record<string, unknown>
}

/** What is wrong with its answers. */
export type Misbehaviour = 'wrong nonce' | 'wrong audience' | 'wrong issuer' | 'expired' | 'foreign key' | 'unsigned' | 'no ID token' | 'wrong iss' | 'no iss' | 'wrong state' | 'server_error' | 'another subject' | 'userinfo of another'

export interface Openid extends StandIn {
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
  /** Whose browser it is that comes; undefined: they press Cancel. */
  person: OpenidPerson | undefined
  /** What is known there of the person with this subject is other from now on, for who is signed in already too. */
  changeTo: (person: OpenidPerson) => void
  /** The account is closed: its refresh tokens are good no longer. */
  withdraw: (sub: string) => void
  misbehaviour: Misbehaviour | undefined
  /** Members of the metadata that are other than usual. */
  readonly metadata: Record<string, unknown>
}

export interface Kind {
  name: string
  paths: { authorize: string, token: string, keys: string, userinfo: string }
  metadata: (issuer: string) => Record<string, unknown>
  /** Whether a code that was asked for so leads to a refresh token. */
  isRefreshable: (query: URLSearchParams, person: OpenidPerson) => boolean
  /** A refresh token is good once. */
  rotates: boolean
  /** The authorization response has `iss` (RFC 9207). */
  namesItself: boolean
}

const company: Kind = {
  name: 'Company',
  paths: { authorize: '/protocol/authorize', token: '/protocol/token', keys: '/protocol/certs', userinfo: '/protocol/userinfo' },
  metadata: () => ({ scopes_supported: ['openid', 'profile', 'email', 'offline_access'], token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'], authorization_response_iss_parameter_supported: true }),
  isRefreshable: query => query.get('scope')?.split(' ').includes('offline_access') === true,
  rotates: true,
  namesItself: true
}

export const ada = (): OpenidPerson => ({
  sub: '2f0b6c3e-5a0e-4b3b-9c57-0c8d4e0a7a11',
  claims: { preferred_username: 'Ada', name: 'Ada Lovelace', email: 'Ada@Example.com', email_verified: true, groups: ['/Engineers', '/everybody'] }
})

interface Grant { person: OpenidPerson, nonce: string | null, isRefreshable: boolean, challenge: string, redirect: string }

const pairs = { own: await generateKeyPair('RS256'), foreign: await generateKeyPair('RS256') }

export async function startOpenid (kind: Kind = company): Promise<Openid> {
  const codes = new Map<string, Grant>()
  const refreshTokens = new Map<string, Grant>()
  const accessTokens = new Map<string, OpenidPerson>()
  const { paths } = kind
  const server = await standIn(() => ({
    'GET /.well-known/openid-configuration': () => ({ json: { ...metadata(), ...openid.metadata } }),
    [`GET ${paths.keys}`]: async () => ({ json: { keys: [{ ...await exportJWK(pairs.own.publicKey), kid: 'own', use: 'sig', alg: 'RS256' }] } }),
    [`GET ${paths.authorize}`]: authorize,
    [`POST ${paths.token}`]: token,
    [`GET ${paths.userinfo}`]: userinfo
  }))
  const openid: Openid = Object.assign(server, {
    issuer: server.url,
    clientId: 'gateway',
    // Characters that Basic and forms must escape.
    clientSecret: 'secret~for+tests/0123456789=',
    person: ada() as OpenidPerson | undefined,
    changeTo: (person: OpenidPerson) => {
      for (const grant of refreshTokens.values()) if (grant.person.sub === person.sub) grant.person = person
      openid.person = person
    },
    withdraw: (sub: string) => { for (const [value, { person }] of refreshTokens) if (person.sub === sub) refreshTokens.delete(value) },
    misbehaviour: undefined as Misbehaviour | undefined,
    metadata: {}
  })
  return openid

  function metadata () {
    return {
      issuer: openid.issuer,
      authorization_endpoint: server.url + paths.authorize,
      token_endpoint: server.url + paths.token,
      jwks_uri: server.url + paths.keys,
      userinfo_endpoint: server.url + paths.userinfo,
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
      code_challenge_methods_supported: ['S256'],
      ...kind.metadata(openid.issuer)
    }
  }

  function authorize ({ url: { searchParams: query } }: Asked): Answer {
    const isWellFormed = query.get('client_id') === openid.clientId && query.get('response_type') === 'code' && query.get('code_challenge_method') === 'S256' && query.get('scope')?.split(' ').includes('openid')
    if (isWellFormed !== true) return { status: 400, html: `<title>${kind.name}</title><h1>Invalid request</h1>` }
    const redirect = query.get('redirect_uri') ?? ''
    const wrong = openid.misbehaviour
    const iss = wrong === 'wrong iss' ? 'https://elsewhere.example' : kind.namesItself && wrong !== 'no iss' ? openid.issuer : null
    const state = wrong === 'wrong state' ? 'another' : query.get('state')
    const error = wrong === 'server_error' ? wrong : openid.person === undefined ? 'access_denied' : undefined
    if (error !== undefined || openid.person === undefined) return sendBack(openid, kind.name, redirect, { error: error ?? null, iss, state })
    const code = unguessable('code-')
    codes.set(code, { person: openid.person, nonce: query.get('nonce'), isRefreshable: kind.isRefreshable(query, openid.person), challenge: query.get('code_challenge') ?? '', redirect })
    return sendBack(openid, kind.name, redirect, { code, iss, state })
  }

  async function token (asked: Asked): Promise<Answer> {
    const { id, secret } = clientOf(asked)
    if (id !== openid.clientId || secret !== openid.clientSecret) return { status: 401, json: { error: 'invalid_client' } }
    const { form } = asked
    const isRefresh = form.get('grant_type') === 'refresh_token'
    const values = isRefresh ? refreshTokens : codes
    const value = form.get(isRefresh ? 'refresh_token' : 'code') ?? ''
    const grant = values.get(value)
    if (!isRefresh || kind.rotates) values.delete(value)
    const isGood = isRefresh || (grant !== undefined && fitsChallenge(form.get('code_verifier'), grant.challenge) && form.get('redirect_uri') === grant.redirect)
    if (grant === undefined || !isGood) return { status: 400, json: { error: 'invalid_grant', error_description: `${value} is not active` } }
    const accessToken = unguessable('access-')
    accessTokens.set(accessToken, grant.person)
    const isNew = grant.isRefreshable && (!isRefresh || kind.rotates)
    const refreshToken = unguessable('refresh-')
    if (isNew) refreshTokens.set(refreshToken, grant)
    const idToken = openid.misbehaviour === 'no ID token' ? {} : { id_token: await idTokenOf(grant, isRefresh) }
    return { json: { access_token: accessToken, token_type: 'Bearer', expires_in: 300, ...idToken, ...(isNew && { refresh_token: refreshToken }) } }
  }

  async function idTokenOf ({ person, nonce }: Grant, isRefresh: boolean): Promise<string> {
    const wrong = openid.misbehaviour
    const now = Math.floor(Date.now() / 1000)
    const claims = {
      ...person.claims,
      iss: wrong === 'wrong issuer' ? 'https://elsewhere.example' : openid.issuer,
      aud: wrong === 'wrong audience' ? 'another-client' : openid.clientId,
      sub: wrong === 'another subject' ? `${person.sub}-another` : person.sub,
      iat: now,
      exp: wrong === 'expired' ? now - 3_600 : now + 300,
      ...(nonce !== null && !isRefresh && { nonce: wrong === 'wrong nonce' ? 'another' : nonce })
    }
    if (wrong === 'unsigned') return `${part({ alg: 'none' })}.${part(claims)}.`
    const { privateKey } = wrong === 'foreign key' ? pairs.foreign : pairs.own
    return await new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: 'own' }).sign(privateKey)
  }

  function userinfo ({ headers }: Asked): Answer {
    const person = accessTokens.get(headers.authorization?.replace(/^Bearer /, '') ?? '')
    if (person === undefined) return { status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } }
    const sub = openid.misbehaviour === 'userinfo of another' ? `${person.sub}-another` : person.sub
    return { json: { ...person.claims, ...person.userinfo, sub } }
  }
}

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
