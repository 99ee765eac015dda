/** For tests of the state: a Valkey, stores over it as replicas have them, oidc-provider on top, and a look at all that lies there. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { generateKeyPairSync } from 'node:crypto'
import { Provider, type Configuration } from 'oidc-provider'
import type { Test } from 'tap'
import { scopes } from '@gateway/common/scopes.ts'
import { connectOnce, type StateClient } from '@gateway/common/state.ts'
import { startValkey } from '../../../tests/support/valkey.ts'
import { hashOfSecret } from './clients.ts'
import { openStore, type Store, type StoreOptions } from './store.ts'

export const issuer = 'http://localhost:4170'
export const resource = `${issuer}/mcp`
const defaults: StoreOptions = { issuer, clientUnusedSeconds: 34_560_000, accessTokenSeconds: 600, reuseGraceSeconds: 10, clientsMax: 1_000 }

/** A Valkey of its own, and `replica()`: a store with a connection of its own, as each replica has. */
export async function openThere (t: Test, options: Partial<StoreOptions> = {}) {
  const valkey = await startValkey(t)
  const replica = async (more: Partial<StoreOptions> = {}) => {
    const client = await connectOnce(valkey.url)
    t.teardown(() => { if (client.isOpen) client.destroy() })
    return { client, store: openStore(client, { ...defaults, ...options, ...more }) }
  }
  return { url: valkey.url, replica, ...await replica() }
}

/** A client that signs people in, of the kind that needs no record. */
export const publicClient = { client_id: 'editor', redirect_uris: ['http://127.0.0.1/back'], application_type: 'native', token_endpoint_auth_method: 'none', grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'] } as const

/** oidc-provider over a store, configured as far as the state is concerned. */
export function makeProvider (store: Store): Provider {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const configuration = {
    adapter: (model: string) => store.adapter(model),
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'ES256' }] },
    cookies: { keys: ['a-cookie-key-of-this-test'] },
    clients: [publicClient],
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
    scopes: ['openid', 'offline_access', ...scopes],
    extraClientMetadata: { properties: ['gateway_machine', 'gateway_tenant'] },
    rotateRefreshToken: true,
    findAccount: async (_ctx: unknown, accountId: string) => ({ accountId, claims: async () => ({ sub: accountId }) }),
    ttl: { AccessToken: 600, ClientCredentials: 600, AuthorizationCode: 60, RefreshToken: 2_592_000, Interaction: 900, Session: 28_800, Grant: 15_552_000 },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      registration: { enabled: true },
      registrationManagement: { enabled: true, rotateRegistrationAccessToken: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: async () => resource,
        useGrantedResource: async () => true,
        getResourceServerInfo: async () => ({ scope: scopes.join(' '), audience: resource, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } })
      }
    }
  }
  const provider = new Provider(issuer, configuration as unknown as Configuration)
  const { prototype } = provider.Client as unknown as { prototype: { compareClientSecret: (actual: string) => boolean } }
  const compare = prototype.compareClientSecret
  prototype.compareClientSecret = function (actual) { return compare.call(this, hashOfSecret(actual)) }
  return provider
}

/** It answers at a free port of this machine until the test ends. @returns its origin */
export async function serve (t: Test, provider: Provider): Promise<string> {
  const server = createServer(provider.callback()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** All keys with their values as text and the seconds that they have left, -1: for ever. */
export async function everything (client: StateClient): Promise<Array<{ key: string, value: string, left: number }>> {
  const found = []
  for (const key of await client.keys('*')) {
    const type = await client.type(key)
    const value = type === 'hash' ? Object.entries(await client.hGetAll(key)).sort() : type === 'zset' ? await client.zRangeWithScores(key, 0, -1) : await client.get(key)
    found.push({ key, value: JSON.stringify(value), left: await client.ttl(key) })
  }
  return found
}

export const connection = (more: object = {}) => ({ accountId: 'github:583231', clientId: 'editor', clientName: 'An editor', redirectHost: '127.0.0.1', verified: false, tenant: 'acme', scopes: ['graph:read'], ...more })
