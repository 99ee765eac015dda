/** What `make client`, `make clients` and `make revoke-client` do, wherever they run. */
import { createPublicKey, type JsonWebKey } from 'node:crypto'
import { CommandError } from '@gateway/common/command.ts'
import { isScope, scopes, type Scope } from '@gateway/common/scopes.ts'
import { isTenantId } from '@gateway/common/tenants.ts'
import type { MachineClient, NewMachineClient } from '../state/store.ts'
import { minute, quoted, withStore, type Place } from './place.ts'

/** Words of `make client`; an empty one counts as absent. JWKS is the text that JWKS_FILE has. */
export const clientWords = ['NAME', 'TENANT', 'SCOPE', 'AUTH', 'JWKS_FILE', 'JWKS', 'EXPIRES'] as const
type Words = Partial<Record<Exclude<typeof clientWords[number], 'JWKS_FILE'>, string | undefined>>

/**
 * The same words with the text of JWKS_FILE in place of its name, which means nothing elsewhere.
 * @throws CommandError where it cannot be read
 */
export function jwksOf ({ JWKS_FILE: path, ...words }: Partial<Record<typeof clientWords[number], string | undefined>>, read: (path: string) => string): Words {
  if (!path) return words
  try {
    return { ...words, JWKS: read(path) }
  } catch (cause) {
    throw new CommandError(`JWKS_FILE cannot be read: ${(cause as Error).message}`, { cause })
  }
}

/** Longest name in characters. */
const maxNameLength = 128
/** Members of a JWK that are private or a shared secret (RFC 7518 section 6). */
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']
const example = 'For example: make client NAME=nightly-import TENANT=acme SCOPE="graph:read graph:write"'

/**
 * The client that the words describe.
 * @throws CommandError with all that is wrong with them
 */
export function wanted ({ NAME = '', TENANT = '', SCOPE = '', AUTH = '', JWKS = '', EXPIRES = '' }: Words): NewMachineClient {
  const faults: string[] = []
  const granted = (SCOPE || 'graph:read').split(/[\s,]+/).filter(scope => scope !== '')
  if (NAME === '') faults.push('NAME is not set: which agent or job will use it?')
  else if (NAME.length > maxNameLength || !NAME.isWellFormed() || /\p{Cc}/u.test(NAME)) faults.push(`NAME is longer than ${maxNameLength} characters, or holds a control character`)
  if (!isTenantId(TENANT)) faults.push(TENANT === '' ? 'TENANT is not set: whose graphs does it open?' : 'TENANT is longer than 128 bytes')
  for (const scope of granted) if (!isScope(scope)) faults.push(`SCOPE holds ${quoted(scope)}; there are ${scopes.join(', ')}`)
  if (granted.length === 0) faults.push(`SCOPE holds no scope; there are ${scopes.join(', ')}`)
  if (!['', 'secret', 'private_key_jwt'].includes(AUTH)) faults.push(`AUTH is secret or private_key_jwt (it is ${quoted(AUTH)})`)
  if (AUTH === 'private_key_jwt' && JWKS === '') faults.push('AUTH=private_key_jwt needs JWKS_FILE: the public keys of the client, as {"keys":[…]}')
  if (AUTH !== 'private_key_jwt' && JWKS !== '') faults.push('JWKS_FILE is for AUTH=private_key_jwt only')
  const { jwks, fault } = AUTH === 'private_key_jwt' && JWKS !== '' ? publicKeys(JWKS) : {}
  if (fault !== undefined) faults.push(`JWKS_FILE ${fault}`)
  const expiresAt = EXPIRES === '' ? undefined : timeOf(EXPIRES)
  if (EXPIRES !== '' && expiresAt === undefined) faults.push(`EXPIRES is a day or a time to come, in UTC, like 2027-01-31 or 2027-01-31T12:00:00Z (it is ${quoted(EXPIRES)})`)
  if (faults.length > 0) throw new CommandError([...faults, example].join('\n'))
  return { name: NAME, tenant: TENANT, scopes: [...new Set(granted as Scope[])], ...(jwks && { jwks }), expiresAt }
}

