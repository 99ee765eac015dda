import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import t, { type Test } from 'tap'
import { until } from '../../../tests/support/until.ts'
import type { Issuer } from '../attempt.ts'
import { openIntrospection, type IntrospectionOptions } from '../issuers/introspection.ts'
import { createKeySetLoader } from '../issuers/key-set.ts'
import { readIssuers } from '../issuers/trusted.ts'
import { mint, makeKey, now, openService, publicUrl, resource, trustingAll } from '../test-support.ts'

type Service = ReturnType<typeof openService>
type Answer = Record<string, unknown> | ((request: IncomingMessage, response: ServerResponse) => unknown)

/** An issuer on a real port that is asked about opaque tokens. */
class Asked {
  url = ''
  /** What it says of a token; of any other that it is not active. */
  readonly answers = new Map<string, Answer>()
  /** In place of an answer, whatever the token. */
  instead: Answer | undefined
  readonly questions: Array<{ token: string, body: string, authorization: string | undefined, accept: string | undefined, url: string | undefined }> = []
  metadata: Record<string, unknown> = {}
  connections = 0

  static async start (t: Test): Promise<Asked> {
    const asked = new Asked()
    const server = createServer((request, response) => { asked.#serve(request, response) })
    server.on('connection', () => { asked.connections++ })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    asked.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    asked.metadata = { issuer: asked.url, introspection_endpoint: `${asked.url}/introspect` }
    t.teardown(() => {
      server.closeAllConnections()
      server.close()
    })
    return asked
  }

  /** An active answer with the usual claims of ours, with changes; `undefined` leaves a member out. */
  claims (changes: Record<string, unknown> = {}): Record<string, unknown> {
    return { active: true, iss: this.url, aud: resource, sub: 'ada', client_id: 'laptop', tenant_id: 'acme', scope: 'graph:write', token_type: 'Bearer', exp: now() + 600, ...changes }
  }

  entry (more: Record<string, unknown> = {}, introspection: Record<string, unknown> = {}) {
    return { issuer: this.url, tenants: ['*'], ...more, introspection: { endpoint: `${this.url}/introspect`, client_id: 'gateway', client_secret: 'SENTINEL-client-secret', ...introspection } }
  }

  async #serve (request: IncomingMessage, response: ServerResponse) {
    if (request.method === 'GET') return response.setHeader('content-type', 'application/json').end(JSON.stringify(this.metadata))
    let body = ''
    for await (const chunk of request) body += chunk
    const token = new URLSearchParams(body).get('token') ?? ''
    const { authorization, accept } = request.headers
    this.questions.push({ token, body, authorization, accept, url: request.url })
    const answer = this.instead ?? this.answers.get(token) ?? { active: false }
    if (typeof answer === 'function') return answer(request, response)
    response.setHeader('content-type', 'application/json').end(JSON.stringify(answer))
  }
}

/** Nobody in these tests is held up for guessing. */
const settings = { ADDRESS_FAILURES_PER_SECOND: '0' }
const open = (t: Test, asked: Asked, ...entry: Parameters<Asked['entry']>) => openService(t, trustingAll([asked.entry(...entry)], settings))

/** Another way of asking than the usual, with shorter times. */
function replace (t: Test, service: Service, asked: Asked, options: Partial<IntrospectionOptions>) {
  const issuer = service.gate.issuers.get(asked.url) as Issuer
  const { findAddress, close } = createKeySetLoader()
  const introspection = openIntrospection({ issuer: issuer.policy as IntrospectionOptions['issuer'], findAddress, logger: pino({ level: 'silent' }), registry: new Registry(), ...options })
  const before = issuer.introspection
  issuer.introspection = introspection
  t.teardown(async () => { await Promise.all([introspection.close(), before?.close(), close()]) })
  return introspection
}

t.test('an active token gets its tenant, its person and its scopes, by the rules that hold for the claims of a JWT', async t => {
  const asked = await Asked.start(t)
  asked.answers.set('opaque-1', asked.claims({ org: { id: 'bob' }, scope: 'read', username: 'eve' }))
  const service = open(t, asked, { tenant_claim: 'org.id', user_claim: 'username', scope_mapping: { read: 'graph:read' } })
  const answer = await service.bearer('opaque-1')
  t.equal(answer.statusCode, 200)
  t.match(answer.headers, { 'x-tenant-id': 'bob', 'x-user-id': 'eve', 'x-client-id': 'laptop', 'x-auth-scopes': 'graph:read' })
  t.match((await service.metrics('introspections_total')).join(), 'outcome="active"} 1')
})

t.test('the question is the one of RFC 7662, by client_secret_basic with form-urlencoded parts', async t => {
  const asked = await Asked.start(t)
  const service = open(t, asked, {}, { client_id: 'a client:é', client_secret: 'p+:/ %ü' })
  await service.bearer('opaque+/1==')
  t.match(asked.questions, [{ body: 'token=opaque%2B%2F1%3D%3D&token_type_hint=access_token', accept: 'application/json', url: '/introspect' }])
  t.equal(Buffer.from(String(asked.questions[0]?.authorization).replace('Basic ', ''), 'base64').toString(), 'a+client%3A%C3%A9:p%2B%3A%2F+%25%C3%BC')
})

t.test('an answer serves all calls with the token for its time, and many at once are one question', async t => {
  const asked = await Asked.start(t)
  asked.answers.set('opaque-1', asked.claims())
  const service = open(t, asked)
  const answers = await Promise.all(Array.from({ length: 50 }, () => service.bearer('opaque-1')))
  t.ok(answers.every(({ statusCode }) => statusCode === 200))
  for (let call = 0; call < 5; call++) await service.bearer('opaque-1')
  t.equal(asked.questions.length, 1)
})

t.test('cache_seconds bounds how long a token that was withdrawn goes on; 0 asks at every call', async t => {
  const asked = await Asked.start(t)
  asked.answers.set('opaque-1', asked.claims())
  const service = open(t, asked, {}, { cache_seconds: 0 })
  t.equal((await service.bearer('opaque-1')).statusCode, 200)
  asked.answers.delete('opaque-1')
  t.equal((await service.bearer('opaque-1')).statusCode, 401)
})

t.test('a token without exp counts until the issuer is asked again, and /verify says that it does not expire', async t => {
  const asked = await Asked.start(t)
  asked.answers.set('opaque-1', asked.claims({ exp: undefined }))
  const service = open(t, asked)
  t.equal((await service.bearer('opaque-1')).statusCode, 200)
  const own = await service.open.inject({ url: '/verify', headers: { host: new URL(publicUrl).host, authorization: 'Bearer opaque-1' } })
  t.match(own.json(), { tenant: 'acme', expires_at: null })
})

const refused: Record<string, [changes: Record<string, unknown>, status: number, code: RegExp]> = {
  'of another issuer': [{ iss: 'https://evil.example' }, 401, /issuer that is not trusted/],
  'for a foreign audience': [{ aud: 'https://other.example/mcp' }, 401, /another audience/],
  'for no audience': [{ aud: undefined }, 401, /another audience/],
  'for an empty list of audiences': [{ aud: [] }, 401, /another audience/],
  'that has expired': [{ exp: now() - 1 }, 401, /has expired/],
  'with an expiry in words': [{ exp: 'tomorrow' }, 401, /"exp"/],
  'that is not valid yet': [{ nbf: now() + 600 }, 401, /not valid yet/],
  'to refresh with': [{ token_type: 'refresh_token' }, 401, /"typ"/],
  'to refresh with, as Keycloak says it': [{ typ: 'Refresh' }, 401, /"typ"/],
  'that is an ID token': [{ token_use: 'id' }, 401, /"typ"/],
  'that is bound to a key': [{ token_type: 'DPoP' }, 401, /"typ"/],
  'that is bound to a certificate': [{ cnf: { 'x5t#S256': 'x' } }, 401, /bound/],
  'without a subject': [{ sub: undefined }, 401, /no usable subject/],
  'without a claim that is required': [{ email_verified: false }, 401, /lacks a claim/],
  'without a tenant': [{ tenant_id: undefined }, 403, /does not name one tenant/],
  'of a tenant that the issuer may not name': [{ tenant_id: 'bob' }, 403, /may not speak for the tenant/]
}
for (const [what, [changes, status, words]] of Object.entries(refused)) {
  t.test(`an active token ${what} is ${status}, and hammering with it asks once`, async t => {
    const asked = await Asked.start(t)
    asked.answers.set('opaque-1', asked.claims({ email_verified: true, ...changes }))
    const service = open(t, asked, { tenants: ['acme'], required_claims: { email_verified: true } })
    for (let call = 0; call < 3; call++) {
      const answer = await service.bearer('opaque-1')
      t.equal(answer.statusCode, status)
      t.match(answer.json().error_description ?? answer.json().error.message, words)
    }
    t.equal(asked.questions.length, 1)
  })
}

t.test('a token that is not active is 401, and hammering with it asks once', async t => {
  const asked = await Asked.start(t)
  const service = open(t, asked)
  for (let call = 0; call < 10; call++) {
    const answer = await service.bearer('opaque-1')
    t.equal(answer.statusCode, 401)
    t.match(answer.json(), { error: 'invalid_token', error_description: /does not know the token as an active one/ })
  }
  t.equal(asked.questions.length, 1)
})

t.test('a JWT is never asked about, whatever is wrong with it, and neither is a text that no issuer has made, nor an X-API-Key', async t => {
  const asked = await Asked.start(t)
  const service = open(t, asked)
  const stranger = makeKey('stranger')
  for (const token of [mint(stranger, { ...asked.claims(), iss: 'https://evil.example' }), mint(stranger, asked.claims()), 'a.b.c', '..']) await service.bearer(token)
  for (const token of ['opaque 1', 'opaque\t1', 'opaque"1', 'opäque', '=', '='.repeat(20), 'opaque{1}', 'x'.repeat(9_000)]) t.equal((await service.bearer(token)).statusCode, 401, token.slice(0, 20))
  await service.ask({ 'x-api-key': 'opaque-1' })
  t.strictSame(asked.questions, [])
})

t.test('where no issuer is set up so an opaque token is 401', async t => {
  const asked = await Asked.start(t)
  const service = openService(t, trustingAll([{ issuer: asked.url, tenants: ['*'] }], settings))
  t.match((await service.bearer('opaque-1')).json(), { error_description: /no well-formed JWT/ })
  t.strictSame(asked.questions, [])
})

const failures: Record<string, Answer> = {
  'answers 500': (_request, response) => response.writeHead(500).end('{"active":true}'),
  'answers 401, because our secret is wrong': (_request, response) => response.writeHead(401).end('{"error":"invalid_client"}'),
  'answers 400': (_request, response) => response.writeHead(400).end('{"error":"invalid_request"}'),
  'answers 429': (_request, response) => response.writeHead(429).end(),
  'answers 201': (_request, response) => response.writeHead(201).end('{"active":true}'),
  'cuts the connection': (_request, response) => response.destroy(),
  redirects: (_request, response) => response.writeHead(307, { location: '/elsewhere' }).end(),
  'sends no JSON': (_request, response) => response.end('<html>opaque-SENTINEL</html>'),
  'sends null': (_request, response) => response.end('null'),
  'does not say whether it is active': {},
  'says it in words': { active: 'true' },
  'sends 1 MB': { active: true, pad: 'x'.repeat(1_000_000) },
  'never ends': (_request, response) => response.writeHead(200).write('{"active":'),
  'never answers': () => {}
}
for (const [what, answer] of Object.entries(failures)) {
  t.test(`503 with Retry-After, never 401, while the issuer ${what}; a token that is known goes on`, async t => {
    const asked = await Asked.start(t)
    asked.answers.set('opaque-known', asked.claims())
    const service = open(t, asked)
    t.equal((await service.bearer('opaque-known')).statusCode, 200)
    const introspection = replace(t, service, asked, { timeoutMs: 1_000 })
    asked.instead = answer
    const refusal = await service.bearer('opaque-SENTINEL')
    t.equal(refusal.statusCode, 503)
    t.match(refusal.json(), { error: { type: 'UnavailableError', code: 'issuer_unavailable' } })
    t.match(refusal.headers['retry-after'], /^[1-9]\d*$/)
    t.equal((await service.bearer('opaque-known')).statusCode, 200)
    t.ok(asked.questions.every(({ url }) => url === '/introspect'), 'nobody else is asked')
    for (const line of [...service.lines, refusal.body]) t.notMatch(line, 'SENTINEL', 'neither token nor secret is told')
    asked.instead = undefined
    asked.answers.set('opaque-SENTINEL', asked.claims())
    t.equal((await service.bearer('opaque-SENTINEL')).statusCode, 200, 'nothing bad is remembered of the token')
    t.equal(introspection.status(), 'ok')
  })
}

t.test('an issuer that goes on failing is left alone, /ready warns, and it is asked again by and by', async t => {
  const asked = await Asked.start(t)
  asked.answers.set('opaque-good', asked.claims())
  const service = open(t, asked)
  replace(t, service, asked, { timeoutMs: 500, resetMs: 1_000 })
  asked.instead = (_request, response) => response.writeHead(500).end()
  const flood = async (name: string) => await Promise.all(Array.from({ length: 40 }, (_, call) => service.bearer(`opaque-${name}-${call}`)))
  t.ok((await flood('one')).every(({ statusCode }) => statusCode === 503))
  const before = asked.questions.length
  const meanwhile = await flood('two')
  t.ok(meanwhile.every(({ statusCode, headers }) => statusCode === 503 && Number(headers['retry-after']) >= 1))
  t.equal(asked.questions.length, before, 'nobody asks while the circuit is open')
  t.match(await service.health.ready(), { checks: { [`introspection ${asked.url}`]: /^warning: / } })
  asked.instead = undefined
  await until('the issuer to answer again', async () => (await service.bearer('opaque-good')).statusCode === 200)
  t.match(await service.health.ready(), { checks: { [`introspection ${asked.url}`]: 'ok' } })
})

t.test('one caller whose texts the issuer objects to cannot close the way to it for the others', async t => {
  const asked = await Asked.start(t)
  asked.answers.set('opaque-good', asked.claims())
  const service = open(t, asked)
  asked.instead = (_request, response) => response.writeHead(400).end()
  for (let call = 0; call < 30; call++) t.equal((await service.bearer(`odd-${call}`)).statusCode, 503)
  asked.instead = undefined
  t.equal((await service.bearer('opaque-good')).statusCode, 200)
})

t.test('a flood of invented tokens piles up no questions: beyond the limit callers hear 503 at once', async t => {
  const asked = await Asked.start(t)
  const waiting: ServerResponse[] = []
  const service = open(t, asked)
  replace(t, service, asked, { maxInFlight: 10, timeoutMs: 10_000 })
  asked.instead = (_request, response) => waiting.push(response)
  const first = Array.from({ length: 10 }, (_, call) => service.bearer(`invented-${call}`))
  await until('all of them to wait', () => waiting.length === 8)
  const beyond = await Promise.all(Array.from({ length: 200 }, (_, call) => service.bearer(`more-${call}`)))
  t.ok(beyond.every(({ statusCode, headers }) => statusCode === 503 && headers['retry-after'] === '1'))
  t.ok(asked.connections <= 10, `${asked.connections} connections`)
  asked.instead = undefined
  for (const response of waiting) response.end('{"active":false}')
  t.ok((await Promise.all(first)).every(({ statusCode }) => statusCode === 401))
  asked.answers.set('opaque-good', asked.claims())
  t.equal((await service.bearer('opaque-good')).statusCode, 200, 'and the next one is served')
})

t.test('of several issuers each is asked in its order until one knows the token', async t => {
  const [one, two] = [await Asked.start(t), await Asked.start(t)]
  two.answers.set('opaque-two', two.claims({ tenant_id: 'bob' }))
  const service = openService(t, trustingAll([one.entry({ tenants: ['acme'] }), two.entry({ tenants: ['bob'] })], settings))
  t.match((await service.bearer('opaque-two')).headers, { 'x-tenant-id': 'bob' })
  t.equal((await service.bearer('opaque-none')).statusCode, 401)
  one.answers.set('opaque-one', one.claims({ tenant_id: 'bob' }))
  t.equal((await service.bearer('opaque-one')).statusCode, 403, 'each issuer may name its own tenants only')
  t.strictSame(two.questions.map(({ token }) => token), ['opaque-two', 'opaque-none'], 'whose token the first one knows, the second one never sees')
})

t.test('an issuer that is away turns no active token of another into a refusal, and none of its own into 401', async t => {
  const [away, up] = [await Asked.start(t), await Asked.start(t)]
  away.instead = (_request, response) => response.destroy()
  up.answers.set('opaque-up', up.claims())
  const service = openService(t, trustingAll([away.entry(), up.entry()], settings))
  t.equal((await service.bearer('opaque-up')).statusCode, 200)
  t.equal((await service.bearer('opaque-unknown')).statusCode, 503)
  t.match((await service.metrics('auth_decisions_total{outcome="unavailable"')).join(), away.url)
})

t.test('the endpoint is found by the issuer\'s metadata, and moves with them', async t => {
  const asked = await Asked.start(t)
  asked.answers.set('opaque-1', asked.claims())
  asked.answers.set('opaque-2', asked.claims())
  const service = open(t, asked, {}, { endpoint: undefined })
  t.equal((await service.bearer('opaque-1')).statusCode, 200)
  asked.metadata = { issuer: asked.url, introspection_endpoint: `${asked.url}/moved` }
  await service.gate.issuers.get(asked.url)?.introspection?.refresh()
  t.equal((await service.bearer('opaque-2')).statusCode, 200)
  t.strictSame(asked.questions.map(({ url }) => url), ['/introspect', '/moved'])
})

t.test('metadata of another issuer, without an endpoint, or with one that must not be asked, lead nowhere', async t => {
  const asked = await Asked.start(t)
  for (const metadata of [{ issuer: 'https://evil.example', introspection_endpoint: `${asked.url}/introspect` }, { issuer: asked.url }, { issuer: asked.url, introspection_endpoint: 'http://203.0.113.5/introspect' }, { issuer: asked.url, introspection_endpoint: 7 }]) {
    asked.metadata = metadata
    const service = open(t, asked, {}, { endpoint: undefined })
    t.equal((await service.bearer('opaque-1')).statusCode, 503)
    t.match(await service.health.ready(), { checks: { [`introspection ${asked.url}`]: /^warning: its introspection endpoint/ } })
  }
  t.strictSame(asked.questions, [])
})

t.test('an issuer of opaque tokens only needs no keys', async t => {
  const asked = await Asked.start(t)
  const service = open(t, asked)
  const keys = `issuer ${asked.url}`
  await until('readiness', async () => (await service.health.ready()).checks[keys] === 'ok')
  t.match(await service.health.ready(), { ready: true, checks: { [keys]: 'ok', [`introspection ${asked.url}`]: 'ok' } })
  t.notOk(service.lines.some(line => line.includes('publishes no key')))
})

t.test('the client secret may lie in a file, and no fault shows it', async t => {
  const dir = t.testdir({ secret: 'SENTINEL-from-a-file\n', empty: '\n' })
  const read = (introspection: Record<string, unknown>) => readIssuers([{ issuer: 'https://login.example.com', introspection: { client_id: 'gateway', ...introspection } }], (index, key) => `BEARER_ISSUERS[${index}].${key}`, { resource, multiTenancy: true })
  t.equal(read({ client_secret_file: `${dir}/secret` }).issuers[0]?.introspection?.clientSecret, 'SENTINEL-from-a-file')
  for (const [introspection, fault] of [
    [{}, /^BEARER_ISSUERS\[0\]\.introspection\.client_secret is not set \(nor client_secret_file\)/],
    [{ client_secret: 'SENTINEL', client_secret_file: `${dir}/secret` }, /introspection\.client_secret and client_secret_file are both set/],
    [{ client_secret_file: `${dir}/empty` }, /client_secret_file names an empty file/],
    [{ client_secret_file: `${dir}/none` }, /client_secret_file: .*cannot be read/],
    [{ client_secret: ['SENTINEL'] }, /^BEARER_ISSUERS\[0\]\.introspection\.client_secret must be string/],
    [{ client_secret: 'SENTINEL', secret: 'SENTINEL' }, /introspection\.secret is unknown; there are endpoint, client_id, client_secret, client_secret_file, cache_seconds/],
    [{ client_secret: 'SENTINEL', client_id: '' }, /introspection\.client_id must not have fewer than 1 char/],
    [{ client_secret: 'SENTINEL', endpoint: 'http://login.example.com/introspect' }, /introspection\.endpoint must begin with https/],
    [{ client_secret: 'SENTINEL', endpoint: 'https://gateway:SENTINEL@login.example.com/introspect' }, /introspection\.endpoint must not hold a user name or password/],
    [{ client_secret: 'SENTINEL', cache_seconds: 3_600 }, /introspection\.cache_seconds must be <= 300/]
  ] as Array<[Record<string, unknown>, RegExp]>) {
    const { faults } = read(JSON.parse(JSON.stringify(introspection)))
    t.equal(faults.length, 1, faults.join('\n'))
    t.match(faults[0], fault)
    t.notMatch(faults.join(), 'SENTINEL')
  }
})
