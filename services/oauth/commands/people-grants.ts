/** What `make grants` and `make end-grant` do, wherever they run. */
import { CommandError } from '@gateway/common/command.ts'
import type { Connection, Grants } from '../state/store.ts'
import { minute, quoted, withStore, type Place } from './place.ts'

/** Words of `make grants`: all that are given must fit. */
export const grantWords = ['SUBJECT', 'TENANT', 'CLIENT'] as const
type Words = Partial<Record<typeof grantWords[number], string | undefined>>

/** One line for each grant, the one used last first within a person or client. */
export async function listThere ({ SUBJECT, TENANT, CLIENT }: Words, place: Place, print: (line: string) => void): Promise<void> {
  await withStore(place, async ({ grants }) => {
    const met = new Set<string>()
    for await (const connections of pages(grants, SUBJECT, CLIENT)) {
      for (const connection of connections) {
        if (met.has(connection.gid) || (SUBJECT && connection.accountId !== SUBJECT) || (CLIENT && connection.clientId !== CLIENT) || (TENANT && connection.tenant !== TENANT)) continue
        met.add(connection.gid)
        print(described(connection))
      }
    }
    print(`${met.size} ${met.size === 1 ? 'grant' : 'grants'}`)
  })
}

async function * pages (grants: Grants, subject: string | undefined, clientId: string | undefined): AsyncGenerator<Connection[]> {
  if (subject) yield await grants.ofAccount(subject)
  else if (clientId) yield await grants.ofClient(clientId)
  else yield * grants.all()
}

function described ({ gid, accountId, clientId, clientName, redirectHost, verified, tenant, scopes, createdAt, lastUsed }: Connection): string {
  return `${gid}  ${quoted(accountId)}  tenant ${quoted(tenant)}  ${quoted(clientName)} (${quoted(clientId)}, ${verified ? 'verified' : 'unverified'}, leads to ${quoted(redirectHost)})  ${scopes.join(' ')}  since ${minute(createdAt)}  last used ${minute(lastUsed)}`
}

/** Ends one. @returns a line that says what was done */
export async function endThere ({ GRANT = '' }: { GRANT?: string | undefined }, place: Place): Promise<string> {
  if (GRANT === '') throw new CommandError('GRANT is not set: which one? make grants lists them. For example: make end-grant GRANT=xkM4CSr6w-ySLs52vvPzVqBC3SYDwuFoFqN7xHZlPN0')
  return await withStore(place, async ({ grants }) => {
    const connection = await grants.find(GRANT)
    if (!await grants.end(GRANT)) throw new CommandError(`There is no grant ${quoted(GRANT.slice(0, 100))}; make grants lists them.`)
    return `Ended${connection ? `: ${described(connection)}` : ''}. Its access tokens are refused within a second.`
  })
}
