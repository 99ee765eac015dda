/**
 * What was revoked, as services/oauth and the operator write it and verify reads it. docs/revocation.md describes the record.
 * There is no way back: a record stays until no credential that it covers can be valid any more.
 */
import type { StateClient } from './state.ts'

/** For so long a revocation is remembered, in seconds: 400 days. A token that would outlive that is refused. */
export const revocationSeconds = 400 * 86_400

/** By how many seconds the clocks of those who share the records may differ. */
const clockSeconds = 60

/** Sorted set of all records: the member is the record, its score the time until which it is remembered, in seconds since 1970. */
export const revocationsKey = 'gateway:revocations'
/** Each new record is published here: its member with the time until which it is remembered as a further member, `until`. */
export const revocationsChannel = 'gateway:revocations'

/** A token by its `jti`, or an API key by its id; the tokens of a grant by their `gid`; those of a person or program; those of a whole tenant. */
export type RevocationKind = 'token' | 'grant' | 'subject' | 'tenant'

export interface Revocation {
  kind: RevocationKind
  /** Who named the token, grant or subject, as the `iss` of its tokens has it; `api-key` for API keys. Absent for a tenant: whatever its issuer. */
  issuer?: string
  id: string
  /** For a subject or a tenant: what was issued up to then is covered, whole seconds since 1970. Absent for a token or grant, which is covered whenever it was issued. */
  at?: number
}

/** A record with the time until which it is remembered, whole seconds since 1970. */
export interface Remembered { revocation: Revocation, until: number }

const kinds: ReadonlySet<unknown> = new Set<RevocationKind>(['token', 'grant', 'subject', 'tenant'])
/** In characters. No longer `jti`, `gid` or subject is ever asked about. */
const maxIdLength = 256
const maxIssuerLength = 2_048

export const nowSeconds = () => Math.floor(Date.now() / 1000)

/** What is wrong with a record, in words; undefined where nothing is. */
function revocationFault ({ kind, issuer, id, at }: Record<keyof Revocation, unknown>): string | undefined {
  if (!kinds.has(kind)) return 'it names no kind that is known here'
  if (typeof id !== 'string' || id === '' || id.length > maxIdLength || !id.isWellFormed()) return `its id is no text of 1 to ${maxIdLength} characters`
  if (kind === 'tenant' ? issuer !== undefined : typeof issuer !== 'string' || issuer === '' || issuer.length > maxIssuerLength || !issuer.isWellFormed()) return kind === 'tenant' ? 'a tenant has no issuer' : 'it names no issuer'
  const dated = kind === 'subject' || kind === 'tenant'
  if (dated ? !Number.isSafeInteger(at) || (at as number) <= 0 : at !== undefined) return dated ? 'it does not say up to when ("at")' : `a ${kind as string} has no time ("at")`
}

/** The member of a record: equal records are equal texts. */
export function memberOf ({ kind, issuer, id, at }: Revocation): string {
  return JSON.stringify({ kind, issuer, id, at })
}

/**
 * The record of a member or of a message, or what is wrong with it. Members that a later version adds are ignored; a kind that it adds is a fault.
 * @param until the score of a member; of a message its own `until`
 */
export function parseRecord (text: string, until?: number): Remembered | { fault: string } {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { fault: 'it is no JSON' }
  }
  if (typeof value !== 'object' || value === null) return { fault: 'it is no JSON object' }
  const { kind, issuer, id, at, until: own } = value as Record<keyof Revocation | 'until', unknown>
  const fault = revocationFault({ kind, issuer, id, at })
  if (fault !== undefined) return { fault }
  // A message without its time holds all the same; the next reading finds the time.
  const end = until ?? (Number.isSafeInteger(own) ? own as number : nowSeconds() + revocationSeconds)
  return { revocation: { kind, id, ...(issuer !== undefined && { issuer }), ...(at !== undefined && { at }) } as Revocation, until: end }
}

/**
 * Revokes: the record is stored and all replicas that listen are told, both or neither.
 * @param expiresAt when the last credential that it covers expires, seconds since 1970; unknown where absent
 * @returns how many replicas were listening, and until when it is remembered
 * @throws TypeError where the record is faulty; the client's error where Valkey does not take it
 */
export async function revoke (client: StateClient, revocation: Revocation, expiresAt?: number): Promise<{ heard: number, until: number }> {
  const fault = revocationFault({ issuer: undefined, at: undefined, ...revocation })
  if (fault !== undefined) throw new TypeError(`This cannot be revoked: ${fault}.`)
  const now = nowSeconds()
  if ((revocation.at ?? 0) > now + clockSeconds) throw new TypeError('This cannot be revoked: its time ("at") lies in the future.')
  // No token that would live longer is accepted, whatever it says of itself.
  const until = Math.min(Math.ceil(expiresAt ?? Infinity), Math.max(revocation.at ?? 0, now) + revocationSeconds) + clockSeconds
  const member = memberOf(revocation)
  // A multi that is begun while a connection is being made would wait for it.
  if (!client.isReady) throw new Error('Valkey cannot be reached')
  const [, , heard] = await client.multi()
    // GT: who knows less of the expiry must not shorten what another one knows.
    .zAdd(revocationsKey, { score: until, value: member }, { comparison: 'GT' })
    .zRemRangeByScore(revocationsKey, '-inf', now - clockSeconds)
    .publish(revocationsChannel, JSON.stringify({ ...revocation, until }))
    .exec()
  return { heard: Number(heard), until }
}

/** Members of one round trip. */
const page = 1_000

/**
 * Reads all records that are in force, page by page: a record that is there during the whole of it is met, perhaps twice.
 * @param onFault told of each member that is damaged; the others are read all the same
 * @throws the client's error where Valkey does not answer
 */
export async function * readRevocations (client: StateClient, onFault: (fault: string) => void): AsyncGenerator<Remembered[]> {
  // By cursor: pages by rank would skip records when others are removed meanwhile.
  let cursor = '0'
  do {
    const reply = await client.zScan(revocationsKey, cursor, { COUNT: page })
    cursor = reply.cursor
    const now = nowSeconds()
    const found: Remembered[] = []
    for (const { value, score } of reply.members) {
      if (score <= now) continue
      const record = parseRecord(value, score)
      if ('fault' in record) onFault(record.fault)
      else found.push(record)
    }
    yield found
  } while (cursor !== '0')
}

/**
 * Writes back records that Valkey has lost, e.g. those of its last second before a crash. Nobody is told: who listened knows them.
 * @throws the client's error where Valkey does not take them
 */
export async function restoreRevocations (client: StateClient, records: readonly Remembered[]): Promise<void> {
  for (let start = 0; start < records.length; start += page) {
    const members = records.slice(start, start + page).map(({ revocation, until }) => ({ score: until, value: memberOf(revocation) }))
    await client.zAdd(revocationsKey, members, { comparison: 'GT' })
  }
}
