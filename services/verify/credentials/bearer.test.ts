import { createHash } from 'node:crypto'
import t from 'tap'
import { makeKey, mint, mintSymmetric, now, openService, publicUrl, resource, secret, segment, signature, startIssuer, trusting, trustingAll, type TestKey } from '../test-support.ts'

const rsa = makeKey('rsa', 'RS256')
const issuer = await startIssuer(t, [rsa, makeKey('ec', 'ES256'), makeKey('ed', 'EdDSA')])
const stranger = await startIssuer(t, [makeKey('rsa', 'RS256')])
const service = openService(t, trusting(issuer))
const challenge = `Bearer resource_metadata="${publicUrl}/.well-known/oauth-protected-resource/mcp", scope="graph:read graph:write"`

const good = issuer.token()
const [header, payload, signed] = good.split('.') as [string, string, string]
const pem = rsa.publicKey.export({ type: 'spki', format: 'pem' }) as string
const deep = { kid: 'rsa', typ: 'at+jwt' }
const raw = (head: unknown, claims: unknown, key: TestKey = rsa) => {
  const input = `${segment(head)}.${segment(claims)}`
  return `${input}.${signature(input, key)}`
}
/** The same signature in another spelling: unused bits of its last character set. */
const respelt = () => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return `${good.slice(0, -1)}${alphabet[alphabet.indexOf(good.at(-1) as string) + 1]}`
}

t.test('a good token of each algorithm family is let in', async t => {
  for (const key of issuer.keys) t.equal((await service.bearer(mint(key, issuer.claims()))).statusCode, 200, key.algorithm)
})

t.test('an audience among several, a client under another name, scopes as a list: all are understood', async t => {
  t.equal((await service.bearer(issuer.token({ aud: ['https://other.example', resource] }))).statusCode, 200)
  t.equal((await service.bearer(issuer.token({ client_id: undefined, azp: 'phone' }))).headers['x-client-id'], 'phone')
  t.equal((await service.bearer(issuer.token({ client_id: undefined }))).headers['x-client-id'], 'unknown')
  t.equal((await service.bearer(issuer.token({ scope: undefined, scp: ['graph:admin'] }))).headers['x-auth-scopes'], 'graph:read graph:write graph:admin')
  t.equal((await service.bearer(issuer.token({ scope: 'openid profile' }))).headers['x-auth-scopes'], '', 'without a known scope the caller is known, and may do nothing')
  t.equal((await service.bearer(issuer.token({}, { typ: undefined }))).statusCode, 200, 'no typ')
  t.equal((await service.bearer(issuer.token({}, { typ: 'application/AT+JWT' }))).statusCode, 200, 'typ in its long form')
  t.equal((await service.bearer(issuer.token({ iat: now() + 5, nbf: now() + 5 }))).statusCode, 200, 'the issuer\'s clock may be a little ahead')
})

