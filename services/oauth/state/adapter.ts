/**
 * oidc-provider's adapter for all models but Client. A record is a hash: `payload` as JSON without what a bearer could use, `consumed`
 * (seconds since 1970) once it is used up, and where it is indexed. Of a used refresh token single fields stay in place of the payload.
 */
import { errors, type Adapter, type AdapterPayload } from 'oidc-provider'
import { nowSeconds } from '@gateway/common/revocations.ts'
import type { StateClient } from '@gateway/common/state.ts'
import { asked, run } from './asking.ts'
import type { Grants } from './grants.ts'
import { gidOf, names, type Model } from './names.ts'
import type { Room } from './room.ts'

export interface AdapterOptions {
  client: StateClient
  grants: Grants
  room: Room
  /** REFRESH_REUSE_GRACE_S. */
  reuseGraceSeconds: number
}

const save = `
redis.call('HSET', KEYS[1], 'payload', ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1`

const saveOnce = `
if redis.call('HSETNX', KEYS[1], 'payload', ARGV[1]) == 0 then return 0 end
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1`

const saveSession = `
redis.call('HSET', KEYS[1], 'payload', ARGV[1], 'pointer', KEYS[2])
redis.call('EXPIRE', KEYS[1], ARGV[2])
redis.call('SET', KEYS[2], KEYS[1], 'EX', ARGV[2])
return 1`

// Nothing is written for a grant that has ended meanwhile: the token would outlive its end.
const saveGrant = `
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'payload', ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1`

// A grant whose client refreshes for months would fill Valkey with its used tokens: the oldest of them go.
const saveToken = `
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'payload', ARGV[1], 'index', KEYS[3])
redis.call('EXPIRE', KEYS[1], ARGV[2])
enter(KEYS[3], KEYS[1], tonumber(ARGV[3]), tonumber(ARGV[2]))
local over = redis.call('ZCARD', KEYS[3]) - tonumber(ARGV[4])
if over <= 0 then return 1 end
for _, whatever in ipairs({ false, true }) do
  for _, token in ipairs(redis.call('ZRANGE', KEYS[3], 0, -1)) do
    if over > 0 and token ~= KEYS[1] and (whatever or redis.call('HEXISTS', token, 'consumed') == 1) then
      redis.call('DEL', token)
      redis.call('ZREM', KEYS[3], token)
      over = over - 1
    end
  end
end
return 1`

// It lives as long as its client, which has one.
const saveRegistrationToken = `
local left = redis.call('PTTL', KEYS[2])
if left == -2 then return 0 end
local former = redis.call('HGET', KEYS[2], 'registrationToken')
if former and former ~= KEYS[1] then redis.call('DEL', former) end
redis.call('HSET', KEYS[1], 'payload', ARGV[1])
if left >= 0 then redis.call('PEXPIRE', KEYS[1], left) end
redis.call('HSET', KEYS[2], 'registrationToken', KEYS[1])
return 1`

// There are many used refresh tokens, each kept for its whole life: of them stays what a later use is recognised by, in short fields,
// which Valkey packs into half of the room. HSET comes before DEL: where memory is full, Valkey refuses a script at its first write or not at
// all, and DEL it would let pass, although nothing could then be written that takes the used token's place.
const consume = `
local payload, at, grantId = unpack(redis.call('HMGET', KEYS[1], 'payload', 'consumed', 'grantId'))
if not payload and not at then return { 'absent' } end
local whole = payload and cjson.decode(payload) or { grantId = grantId }
if at then return { 'consumed', at, whole.grantId } end
redis.call('HSET', KEYS[1], 'consumed', ARGV[1])
if ARGV[2] ~= 'RefreshToken' then return { 'won' } end
local ends = redis.call('PEXPIRETIME', KEYS[1])
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'consumed', ARGV[1])
for _, member in ipairs({ 'iat', 'exp', 'clientId', 'accountId', 'grantId', 'scope' }) do
  if whole[member] then redis.call('HSET', KEYS[1], member, whole[member]) end
end
redis.call('PEXPIREAT', KEYS[1], ends)
return { 'won' }`

const destroy = `
local links = redis.call('HMGET', KEYS[1], 'index', 'pointer')
redis.call('DEL', KEYS[1])
if links[1] then redis.call('ZREM', links[1], KEYS[1]) end
if links[2] and redis.call('GET', links[2]) == KEYS[1] then redis.call('DEL', links[2]) end`

const dropTokens = `
for _, token in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do redis.call('DEL', token) end
redis.call('DEL', KEYS[1])`

/** Codes and refresh tokens of one grant, used ones too. An older one is refused like any unknown one; its late reuse is no longer told from that. */
export const tokensOfGrant = 200

