/** The authorization server under random requests: no fault of the service, nobody sent to a place that is not registered, nothing repeated as markup or in the log. It has a process and a Valkey of its own. */
import fc from 'fast-check'
import t from 'tap'
import { openOauth } from '../../services/oauth/test-support.ts'
import type { Answer } from '../support/https.ts'
import { Browser, authorizePath, exchange, formsOf, pkce, register, signIn } from '../support/sign-in.ts'
import { oddValue, textChange } from './mutations.ts'
import { fuzz, patience } from './runs.ts'

t.setTimeout(patience)

const { send, origin, lines, store } = await openOauth(t, { env: { CLIENTS_MAX: '10000000' } })
const redirect = 'https://client.example/callback'
const { clientId: machine, secret } = await store.clients.create({ name: 'nightly', tenant: 'acme', scopes: ['graph:read'] })

/** What requests are made of: by these names, so that the same seed asks the same of other values. */
const names = ['client', 'secret', 'public', 'redirect', 'code', 'verifier', 'challenge', 'access', 'refresh', 'id', 'registration', 'uid', 'consentUid', 'csrf', 'consentCsrf', 'accountCsrf', 'gid', 'resource', 'scope', 'machine'] as const
type Name = typeof names[number]
type Pool = Record<Name, string> & { cookie: string }
const literal = (text: string) => ({ text })
type Part = Name | { text: string }

/** Good values, and a browser in the middle of everything; used up by what the fuzz gets right. */
async function fill (): Promise<Pool> {
  const cookies = new Map<string, string>()
  const watched: typeof send = async request => {
    const answer = await send(request)
    for (const line of answer.headers['set-cookie'] ?? []) cookies.set(line.slice(0, line.indexOf('=')), line.slice(0, line.indexOf(';')))
    return answer
  }
  const browser = new Browser(watched, origin)
  const client = await register(send, { token_endpoint_auth_method: 'client_secret_post' })
  const open = await register(send)
  const own = { client_id: client.client_id, client_secret: String(client.client_secret) }
  const tokens = await exchange(send, await signIn(watched, origin, { tenant: 'acme', client, browser, scope: 'openid graph:read' }))
  const account = await browser.open('/account')
  const consent = await browser.open(authorizePath({ clientId: open.client_id, redirectUri: redirect, challenge: pkce().challenge }))
  const signInPage = await new Browser(watched, origin).open(authorizePath({ clientId: open.client_id, redirectUri: redirect, challenge: pkce().challenge }))
  const { code, verifier } = await signIn(send, origin, { tenant: 'acme', client })
  const csrfOf = (text: string) => formsOf(text)[0]?.fields.csrf ?? ''
  return {
    client: own.client_id,
    secret: own.client_secret,
    public: open.client_id,
    redirect,
    code,
    verifier,
    challenge: pkce().challenge,
    access: tokens.access_token,
    refresh: tokens.refresh_token,
    id: String(tokens.id_token),
    registration: String(client.registration_access_token),
    uid: signInPage.path.split('/').at(-1)!,
    consentUid: consent.path.split('/').at(-1)!,
    csrf: csrfOf(signInPage.text),
    consentCsrf: csrfOf(consent.text),
    accountCsrf: csrfOf(account.text),
    gid: /name="gid" value="([^"]+)"/.exec(account.text)?.[1] ?? '',
    resource: `${origin}/mcp`,
    scope: 'graph:read',
    machine,
    cookie: [...cookies.values()].join('; ')
  }
}