const rows: Array<[what: string, token: string, reason: string, words: RegExp]> = [
  ['no JWT at all', 'garbage', 'token_malformed', /no well-formed JWT/],
  ['three parts of nothing', 'a.b.c', 'token_malformed', /no well-formed JWT/],
  ['three empty parts', '..', 'token_malformed', /no well-formed JWT/],
  ['a fourth part', `${good}.x`, 'token_malformed', /no well-formed JWT/],
  ['an encrypted token', 'eyJhbGciOiJkaXIifQ..AAAA.AAAA.AAAA', 'token_malformed', /no well-formed JWT/],
  ['base64 with padding', `${header}=.${payload}.${signed}`, 'token_malformed', /no well-formed JWT/],
  ['base64 of the other alphabet', `${header}.${payload}.${'+/'.repeat(171)}`, 'token_malformed', /no well-formed JWT/],
  ['a signature in a second spelling', respelt(), 'token_malformed', /no well-formed JWT/],
  ['white space inside', `${header}. ${payload}.${signed}`, 'token_malformed', /no well-formed JWT/],
  ['a header that is no JSON', `${segment('{')}.${payload}.${signed}`, 'token_malformed', /no well-formed JWT/],
  ['a header that is a list', raw([], issuer.claims()), 'token_malformed', /no well-formed JWT/],
  ['claims that are a list', raw({ ...deep, alg: 'RS256' }, []), 'token_malformed', /no well-formed JWT/],
  ['claims that are null', raw({ ...deep, alg: 'RS256' }, null), 'token_malformed', /no well-formed JWT/],
  ['more than 8 KiB', issuer.token({ pad: 'x'.repeat(9000) }), 'token_too_large', /8 KiB/],

  ['an issuer that nobody trusts', stranger.token(), 'issuer_unknown', /issuer that is not trusted/],
  ['the issuer with a slash more', issuer.token({ iss: `${issuer.url}/` }), 'issuer_unknown', /issuer that is not trusted/],
  ['the issuer in a list', issuer.token({ iss: [issuer.url] }), 'issuer_unknown', /issuer that is not trusted/],
  ['the issuer under a prototype\'s name', issuer.token({ iss: '__proto__' }), 'issuer_unknown', /issuer that is not trusted/],
  ['no issuer', issuer.token({ iss: undefined }), 'issuer_unknown', /issuer that is not trusted/],

  ['alg none without signature', `${segment({ alg: 'none', kid: 'rsa' })}.${payload}.`, 'algorithm_refused', /algorithm/],
  ['alg nOnE', `${segment({ alg: 'nOnE', kid: 'rsa' })}.${payload}.`, 'algorithm_refused', /algorithm/],
  ['alg none with a signature', `${segment({ alg: 'none', kid: 'rsa' })}.${payload}.${signed}`, 'algorithm_refused', /algorithm/],
  ['no alg', raw(deep, issuer.claims()), 'algorithm_refused', /algorithm/],
  ['alg as a list', raw({ ...deep, alg: ['RS256'] }, issuer.claims()), 'algorithm_refused', /algorithm/],
  ['alg in lower case', raw({ ...deep, alg: 'rs256' }, issuer.claims()), 'algorithm_refused', /algorithm/],
  ['HS256 over the public key in PEM', mintSymmetric(pem, deep, issuer.claims()), 'algorithm_refused', /algorithm/],
  ['HS256 over the public key in JSON', mintSymmetric(JSON.stringify(rsa.jwk), deep, issuer.claims()), 'algorithm_refused', /algorithm/],
  ['HS256 over nothing', mintSymmetric('', deep, issuer.claims()), 'algorithm_refused', /algorithm/],
  ['our own assertion\'s kind of token', mintSymmetric(secret, { typ: 'JWT' }, issuer.claims()), 'algorithm_refused', /algorithm/],
  ['RS512, which the issuer was not granted', raw({ ...deep, alg: 'RS512' }, issuer.claims()), 'algorithm_refused', /algorithm/],

  ['a critical extension', issuer.token({}, { crit: ['b64'], b64: false }), 'critical_extension', /"crit"/],
  ['an empty list of critical extensions', issuer.token({}, { crit: [] }), 'critical_extension', /"crit"/],
  ['crit null, which a library would pass over', issuer.token({}, { crit: null }), 'critical_extension', /"crit"/],
  ['a logout token', issuer.token({}, { typ: 'logout+jwt' }), 'type_refused', /"typ"/],
  ['a token bound to a key of its client', issuer.token({ cnf: { jkt: 'x' } }), 'token_bound', /bound/],
  ['a DPoP proof', issuer.token({}, { typ: 'dpop+jwt' }), 'type_refused', /"typ"/],
  ['typ as a number', issuer.token({}, { typ: 1 }), 'type_refused', /"typ"/],

  ['6: a foreign audience', issuer.token({ aud: 'https://other.example/mcp' }), 'audience_foreign', /another audience/],
  ['6: the audience with a slash more', issuer.token({ aud: `${resource}/` }), 'audience_foreign', /another audience/],
  ['6: the origin alone for audience', issuer.token({ aud: publicUrl }), 'audience_foreign', /another audience/],
  ['6: no audience', issuer.token({ aud: undefined }), 'audience_foreign', /another audience/],
  ['6: an empty list of audiences', issuer.token({ aud: [] }), 'audience_foreign', /another audience/],
  ['6: our audience among things that are no texts', issuer.token({ aud: [resource, 7] }), 'audience_foreign', /another audience/],
  ['6: an ID token, whose audience is the client', issuer.token({ aud: 'laptop', nonce: 'n' }, { typ: 'JWT' }), 'audience_foreign', /another audience/],

  ['expired a minute ago', issuer.token({ exp: now() - 60 }), 'token_expired', /has expired/],
  ['expired this second', issuer.token({ exp: now() }), 'token_expired', /has expired/],
  ['no expiry', issuer.token({ exp: undefined }), 'expiry_missing', /"exp"/],
  ['an expiry in words', issuer.token({ exp: String(now() + 600) }), 'expiry_missing', /"exp"/],
  ['an expiry beyond numbers', raw({ ...deep, alg: 'RS256' }, JSON.stringify(issuer.claims()).replace(/"exp":\d+/, '"exp":1e999')), 'expiry_missing', /"exp"/],
  ['valid only in ten minutes', issuer.token({ nbf: now() + 600 }), 'token_not_yet_valid', /not valid yet/],
  ['issued in ten minutes', issuer.token({ iat: now() + 600 }), 'token_not_yet_valid', /not valid yet/],
  ['nbf in words', issuer.token({ nbf: 'now' }), 'token_not_yet_valid', /not valid yet/],

  ['no key id', issuer.token({}, { kid: undefined }), 'key_unknown', /not among the keys/],
  ['a key id that is a path', issuer.token({}, { kid: '../../../../dev/null' }), 'key_unknown', /not among the keys/],
  ['a key id that is SQL', issuer.token({}, { kid: "' UNION SELECT 'key" }), 'key_unknown', /not among the keys/],
  ['a key id that is a list', issuer.token({}, { kid: ['rsa'] }), 'key_unknown', /not among the keys/],
  ['the key id of a key for another algorithm', mint(rsa, issuer.claims(), { kid: 'ec' }), 'key_unknown', /not among the keys/],
  ['a signature cut in half', `${header}.${payload}.${signed.slice(0, 172)}`, 'signature_bad', /signature/],
  ['no signature', `${header}.${payload}.`, 'signature_bad', /signature/],
  ['other claims under an old signature', `${header}.${segment(issuer.claims({ tenant_id: 'bob' }))}.${signed}`, 'signature_bad', /signature/],
  ['a stranger\'s signature under our key id', mint(stranger.keys[0] as TestKey, issuer.claims()), 'signature_bad', /signature/],
  ['a stranger\'s key that comes along in jwk', mint(stranger.keys[0] as TestKey, issuer.claims(), { jwk: stranger.keys[0]?.jwk }), 'signature_bad', /signature/],
  ['a stranger\'s key by URL in jku and x5u', mint(stranger.keys[0] as TestKey, issuer.claims(), { jku: `${stranger.url}/keys`, x5u: `${stranger.url}/keys` }), 'signature_bad', /signature/],
  ['no subject', issuer.token({ sub: undefined }), 'subject_missing', /subject/],
  ['a subject that is a number', issuer.token({ sub: 7 }), 'subject_missing', /subject/],
  ['a subject of 1 KB', issuer.token({ sub: 'x'.repeat(1024) }), 'subject_missing', /subject/]
]

