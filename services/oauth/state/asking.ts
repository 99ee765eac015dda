/** How Valkey is asked: one script for each change of several keys, so that it happens as a whole or not at all. */
import { hash } from 'node:crypto'
import { UnavailableError } from '@gateway/common/errors.ts'
import type { StateClient } from '@gateway/common/state.ts'

/**
 * Lua for all scripts: a key lives at least so long from now, and an index forgets what has expired.
 * Keys of one script need not share a slot: the state is in one Valkey, never in a cluster.
 */
const common = `
local function outlive(key, seconds)
  if redis.call('TTL', key) < tonumber(seconds) then redis.call('EXPIRE', key, seconds) end
end
local function enter(index, member, now, seconds)
  redis.call('ZREMRANGEBYSCORE', index, '-inf', now)
  redis.call('ZADD', index, now + seconds, member)
  outlive(index, seconds)
end
`

/** The digest by which Valkey knows a script that it has run before. */
const digests = new Map<string, string>()

function digestOf (script: string): string {
  let digest = digests.get(script)
  if (digest === undefined) digests.set(script, digest = hash('sha1', common + script))
  return digest
}

/**
 * Runs a script: by its digest, and as a whole where Valkey has none of it, after a restart.
 * @param script one of a few constants: each is remembered
 * @throws UnavailableError where Valkey does not answer or does not take it
 */
export async function run (client: StateClient, script: string, keys: string[], args: Array<string | number> = []): Promise<unknown> {
  const options = { keys, arguments: args.map(String) }
  return await asked(client.evalSha(digestOf(script), options).catch(async (error: Error) => {
    if (!error.message.startsWith('NOSCRIPT')) throw error
    return await client.eval(common + script, options)
  }))
}

/**
 * The answer to a command.
 * @throws UnavailableError where there is none: Valkey is away, starting, or full
 */
export async function asked<T> (answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (cause) {
    throw new UnavailableError('state_unavailable', 'Sign-in cannot reach its store at the moment; try again in a few seconds.', { cause })
  }
}
