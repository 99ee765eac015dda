import type { Attempt } from '../attempt.ts'
import { refusal } from '../refusals.ts'
import type { Check } from './index.ts'

/** The auth-scheme is matched without case (RFC 9110 section 11.1). */
const bearer = /^bearer +(\S.*)$/i

/** Exactly one credential: of two nobody knows which one was meant, and proxies differ in which one they keep. */
export const oneCredential: Check = attempt => {
  const { authorization, apiKey } = credentialsOf(attempt)
  if (authorization && apiKey) throw refusal('several_credentials')
  if (apiKey) {
    attempt.credential = { kind: 'api-key', value: apiKey }
    return
  }
  const value = bearer.exec(authorization)?.[1]
  if (value === undefined) throw refusal('missing_token')
  // Neither a token nor an API key holds a comma: this is two headers that something on the way has joined.
  if (value.includes(',')) throw refusal('several_credentials')
  attempt.credential = { kind: 'bearer', value: value.trimEnd() }
}

// Node keeps the first of two Authorization headers and joins two of X-API-Key: only the raw list shows both.
function credentialsOf ({ request }: Attempt): { authorization: string, apiKey: string } {
  const raw = request.raw.rawHeaders
  let authorization: string | undefined
  let apiKey: string | undefined
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] as string
    if (name.length === 13 && name.toLowerCase() === 'authorization') {
      if (authorization !== undefined) throw refusal('several_credentials')
      authorization = raw[index + 1]
    } else if (name.length === 9 && name.toLowerCase() === 'x-api-key') {
      if (apiKey !== undefined) throw refusal('several_credentials')
      apiKey = raw[index + 1]
    }
  }
  return { authorization: authorization?.trim() ?? '', apiKey: apiKey?.trim() ?? '' }
}
