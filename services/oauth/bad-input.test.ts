/** Whatever is sent to any endpoint: an answer in the standard's words, JSON for programs and a page for people, no fault of the server, no way to a place that nobody registered. */
import t, { type Test } from 'tap'
import type { Answer, Request } from '../../tests/support/https.ts'
import { Browser, authorizePath, exchange, formsOf, pkce, refresh, register, signIn, tokensOf } from '../../tests/support/sign-in.ts'
import { openOauth } from './test-support.ts'

// Thousands of requests, of which each takes a few milliseconds on a machine with nothing else to do.
t.setTimeout(180_000)

const { send, origin, lines, store } = await openOauth(t)

/** What none of our pages would write by itself. */
const hostile = '<marker onload="x">\''
const huge = 'x'.repeat(100_000)

/** Ways in which one parameter can be wrong, as text of a query or form. */
const mutations: Record<string, (name: string, value: string) => string> = {
  missing: () => '',
  empty: name => `${name}=`,
  'without =': name => name,
  twice: (name, value) => `${name}=${encodeURIComponent(value)}&${name}=${encodeURIComponent(value)}`,
  'twice, in two values': (name, value) => `${name}=${encodeURIComponent(value)}&${name}=${encodeURIComponent(hostile)}`,
  'of 10 KB': name => `${name}=${'x'.repeat(10_000)}`,
  'of 100 KB': name => `${name}=${huge}`,
  NUL: (name, value) => `${name}=${encodeURIComponent(value)}%00`,
  'no percent-encoding': name => `${name}=%zz%E0%A4%A%`,
  'a lone surrogate': name => `${name}=%ED%A0%80`,
  'bytes that are no UTF-8': name => `${name}=%FF%C0%AF`,
  'a line end and a header': name => `${name}=x%0d%0aSet-Cookie:%20x=y`,
  markup: name => `${name}=${encodeURIComponent(hostile)}`,
  'a list': (name, value) => `${name}[]=${encodeURIComponent(value)}`,
  'an object': (name, value) => `${name}[a]=${encodeURIComponent(value)}`,
  'a name of JavaScript': name => `${name}=__proto__`,
  JSON: name => `${name}=${encodeURIComponent('{"a":[1]}')}`,
  'a template': name => `${name}=${encodeURIComponent('${7*7}{{7*7}}')}` // eslint-disable-line no-template-curly-in-string
}

/** The text of a query or form with one parameter changed. */
function changed (params: Record<string, string>, name: string, mutation: (name: string, value: string) => string): string {
  return Object.entries({ ...params, [name]: params[name] ?? '' }).map(([key, value]) => key === name ? mutation(encodeURIComponent(key), value) : `${key}=${encodeURIComponent(value)}`).filter(part => part !== '').join('&')
}

/** RFC 6749, 7009, 7591, 7592, 8707, OpenID Connect. */
const codes = new Set([
  'invalid_request', 'invalid_client', 'invalid_grant', 'unauthorized_client', 'unsupported_grant_type', 'invalid_scope', 'invalid_target', 'unsupported_token_type', 'invalid_redirect_uri', 'invalid_client_metadata', 'invalid_token',
  'access_denied', 'unsupported_response_type', 'unsupported_response_mode', 'request_not_supported', 'request_uri_not_supported', 'registration_not_supported', 'login_required', 'consent_required', 'interaction_required'
])