for (const [what, token, reason, words] of rows) {
  t.test(`${what.replace(/^(\d+: )?(.*)$/, '$1401 for $2')}`, async t => {
    const counted = async () => (await service.metrics(`auth_decisions_total{outcome="refused",reason="${reason}"`)).reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
    const before = await counted()
    const answer = await service.bearer(token)
    t.equal(answer.statusCode, 401)
    t.equal(answer.json().error, 'invalid_token')
    t.match(answer.json().error_description, words)
    t.strictSame(Object.keys(answer.json()), ['error', 'error_description'])
    t.equal(answer.headers['www-authenticate'], `${challenge}, error="invalid_token", error_description="${answer.json().error_description.replaceAll('"', "'")}"`)
    t.equal(answer.headers['cache-control'], 'no-store')
    for (const name of ['x-tenant-id', 'x-user-id', 'x-client-id', 'x-auth-scopes', 'x-identity-assertion']) t.equal(answer.headers[name], undefined, name)
    t.equal(await counted(), before + 1, `counted as ${reason}`)
    t.ok(service.lines.some(line => line.includes(`"reason":"${reason}"`)), 'the log says why')
    t.notOk(service.lines.some(line => line.includes(token) && token.length > 8), 'no log line holds the token')
  })
}

t.test('10: no token of the table above, and no part of one, is in any log line', async t => {
  const parts = new Set(rows.flatMap(([, token]) => token.split('.')).filter(part => part.length > 20))
  for (const line of service.lines) for (const part of parts) if (line.includes(part)) t.fail(`a log line holds ${createHash('sha256').update(part).digest('hex')}`)
  t.ok(service.lines.length > rows.length, 'there are log lines')
})