/** The keys of a JWKS, or what is wrong with it. */
function publicKeys (text: string): { jwks?: { keys: object[] }, fault?: string } {
  let keys: unknown
  try {
    keys = (JSON.parse(text) as { keys?: unknown } | null)?.keys
  } catch {
    return { fault: 'is no JSON' }
  }
  if (!Array.isArray(keys) || keys.length === 0) return { fault: 'holds no keys: it must be like {"keys":[{"kty":"EC",…}]}' }
  for (const [index, key] of keys.entries()) {
    if (typeof key !== 'object' || key === null) return { fault: `has at keys[${index}] no key` }
    if (privateMembers.some(member => member in key)) return { fault: `has at keys[${index}] a private or secret key; it belongs to the client alone: give the public one, and make a new pair if this one was shared` }
    try {
      createPublicKey({ key: key as JsonWebKey, format: 'jwk' })
    } catch {
      return { fault: `has at keys[${index}] no public key that can be used` }
    }
  }
  return { jwks: { keys } }
}

/** Seconds since 1970, where the text is a time to come. */
function timeOf (text: string): number | undefined {
  const time = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?Z)?$/.test(text) ? Date.parse(text) : NaN
  return time > Date.now() ? Math.floor(time / 1000) : undefined
}

/** Makes one; its secret is among the lines. */
export async function makeThere (words: Words, place: Place, print: (line: string) => void): Promise<void> {
  const machine = wanted(words)
  const { clientId, secret } = await withStore(place, async ({ clients }) => await clients.create(machine))
  print(`Client ${quoted(machine.name)}: tenant ${quoted(machine.tenant)}, ${machine.scopes.join(' ')}, ${machine.expiresAt === undefined ? 'never expires' : `until ${minute(machine.expiresAt)}`}.${secret === undefined ? '' : ' Its secret is shown this once: its digest alone is kept.'}`)
  print(`client_id      ${clientId}`)
  if (secret !== undefined) print(`client_secret  ${secret}`)
  print(`token endpoint ${place.issuer}/token (grant_type=client_credentials, ${secret === undefined ? 'private_key_jwt' : 'client_secret_basic'})`)
}

/** One line for each machine client, and how many have registered themselves. */
export async function listThere (place: Place, print: (line: string) => void): Promise<void> {
  await withStore(place, async ({ clients }) => {
    const machines = new Map<string, MachineClient>()
    for await (const found of clients.all()) for (const machine of found) machines.set(machine.clientId, machine)
    for (const { clientId, name, tenant, scopes, auth, createdAt, lastUsed, expiresAt } of [...machines.values()].sort((a, b) => a.createdAt - b.createdAt)) {
      print(`${clientId}  ${quoted(name)}  tenant ${quoted(tenant)}  ${scopes.join(' ')}  ${auth}  made ${minute(createdAt)}  ${lastUsed === undefined ? 'not used yet' : `last used ${minute(lastUsed)}`}${expiresAt === undefined ? '' : `  until ${minute(expiresAt)}`}`)
    }
    print(`${machines.size} made here; ${await clients.count()} have registered themselves (make grants lists what they may do)`)
  })
}

/** Removes one, whichever kind it is. @returns a line that says what was done */
export async function removeThere ({ CLIENT = '' }: { CLIENT?: string | undefined }, place: Place): Promise<string> {
  if (CLIENT === '') throw new CommandError('CLIENT is not set: which one? make clients lists those that were made here, make grants those of people.')
  return await withStore(place, async ({ clients }) => {
    if (!await clients.remove(CLIENT)) throw new CommandError(`There is no client ${quoted(CLIENT.slice(0, 200))} with a record or a grant; make clients and make grants list them.`)
    return `Client ${quoted(CLIENT)} is removed: it gets no token any more, and those that it has are refused within a second.`
  })
}
