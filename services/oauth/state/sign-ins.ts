/** What is remembered of a browser while it is away at an upstream: one-use records by the `state` that comes back with it. */
import type { StateClient } from '@gateway/common/state.ts'
import { asked } from './asking.ts'
import { names } from './names.ts'

export interface SignIns {
  keep: (state: string, record: object, ttlSeconds: number) => Promise<void>
  peek: (state: string) => Promise<object | undefined>
  /** Of several who take it, one gets it. */
  take: (state: string) => Promise<object | undefined>
}

export function openSignIns (client: StateClient): SignIns {
  const parsed = (text: string | null) => text === null ? undefined : JSON.parse(text) as object
  return {
    keep: async (state, record, ttlSeconds) => { await asked(client.set(names.signIn(state), JSON.stringify(record), { expiration: { type: 'EX', value: ttlSeconds } })) },
    peek: async state => parsed(await asked(client.get(names.signIn(state)))),
    take: async state => parsed(await asked(client.getDel(names.signIn(state))))
  }
}
