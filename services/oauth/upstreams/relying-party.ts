/** What every OpenID provider has in common: its metadata, the request, the check of what comes back, and the question at a refresh. */
import * as client from 'openid-client'
import { isLocal } from '../is-local.ts'
import { isSpent, signInError, tellable, unreachable } from './failures.ts'
import { boundedFetch, timeoutSeconds } from './requests.ts'
import { type AskedAgain, type Kept, SignInError, type Vouched } from './upstream.ts'

export type Tokens = Awaited<ReturnType<typeof client.authorizationCodeGrant>>

/** What is remembered of someone, as JSON. */
interface Memory { subject: string, refreshToken: string }

export interface Provider {
  label: string
  issuer: string
  clientId: string
  clientSecret: string
}

/** Metadata counts for an hour; while it cannot be had anew the former one goes on. */
const metadataMs = 3_600_000

/** The configuration of a provider: asked for when it is first needed, once for all who wait, and again after a failure, which is a SignInError. */
export function discovered ({ label, issuer, clientId, clientSecret }: Provider): () => Promise<client.Configuration> {
  let known: { configuration: client.Configuration, at: number } | undefined
  let asking: Promise<client.Configuration> | undefined
  const ask = async () => {
    const configuration = await client.discovery(new URL(issuer), clientId, undefined, authentication(clientSecret), {
      timeout: timeoutSeconds,
      [client.customFetch]: boundedFetch,
      // Signatures are checked even though the token comes from the provider itself: a wrong name or proxy on the way is no provider.
      execute: [client.enableNonRepudiationChecks, ...(issuer.startsWith('http:') && isLocal(issuer) ? [client.allowInsecureRequests] : [])]
    })
    known = { configuration, at: performance.now() }
    return configuration
  }
  return async () => {
    if (known !== undefined && performance.now() - known.at < metadataMs) return known.configuration
    asking ??= ask().catch(error => { throw unreachable(label, error) }).finally(() => { asking = undefined })
    const former = known?.configuration
    return former === undefined ? await asking : await asking.catch(() => former)
  }
}

/** client_secret_post where the provider lists it: Basic needs an escaping (RFC 6749 section 2.3.1) that not all of them undo. */
function authentication (secret: string): client.ClientAuth {
  const post = client.ClientSecretPost(secret)
  const basic = client.ClientSecretBasic(secret)
  return (server, ...request) => (server.token_endpoint_auth_methods_supported?.includes('client_secret_post') ? post : basic)(server, ...request)
}

/** Where to send the browser: with state, PKCE and, where ID tokens are given, a nonce. */
export async function authorizationUrl (configuration: client.Configuration, withNonce: boolean, parameters: Record<string, string>): Promise<{ url: URL, kept: Kept }> {
  const kept = { state: client.randomState(), codeVerifier: client.randomPKCECodeVerifier(), ...(withNonce && { nonce: client.randomNonce() }) }
  const url = client.buildAuthorizationUrl(configuration, {
    ...parameters,
    response_type: 'code',
    state: kept.state,
    code_challenge: await client.calculatePKCECodeChallenge(kept.codeVerifier),
    code_challenge_method: 'S256',
    ...(kept.nonce !== undefined && { nonce: kept.nonce })
  })
  return { url, kept }
}

/** Exchanges the code of a callback for tokens, once all checks of OpenID Connect Core section 3.1.3.7 and of RFC 9207 are passed. */
export async function exchanged (configuration: client.Configuration, callback: URL, { state, nonce, codeVerifier }: Kept): Promise<{ tokens: Tokens, claims: client.IDToken }> {
  // Without one the library would ask for none.
  if (nonce === undefined || codeVerifier === undefined) throw new SignInError('refused', 'This sign-in was not begun here. Start again.')
  const tokens = await client.authorizationCodeGrant(configuration, callback, { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: codeVerifier, idTokenExpected: true })
  return { tokens, claims: tokens.claims() as client.IDToken }
}

/** What lets the provider be asked again; undefined where it gave no refresh token. */
export function memoryOf (subject: string, refreshToken: string | undefined): string | undefined {
  return refreshToken === undefined ? undefined : JSON.stringify({ subject, refreshToken } satisfies Memory)
}

/**
 * Asks a provider again by the refresh token.
 * @param vouch what the new tokens say of the person; a SignInError of its means that they are good no longer
 * @throws Error where the provider cannot be asked, fit for a log
 */
export async function askedAgain (configuration: () => Promise<client.Configuration>, memory: string, vouch: (configuration: client.Configuration, tokens: Tokens, subject: string, memory: string) => Promise<Vouched>): Promise<AskedAgain> {
  try {
    const { subject, refreshToken } = JSON.parse(memory) as Memory
    const known = await configuration()
    const tokens = await client.refreshTokenGrant(known, refreshToken)
    const claimed = tokens.claims()?.sub
    // OpenID Connect Core section 12.2: it must be the same person.
    if (claimed !== undefined && claimed !== subject) return 'gone'
    return await vouch(known, tokens, subject, memoryOf(subject, tokens.refresh_token ?? refreshToken) as string)
  } catch (error) {
    if (isGone(error)) return 'gone'
    throw tellable(error)
  }
}

// interaction_required and its kin: the provider wants to see the person (OpenID Connect Core section 3.1.2.6; Entra ID at refreshes).
const isGone = (error: unknown) => isSpent(error) || (error instanceof SignInError && error.code === 'refused') ||
  (error instanceof client.ResponseBodyError && ['interaction_required', 'login_required', 'consent_required', 'account_selection_required'].includes(error.error))

/** Runs a step of a sign-in; whatever fails becomes what the person can be told. */
export async function told<T> (label: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step()
  } catch (error) {
    throw signInError(label, error)
  }
}
