import { refusal } from '../refusals.ts'
import type { Check } from './index.ts'

/** Parameter names under which clients have sent credentials, without case and punctuation. */
const names = new Set(['token', 'accesstoken', 'idtoken', 'refreshtoken', 'bearertoken', 'authtoken', 'bearer', 'jwt', 'authorization', 'apikey', 'xapikey', 'mcpapikey', 'clientsecret'])

/** Credentials travel in headers only: MCP authorization, "Access Token Usage"; RFC 9700 section 4.3.2. Good or bad, an answer of 400 teaches. */
export const noCredentialInQuery: Check = ({ uri }) => {
  const start = uri.indexOf('?')
  if (start < 0) return
  for (const name of new URLSearchParams(uri.slice(start + 1).replaceAll(';', '&')).keys()) {
    if (names.has(name.replace(/\[.*$/s, '').replace(/[^a-z]/gi, '').toLowerCase())) throw refusal('credential_in_query')
  }
}
