import { refusal } from '../../refusals.ts'
import type { TokenCheck } from './index.ts'

/** Under these names an introspection answer says what kind of token it is about: RFC 7662, Keycloak, Ory and Amazon. */
const kinds: Record<string, ReadonlySet<string>> = {
  token_type: new Set(['bearer', 'access_token']),
  typ: new Set(['bearer', 'jwt', 'at+jwt']),
  token_use: new Set(['access', 'access_token'])
}

/** An endpoint may know refresh tokens and ID tokens as well, and a token bound to a key (DPoP) is none for whoever merely bears it (RFC 9449 section 7.2). */
export const accessToken: TokenCheck = ({ payload }) => {
  for (const [name, usual] of Object.entries(kinds)) {
    const kind = payload[name]
    if (kind !== undefined && kind !== null && !(typeof kind === 'string' && usual.has(kind.toLowerCase()))) throw refusal('type_refused')
  }
}
