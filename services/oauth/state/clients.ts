/** OAuth clients: those that register themselves, which are counted and forgotten when unused, and the operator's machine clients. */
import { randomBytes } from 'node:crypto'
import { errors, type Adapter, type AdapterPayload, type AllClientMetadata } from 'oidc-provider'
import type { StateClient } from '@gateway/common/state.ts'
import { nowSeconds, revoke } from '@gateway/common/revocations.ts'
import { asked, run } from './asking.ts'
import { longestAccessTokenSeconds, type Grants } from './grants.ts'
import { digestOf, names } from './names.ts'
import type { Room } from './room.ts'

/** A client that acts for itself, as the operator made it. */
export interface MachineClient {
  clientId: string
  name: string
  tenant: string
  scopes: string[]
  auth: 'client_secret_basic' | 'private_key_jwt'
  /** Seconds since 1970. */
  createdAt: number
  /** To the hour; undefined where it was not used yet. */
  lastUsed: number | undefined
  /** undefined: never. */
  expiresAt: number | undefined
}

export interface NewMachineClient extends Pick<MachineClient, 'name' | 'tenant' | 'scopes'> {
  /** Its public keys: it signs its requests. Without them it gets a secret. */
  jwks?: { keys: object[] }
  /** Seconds since 1970; for ever where absent. */
  expiresAt?: number | undefined
}

export interface Clients {
  /** Those that have registered themselves. */
  count: () => Promise<number>
  /** A sign-in or a token succeeded: it stays for CLIENT_UNUSED_S from now. Written once an hour at most. */
  used: (clientId: string) => Promise<void>
  /** @returns its secret, which is nowhere else, unless it has keys of its own */
  create: (machine: NewMachineClient) => Promise<{ clientId: string, secret: string | undefined }>
  /** Its metadata, with the digest in place of a secret. */
  find: (clientId: string) => Promise<AllClientMetadata | undefined>
  /** The machine clients, page by page. */
  all: () => AsyncGenerator<MachineClient[]>
  /**
   * Removes any client: first the revocation of what it was issued for itself, then its grants, then its record.
   * @returns false where there was none of that
   */
  remove: (clientId: string) => Promise<boolean>
}

export interface ClientsOptions {
  issuer: string
  /** CLIENT_UNUSED_S. */
  clientUnusedSeconds: number
  accessTokenSeconds: number
  /** CLIENTS_MAX. */
  clientsMax: number
}

/** A client that registered and never led to a sign-in is kept for a day. */
const registeredSeconds = 86_400
/** How often a use is written at most, seconds. */
const usedSeconds = 3_600
/** A request that is under way while a client is removed ends within so many seconds; no clock differs by more. */
const underWaySeconds = 30
/** Members of one page. */
const page = 200

const digest = /^sha256:[\w-]{43}$/

export const isHashOfSecret = (value: unknown): value is string => typeof value === 'string' && digest.test(value)
/** What is kept of a client's secret: it has 256 random bits or more, so a plain digest does. */
export const hashOfSecret = (secret: string) => `sha256:${digestOf(secret)}`

// An update keeps the client's time; a new one needs a place.
const register = `
local record, index = KEYS[1], KEYS[2]
local id, metadata, now, ttl, most = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
if redis.call('EXISTS', record) == 1 then
  redis.call('HSET', record, 'metadata', metadata)
  return 1
end
redis.call('ZREMRANGEBYSCORE', index, '-inf', now)
if redis.call('ZCARD', index) >= most then return 0 end
redis.call('HSET', record, 'metadata', metadata)
redis.call('EXPIRE', record, ttl)
enter(index, id, now, ttl)
return 1`

const use = `
local record, index = KEYS[1], KEYS[2]
local id, now, ttl, every = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
if redis.call('EXISTS', record) == 0 then return end
local last = redis.call('HGET', record, 'used')
if last and now - tonumber(last) < every then return end
redis.call('HSET', record, 'used', now)
if redis.call('HEXISTS', record, 'machine') == 1 then return end
redis.call('EXPIRE', record, ttl)
enter(index, id, now, ttl)
local token = redis.call('HGET', record, 'registrationToken')
if token then redis.call('EXPIRE', token, ttl) end`

const make = `
redis.call('HSET', KEYS[1], 'metadata', ARGV[2], 'machine', 1)
if ARGV[4] ~= '' then redis.call('EXPIREAT', KEYS[1], ARGV[4]) end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[3])
redis.call('ZADD', KEYS[2], ARGV[4] == '' and '+inf' or ARGV[4], ARGV[1])`

const drop = `
local token = redis.call('HGET', KEYS[1], 'registrationToken')
if token then redis.call('DEL', token) end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
return redis.call('DEL', KEYS[1])`

