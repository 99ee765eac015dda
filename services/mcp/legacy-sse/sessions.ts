/**
 * The sessions of all replicas, as Valkey knows them: who opened each, and which replica holds its stream. A record ends by itself
 * unless it is prolonged. Neither a session's id, nor a caller, nor an answer can be read from what Valkey holds or hears.
 */
import { createHmac, hash, randomBytes } from 'node:crypto'
import { RateLimitError } from '@gateway/common/errors.ts'
import type { Identity } from '@gateway/common/identity.ts'
import { deriveKeys } from '@gateway/common/secrets.ts'
import type { State } from '@gateway/common/state.ts'
import type { Bounds } from './bounds.ts'
import { createSeal, type Seal } from '@gateway/common/seal.ts'

/** One session, as the replica that opened it keeps it. */
export interface Session {
  /** What the client is told, and nobody else. 192 random bits: the identity is asked beside it, so it need not be a secret. */
  id: string
  /** Its name in Valkey, in messages between replicas and in no log. */
  name: string
  /** Keys: its record, the set of its principal's sessions, the set of its tenant's. */
  keys: [record: string, principal: string, tenant: string]
  /** Opens what comes for it. */
  seal: Seal
}

/** A session as the replica finds it that works on a message. */
export interface Found {
  name: string
  /** Who holds its stream. */
  replica: string
  seal: Seal
}

/** What replicas tell each other of a session. */
export interface SessionMessage {
  session: string
  /** The replica that says so. */
  from: string
  /** It works on a message of this session from now on. */
  began?: true
  /** Events for the client, as they go onto the wire, sealed. */
  events?: string
  /** Everything that it had for that message has been told. */
  done?: true
  /** Something for the client was lost: the stream must end. */
  lost?: true
}

export interface Sessions {
  /** @throws RateLimitError where the principal or its tenant has as many as it may */
  open: (caller: Identity) => Promise<Session>
  /** Prolongs the records. @returns those that are gone */
  keep: (sessions: readonly Session[]) => Promise<Session[]>
  /** Forgets a session, and tells all replicas. */
  close: (session: Session) => Promise<void>
  /**
   * Finds the session that this caller opened, and tells its replica that a message of it is being worked on.
   * @returns undefined where there is none, it is another's, or its replica is gone
   */
  find: (id: string, caller: Identity) => Promise<Found | undefined>
  /** @returns false where that replica is gone */
  tell: (replica: string, message: SessionMessage) => Promise<boolean>
  /** Those of these replicas that nobody reaches. */
  gone: (replicas: readonly string[]) => Promise<string[]>
}

/** Where a replica hears what others have for its sessions. */
export const channelOf = (replica: string) => `gateway:sse:replica:${replica}`
/** Where all replicas hear the names of sessions that have ended. */
export const endedChannel = 'gateway:sse:ended'

/** 24 bytes in base64url. */
const sessionId = /^[\w-]{32}$/
const nameOf = (id: string) => hash('sha256', id, 'base64url')
const recordOf = (name: string) => `gateway:sse:session:${name}`

/** By Valkey's own clock: those of the replicas may differ. */
const nowScript = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)`

/** KEYS: record, set of the principal, set of the tenant. @returns 0, or the number of the key whose bound is reached */
const openScript = `${nowScript}
for index = 2, 3 do
  redis.call('ZREMRANGEBYSCORE', KEYS[index], '-inf', now)
  if redis.call('ZCARD', KEYS[index]) >= tonumber(ARGV[index + 3]) then return index end
