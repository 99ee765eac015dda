/** Who has signed in, as their upstream has vouched for them. */
import { nowSeconds } from '@gateway/common/revocations.ts'
import type { StateClient } from '@gateway/common/state.ts'
import type { Person } from '../people/person.ts'
import { asked } from './asking.ts'
import { names } from './names.ts'

export interface Account {
  person: Person
  /** What the upstream must be shown to be asked again, sealed by its caller. */
  memory?: string
  /** When the upstream last vouched, seconds since 1970. */
  askedAt: number
}

export interface Accounts {
  /** @param memory sealed by its caller */
  save: (person: Person, memory: string | undefined, ttlSeconds: number) => Promise<void>
  find: (accountId: string) => Promise<Account | undefined>
  forget: (accountId: string) => Promise<void>
  /**
   * Does work about someone that nobody does at the same moment: an upstream whose refresh tokens are good once must not be asked twice with one.
   * @param seconds longer than the work can take
   * @returns undefined where somebody else is at it
   */
  alone: <T>(accountId: string, seconds: number, work: () => Promise<T>) => Promise<{ done: T } | undefined>
}

export function openAccounts (client: StateClient): Accounts {
  return {
    save: async (person, memory, ttlSeconds) => {
      const account: Account = { person, ...(memory !== undefined && { memory }), askedAt: nowSeconds() }
      await asked(client.set(names.account(person.id), JSON.stringify(account), { expiration: { type: 'EX', value: ttlSeconds } }))
    },
    find: async accountId => {
      const text = await asked(client.get(names.account(accountId)))
      // JSON leaves out what is undefined: an e-mail address that nobody vouches for.
      return text === null ? undefined : restored(JSON.parse(text) as Account)
    },
    forget: async accountId => { await asked(client.del(names.account(accountId))) },
    alone: async (accountId, seconds, work) => {
      const key = names.asking(accountId)
      if (await asked(client.set(key, '1', { condition: 'NX', expiration: { type: 'EX', value: seconds } })) === null) return undefined
      try {
        return { done: await work() }
      } finally {
        await asked(client.del(key))
      }
    }
  }
}

const restored = ({ person, ...rest }: Account): Account => ({ person: { ...person, email: person.email }, ...rest })
