/** The ring in Valkey, wrapped by OAUTH_SECRET. */
import type { StateClient } from '@gateway/common/state.ts'
import type { RingStorage } from './ring-storage.ts'
import { formatRing, parseRing } from './stored-ring.ts'
import { unwrap, wrap } from './wrapping.ts'

/** Key of the wrapped ring. */
export const ringKey = 'oauth:keys'
/** Each change is told here; the message is empty. */
export const ringChannel = 'oauth:keys'

const where = `the keys in Valkey ("${ringKey}")`

/** Writes and tells where nobody else has written meanwhile. */
const replaceScript = `
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
if ARGV[3] ~= '' then redis.call('PUBLISH', ARGV[3], '') end
return 1`

export function ringInValkey (client: StateClient, secrets: readonly string[]): RingStorage {
  async function stored () {
    const wrapped = await client.get(ringKey)
    if (wrapped === null) return { wrapped: '', ring: undefined, byFirst: true }
    const { text, byFirst } = await unwrap(wrapped, secrets, where)
    return { wrapped, ring: parseRing(text), byFirst }
  }

  return {
    where,
    read: async () => (await stored()).ring,
    change: async change => {
      for (;;) {
        const { wrapped, ring, byFirst } = await stored()
        const next = change(ring)
        // What an older secret has wrapped is wrapped anew, so that the older one can go.
        if (next === undefined || (next === ring && byFirst)) return next
        const written = await client.eval(replaceScript, { keys: [ringKey], arguments: [wrapped, await wrap(formatRing(next), secrets), next === ring ? '' : ringChannel] })
        if (written === 1) return next
      }
    }
  }
}