end
redis.call('HSET', KEYS[1], 'principal', ARGV[3], 'replica', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
for index = 2, 3 do
  redis.call('ZADD', KEYS[index], now + ARGV[1], ARGV[2])
  redis.call('PEXPIRE', KEYS[index], ARGV[1])
end
return 0`

/** KEYS: three of each session as above; ARGV: life, and the name of each session. @returns for each 1, or 0 where it is gone */
const keepScript = `${nowScript}
local kept = {}
for number = 1, #KEYS / 3 do
  local first = number * 3 - 2
  kept[number] = redis.call('PEXPIRE', KEYS[first], ARGV[1])
  if kept[number] == 1 then
    for index = first + 1, first + 2 do
      redis.call('ZADD', KEYS[index], now + ARGV[1], ARGV[number + 1])
      redis.call('PEXPIRE', KEYS[index], ARGV[1])
    end
  end
end
return kept`

/** KEYS: record; ARGV: what to tell, the beginning of a channel's name, and the digests that the caller may have. @returns the replica, or nil */
const findScript = `
local found = redis.call('HMGET', KEYS[1], 'principal', 'replica')
for index = 3, #ARGV do
  if ARGV[index] == found[1] then
    if redis.call('PUBLISH', ARGV[2] .. found[2], ARGV[1]) == 0 then return false end
    return found[2]
  end
end
return false`

/** Sessions of one command: a long one would hold up Valkey. */
const perBatch = 100

export interface SessionsOptions {
  client: State['client']
  /** Of GATEWAY_SECRET, newest first. */
  secrets: readonly string[]
  /** This replica's own name. */
  replica: string
  bounds: Pick<Bounds, 'perPrincipal' | 'perTenant' | 'recordMs'>
}

export function createSessions ({ client, secrets, replica, bounds }: SessionsOptions): Sessions {
  const keys = deriveKeys(secrets, 'sse-session')
  // Subjects are unique only together with their issuer, and a token for another client or tenant is another caller.
  const factsOf = ({ issuer, userId, tenantId, clientId }: Identity) => [issuer, userId, tenantId, clientId]
  const digests = (caller: Identity) => keys.map(key => digest(key, ['principal', ...factsOf(caller)]))
  const sealOf = (name: string, caller: Identity) => createSeal(keys, [name, ...factsOf(caller)])

  async function keepBatch (sessions: readonly Session[]): Promise<Session[]> {
    const kept = await client.eval(keepScript, {
      keys: sessions.flatMap(session => session.keys),
      arguments: [String(bounds.recordMs), ...sessions.map(({ name }) => name)]
    }) as number[]
    return sessions.filter((_, index) => kept[index] === 0)
  }

  return {
    async open (caller) {
      const id = randomBytes(24).toString('base64url')
      const name = nameOf(id)
      const [principal] = digests(caller) as [string]
      const session: Session = {
        id,
        name,
        keys: [recordOf(name), `gateway:sse:principal:${principal}`, `gateway:sse:tenant:${digest(keys[0]!, ['tenant', caller.tenantId])}`],
        seal: sealOf(name, caller)
      }
      const full = await client.eval(openScript, {
        keys: session.keys,
        arguments: [String(bounds.recordMs), name, principal, replica, String(bounds.perPrincipal), String(bounds.perTenant)]
      })
      if (full === 2) throw tooMany(`You have ${bounds.perPrincipal} streams open, and more are not allowed. Close one first; each ends by itself a minute after its client is gone.`)
      if (full === 3) throw tooMany(`Your tenant has ${bounds.perTenant} streams open, and more are not allowed. Close some, or use /mcp, which needs none.`)
      return session
    },

    async keep (sessions) {
      const gone: Session[] = []
      for (let start = 0; start < sessions.length; start += perBatch) gone.push(...await keepBatch(sessions.slice(start, start + perBatch)))
      return gone
    },

    async close ({ name, keys: [record, ...sets] }) {
      const all = client.multi().del(record)
      for (const set of sets) all.zRem(set, name)
      await all.publish(endedChannel, name).exec()
    },

    async find (id, caller) {
      if (!sessionId.test(id)) return undefined
      const name = nameOf(id)
      const began: SessionMessage = { session: name, from: replica, began: true }
      const holder = await client.eval(findScript, { keys: [recordOf(name)], arguments: [JSON.stringify(began), channelOf(''), ...digests(caller)] })
      return typeof holder === 'string' ? { name, replica: holder, seal: sealOf(name, caller) } : undefined
    },

    tell: async (to, message) => await client.publish(channelOf(to), JSON.stringify(message)) > 0,

    async gone (replicas) {
      if (replicas.length === 0) return []
      const listening = await client.pubSubNumSub(replicas.map(channelOf))
      return replicas.filter(name => !listening[channelOf(name)])
    }
  }
}

const digest = (key: Buffer, facts: readonly string[]) => createHmac('sha256', key).update(JSON.stringify(facts)).digest('base64url')

const tooMany = (message: string) => new RateLimitError('too_many_streams', message, { retryAfter: 15 })
