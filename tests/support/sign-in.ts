/** A browser without a screen, and an OAuth client, for tests that look at each answer: cookies, redirects, forms, and PKCE. */
import { createHash, randomBytes } from 'node:crypto'
import type { Answer, Send } from './https.ts'

/** A page where a browser has come to rest, or the foreign URL that it was sent to. */
export interface Page extends Answer {
  /** Path and query on our origin. */
  path: string
  /** Where it was sent that is not ours: a client's redirect, or an upstream. */
  left: URL | undefined
}

export class Browser {
  readonly origin: string
  readonly #send: Send
  readonly #jar = new Map<string, { value: string, path: string }>()

  constructor (send: Send, origin: string) {
    this.#send = send
    this.origin = origin
  }

  /** Opens a path or URL of ours and follows redirects until a page is shown, or another origin is named. */
  async open (url: string, headers: Record<string, string> = {}): Promise<Page> {
    return await this.#follow(await this.#ask('GET', this.#pathOf(url), undefined, headers))
  }

  /** One request, no redirect followed. */
  async ask (method: string, url: string, body?: string, headers: Record<string, string> = {}): Promise<Page> {
    return await this.#ask(method, this.#pathOf(url), body, headers)
  }

  /** Presses a button of a page: `name` and `value` are the button's; its form's other fields go with it. */
  async press (page: Page, name: string, value: string, fields: Record<string, string> = {}, headers: Record<string, string> = {}): Promise<Page> {
    const form = formsOf(page.text).find(({ buttons }) => buttons.some(button => button.name === name && button.value === value))
    if (form === undefined) throw new Error(`no button ${name}=${value} on the page at ${page.path} (${page.status}): ${page.text.replace(/\s+/g, ' ').slice(0, 800)}`)
    return await this.submit(form.action, { ...form.fields, ...fields, [name]: value }, headers)
  }

  /** Posts a form as a page of ours would. */
  async submit (action: string, fields: Record<string, string>, headers: Record<string, string> = {}): Promise<Page> {
    const body = new URLSearchParams(fields).toString()
    return await this.#follow(await this.#ask('POST', this.#pathOf(action), body, { 'Content-Type': 'application/x-www-form-urlencoded', Origin: this.origin, ...headers }))
  }

  /** Names of the cookies that it holds. */
  get cookies (): string[] { return [...this.#jar.keys()] }

  forget (): void { this.#jar.clear() }

  async #follow (page: Page): Promise<Page> {
    let at = page
    for (let hops = 0; at.status >= 300 && at.status < 400 && at.left === undefined; hops++) {
      if (hops > 20) throw new Error(`redirects without end, at ${at.path}`)
      at = await this.#ask('GET', this.#pathOf(String(at.headers.location)), undefined, {})
    }
    return at
  }

  async #ask (method: string, path: string, body: string | undefined, headers: Record<string, string>): Promise<Page> {
    // RFC 6265 section 5.4: longer paths first.
    const cookies = [...this.#jar].filter(([, cookie]) => covers(cookie.path, path)).sort(([, one], [, other]) => other.path.length - one.path.length).map(([key, { value }]) => `${key.split(' ')[0]}=${value}`)
    const answer = await this.#send({ method, path, headers: { Accept: 'text/html', ...(cookies.length > 0 && { Cookie: cookies.join('; ') }), ...headers }, ...(body !== undefined && { body }) })
    for (const line of answer.headers['set-cookie'] ?? []) this.#keep(line)
    const { location } = answer.headers
    const target = location === undefined ? undefined : new URL(location, this.origin)
    return { ...answer, path, left: target !== undefined && target.origin !== this.origin ? target : undefined }
  }

  #keep (line: string): void {
    const [pair = '', ...attributes] = line.split(';').map(part => part.trim())
    const name = pair.slice(0, pair.indexOf('='))
    const value = pair.slice(pair.indexOf('=') + 1)
    const path = attributes.find(attribute => attribute.toLowerCase().startsWith('path='))?.slice(5) ?? '/'
    // RFC 6265 section 5.3: name and path together are the cookie.
    if (value === '' || attributes.some(attribute => /^expires=Thu, 01 Jan 1970/i.test(attribute))) this.#jar.delete(`${name} ${path}`)
    else this.#jar.set(`${name} ${path}`, { value, path })
  }

  #pathOf (url: string): string {
    const { origin, pathname, search } = new URL(url, this.origin)
    if (origin !== this.origin) throw new Error(`${origin} is not ours`)
    return pathname + search
  }
}

function covers (cookiePath: string, path: string): boolean {
  const [pathname = ''] = path.split('?')
  return pathname === cookiePath || pathname.startsWith(cookiePath.endsWith('/') ? cookiePath : `${cookiePath}/`)
}

interface Form { action: string, fields: Record<string, string>, buttons: Array<{ name: string, value: string }> }