t.test('a token of an unknown issuer, or with a key of its own, causes no request to anybody', async t => {
  t.equal(stranger.fetches, 0)
})

t.test('403 for a token without one usable tenant, and its body is the contract\'s', async t => {
  for (const tenant of [undefined, '', null, 7, [], [7, ''], {}, 'x'.repeat(129), '\ud800']) {
    const answer = await service.bearer(issuer.token({ tenant_id: tenant }))
    t.equal(answer.statusCode, 403, String(tenant).slice(0, 10))
    t.match(answer.json(), { error: { type: 'TenantError', code: 'tenant_missing' }, path: '/mcp', tenant: null, requestId: answer.headers['x-request-id'] })
    t.equal(answer.headers['www-authenticate'], undefined)
  }
})

t.test('an issuer may only name its own tenants', async t => {
  const other = await startIssuer(t)
  const service = openService(t, trustingAll([{ issuer: issuer.url, tenants: ['acme', 'a-*'] }, { issuer: other.url, jwks_uri: `${other.url}/keys?v=1`, tenants: ['bob'], audience: 'urn:bob', tenant_claim: 'org.id', scope_mapping: { read: 'graph:read' }, user_claim: 'email', typ: 'at+jwt' }]))
  t.equal((await service.bearer(issuer.token())).statusCode, 200)
  t.equal((await service.bearer(issuer.token({ tenant_id: 'a-1' }))).statusCode, 200)
  const foreign = await service.bearer(issuer.token({ tenant_id: 'bob' }))
  t.equal(foreign.statusCode, 403)
  t.equal(foreign.json().error.code, 'tenant_not_allowed')
  t.notMatch(foreign.body, 'bob', 'the answer names no tenant')

  const theirs = { aud: 'urn:bob', tenant_id: 'acme', org: { id: 'bob' }, scope: 'read', email: 'eve@bob.example' }
  const bob = await service.bearer(other.token(theirs))
  t.match(bob.headers, { 'x-tenant-id': 'bob', 'x-auth-scopes': 'graph:read', 'x-user-id': 'eve%40bob.example' })
  t.equal((await service.bearer(other.token({ ...theirs, aud: resource }))).statusCode, 401, 'each issuer has audiences of its own')
  t.equal((await service.bearer(other.token(theirs, { typ: 'JWT' }))).statusCode, 401, 'and a typ of its own')
  t.equal((await service.bearer(mint(issuer.keys[0] as TestKey, other.claims(theirs)))).statusCode, 401, 'one issuer cannot sign for another')
  t.match(await service.metrics('auth_decisions_total{outcome="allowed"'), [new RegExp(issuer.url), new RegExp(other.url)])
})

t.test('ENABLE_MULTI_TENANCY=false asks for no tenant', async t => {
  const service = openService(t, trusting(issuer, { ENABLE_MULTI_TENANCY: 'false' }))
  t.equal((await service.bearer(issuer.token({ tenant_id: undefined }))).headers['x-tenant-id'], 'default')
})