/** One for each model, as oidc-provider wants it. */
export function openAdapter (model: Model, { client, grants, room, reuseGraceSeconds }: AdapterOptions): Adapter {
  const keyOf = (id: string) => names.record(model, id)

  /** @returns 0 where it must not be written any more */
  async function write (key: string, payload: AdapterPayload, text: string, ttl: number): Promise<unknown> {
    if (model === 'RegistrationAccessToken') return await run(client, saveRegistrationToken, [key, names.client(String(payload.clientId))], [text])
    if (!Number.isSafeInteger(ttl)) throw new TypeError(`a ${model} without an end is not kept`)
    if (model === 'Session') return await run(client, saveSession, [key, names.sessionUid(String(payload.uid))], [text, ttl])
    if (model === 'ReplayDetection') return await run(client, saveOnce, [key], [text, ttl])
    if (payload.grantId === undefined || !ofGrant.has(model)) return await run(client, save, [key], [text, ttl])
    const gid = gidOf(payload.grantId)
    return await run(client, saveToken, [key, names.ended(gid), names.grantTokens(gid)], [text, ttl, nowSeconds(), tokensOfGrant])
  }

  async function read (key: string): Promise<AdapterPayload | undefined> {
    const { payload, consumed, index: _, pointer: __, ...fields } = await asked(client.hGetAll(key))
    const used = consumed === undefined ? {} : { consumed: Number(consumed) }
    if (payload !== undefined) return { ...JSON.parse(payload) as AdapterPayload, ...used }
    return consumed === undefined ? undefined : { ...fields, iat: Number(fields.iat), exp: Number(fields.exp), ...used }
  }

  return {
    upsert: async (id, payload, expiresIn) => {
      const ttl = Number(expiresIn)
      if (ttl <= 0) return await asked(client.del(keyOf(id))).then(() => {})
      if (model === 'Interaction' && isOfStranger(payload)) await room.forStrangers()
      const text = JSON.stringify(withoutBearer(model, id, payload))
      const written = model === 'Grant' ? await run(client, saveGrant, [keyOf(id), names.ended(gidOf(id))], [text, ttl]) : await write(keyOf(id), payload, text, ttl)
      if (written === 0) throw refusal(model)
    },

    find: async id => {
      const payload = await read(keyOf(id))
      return payload && withBearer(id, payload)
    },

    // Without `jti`, the cookie's value, which is nowhere: oidc-provider looks at the session's person and grants only.
    findByUid: async uid => {
      const key = await asked(client.get(names.sessionUid(uid)))
      return key === null ? undefined : await read(key)
    },

    findByUserCode: async () => { throw new Error('the device flow is not offered: nothing is indexed by a user code') },

    consume: async id => {
      const now = nowSeconds()
      const [outcome, at, grantId] = await run(client, consume, [keyOf(id)], [now, model]) as [string, string?, string?]
      if (outcome === 'won') return
      if (outcome === 'consumed' && grantId !== undefined && (model !== 'RefreshToken' || now - Number(at) > reuseGraceSeconds)) await grants.end(gidOf(grantId))
      throw new errors.InvalidGrant(outcome === 'consumed' ? 'it was used in the same moment' : 'it has ended in the same moment')
    },

    destroy: async id => {
      if (model === 'Grant') await grants.end(gidOf(id))
      else await run(client, destroy, [keyOf(id)])
    },

    // Whatever the model: oidc-provider asks for all of them together.
    revokeByGrantId: async grantId => { await run(client, dropTokens, [names.grantTokens(gidOf(grantId))]) }
  }
}

/** Of a browser that nobody has signed in with, and not the next step of a sign-in. */
const isOfStranger = ({ session, result, lastSubmission }: AdapterPayload) => session?.accountId === undefined && result === undefined && lastSubmission === undefined

/** Tokens that end with their grant. */
const ofGrant: ReadonlySet<Model> = new Set<Model>(['AuthorizationCode', 'RefreshToken', 'AccessToken'])

/** Why a record is not written. */
function refusal (model: Model): Error {
  if (model === 'ReplayDetection') return new errors.InvalidClientAuth('the client assertion was used in the same moment')
  if (model === 'RegistrationAccessToken') return new errors.InvalidClientMetadata('the client has been removed in the same moment')
  return new errors.InvalidGrant('the grant has ended in the same moment')
}

/** What is stored of an Interaction's `returnTo`, which ends with the value of its cookie. */
interface Stored extends AdapterPayload { returnToBefore?: string }

/** The payload as it is stored. */
function withoutBearer (model: Model, id: string, { jti: _, ...payload }: AdapterPayload): Stored {
  if (model !== 'Interaction') return payload
  const { session, returnTo, ...rest } = payload
  // oidc-provider writes the session's cookie down here and never reads it.
  const { cookie: __, ...person } = session ?? {}
  const way = returnTo?.endsWith(id) ? { returnToBefore: returnTo.slice(0, -id.length) } : { returnTo }
  return { ...rest, ...way, ...(session && { session: person }) }
}

/** The payload as oidc-provider gave it. @param id the one that it was found by */
function withBearer (id: string, { returnToBefore, ...payload }: Stored): AdapterPayload {
  return { ...payload, jti: id, ...(returnToBefore !== undefined && { returnTo: returnToBefore + id }) }
}
