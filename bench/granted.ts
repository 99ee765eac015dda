/**
 * Codes and refresh tokens that are good once, as many as a round wants: a person signs in, and what the service has kept of that is
 * copied for other people under new names. The service cannot tell them from its own.
 */
import { randomBytes } from 'node:crypto'
import { createClient } from '@redis/client'
import type { StateClient } from '@gateway/common/state.ts'
import { gidOf, openStore } from '../services/oauth/state/store.ts'
import { exchange, register, signIn } from '../tests/support/sign-in.ts'
import type { Send } from '../tests/support/https.ts'
import { origin } from './sign-in-service.ts'
import type { LoadRequest } from './transports.ts'

export interface Granted {
  /** Requests that refresh a token each, every one of another grant. @param clientOf whose the n-th is; the first client's where absent */
  refreshes: (count: number, clientOf?: (n: number) => string) => Promise<LoadRequest[]>
  /** Requests that exchange a code each, which is good for a minute. */
  exchanges: (count: number) => Promise<LoadRequest[]>
}

type Kind = 'RefreshToken' | 'AuthorizationCode'

const id = () => randomBytes(32).toString('base64url')
/** Writes that are under way at once. */
const batch = 100

/** Signs a person in twice: for a code, and for a refresh token. */
export async function openGranted (started: AsyncDisposableStack, send: Send, valkeyUrl: string): Promise<Granted> {
  const client = await createClient({ url: valkeyUrl }).connect() as unknown as StateClient
  started.defer(() => { client.destroy() })
  const store = openStore(client, { issuer: origin, clientUnusedSeconds: 86_400, accessTokenSeconds: 600, reuseGraceSeconds: 10, clientsMax: 100_000 })
  const registered = await register(send)
  const unused = await signIn(send, origin, { name: 'bench', client: registered })
  const { refresh_token: refreshToken } = await exchange(send, await signIn(send, origin, { name: 'bench', client: registered }))

  async function kept (kind: Kind, token: string) {
    const payload = (await store.adapter(kind).find(token))!
    const grant = (await store.adapter('Grant').find(String(payload.grantId)))!
    const connection = (await store.grants.find(gidOf(String(payload.grantId))))!
    const { person } = (await store.accounts.find(String(payload.accountId)))!
    return { payload, grant, connection, person }
  }
  const originals = { RefreshToken: await kept('RefreshToken', refreshToken), AuthorizationCode: await kept('AuthorizationCode', unused.code) }
  let people = 0

  /** @returns the token */
  async function copy (kind: Kind, clientId: string): Promise<string> {
    const { payload, grant, connection, person } = originals[kind]
    const [token, grantId, accountId] = [id(), id(), `local:bench-${people++}`]
    const now = Math.floor(Date.now() / 1000)
    const renewed = (record: typeof payload) => ({ ...record, accountId, clientId, iat: now, exp: now + record.exp! - record.iat! })
    await Promise.all([
      store.accounts.save({ ...person, id: accountId, handle: accountId }, undefined, 3_600),
      store.adapter('Grant').upsert(grantId, { ...renewed(grant), jti: grantId }, grant.exp! - grant.iat!),
      store.grants.remember(grantId, { ...connection, accountId, clientId }, 3_600),
      store.adapter(kind).upsert(token, { ...renewed(payload), jti: token, grantId }, payload.exp! - payload.iat!)
    ])
    return token
  }

  async function requests (count: number, make: (n: number) => Promise<Record<string, string>>): Promise<LoadRequest[]> {
    const made: LoadRequest[] = []
    while (made.length < count) {
      const from = made.length
      const fields = await Promise.all(Array.from({ length: Math.min(batch, count - from) }, (_, n) => make(from + n)))
      made.push(...fields.map(tokenRequest))
    }
    return made
  }

  return {
    refreshes: async (count, clientOf = () => registered.client_id) => await requests(count, async n => ({
      grant_type: 'refresh_token', client_id: clientOf(n), refresh_token: await copy('RefreshToken', clientOf(n))
    })),
    exchanges: async count => await requests(count, async () => ({
      grant_type: 'authorization_code', client_id: registered.client_id, code: await copy('AuthorizationCode', registered.client_id), redirect_uri: unused.redirectUri, code_verifier: unused.verifier
    }))
  }
}

/** A request at the token endpoint, whose answer holds both tokens. */
export const tokenRequest = (fields: Record<string, string>): LoadRequest => ({
  method: 'POST',
  path: '/token',
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
  body: new URLSearchParams(fields).toString(),
  expect: { status: 200, body: ['"access_token":"eyJ', '"refresh_token":"'] }
})