/** The forms of a page of ours, which is known to be well-formed. */
export function formsOf (text: string): Form[] {
  return [...text.matchAll(/<form\b([^>]*)>([^]*?)<\/form>/g)].map(([, tag = '', inside = '']) => ({
    action: attribute(tag, 'action') ?? '',
    fields: Object.fromEntries([...inside.matchAll(/<input\b([^>]*)>/g)].filter(([, input = '']) => attribute(input, 'type') === 'hidden').map(([, input = '']) => [attribute(input, 'name') ?? '', attribute(input, 'value') ?? ''])),
    buttons: [...inside.matchAll(/<button\b([^>]*)>/g)].map(([, button = '']) => ({ name: attribute(button, 'name') ?? '', value: attribute(button, 'value') ?? '' }))
  }))
}

function attribute (tag: string, name: string): string | undefined {
  return new RegExp(`\\b${name}="([^"]*)"`).exec(tag)?.[1]?.replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')
}

export interface Registered { client_id: string, client_secret?: string, redirect_uris: string[], registration_access_token?: string, registration_client_uri?: string, [name: string]: unknown }

/** Registers a client (RFC 7591). @throws Error with the answer where it is refused */
export async function register (send: Send, metadata: Record<string, unknown> = {}): Promise<Registered> {
  const answer = await send({ method: 'POST', path: '/register', body: { client_name: 'A test client', token_endpoint_auth_method: 'none', redirect_uris: ['https://client.example/callback'], ...metadata } })
  if (answer.status !== 201) throw new Error(`registration was answered ${answer.status} ${answer.text}`)
  return answer.json as Registered
}

/** PKCE (RFC 7636): a verifier and what is shown of it. */
export function pkce () {
  const verifier = randomBytes(32).toString('base64url')
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') }
}

export interface AuthorizeOptions { clientId: string, redirectUri: string, challenge: string, resource?: string | undefined, scope?: string, state?: string, more?: Record<string, string> }

/** Path and query of an authorization request. */
export function authorizePath ({ clientId, redirectUri, challenge, resource, scope = 'graph:read graph:write', state = 'st', more = {} }: AuthorizeOptions): string {
  return `/authorize?${new URLSearchParams({ response_type: 'code', client_id: clientId, redirect_uri: redirectUri, code_challenge: challenge, code_challenge_method: 'S256', scope, state, ...(resource && { resource }), ...more })}`
}

export interface Tokens { access_token: string, refresh_token: string, expires_in: number, scope: string, token_type: string, id_token?: string }

export interface SignInOptions {
  /** Name for the local sign-in. */
  name?: string
  /** Chosen on the consent page; needed where there are several. */
  tenant?: string
  scope?: string
  /** A client that is there already. */
  client?: Registered
  browser?: Browser
  more?: Record<string, string>
}

export interface SignedIn { client: Registered, redirectUri: string, browser: Browser, code: string, verifier: string, callback: URL }

/** Goes through sign-in and consent as far as the code at the client's redirect; pages that do not come are not waited for. */
export async function signIn (send: Send, origin: string, { name = 'ada', tenant, scope, client, browser = new Browser(send, origin), more }: SignInOptions = {}): Promise<SignedIn> {
  const registered = client ?? await register(send)
  const redirectUri = String(registered.redirect_uris[0])
  const { verifier, challenge } = pkce()
  let page = await browser.open(authorizePath({ clientId: registered.client_id, redirectUri, challenge, resource: `${origin}/mcp`, ...(scope && { scope }), ...(more && { more }) }))
  if (page.text.includes('value="local"')) page = await browser.press(page, 'upstream', 'local', { name })
  if (page.text.includes('value="allow"')) page = await browser.press(page, 'decision', 'allow', tenant === undefined ? {} : { tenant })
  const code = page.left?.searchParams.get('code')
  if (!code) throw new Error(`no code: ${page.status} at ${page.path} ${page.left?.href ?? ''} ${page.text.replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ').slice(0, 600)}`)
  return { client: registered, redirectUri, browser, code, verifier, callback: page.left as URL }
}

/** One request at the token endpoint, as a form. */
export function askToken (send: Send, fields: Record<string, string>, headers: Record<string, string> = {}): Promise<Answer> {
  return send({ method: 'POST', path: '/token', headers: { 'Content-Type': 'application/x-www-form-urlencoded', ...headers }, body: new URLSearchParams(fields).toString() })
}

/** The tokens of a code. @throws Error with the answer where there are none */
export async function exchange (send: Send, { client, redirectUri, code, verifier }: Pick<SignedIn, 'client' | 'redirectUri' | 'code' | 'verifier'>): Promise<Tokens> {
  return tokensOf(await askToken(send, { grant_type: 'authorization_code', client_id: client.client_id, code, redirect_uri: redirectUri, code_verifier: verifier, ...secretOf(client) }))
}

export function refresh (send: Send, client: Registered, token: string, more: Record<string, string> = {}): Promise<Answer> {
  return askToken(send, { grant_type: 'refresh_token', client_id: client.client_id, refresh_token: token, ...secretOf(client), ...more })
}

export function tokensOf (answer: Answer): Tokens {
  if (answer.status !== 200) throw new Error(`the token endpoint answered ${answer.status} ${answer.text}`)
  return answer.json as Tokens
}

const secretOf = ({ client_secret: secret, token_endpoint_auth_method: method }: Registered): Record<string, string> => secret !== undefined && method === 'client_secret_post' ? { client_secret: secret } : {}

/** The claims of a JWT, unverified. */
export const claimsOf = (jwt: string): Record<string, any> => JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString()) as Record<string, any>
