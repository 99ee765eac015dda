/** Grants as people see them: what each connected client may do, when it was last used, and its end. */
import { errors } from 'oidc-provider'
import { nowSeconds, revoke } from '@gateway/common/revocations.ts'
import type { StateClient } from '@gateway/common/state.ts'
import { asked, run } from './asking.ts'
import { names, gidOf } from './names.ts'

/** One connection of one client. */
export interface Connection {
  /** Names it in tokens, pages and commands; safe to show. */
  gid: string
  accountId: string
  clientId: string
  clientName: string
  redirectHost: string
  verified: boolean
  tenant: string
  scopes: string[]
  /** Seconds since 1970. */
  createdAt: number
  lastUsed: number
}

export interface Grants {
  /** Makes it known, or changes what is known of it; it counts as used now. @throws errors.InvalidGrant where it has ended */
  remember: (grantId: string, connection: Omit<Connection, 'gid' | 'createdAt' | 'lastUsed'>, ttlSeconds: number) => Promise<void>
  find: (gid: string) => Promise<Connection | undefined>
  /** It is used now; written once a minute at most. */
  touch: (gid: string) => Promise<void>
  /** Newest use first. */
  ofAccount: (accountId: string) => Promise<Connection[]>
  ofClient: (clientId: string) => Promise<Connection[]>
  /** Page by page. What is there during the whole of it is met, perhaps twice. */
  all: () => AsyncGenerator<Connection[]>
  /**
   * Ends it: first the revocation, by which verify refuses its access tokens within a second; then its tokens, the Grant and what is
   * known of it, at once. What fails midway can be repeated.
   * @returns false where there was none
   */
  end: (gid: string) => Promise<boolean>
}

/** An access token of before a change of ACCESS_TOKEN_TTL_S may live for a day, the longest that it allows. */
export const longestAccessTokenSeconds = 86_400
/** How often the last use is written at most, seconds. */
const touchSeconds = 60
/** Connections of one person: of more, the ones that were used the longest ago end. */
export const connectionsOfAccount = 100
/** Members of one page. */
const page = 200

// Nothing may be written for a grant that has ended: a consent or a refresh that was under way would bring it back.
// Nobody is shown a connection whose Grant is over: one to which scope is added keeps its end.
const rememberScript = `
local connection, account, client, all, ended = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local gid, facts, now, ttl = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
if redis.call('EXISTS', ended) == 1 then return 0 end
local left = redis.call('TTL', KEYS[6])
if left > 0 and left < ttl then ttl = left end
redis.call('HSETNX', connection, 'createdAt', now)
redis.call('HSET', connection, 'facts', facts, 'lastUsed', now, 'account', account, 'client', client)
redis.call('EXPIRE', connection, ttl)
for _, index in ipairs({ account, client, all }) do enter(index, gid, now, ttl) end
return 1`

const touchScript = `
local last = redis.call('HGET', KEYS[1], 'lastUsed')
if last and tonumber(ARGV[1]) - tonumber(last) >= tonumber(ARGV[2]) then redis.call('HSET', KEYS[1], 'lastUsed', ARGV[1]) end`

const endScript = `
local grant, connection, tokens, all, ended = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local gid = ARGV[1]
local indexes = redis.call('HMGET', connection, 'account', 'client')
for _, token in ipairs(redis.call('ZRANGE', tokens, 0, -1)) do redis.call('DEL', token) end
redis.call('DEL', grant, connection, tokens)
redis.call('ZREM', all, gid)
if indexes[1] then redis.call('ZREM', indexes[1], gid) end
if indexes[2] then redis.call('ZREM', indexes[2], gid) end
redis.call('SET', ended, '', 'EX', ARGV[2])`

/** @param issuer whose tokens carry the `gid` */
export function openGrants (client: StateClient, { issuer, accessTokenSeconds }: { issuer: string, accessTokenSeconds: number }): Grants {
  const revokedSeconds = Math.max(longestAccessTokenSeconds, accessTokenSeconds)

  async function find (gid: string): Promise<Connection | undefined> {
    const { facts, createdAt, lastUsed } = await asked(client.hGetAll(names.connection(gid)))
    return facts === undefined ? undefined : { gid, ...JSON.parse(facts) as Omit<Connection, 'gid' | 'createdAt' | 'lastUsed'>, createdAt: Number(createdAt), lastUsed: Number(lastUsed) }
  }

  async function found (gids: readonly string[]): Promise<Connection[]> {
    return (await Promise.all(gids.map(find))).filter(connection => connection !== undefined)
  }

  async function listed (index: string): Promise<Connection[]> {
    const [, gids] = await asked(Promise.all([client.zRemRangeByScore(index, '-inf', nowSeconds()), client.zRange(index, 0, -1)]))
    return (await found(gids)).sort((a, b) => b.lastUsed - a.lastUsed || b.createdAt - a.createdAt)
  }

  async function end (gid: string): Promise<boolean> {
    const [grant, connection, tokens] = [names.grant(gid), names.connection(gid), names.grantTokens(gid)]
    if (await asked(client.exists([grant, connection, tokens])) === 0) return false
    await asked(revoke(client, { kind: 'grant', issuer, id: gid }, nowSeconds() + revokedSeconds))
    await run(client, endScript, [grant, connection, tokens, names.connections, names.ended(gid)], [gid, revokedSeconds])
    return true
  }

  return {
    find,
    remember: async (grantId, { accountId, clientId, clientName, redirectHost, verified, tenant, scopes }, ttlSeconds) => {
      const gid = gidOf(grantId)
      const facts = JSON.stringify({ accountId, clientId, clientName, redirectHost, verified, tenant, scopes })
      const keys = [names.connection(gid), names.accountConnections(accountId), names.clientConnections(clientId), names.connections, names.ended(gid), names.grant(gid)]
      if (await run(client, rememberScript, keys, [gid, facts, nowSeconds(), ttlSeconds]) === 0) throw new errors.InvalidGrant('the grant has ended')
      if (await asked(client.zCard(names.accountConnections(accountId))) <= connectionsOfAccount) return
      for (const former of (await listed(names.accountConnections(accountId))).slice(connectionsOfAccount)) if (former.gid !== gid) await end(former.gid)
    },
    touch: async gid => { await run(client, touchScript, [names.connection(gid)], [nowSeconds(), touchSeconds]) },
    ofAccount: async accountId => await listed(names.accountConnections(accountId)),
    ofClient: async clientId => await listed(names.clientConnections(clientId)),
    all: async function * () {
      // By cursor: pages by rank would skip some when others end meanwhile.
      let cursor = '0'
      do {
        const reply = await asked(client.zScan(names.connections, cursor, { COUNT: page }))
        cursor = reply.cursor
        yield await found(reply.members.map(({ value }) => value))
      } while (cursor !== '0')
    },
    end
  }
}
