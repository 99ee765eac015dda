/**
 * The keys of sign-in in Valkey: all of them, in one place. docs/oauth-state.md describes what is behind them.
 * What a bearer could use (a token, a code, a cookie's value) is in no key but as its digest.
 */
import { hash } from 'node:crypto'

/** SHA-256 in base64url, 43 characters. Enough for what has 128 random bits or more; nothing else is kept by it. */
export const digestOf = (value: string) => hash('sha256', value, 'base64url')

/** How people and tokens name a grant: the claim `gid`. Safe to show, because no request is answered for it. */
export const gidOf = (grantId: string) => digestOf(grantId)

/** oidc-provider's models, and what their keys are called. `Client` is kept by clients.ts. */
const records = {
  Session: 'session',
  Interaction: 'interaction',
  Grant: 'grant',
  AuthorizationCode: 'code',
  RefreshToken: 'refresh-token',
  AccessToken: 'access-token',
  ClientCredentials: 'machine-token',
  RegistrationAccessToken: 'registration-token',
  InitialAccessToken: 'initial-token',
  PushedAuthorizationRequest: 'pushed-request',
  ReplayDetection: 'assertion'
} as const
export type Model = keyof typeof records

export const isModel = (name: string): name is Model => Object.hasOwn(records, name)

export const names = {
  record: (model: Model, id: string) => `oauth:${records[model]}:${digestOf(id)}`,
  /** Of a Grant, by what people call it. */
  grant: (gid: string) => `oauth:${records.Grant}:${gid}`,
  sessionUid: (uid: string) => `oauth:session-uid:${digestOf(uid)}`,
  grantTokens: (gid: string) => `oauth:grant-tokens:${gid}`,
  ended: (gid: string) => `oauth:ended:${gid}`,
  connection: (gid: string) => `oauth:connection:${gid}`,
  connections: 'oauth:connections',
  accountConnections: (accountId: string) => `oauth:account-connections:${accountId}`,
  clientConnections: (clientId: string) => `oauth:client-connections:${clientId}`,
  account: (accountId: string) => `oauth:account:${accountId}`,
  asking: (accountId: string) => `oauth:asking:${accountId}`,
  signIn: (state: string) => `oauth:sign-in:${digestOf(state)}`,
  client: (clientId: string) => `oauth:client:${clientId}`,
  clients: 'oauth:clients',
  machines: 'oauth:machines'
} as const