/** Where an answer may lead: to the client's own redirect, or on within this server. */
const registered = /^(?:https:\/\/client\.example\/callback[?#]|\/interaction\/[\w-]+(?:\/federated.*)?$|\/account(?:\/|\?|$)|http:\/\/127\.0\.0\.1:\d+\/authorize[?/])/

/** What holds for every answer. */
function orderly (t: Test, { status, headers, text, json }: Answer, what: string, kind: 'page' | 'program') {
  const faults: string[] = []
  if (status >= 500) faults.push(`status ${status}`)
  if (headers.location !== undefined && !registered.test(headers.location)) faults.push(`leads to ${headers.location.slice(0, 200)}`)
  if (headers['set-cookie']?.some(line => line.startsWith('x='))) faults.push('a header of the request\'s making')
  if (/node_modules|\.ts:\d|\.js:\d|^\s+at /m.test(text)) faults.push('a stack')
  const type = headers['content-type'] ?? ''
  if (/html/.test(type) && /<marker|onload="/.test(text)) faults.push('markup of the request\'s making')
  if (/oops|TypeError|undefined/.test(text)) faults.push(`words of a fault: ${text.slice(0, 200)}`)
  // 431 and what no parser can read is answered before anybody knows what was asked for.
  if (status >= 400 && status !== 431) {
    if (kind === 'page' && !/^text\/html; charset=utf-8/.test(type)) faults.push(`a person gets ${type}`)
    if (kind === 'page' && !/<h1>/.test(text)) faults.push('no page')
    if (kind === 'program' && !codes.has(json?.error)) faults.push(`no code of the standards: ${text.slice(0, 200)}`)
    if (kind === 'program' && !/^application\/json/.test(type)) faults.push(`a program gets ${type}`)
    if (headers['cache-control'] !== 'no-store') faults.push(`may be kept: ${headers['cache-control']}`)
  }
  t.strictSame(faults, [], `${what}: ${status} ${json?.error ?? ''}`)
}

const client = await register(send, { token_endpoint_auth_method: 'client_secret_post' })
const own = { client_id: client.client_id, client_secret: String(client.client_secret) }
const redirect = 'https://client.example/callback'
const formHeaders = { 'Content-Type': 'application/x-www-form-urlencoded' }
const post = (path: string, body: string | Buffer, headers: Record<string, string> = formHeaders) => send({ method: 'POST', path, headers, body })
const { clientId: machine, secret } = await store.clients.create({ name: 'nightly', tenant: 'acme', scopes: ['graph:read'] })
const machineBasic = `Basic ${Buffer.from(`${machine}:${secret}`).toString('base64')}`

t.test('authorize: every parameter, wrong in every way', async t => {
  const params = {
    response_type: 'code',
    client_id: client.client_id,
    redirect_uri: redirect,
    code_challenge: pkce().challenge,
    code_challenge_method: 'S256',
    scope: 'openid graph:read',
    state: 'st',
    resource: `${origin}/mcp`,
    response_mode: 'query',
    nonce: 'n',
    prompt: 'consent',
    max_age: '1000',
    login_hint: 'ada',
    ui_locales: 'en',
    acr_values: 'x',
    id_token_hint: '',
    claims: '',
    request: '',
    request_uri: '',
    registration: '',
    display: 'page',
    dpop_jkt: ''
  }
  const given = Object.fromEntries(Object.entries(params).filter(([, value]) => value !== ''))
  for (const name of [...Object.keys(params), '__proto__', 'constructor', hostile]) {
    for (const [what, mutation] of Object.entries(mutations)) {
      const answer = await send({ path: `/authorize?${changed(given, name, mutation)}`, headers: { Accept: 'text/html' } })
      orderly(t, answer, `${name}, ${what}`, 'page')
    }
  }
  for (const name of ['client_id', 'redirect_uri']) {
    for (const [what, mutation] of Object.entries(mutations)) {
      const { status, headers } = await send({ path: `/authorize?${changed(given, name, mutation)}` })
      // Where there is one redirect, it is the one that is meant; what is empty or not there is one that was not named.
      if (name === 'client_id' || !/^(missing|empty|without =|a list|an object|twice)/.test(what)) t.match({ status, location: headers.location }, { status: /^4(00|31)$/, location: undefined }, `${name}, ${what}: nobody is sent anywhere`)
    }
  }
})

t.test('authorize: a fault is told to the client in the standard\'s code', async t => {
  const path = (more: Record<string, string>) => authorizePath({ clientId: client.client_id, redirectUri: redirect, challenge: pkce().challenge, more })
  const codeOf = async (url: string) => {
    const { location } = (await send({ path: url })).headers
    return location === undefined ? undefined : Object.fromEntries(new URLSearchParams(new URL(location, origin).search || new URL(location, origin).hash.slice(1))).error
  }
  for (const [more, code] of [
    [{ response_type: '' }, 'invalid_request'], [{ response_type: 'magic' }, 'unsupported_response_type'], [{ response_mode: 'magic' }, 'unsupported_response_mode'], [{ code_challenge: '' }, 'invalid_request'],
    [{ code_challenge_method: 'plain' }, 'invalid_request'], [{ prompt: 'magic' }, 'invalid_request'], [{ resource: 'https://evil.example/' }, 'invalid_target'], [{ request: 'x' }, 'request_not_supported'], [{ id_token_hint: 'x' }, 'invalid_request']
  ] as Array<[Record<string, string>, string]>) t.equal(await codeOf(path(more)), code, JSON.stringify(more))
  for (const name of ['response_type', 'state', 'scope', 'code_challenge', 'code_challenge_method', 'prompt', 'nonce', 'response_mode']) t.equal(await codeOf(`${path({})}&${name}=x&${name}=y`), 'invalid_request', `${name} twice`)
})

const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const endpoints: Array<{ what: string, path: string, params: () => Promise<Record<string, string>>, headers?: Record<string, string> }> = [
  { what: 'token, code', path: '/token', params: async () => ({ grant_type: 'authorization_code', ...own, code: 'x'.repeat(43), redirect_uri: redirect, code_verifier: pkce().verifier, resource: `${origin}/mcp` }) },
  { what: 'token, refresh', path: '/token', params: async () => ({ grant_type: 'refresh_token', ...own, refresh_token: 'x'.repeat(43), scope: 'graph:read', resource: `${origin}/mcp` }) },
  { what: 'token, machine', path: '/token', headers: { Authorization: machineBasic }, params: async () => ({ grant_type: 'client_credentials', scope: 'graph:read', resource: `${origin}/mcp` }) },
  { what: 'token, assertion', path: '/token', params: async () => ({ grant_type: 'client_credentials', client_id: machine, client_assertion_type: assertionType, client_assertion: 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.AAAA' }) },
  { what: 'revoke', path: '/revoke', params: async () => ({ ...own, token: 'x', token_type_hint: 'refresh_token' }) },
  { what: 'introspect', path: '/introspect', params: async () => ({ ...own, token: 'x', token_type_hint: 'access_token' }) }
]

for (const { what, path, params, headers = {} } of endpoints) {
  t.test(`${what}: every parameter, wrong in every way`, async t => {
    const given = await params()
    for (const name of [...Object.keys(given), '__proto__', hostile]) {
      for (const [how, mutation] of Object.entries(mutations)) {
        const answer = await post(path, changed(given, name, mutation), { ...formHeaders, ...headers })
        orderly(t, answer, `${name}, ${how}`, 'program')
        if (answer.status < 400 && path === '/introspect') t.equal(answer.json.active, false, `${name}, ${how}: nothing is told`)
      }
    }
  })

  t.test(`${what}: every kind of body that is none`, async t => {
    const given = new URLSearchParams(await params()).toString()
    const json = JSON.stringify(await params())
    const bodies: Array<[string, string | Buffer, Record<string, string>]> = [
      ['nothing', '', {}],
      ['no type', given, { 'Content-Type': '' }],
      ['JSON', json, { 'Content-Type': 'application/json' }],
      ['JSON that says it is a form', json, formHeaders],
      ['text', given, { 'Content-Type': 'text/plain' }],
      ['multipart', '--x\r\nContent-Disposition: form-data; name="grant_type"\r\n\r\nx\r\n--x--', { 'Content-Type': 'multipart/form-data; boundary=x' }],
      ['XML', '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>', { 'Content-Type': 'application/xml' }],
      ['a charset that nobody knows', given, { 'Content-Type': 'application/x-www-form-urlencoded; charset=klingon' }],
      ['UTF-16', Buffer.from(given, 'utf16le'), { 'Content-Type': 'application/x-www-form-urlencoded; charset=utf-16le' }],
      ['bytes', Buffer.from([0, 255, 254, 0xED, 0xA0, 0x80]), formHeaders],
      ['a type that is none', given, { 'Content-Type': '///;;;=' }],
      ['too large', `${given}&x=${huge}`, formHeaders],
      ['too large, in pieces', `${given}&x=${huge}`, { ...formHeaders, 'Transfer-Encoding': 'chunked' }],
      ['very many', Array.from({ length: 5_000 }, (_, i) => `p${i}=1`).join('&'), formHeaders],
      ['compressed, as it says', given, { ...formHeaders, 'Content-Encoding': 'gzip' }]
    ]
    for (const [how, body, own] of bodies) orderly(t, await post(path, body, { ...headers, ...own }), how, 'program')
    for (const authorization of ['Basic', 'Basic ', 'Basic x', 'Basic %%%', `Basic ${Buffer.from('no colon').toString('base64')}`, `Basic ${Buffer.from('a:b').toString('base64')}`, `Basic ${Buffer.from('%zz:%zz').toString('base64')}`, `Basic ${Buffer.from(`${'x'.repeat(5_000)}:x`).toString('base64')}`, 'Bearer x', 'Digest x="y"', 'Basic a b', 'basic eDp5', '\xff\xfe', `${machineBasic}, ${machineBasic}`]) {
      orderly(t, await post(path, given, { ...formHeaders, Authorization: authorization }), `Authorization: ${authorization.slice(0, 40)}`, 'program')
    }
  })
}

t.test('token: what is missing or foreign has its own code', async t => {
  const code = async (fields: Record<string, string>, headers: Record<string, string> = {}) => {
    const { status, json } = await post('/token', new URLSearchParams(fields).toString(), { ...formHeaders, ...headers })
    return [status, json.error]
  }
  t.strictSame(await code({}), [400, 'invalid_request'])
  t.strictSame(await code({ client_id: 'nobody', grant_type: 'authorization_code' }), [401, 'invalid_client'])
  t.strictSame(await code({ ...own, client_secret: 'wrong', grant_type: 'refresh_token' }), [401, 'invalid_client'])
  t.strictSame(await code({ ...own }), [400, 'invalid_request'])
  t.strictSame(await code({ ...own, grant_type: 'password', username: 'a', password: 'b' }), [400, 'unsupported_grant_type'])
  t.strictSame(await code({ ...own, grant_type: 'refresh_token' }), [400, 'invalid_request'])
  t.strictSame(await code({ ...own, grant_type: 'refresh_token', refresh_token: 'x' }), [400, 'invalid_grant'])
  t.strictSame(await code({ ...own, grant_type: 'authorization_code', code: 'x', redirect_uri: redirect, code_verifier: 'x'.repeat(43) }), [400, 'invalid_grant'])
  t.strictSame(await code({ grant_type: 'client_credentials', scope: 'graph:admin' }, { Authorization: machineBasic }), [400, 'invalid_scope'])
  t.strictSame(await code({ grant_type: 'client_credentials', resource: 'https://evil.example/' }, { Authorization: machineBasic }), [400, 'invalid_target'])
  t.strictSame((await post('/revoke', new URLSearchParams({ ...own, token: 'nothing-of-ours' }).toString())).status, 200, 'RFC 7009 section 2.2: an unknown token is revoked')
  t.strictSame((await post('/introspect', new URLSearchParams({ ...own, token: 'nothing-of-ours' }).toString())).json, { active: false })
})

t.test('register: every member, wrong in every way', async t => {
  const metadata: Record<string, unknown> = { client_name: 'A client', redirect_uris: [redirect], token_endpoint_auth_method: 'none', grant_types: ['authorization_code'], response_types: ['code'], scope: 'graph:read', application_type: 'web' }
  const members = [...Object.keys(metadata), 'jwks', 'jwks_uri', 'logo_uri', 'client_uri', 'policy_uri', 'tos_uri', 'contacts', 'subject_type', 'sector_identifier_uri', 'id_token_signed_response_alg', 'default_max_age', 'require_auth_time', 'default_acr_values', 'initiate_login_uri', 'request_uris', 'software_id', 'software_statement', 'response_modes', 'token_endpoint_auth_signing_alg', 'post_logout_redirect_uris', 'client_id', 'client_secret', 'introspection_signed_response_alg', 'authorization_signed_response_alg', 'dpop_bound_access_tokens', 'gateway_machine', '__proto__', 'constructor', 'toString', hostile]
  const values: unknown[] = [undefined, null, '', ' ', 0, -1, 1.5, true, false, [], {}, [null], [1], [[]], [{}], ['', ''], 'x', hostile, '\0', '\ud800', 'x'.repeat(5_000), ['javascript:alert(1)'], ['https://evil.example/#x'], 'https://169.254.169.254/', { keys: [] }, { keys: [{}] }, { keys: 'x' }, { length: 1 }, { toString: 1 }, Array.from({ length: 500 }, () => redirect)]
  for (const member of members) {
    for (const value of values) {
      // JSON.stringify would lose __proto__ in a literal.
      const others = Object.entries(metadata).filter(([name]) => name !== member).map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`)
      const body = `{${[...others, ...value === undefined ? [] : [`${JSON.stringify(member)}:${JSON.stringify(value)}`]].join(',')}}`
      const answer = await post('/register', body, { 'Content-Type': 'application/json' })
      orderly(t, answer, `${member} = ${JSON.stringify(value)?.slice(0, 40)}`, 'program')
      if (answer.status >= 400) t.match(answer.json.error, /^invalid_(redirect_uri|client_metadata|request)$/, member)
    }
  }
  t.equal((await post('/register', JSON.stringify({ ...metadata, redirect_uris: undefined }), { 'Content-Type': 'application/json' })).json.error, 'invalid_redirect_uri')
  for (const [what, body, headers] of [
    ['nothing', '', {}], ['no JSON', '{', {}], ['null', 'null', {}], ['a list', '[]', {}], ['a text', '"x"', {}], ['a number', '1', {}], ['deep', `${'['.repeat(20_000)}${']'.repeat(20_000)}`, {}], ['deep within', `{"jwks":${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)},"redirect_uris":["${redirect}"]}`, {}],
    ['too large', JSON.stringify({ client_name: huge }), {}], ['large', JSON.stringify({ ...metadata, contacts: ['x'.repeat(40_000)] }), {}], ['too large, in pieces', JSON.stringify({ client_name: huge }), { 'Transfer-Encoding': 'chunked' }], ['a form', 'redirect_uris=x', formHeaders], ['a form that says it is JSON', 'redirect_uris=x', {}],
    ['no type', '{}', { 'Content-Type': '' }], ['a charset that nobody knows', '{}', { 'Content-Type': 'application/json; charset=klingon' }], ['bytes', Buffer.from([0x7b, 0xff, 0xfe, 0x7d]), {}], ['UTF-16', Buffer.from('{}', 'utf16le'), { 'Content-Type': 'application/json; charset=utf-16le' }]
  ] as Array<[string, string | Buffer, Record<string, string>]>) {
    const answer = await post('/register', body, { 'Content-Type': 'application/json', ...headers })
    orderly(t, answer, what, 'program')
    t.match(answer.json.error, /^invalid_(redirect_uri|client_metadata|request)$/, what)
  }
})

t.test('register/…: who has no good token learns and changes nothing (RFC 7592)', async t => {
  const one = await register(send)
  const other = await register(send)
  const path = `/register/${one.client_id}`
  const good = { Authorization: `Bearer ${one.registration_access_token}` }
  const update = { client_id: one.client_id, client_name: 'A client', redirect_uris: [redirect], token_endpoint_auth_method: 'none' }
  for (const method of ['GET', 'PUT', 'DELETE']) {
    for (const headers of [{}, { Authorization: '' }, { Authorization: 'Bearer' }, { Authorization: 'Bearer ' }, { Authorization: 'Bearer x' }, { Authorization: `Bearer ${huge.slice(0, 8_000)}` }, { Authorization: 'Bearer \xff' }, { Authorization: `Basic ${one.registration_access_token}` }, { Authorization: 'Bearer a b' }, { Authorization: `Bearer ${(await register(send)).registration_access_token}` }]) {
      const answer = await send({ method, path, headers: headers as Record<string, string>, ...(method === 'PUT' && { body: update }) })
      orderly(t, answer, `${method} ${JSON.stringify(headers).slice(0, 40)}`, 'program')
      t.match(answer.status, /^40[01]$/)
      t.notMatch(answer.text, 'A client')
    }
    for (const id of ['nobody', '%00', '%zz', '..', '%2e%2e', 'x'.repeat(400), 'x'.repeat(600), encodeURIComponent(hostile), '__proto__', 'gateway-account-page', machine]) {
      // A token of another client that is tried is used up, so each gets a new one.
      const answer = await send({ method, path: `/register/${id}`, headers: { Authorization: `Bearer ${(await register(send)).registration_access_token}` }, ...(method === 'PUT' && { body: { ...update, client_id: id } }) })
      // What no router takes is not this endpoint's.
      if (![404, 414].includes(answer.status)) orderly(t, answer, `${method} ${id.slice(0, 30)}`, 'program')
      t.match(answer.status, /^40[0134]$|^414$/)
      t.notMatch(answer.text, /nightly|<marker/)
    }
    t.equal((await send({ method, path: `${path}?access_token=${one.registration_access_token}`, ...(method === 'PUT' && { body: update }) })).status, 400, `${method}: no token in the query`)
  }
  for (const body of ['', '{', 'null', '[]', '1', JSON.stringify({ ...update, client_id: other.client_id }), JSON.stringify({ ...update, client_id: undefined }), JSON.stringify({ ...update, redirect_uris: [] }), JSON.stringify({ ...update, redirect_uris: ['javascript:alert(1)'] }), JSON.stringify({ ...update, client_secret: 'chosen' }), JSON.stringify({ ...update, registration_access_token: 'x' }), JSON.stringify({ ...update, gateway_tenant: 'acme' }), JSON.stringify({ ...update, client_name: huge })]) {
    const answer = await send({ method: 'PUT', path, headers: { ...good, 'Content-Type': 'application/json' }, body })
    orderly(t, answer, `PUT ${body.slice(0, 60)}`, 'program')
    t.equal(answer.status, 400)
  }
  t.match((await send({ path, headers: good })).json, { client_name: 'A test client', client_id: one.client_id }, 'nothing has changed')
})

t.test('pages of a sign-in: every field, wrong in every way', async t => {
  const known = await register(send)
  const begin = async () => {
    const browser = new Browser(send, origin)
    return { browser, page: await browser.open(authorizePath({ clientId: known.client_id, redirectUri: redirect, challenge: pkce().challenge })) }
  }
  const { browser, page } = await begin()
  const other = await begin()
  const consent = await other.browser.press(other.page, 'upstream', 'local', { name: 'ada' })
  const asked: Array<[Browser, string, Record<string, string>, string[]]> = [
    [browser, `${page.path}/sign-in`, { ...formsOf(page.text)[0]!.fields, upstream: 'local', name: 'ada' }, ['csrf', 'upstream', hostile, '__proto__']],
    [other.browser, `${consent.path}/consent`, { ...formsOf(consent.text)[0]!.fields, decision: 'allow', tenant: 'acme' }, ['csrf', 'decision', 'tenant', hostile, '__proto__']]
  ]
  for (const [browser, path, fields, names] of asked) {
    for (const name of names) {
      // What is right in spite of it would be an answer, and the page one of the past.
      for (const [how, mutation] of Object.entries(mutations).filter(([how]) => !(Object.hasOwn(fields, name) ? [] : Object.keys(mutations)).includes(how))) {
        const answer = await browser.ask('POST', path, changed(fields, name, mutation), { ...formHeaders, Origin: origin })
        orderly(t, answer, `${path.split('/').at(-1)}: ${name}, ${how}`, 'page')
        t.equal(answer.left, undefined)
        t.match(answer.status, /^4\d\d$/, `${name}, ${how} is refused`)
      }
    }
    for (const [how, body, headers] of [
      ['JSON', JSON.stringify(fields), { 'Content-Type': 'application/json' }], ['text', new URLSearchParams(fields).toString(), { 'Content-Type': 'text/plain' }], ['no type', new URLSearchParams(fields).toString(), { 'Content-Type': '' }], ['nothing', '', formHeaders],
      ['too large', `x=${huge}`, formHeaders], ['too large, in pieces', `x=${huge}`, { ...formHeaders, 'Transfer-Encoding': 'chunked' }], ['bytes', '\xff\xfe\0', formHeaders], ['multipart', '--x--', { 'Content-Type': 'multipart/form-data; boundary=x' }], ['a charset that nobody knows', '', { 'Content-Type': 'application/x-www-form-urlencoded; charset=klingon' }]
    ] as Array<[string, string, Record<string, string>]>) {
      const answer = await browser.ask('POST', path, body, { Origin: origin, ...headers })
      orderly(t, answer, how, 'page')
      t.match(answer.status, /^4(03|13|15)$/, how)
      t.notMatch(answer.text, /MAX_BODY_BYTES|application\/json/, 'in words about forms')
    }
  }
  for (const name of ['', ' ', '\0', hostile, 'x'.repeat(65), '-', '../x', 'a b', '\ud800', '\u202eada', '__proto__ ']) {
    const answer = await browser.ask('POST', `${page.path}/sign-in`, new URLSearchParams({ ...asked[0]![2], name }).toString(), { ...formHeaders, Origin: origin })
    orderly(t, answer, `name ${JSON.stringify(name.slice(0, 20))}`, 'page')
    t.equal(answer.status, 403)
  }
  t.equal((await browser.press(page, 'upstream', 'local', { name: 'ada' })).status, 200, 'after all that the page still works')
  t.ok((await other.browser.press(consent, 'decision', 'allow', { tenant: 'acme' })).left?.searchParams.get('code'))

  for (const path of ['/interaction/x', '/interaction/%00', '/interaction/%zz', `/interaction/${'x'.repeat(400)}`, `/interaction/${'x'.repeat(2_000)}`, `/interaction/${encodeURIComponent(hostile)}`, '/interaction/', '/interaction/x/y/z', '/interaction/__proto__', '/interaction/x/federated', '/interaction/x/federated?state=x&state=y', '/authorize/x', `/authorize/${encodeURIComponent(hostile)}`]) {
    const answer = await browser.ask('GET', path)
    orderly(t, answer, path.slice(0, 60), 'page')
    t.match(answer.status, /^4(00|04|14)$/, path.slice(0, 60))
  }
  for (const upstream of ['github', 'local', 'nobody', '__proto__', '%00', '%zz', encodeURIComponent(hostile), 'x'.repeat(2_000)]) {
    for (const query of ['', 'state=', 'state=x', 'state=x&state=y', `state=${encodeURIComponent(hostile)}&code=x`, 'state=%00', 'state=%zz', `state=${'x'.repeat(10_000)}`, 'error=access_denied', 'state[]=x', 'state=__proto__']) {
      const answer = await browser.ask('GET', `/callback/${upstream}?${query}`)
      orderly(t, answer, `/callback/${upstream.slice(0, 20)}?${query.slice(0, 30)}`, 'page')
      t.match(answer.status, /^4(00|04|14)$/)
    }
  }
})

t.test('pages of an account: every field, wrong in every way', async t => {
  const { browser, client, ...done } = await signIn(send, origin, { tenant: 'acme' })
  const tokens = await exchange(send, { client, ...done })
  const { csrf = '' } = formsOf((await browser.open('/account')).text)[0]!.fields
  const gid = /name="gid" value="([^"]+)"/.exec((await browser.open('/account')).text)?.[1] ?? ''
  t.ok(gid)
  for (const [path, fields] of [['/account/disconnect', { csrf, gid }], ['/account/sign-out', { csrf }]] as Array<[string, Record<string, string>]>) {
    for (const name of Object.keys(fields)) {
      for (const [how, mutation] of Object.entries(mutations)) {
        const answer = await browser.ask('POST', path, changed(fields, name, mutation), { ...formHeaders, Origin: origin })
        orderly(t, answer, `${path}: ${name}, ${how}`, 'page')
        t.match(answer.status, /^4\d\d$/)
      }
    }
    for (const [how, body, headers] of [['JSON', JSON.stringify(fields), { 'Content-Type': 'application/json' }], ['text', `csrf=${csrf}`, { 'Content-Type': 'text/plain' }], ['too large', `x=${huge}`, formHeaders]] as Array<[string, string, Record<string, string>]>) {
      orderly(t, await browser.ask('POST', path, body, { Origin: origin, ...headers }), `${path}: ${how}`, 'page')
    }
    t.equal((await browser.ask('POST', path, new URLSearchParams(fields).toString(), { ...formHeaders, Origin: 'https://evil.example' })).status, 403, 'a foreign Origin')
    t.match((await browser.ask('GET', `${path}?${new URLSearchParams(fields)}`)).status, /^404$/, 'GET does nothing')
  }
  for (const query of ['done=disconnected&done=x', `done=${encodeURIComponent(hostile)}`, 'done=%zz', `error=${encodeURIComponent(hostile)}`, `error_description=${encodeURIComponent(hostile)}&error=x`]) {
    for (const path of ['/account', '/account/signed-in', '/account/sign-in', '/account/nothing']) orderly(t, await browser.ask('GET', `${path}?${query}`), `${path}?${query.slice(0, 30)}`, 'page')
  }
  t.match((await browser.open('/account')).text, 'A test client', 'nobody is disconnected or signed out')
  t.ok(tokensOf(await refresh(send, client, tokens.refresh_token)))
})

t.test('a program that meets a page gets JSON, and whoever accepts anything gets the page', async t => {
  for (const [method, path] of [['GET', '/interaction/x'], ['POST', '/interaction/x/consent'], ['GET', '/callback/github?state=x'], ['GET', '/account/nothing'], ['POST', '/authorize']] as const) {
    for (const accept of ['application/json', 'application/json, text/event-stream']) {
      const { headers, json } = await send({ method, path, headers: { Accept: accept } })
      t.match({ headers, json }, { headers: { 'content-type': /^application\/json/, 'cache-control': 'no-store' }, json: { error: { code: String, message: String } } }, `${method} ${path}, ${accept}`)
    }
    for (const accept of ['text/html', '*/*', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', ';;,']) t.match((await send({ method, path, headers: { Accept: accept } })).headers['content-type'], /^text\/html/, `${method} ${path}, ${accept}`)
  }
})

t.test('a method that an endpoint does not have is refused, and the answer says which it has', async t => {
  for (const [path, allowed] of [['/token', 'POST, OPTIONS'], ['/revoke', 'POST, OPTIONS'], ['/introspect', 'POST, OPTIONS'], ['/register', 'POST'], ['/.well-known/jwks.json', 'GET, OPTIONS'], ['/.well-known/oauth-authorization-server', 'GET, OPTIONS']] as const) {
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].filter(method => !allowed.includes(method))) {
      const answer = await send({ method, path } as Request)
      orderly(t, answer, `${method} ${path}`, 'program')
      t.match({ status: answer.status, allow: answer.headers.allow }, { status: 405, allow: allowed }, `${method} ${path}`)
    }
  }
  const page = await send({ method: 'POST', path: '/authorize', headers: { Accept: 'text/html', ...formHeaders }, body: 'client_id=x' })
  orderly(t, page, 'POST /authorize', 'page')
  t.match({ status: page.status, allow: page.headers.allow }, { status: 405, allow: 'GET' })
})

t.test('what is asked for too often is refused in the words of its endpoint, with the time to wait', async t => {
  const { send, origin } = await openOauth(t, { env: { REGISTRATIONS_PER_HOUR: '1', TOKENS_PER_MINUTE: '1', SIGN_INS_PER_MINUTE: '1' } })
  const first = await register(send)
  const twice = async (request: Request) => {
    await send(request)
    return await send(request)
  }
  for (const request of [{ method: 'POST', path: '/register', body: {} }, { method: 'POST', path: '/token', headers: formHeaders, body: 'x=y' }] as Request[]) {
    const answer = await twice(request)
    t.match(answer, { status: 429, headers: { 'retry-after': /^\d+$/, 'cache-control': 'no-store', 'content-type': /^application\/json/ }, json: { error: 'temporarily_unavailable', error_description: /wait/ } }, request.path)
  }
  const page = await twice({ path: authorizePath({ clientId: first.client_id, redirectUri: redirect, challenge: pkce().challenge }), headers: { Accept: 'text/html' } })
  t.match(page, { status: 429, headers: { 'retry-after': /^\d+$/, 'content-type': /^text\/html/, location: undefined } })
  t.match(page.text, 'Too many attempts')
  t.ok(origin)
})

t.test('nothing of all this was a fault of the server', async t => {
  t.strictSame(lines.filter(line => /"level":[56]0/.test(line)), [])
  t.strictSame(lines.filter(line => line.includes('marker')), [], 'and the log repeats none of it')
})
