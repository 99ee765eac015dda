/**
 * Room for what strangers make: a sign-in that nobody finishes, a client that nobody uses. Valkey evicts nothing, so that whoever fills it would
 * stop refreshes and revocations as well; they are refused while the last quarter is still free.
 */
import { UnavailableError } from '@gateway/common/errors.ts'
import type { StateClient } from '@gateway/common/state.ts'

/** Part of Valkey's `maxmemory` that strangers may fill. */
const share = 0.75
/** How often Valkey is asked at most, ms: far less than it takes to fill the rest. */
const askedMs = 500

export interface Room {
  /** @throws UnavailableError where Valkey is too full for what a stranger makes */
  forStrangers: () => Promise<void>
}

export function openRoom (client: StateClient): Room {
  let asked = -Infinity
  let full = false

  async function ask (): Promise<void> {
    const found = /^used_memory:(\d+)\r?$[^]*^maxmemory:(\d+)\r?$/m.exec(await client.info('memory'))
    const [used, most] = [Number(found?.[1] ?? 0), Number(found?.[2] ?? 0)]
    full = most > 0 && used > share * most
  }

  return {
    forStrangers: async () => {
      const now = performance.now()
      if (now - asked > askedMs) {
        asked = now
        // A user of Valkey without INFO has no such guard; and whether Valkey is there at all, the write that follows tells.
        await ask().catch(() => { full = false })
      }
      if (full) throw new UnavailableError('state_full', 'The store of sign-in is nearly full; try again later, or ask whoever runs this gateway to give Valkey more memory.')
    }
  }
}
