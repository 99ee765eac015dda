/** API_KEYS_FILE: who holds which key, as `make api-key` writes it and the gate reads it. docs/api-keys.md shows one. */
import { Type, type Static } from 'typebox'
import { ConfigurationError } from '@gateway/common/config.ts'
import { jsonReader, placeOf } from '@gateway/common/json-file.ts'
import { scopes } from '@gateway/common/scopes.ts'
import { isTenantId } from '@gateway/common/tenants.ts'
import { digestPattern, idPattern } from './api-key-format.ts'

/** Longest name of a key in characters. */
export const maxNameLength = 128

/** RFC 3339 in UTC. */
const timePattern = '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d{1,9})?Z$'
const time = Type.String({ pattern: timePattern })

const entry = Type.Object({
  id: Type.String({ pattern: idPattern }),
  /** Who or what uses it; stands in for the OAuth client. */
  name: Type.String({ minLength: 1, maxLength: maxNameLength }),
  /** SHA-256 of the whole key: the key itself is nowhere. */
  digest: Type.String({ pattern: digestPattern }),
  tenant: Type.String(),
  scopes: Type.Array(Type.Enum([...scopes]), { minItems: 1, uniqueItems: true }),
  created: time,
  /** null: never. */
  expires: Type.Unsafe<string | null>({ type: ['string', 'null'], pattern: timePattern }),
  /** Since when it is good no more. */
  revoked: Type.Optional(time)
}, { additionalProperties: false })

/** One key as the file has it. */
export type ApiKeyEntry = Static<typeof entry>

const read = jsonReader(Type.Object({ keys: Type.Array(entry) }, { additionalProperties: false }))

/**
 * The keys of a file.
 * @throws ConfigurationError with the place of each fault
 */
export function parseApiKeys (text: string): ApiKeyEntry[] {
  const { keys } = read(text)
  const faults = [...faultsOf(keys)]
  if (faults.length > 0) throw new ConfigurationError(faults)
  return keys
}

/** The text of a file with these keys. */
export const formatApiKeys = (keys: readonly ApiKeyEntry[]): string => `${JSON.stringify({ keys }, undefined, 2)}\n`

/** What is wrong with the name of a key, in words; undefined where nothing is. */
export function nameFault (name: string): string | undefined {
  return name.isWellFormed() && !/\p{Cc}/u.test(name) ? undefined : 'holds a control character or half of one'
}

function * faultsOf (keys: readonly ApiKeyEntry[]): Iterable<string> {
  const seen = new Map<string, number>()
  for (const [index, { id, name, tenant, created, expires, revoked }] of keys.entries()) {
    const place = (member: string) => placeOf(['keys', index, member])
    const first = seen.get(id)
    if (first !== undefined) yield `${place('id')} is that of ${placeOf(['keys', first])} as well`
    else seen.set(id, index)
    const wrong = nameFault(name)
    if (wrong !== undefined) yield `${place('name')} ${wrong}`
    if (!isTenantId(tenant)) yield `${place('tenant')} is no tenant: it has 1 to 128 bytes`
    for (const [member, value] of Object.entries({ created, expires, revoked })) if (typeof value === 'string' && !isDate(value)) yield `${place(member)} is no day of the calendar`
  }
}

// Date.parse moves 30 February on to March.
const isDate = (time: string) => !Number.isNaN(Date.parse(time)) && new Date(time).toISOString().slice(0, 19) === time.slice(0, 19)
