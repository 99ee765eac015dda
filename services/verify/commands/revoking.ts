/** What `make revoke` and `make revocations` do, wherever they run: words such as TENANT=acme become a record, and records become lines. */
import { CommandError } from '@gateway/common/command.ts'
import { nowSeconds, readRevocations, revoke, type Remembered, type Revocation, type RevocationKind } from '@gateway/common/revocations.ts'
import { connectOnce, stateUrlFault } from '@gateway/common/state.ts'

/** The words of the command; an empty one counts as absent. EXPIRES is the expiry of the token, seconds since 1970. */
export const wordNames = ['TENANT', 'USER', 'JTI', 'GRANT', 'TOKEN', 'ISSUER', 'EXPIRES'] as const
export type Words = Partial<Record<typeof wordNames[number], string | undefined>>

export interface Place {
  valkeyUrl: string
  /** Issuers whose tokens are accepted there; undefined where that is not known. */
  issuers: readonly string[] | undefined
}

const usage = 'Say whom: make revoke TENANT=acme | USER=ada ISSUER=https://login.example.com | JTI=… ISSUER=… | GRANT=… ISSUER=… | TOKEN=…'

const kindOf = { TENANT: 'tenant', USER: 'subject', JTI: 'token', GRANT: 'grant' } as const satisfies Partial<Record<keyof Words, RevocationKind>>

/**
 * The same words with TOKEN taken apart, so that the token itself goes no further. Its signature is not verified.
 * @throws CommandError where it cannot be revoked alone
 */
export function withoutToken ({ TOKEN, ...words }: Words): Words {
  if (!TOKEN) return words
  const others = given(words)
  if (others.length > 0) throw new CommandError(`TOKEN says all by itself; leave out ${others.join(', ')}.`)
  const { iss, jti, sub, exp } = claimsOf(TOKEN)
  if (typeof iss !== 'string') throw new CommandError('The token names no issuer ("iss"), and so is none that is accepted anywhere.')
  if (typeof jti !== 'string') {
    const instead = typeof sub === 'string' ? `USER=${shellWord(sub)} ISSUER=${shellWord(iss)}, which covers all that were issued to it until now` : 'TENANT=…'
    throw new CommandError(`The token has no "jti", so it cannot be revoked alone: make revoke ${instead}.`)
  }
  return { JTI: jti, ISSUER: iss, ...(typeof exp === 'number' && { EXPIRES: String(Math.ceil(exp)) }) }
}

function claimsOf (token: string): Record<string, unknown> {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.trim().replace(/^Bearer /i, '').split('.')[1] ?? '', 'base64url').toString())
    if (typeof claims === 'object' && claims !== null) return claims as Record<string, unknown>
  } catch {
    // Said below, without a part of the token.
  }
  throw new CommandError('TOKEN is no JWT. Of an opaque token or an API key name what you know: JTI (the id of an API key, with ISSUER=api-key), USER or TENANT.')
}

const shellWord = (text: string) => `'${text.replaceAll("'", "'\\''")}'`
const given = (words: Words) => wordNames.filter(name => words[name])

/**
 * What the words mean.
 * @throws CommandError where they are too few, too many, or name an issuer that is unknown there
 */
export function requestOf (words: Words, issuers: Place['issuers']): { revocation: Revocation, expiresAt: number | undefined } {
  const { ISSUER, EXPIRES, ...named } = withoutToken(words)
  const [name, ...more] = given(named) as Array<keyof typeof kindOf>
  if (name === undefined) throw new CommandError(usage)
  if (more.length > 0) throw new CommandError(`${[name, ...more].join(' and ')} are both set; one revocation names one thing.`)
  const kind = kindOf[name]
  const id = named[name] as string
  if (kind === 'tenant') {
    if (ISSUER) throw new CommandError('A tenant is revoked whoever issued its tokens; leave ISSUER out.')
    return { revocation: { kind, id, at: nowSeconds() }, expiresAt: undefined }
  }
  const issuer = ISSUER || soleOf(issuers)
  if (issuers !== undefined && ![...issuers, 'api-key'].includes(issuer)) throw new CommandError(`ISSUER is none that is trusted here; there are ${[...issuers, 'api-key'].join(', ')}.`)
  return { revocation: { kind, issuer, id, ...(kind === 'subject' && { at: nowSeconds() }) }, expiresAt: EXPIRES ? Number(EXPIRES) : undefined }
}

function soleOf (issuers: Place['issuers']): string {
  const [sole, ...others] = issuers ?? []
  if (sole !== undefined && others.length === 0) return sole
  throw new CommandError(`Name the issuer too, exactly as "iss" of the tokens has it: ISSUER=…${others.length > 0 ? ` There are ${[sole, ...others].join(', ')}.` : ''}`)
}

/**
 * Revokes what the words name.
 * @returns a line that says what was done
 * @throws CommandError where the words or the place are at fault
 */
export async function revokeThere (words: Words, { valkeyUrl, issuers }: Place): Promise<string> {
  const { revocation, expiresAt } = requestOf(words, issuers)
  if (expiresAt !== undefined && !Number.isSafeInteger(expiresAt)) throw new CommandError('EXPIRES must be whole seconds since 1970.')
  if (expiresAt !== undefined && expiresAt <= nowSeconds()) return `Nothing to revoke: ${described(revocation)} has expired.`
  return await connected(valkeyUrl, async client => {
    const { heard, until } = await revoke(client, revocation, expiresAt).catch((cause: Error) => {
      throw new CommandError(cause instanceof TypeError ? cause.message : `Valkey has not confirmed it, so it may not hold; mend the cause and run the command again: ${cause.message}`, { cause })
    })
    const told = heard === 0 ? 'no replica was listening; each knows it at its next reading, within a minute of reaching Valkey' : `told ${heard} ${heard === 1 ? 'listener' : 'listeners'}`
    return `Revoked: ${described(revocation)}. It is remembered until ${time(until)}; ${told}.`
  })
}

/** One line for each record in force, to `print`. */
export async function listThere ({ valkeyUrl }: Pick<Place, 'valkeyUrl'>, print: (line: string) => void): Promise<void> {
  await connected(valkeyUrl, async client => {
    let count = 0
    let damaged = 0
    for await (const records of readRevocations(client, () => { damaged++ })) {
      for (const { revocation, until } of records) print(`${described(revocation)}; until ${time(until)}`)
      count += records.length
    }
    print(`${count} in force${damaged > 0 ? `, and ${damaged} that cannot be read` : ''}`)
  })
}

async function connected<T> (url: string, work: (client: Awaited<ReturnType<typeof connectOnce>>) => Promise<T>): Promise<T> {
  const fault = stateUrlFault('VALKEY_URL', url)
  if (fault !== undefined) throw new CommandError(`${fault}.`)
  const client = await connectOnce(url).catch((cause: Error) => { throw new CommandError(`Valkey cannot be reached, so nothing was done: ${cause.message}`, { cause }) })
  try {
    return await work(client)
  } finally {
    client.destroy()
  }
}

const time = (seconds: number) => Number.isFinite(seconds) && seconds < 8.64e12 ? new Date(seconds * 1000).toISOString() : 'ever'

/** Quoted as JSON: what a token says of itself must not move a terminal's cursor. */
function described ({ kind, issuer, id, at }: Remembered['revocation']): string {
  const quoted = JSON.stringify(id)
  const by = JSON.stringify(issuer)
  if (kind === 'tenant') return `all of tenant ${quoted} issued until ${time(at as number)}`
  if (kind === 'subject') return `all of ${quoted} of ${by} issued until ${time(at as number)}`
  return `${kind} ${quoted} of ${by}`
}