interface Endpoint { method: string, path: readonly Part[], fields: Record<string, Part>, encoding: 'query' | 'form' | 'json' }
const own: Record<string, Part> = { client_id: 'client', client_secret: 'secret' }
const endpoints: Endpoint[] = [
  { method: 'GET', path: [literal('/authorize')], encoding: 'query', fields: { response_type: literal('code'), client_id: 'public', redirect_uri: 'redirect', code_challenge: 'challenge', code_challenge_method: literal('S256'), scope: 'scope', state: 'scope', resource: 'resource' } },
  { method: 'GET', path: [literal('/authorize')], encoding: 'query', fields: { response_type: literal('code'), client_id: 'client', redirect_uri: 'redirect', code_challenge: 'challenge', code_challenge_method: literal('S256'), prompt: literal('none'), response_mode: literal('fragment'), id_token_hint: 'id', max_age: literal('100'), scope: literal('openid graph:read') } },
  { method: 'GET', path: [literal('/authorize/'), 'uid'], encoding: 'query', fields: {} },
  { method: 'POST', path: [literal('/token')], encoding: 'form', fields: { grant_type: literal('authorization_code'), ...own, code: 'code', redirect_uri: 'redirect', code_verifier: 'verifier' } },
  { method: 'POST', path: [literal('/token')], encoding: 'form', fields: { grant_type: literal('refresh_token'), ...own, refresh_token: 'refresh', scope: 'scope', resource: 'resource' } },
  { method: 'POST', path: [literal('/token')], encoding: 'form', fields: { grant_type: literal('client_credentials'), scope: 'scope', client_id: 'machine', client_assertion: 'id', client_assertion_type: literal('urn:ietf:params:oauth:client-assertion-type:jwt-bearer') } },
  { method: 'POST', path: [literal('/revoke')], encoding: 'form', fields: { ...own, token: 'access', token_type_hint: literal('access_token') } },
  { method: 'POST', path: [literal('/introspect')], encoding: 'form', fields: { ...own, token: 'refresh' } },
  { method: 'POST', path: [literal('/register')], encoding: 'json', fields: { client_name: literal('A client'), redirect_uris: literal('["https://client.example/callback"]'), token_endpoint_auth_method: literal('none'), grant_types: literal('["authorization_code","refresh_token"]'), jwks: literal('{"keys":[]}'), scope: 'scope' } },
  ...['GET', 'PUT', 'DELETE'].map(method => ({ method, path: [literal('/register/'), 'client' as const], encoding: 'json' as const, fields: { client_id: 'client', redirect_uris: literal('["https://client.example/callback"]'), client_name: literal('Renamed') } as Record<string, Part> })),
  { method: 'GET', path: [literal('/interaction/'), 'uid'], encoding: 'query', fields: {} },
  { method: 'POST', path: [literal('/interaction/'), 'uid', literal('/sign-in')], encoding: 'form', fields: { csrf: 'csrf', upstream: literal('local'), name: literal('ada') } },
  { method: 'POST', path: [literal('/interaction/'), 'consentUid', literal('/consent')], encoding: 'form', fields: { csrf: 'consentCsrf', decision: literal('allow'), tenant: literal('acme') } },
  { method: 'POST', path: [literal('/interaction/'), 'consentUid', literal('/deny')], encoding: 'form', fields: { csrf: 'consentCsrf' } },
  { method: 'GET', path: [literal('/interaction/'), 'uid', literal('/federated')], encoding: 'query', fields: { state: 'csrf', code: 'code' } },
  { method: 'GET', path: [literal('/callback/local')], encoding: 'query', fields: { state: 'csrf', code: 'code', iss: 'resource' } },
  { method: 'GET', path: [literal('/account')], encoding: 'query', fields: { done: literal('disconnected') } },
  { method: 'GET', path: [literal('/account/signed-in')], encoding: 'query', fields: { error: literal('x'), state: 'csrf' } },
  { method: 'POST', path: [literal('/account/disconnect')], encoding: 'form', fields: { csrf: 'accountCsrf', gid: 'gid' } },
  { method: 'POST', path: [literal('/account/sign-out')], encoding: 'form', fields: { csrf: 'accountCsrf' } },
  { method: 'GET', path: [literal('/.well-known/oauth-authorization-server')], encoding: 'query', fields: {} },
  { method: 'GET', path: [literal('/.well-known/jwks.json')], encoding: 'query', fields: {} }
]

