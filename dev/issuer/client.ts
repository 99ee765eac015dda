/** Asks the running development issuer for tokens, keys and outages. */
import type { MintRequest } from './app.ts'
import type { Algorithm } from './keys.ts'

/** Where the issuer is asked, and the secret that it wants to hear. */
export interface IssuerAccess {
  /** Origin of the issuer. */
  url: string
  secret: string
}

export type TokenRequest = Omit<MintRequest, 'without'>

/**
 * Has a token signed.
 * @param request claims over the usual ones; one that is `undefined` is left out of the token
 * @throws if the issuer is away or refuses
 */
export async function mintToken (access: IssuerAccess, { claims = {}, ...rest }: TokenRequest = {}): Promise<string> {
  const without = Object.keys(claims).filter(name => claims[name] === undefined)
  const { token } = await send(access, 'POST', '/mint', { ...rest, claims, without }) as { token: string }
  return token
}

/**
 * Has any text signed, for a token of which a test has written every byte.
 * @param input header and payload in base64url with the dot between
 * @param kid the key that signs; the newest where absent
 * @returns the signature in base64url
 */
export async function signInput (access: IssuerAccess, input: string, kid?: string): Promise<string> {
  const { signature } = await send(access, 'POST', '/sign', { input, kid }) as { signature: string }
  return signature
}

/** How often the JWKS has been asked for since the issuer started. */
export async function keyRequests (access: IssuerAccess): Promise<number> {
  return (await send(access, 'GET', '/key-requests') as { keyRequests: number }).keyRequests
}

/** Adds a key, which signs from now on, or what asks for it alone. @returns its id */
export async function addKey (access: IssuerAccess, alg: Algorithm = 'RS256', published = true, signs = true): Promise<string> {
  const { kid } = await send(access, 'POST', '/keys', { alg, published, signs }) as { kid: string }
  return kid
}

/** Removes a key, from the JWKS as well. */
export async function removeKey (access: IssuerAccess, kid: string): Promise<void> {
  await send(access, 'DELETE', `/keys/${kid}`)
}

/** Lets the public documents, the JWKS among them, answer 503 until it is undone. */
export async function setOutage (access: IssuerAccess, away: boolean): Promise<void> {
  await send(access, 'PUT', '/outage', { away })
}

async function send ({ url, secret }: IssuerAccess, method: string, path: string, body?: object): Promise<unknown> {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { authorization: `Bearer ${secret}`, connection: 'close', ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(10_000)
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`The development issuer at ${url} answered ${response.status}: ${text}`)
  return text === '' ? undefined : JSON.parse(text)
}