export function openClients (client: StateClient, grants: Grants, room: Room, { issuer, clientUnusedSeconds, accessTokenSeconds, clientsMax }: ClientsOptions): { clients: Clients, adapter: Adapter } {
  const newSeconds = Math.min(registeredSeconds, clientUnusedSeconds)
  const everySeconds = Math.min(usedSeconds, Math.floor(clientUnusedSeconds / 10))

  async function find (clientId: string): Promise<AllClientMetadata | undefined> {
    const metadata = await asked(client.hGet(names.client(clientId), 'metadata'))
    return metadata == null ? undefined : JSON.parse(metadata) as AllClientMetadata
  }

  async function machine (clientId: string): Promise<MachineClient | undefined> {
    const [[metadata, used], expiresAt] = await asked(Promise.all([client.hmGet(names.client(clientId), ['metadata', 'used']), client.expireTime(names.client(clientId))]))
    if (metadata == null) return undefined
    const { client_name: name, gateway_tenant: tenant, scope, token_endpoint_auth_method: auth, client_id_issued_at: createdAt } = JSON.parse(metadata) as AllClientMetadata
    return {
      clientId,
      name: String(name),
      tenant: String(tenant),
      scopes: String(scope).split(' '),
      auth: auth as MachineClient['auth'],
      createdAt: Number(createdAt),
      lastUsed: used == null ? undefined : Number(used),
      expiresAt: expiresAt < 0 ? undefined : expiresAt
    }
  }

  async function forget (clientId: string): Promise<boolean> {
    let some = false
    for (const { gid } of await grants.ofClient(clientId)) some = await grants.end(gid) || some
    return await run(client, drop, [names.client(clientId), names.clients, names.machines], [clientId]) === 1 || some
  }

  const clients: Clients = {
    count: async () => await asked(client.zCount(names.clients, `(${nowSeconds()}`, '+inf')),
    used: async clientId => { await run(client, use, [names.client(clientId), names.clients], [clientId, nowSeconds(), clientUnusedSeconds, everySeconds]) },
    find,
    create: async ({ name, tenant, scopes, jwks, expiresAt }) => {
      const clientId = `machine-${randomBytes(12).toString('base64url')}`
      const secret = jwks === undefined ? randomBytes(32).toString('base64url') : undefined
      const metadata: AllClientMetadata = {
        client_id: clientId,
        client_id_issued_at: nowSeconds(),
        client_name: name,
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
        scope: scopes.join(' '),
        ...(secret === undefined
          ? { token_endpoint_auth_method: 'private_key_jwt', jwks: jwks as AllClientMetadata['jwks'] }
          : { token_endpoint_auth_method: 'client_secret_basic', client_secret: hashOfSecret(secret) }),
        gateway_machine: true,
        gateway_tenant: tenant
      }
      await run(client, make, [names.client(clientId), names.machines], [clientId, JSON.stringify(metadata), nowSeconds(), expiresAt ?? ''])
      return { clientId, secret }
    },
    all: async function * () {
      let cursor = '0'
      do {
        const reply = await asked(client.zScan(names.machines, cursor, { COUNT: page }))
        cursor = reply.cursor
        yield (await Promise.all(reply.members.map(async ({ value }) => await machine(value)))).filter(found => found !== undefined)
      } while (cursor !== '0')
    },
    remove: async clientId => {
      const known = await find(clientId)
      if (known?.gateway_machine === true) {
        // Nobody else ever has this id, so a moment that lies a little ahead takes no token from anybody.
        const at = nowSeconds() + underWaySeconds
        await asked(revoke(client, { kind: 'subject', issuer, id: clientId, at }, at + Math.max(longestAccessTokenSeconds, accessTokenSeconds)))
      }
      return await forget(clientId)
    }
  }

  const adapter: Adapter = {
    upsert: async (id, payload) => {
      if (payload.gateway_machine !== undefined || payload.gateway_tenant !== undefined) throw new errors.InvalidClientMetadata('machine clients are made by the operator only')
      // A default of the day: stored, it would outlive the keys of that algorithm.
      const { id_token_signed_response_alg: _, ...metadata } = payload
      const { client_secret: secret } = metadata
      // At an update the library hands back what it was given: the digest. A secret is never chosen by a client.
      const kept = secret === undefined || digest.test(secret) ? metadata : { ...metadata, client_secret: hashOfSecret(secret) }
      await room.forStrangers()
      const added = await run(client, register, [names.client(id), names.clients], [id, JSON.stringify(kept), nowSeconds(), newSeconds, clientsMax])
      if (added === 0) throw full()
    },
    find: async id => await find(id) as AdapterPayload | undefined,
    // RFC 7592 section 2.3: its grants and tokens end with it.
    destroy: async id => { await forget(id) },
    consume: notKept,
    findByUid: notKept,
    findByUserCode: notKept,
    revokeByGrantId: notKept
  }

  return { clients, adapter }
}

async function notKept (): Promise<never> {
  throw new TypeError('a client has no such thing')
}

/** RFC 7591 knows no code for it; that of RFC 6749 section 4.1.2.1 says what it is. */
function full (): Error {
  const error = new errors.TemporarilyUnavailable('as many clients are registered here as are kept; use one that is registered already or a client ID metadata document, or ask the operator to raise CLIENTS_MAX')
  return Object.assign(error, { status: 503, statusCode: 503 })
}