/** Markup that none of our pages has. */
const mark = '<zqx onload="1">'
const text = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...names).map(name => ({ name, change: (value: string) => value })) },
  { weight: 3, arbitrary: fc.tuple(fc.constantFrom(...names), textChange).map(([name, change]) => ({ name, change })) },
  { weight: 2, arbitrary: oddValue.map(value => ({ name: 'scope' as const, change: () => typeof value === 'string' ? value : JSON.stringify(value) ?? '' })) },
  { weight: 2, arbitrary: fc.constantFrom(mark, `"${mark}`, 'x'.repeat(60_000), 'https://evil.example/', 'javascript:alert(1)', '//evil.example', `${redirect}/../evil`, `${redirect}@evil.example`, 'none', 'login consent', 'code id_token', 'form_post', 'openid', 'graph:admin', '0', '-1', '[null]', '{"a":{"b":[]}}', '{"toString":1}', 'https://127.0.0.1/x', 'https://[::1]/x.json', '\r\nSet-Cookie: zqx=1').map(value => ({ name: 'scope' as const, change: () => value })) }
)
const fieldName = fc.oneof({ weight: 4, arbitrary: fc.nat() }, { weight: 1, arbitrary: fc.constantFrom('__proto__', 'constructor', 'client_id', 'prompt', 'response_mode', 'request', 'request_uri', 'claims', 'resource', 'scope', 'access_token', 'gateway_tenant', 'gateway_machine', mark) })
const edit = fc.record({ where: fieldName, how: fc.constantFrom('replace', 'replace', 'add', 'drop'), text })
const headerValue = (value: string) => value.replace(/[^\t\x20-\x7e\x80-\xff]/g, '')
const header = fc.oneof(
  fc.constantFrom('Accept: */*', 'Accept: application/json', 'Accept: text/html', 'Accept: ;;,', 'Origin: null', 'Origin: https://evil.example', 'Content-Type: text/plain', 'Content-Type: multipart/form-data; boundary=x', 'Content-Type: application/x-www-form-urlencoded; charset=klingon', 'Content-Type: application/json; charset=utf-16le', 'Content-Encoding: gzip', 'X-Forwarded-Host: evil.example', 'X-Forwarded-Proto: https', 'Forwarded: host=evil.example', 'Host: evil.example', 'Transfer-Encoding: chunked', 'Sec-Fetch-Site: cross-site', 'Cookie: gateway-session=zqx; gateway-session.sig=zqx', 'DPoP: x', 'OAuth-Client-Attestation: x', 'X-HTTP-Method-Override: DELETE', 'Expect: 200-ok', 'If-None-Match: *', 'Range: bytes=0-1').map(line => () => line),
  fc.tuple(fc.constantFrom('Bearer ', 'Basic ', 'bearer  ', ''), text).map(([scheme, { name, change }]) => (pool: Pool) => `Authorization: ${scheme}${headerValue(change(pool[name])).slice(0, 4_000)}`),
  fc.constant((pool: Pool) => `Authorization: Bearer ${pool.registration}`),
  fc.constant(() => `Authorization: Basic ${Buffer.from(`${machine}:${secret}`).toString('base64')}`)
)
/** Once in so many requests, or null: of one that is wrong in many ways only the first is met. */
const rarely = <T>(arbitrary: fc.Arbitrary<T>, once: number) => fc.oneof({ weight: once, arbitrary: fc.constant(null) }, { weight: 1, arbitrary })
const request = fc.record({
  endpoint: fc.constantFrom(...endpoints),
  edits: fc.array(edit, { maxLength: 3 }),
  path: rarely(fc.tuple(fc.nat(), text), 8),
  method: rarely(fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD'), 10),
  encoding: rarely(fc.constantFrom('query', 'form', 'json'), 10),
  body: rarely(textChange, 8),
  headers: fc.array(header, { maxLength: 2 }),
  signedIn: fc.boolean()
})

const valueOf = (part: Part, pool: Pool) => typeof part === 'string' ? pool[part] : part.text
const encoded = (value: string) => encodeURIComponent(value.toWellFormed())

/** One request as it is sent. */
function written ({ endpoint, edits, path, method, encoding, body, headers, signedIn }: typeof request extends fc.Arbitrary<infer T> ? T : never, pool: Pool) {
  const fields: Array<[string, string]> = Object.entries(endpoint.fields).map(([name, part]) => [name, valueOf(part, pool)])
  for (const { where, how, text: { name, change } } of edits) {
    const at = typeof where === 'number' ? where % (fields.length + 1) : -1
    const named = typeof where === 'string' ? where : fields[at]?.[0] ?? 'x'
    if (how === 'drop') fields.splice(Math.max(at, 0), 1)
    else if (how === 'replace' && fields[at] !== undefined) fields[at] = [named, change(pool[name])]
    else fields.push([named, change(pool[name])])
  }
  const segments = endpoint.path.map(part => valueOf(part, pool))
  if (path !== null) segments[path[0] % segments.length] = `/${encoded(path[1].change(pool[path[1].name])).slice(0, 3_000)}`
  const coding = encoding ?? endpoint.encoding
  const form = fields.map(([name, value]) => `${encoded(name)}=${encoded(value)}`).join('&')
  const json = `{${fields.map(([name, value]) => `${JSON.stringify(name)}:${isJson(value) ? value : JSON.stringify(value)}`).join(',')}}`
  const content = coding === 'query' ? '' : (body ?? (text => text))(coding === 'json' ? json : form)
  const verb = method ?? endpoint.method
  const sent: Record<string, string> = { Accept: 'text/html,application/json', Origin: origin, 'Content-Type': coding === 'json' ? 'application/json' : 'application/x-www-form-urlencoded', ...(signedIn && { Cookie: pool.cookie }) }
  for (const line of headers) {
    const [name = '', value = ''] = line(pool).split(/: (.*)/s)
    sent[name] = value
  }
  // A client of Node's that has no body to send must not say that it sends one.
  if (content === '' || verb === 'HEAD') delete sent['Transfer-Encoding']
  return { method: verb, path: `${segments.join('')}${coding === 'query' && form !== '' ? `?${form}`.slice(0, 12_000).replace(/%.?$/, '') : ''}`, headers: sent, ...(content !== '' && verb !== 'HEAD' && { body: content }) }
}

function isJson (value: string): boolean {
  try {
    return typeof JSON.parse(value) === 'object'
  } catch {
    return false
  }
}

const allowed = /^(?:https:\/\/client\.example\/callback(?:[?#]|$)|\/interaction\/[\w-]+(?:\/federated.*)?$|\/account(?:\/sign-in)?(?:\?done=disconnected)?$)/
const faultOf = ({ status, headers, text }: Answer, signedIn: boolean): string | undefined => {
  const type = headers['content-type'] ?? ''
  if (status >= 500) return `${status}`
  if (headers.location !== undefined && !allowed.test(headers.location) && !headers.location.startsWith(`${origin}/authorize`)) return `leads to ${headers.location}`
  if (/html/.test(type) && text.includes('<zqx')) return 'markup comes back'
  if (!/html|json|plain|css|svg/.test(type) && text !== '') return `a type that is none: ${type}`
  if (/node_modules|\.[tj]s:\d|^\s+at /m.test(text)) return 'a stack'
  if (JSON.stringify({ ...headers, location: '' }).includes('evil.example') && headers['access-control-allow-origin'] === undefined) return 'a foreign host in the headers'
  // A session that is there is prolonged by whatever is asked of it.
  if (!signedIn && status >= 400 && headers['set-cookie']?.some(line => !/expires=Thu, 01 Jan 1970/i.test(line))) return 'a cookie for what was refused'
  if (headers['set-cookie']?.some(line => !/^gateway-(session|interaction|resume)(\.sig)?=/.test(line))) return 'a cookie that is none of ours'
  return undefined
}

/** Seconds that nothing here may take. */
const longest = 20

async function answered (asked: Parameters<typeof send>[0]): Promise<Answer> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => { timer = setTimeout(() => reject(new Error(`no answer in ${longest} s`)), longest * 1000) })
  try {
    return await Promise.race([send(asked), late])
  } finally {
    clearTimeout(timer)
  }
}

const statuses = new Map<number, number>()
t.test('no request makes the authorization server fail, lead astray or repeat what it was told', async t => {
  let pool = await fill()
  let runs = 0
  await fuzz(t, 'requests', request, 3_000, async input => {
    if (++runs % 150 === 0) pool = await fill()
    lines.length = 0
    const asked = written(input, pool)
    const answer = await answered(asked)
    statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
    const fault = faultOf(answer, input.signedIn) ?? lines.find(line => /"level":[56]0|zqx/.test(line))
    if (fault !== undefined) throw new Error(`${fault}\n${JSON.stringify(asked).slice(0, 1_500)}\n${answer.text.slice(0, 300)}`)
  })
  t.ok([200, 201, 303, 400, 401, 403, 404, 405].every(status => statuses.has(status)), `answers of many kinds: ${JSON.stringify(Object.fromEntries(statuses))}`)
})

t.test('the service goes on: somebody signs in, and a client gets a token', async t => {
  t.ok((await exchange(send, await signIn(send, origin, { tenant: 'acme' }))).access_token)
})
