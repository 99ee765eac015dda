/** What `make tenant-delete` does, wherever it runs. */
import { ErrorReply } from '@redis/client'
import { CommandError } from '@gateway/common/command.ts'
import { encodeTenant } from '@gateway/common/tenants.ts'
import type { Send } from '../graph/connections/connection.ts'
import { administering, graphKeys, type Place } from './place.ts'

/**
 * Deletes all graphs of a tenant and its users in the database.
 * @param confirm the tenant's name once more; without it the graphs are listed only
 * @throws CommandError where it was not confirmed, or something is left
 */
export async function deleteTenant (place: Place, confirm: string | undefined, say: (line: string) => void): Promise<void> {
  const { tenant, prefix } = place
  const name = JSON.stringify(tenant)
  await administering(place, async send => {
    const keys = await graphKeys(send, place)
    for (const key of keys) say(JSON.stringify(key.slice(prefix.length)))
    say(`Tenant ${name} has ${graphs(keys.length)}.`)
    if (confirm !== tenant) throw new CommandError(`Nothing was deleted. ${confirm ? 'CONFIRM is not the name of this tenant. ' : ''}To delete all of it for ever, say the name once more: make tenant-delete TENANT=… CONFIRM=…`)
    // First who could make more.
    say(await deleteUsers(send, place))
    for (const key of keys) await send(['GRAPH.DELETE', key]).catch(unlessGone)
    const left = await existing(send, await graphKeys(send, place))
    if (left.length > 0) throw new CommandError(`${graphs(keys.length)} deleted, and there ${left.length === 1 ? 'is one' : `are ${left.length}`} again: the tenant still writes. Refuse its tokens (below), then run this once more.\n${howToRefuse}`)
    say(`Deleted: ${graphs(keys.length)} of tenant ${name}.`)
    say(howToRefuse)
  })
}

const howToRefuse = 'Its tokens still work, and a write with one makes a new graph. To refuse them: make revoke TENANT=… (those issued until now), and TENANTS_DENIED or the registry of tenants (all, docs/tenants.md).'

const graphs = (count: number) => count === 1 ? '1 graph' : `${count} graphs`

/** Of this and any other version of the gateway: `gateway-v1:acme`. A replica makes the user anew where the tenant calls again. */
async function deleteUsers (send: Send, { tenant, multiTenancy }: Place): Promise<string> {
  if (!multiTenancy) return 'Without tenants there is no user to delete.'
  const suffix = `:${encodeTenant(tenant)}`
  try {
    const users = (await send(['ACL', 'USERS']) as string[]).filter(user => /^gateway-v\d+:/.test(user) && user.slice(user.indexOf(':')) === suffix)
    if (users.length > 0) await send(['ACL', 'DELUSER', ...users])
    return users.length > 0 ? `Deleted in the database: user ${users.join(', ')}.` : 'It has no user in the database.'
  } catch (error) {
    if (!(error instanceof ErrorReply)) throw error
    return `Its user in the database could not be deleted (${error.message}); it can touch this tenant's graphs alone.`
  }
}

/** GRAPH.LIST goes on naming a graph for a moment after its key is gone. */
async function existing (send: Send, keys: readonly string[]): Promise<string[]> {
  const left: string[] = []
  for (const key of keys) if (Number(await send(['EXISTS', key])) > 0) left.push(key)
  return left
}

function unlessGone (error: unknown) {
  if (error instanceof Error && /empty key/.test(error.message)) return
  throw error
}
