/**
 * What an enemy may write into a token, or around it, through the real Traefik. Each row says what must happen: 200, or the reason for which it is
 * turned away. The answer must then be verify's own words, and the tool service must know nothing of the request.
 */
import { createHmac, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { createServer } from 'node:http'
import { deflateRawSync } from 'node:zlib'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { addKey, signInput } from '../../dev/issuer/client.ts'
import { refusal, type Reason } from '../../services/verify/refusals.ts'
import { openGateway, unique } from '../support/gateway.ts'
import { createSend, type Answer, type Request } from '../support/https.ts'
import { claimsOf, headerOf, segment, tellingParts } from '../support/tokens.ts'
import { until } from '../support/until.ts'

t.setTimeout(240_000)

const gateway = openGateway()
const { issuer, issuerAccess: access } = gateway
const [tenant, victim] = [unique('acme'), unique('bob')]
const ada = await gateway.person({ tenant })
const bob = await gateway.person({ tenant: victim })
await bob.query('secrets', 'CREATE (:Secret)')
const kid = String(headerOf(ada.token).kid)
const ours = String(claimsOf(ada.token).aud)
const now = () => Math.floor(Date.now() / 1000)
/** Stands in every token, so that a log which holds any part of one is found. */
const sentinel = unique('sentinel')

type Members = Record<string, unknown>
const header = (changes: Members = {}): Members => ({ alg: 'RS256', kid, typ: 'at+jwt', ...changes })
const claims = (changes: Members = {}): Members => ({ iss: issuer, aud: ours, sub: 'ada', tenant_id: tenant, scope: 'graph:read', iat: now(), exp: now() + 600, jti: unique('jti'), note: sentinel, ...changes })
/** JSON with members in front of or behind the usual ones, for what an object cannot hold twice. */
const raw = (members: Members, before = '', after = '') => `{${before === '' ? '' : `${before},`}${JSON.stringify(members).slice(1, -1)}${after === '' ? '' : `,${after}`}}`
const without = (members: Members, ...names: string[]) => Object.fromEntries(Object.entries(members).filter(([name]) => !names.includes(name)))

type Part = object | string | Buffer
/** Signed by a key of the issuer, whatever the header says. */
async function signed (head: Part, body: Part, by = kid): Promise<string> {
  const input = `${segment(head)}.${segment(body)}`
  return `${input}.${await signInput(access, input, by)}`
}
const withClaims = (changes: Members) => signed(header(), claims(changes))
const withHeader = (changes: Members) => signed(header(changes), claims())
const withSignature = (head: Part, signature: Buffer | ((input: string) => Buffer)) => {
  const input = `${segment(head)}.${segment(claims())}`
  return `${input}.${(Buffer.isBuffer(signature) ? signature : signature(input)).toString('base64url')}`
}
const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 })
const byStranger = (changes: Members, body: Part = claims()) => {
  const input = `${segment(header(changes))}.${segment(body)}`
  return `${input}.${sign('sha256', Buffer.from(input), stranger.privateKey).toString('base64url')}`
}

/** Whoever follows a URL in a token comes here. */
const visits: string[] = []
const trap = createServer((request, response) => {
  visits.push(String(request.url))
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify({ issuer: trapUrl, jwks_uri: `${trapUrl}/jwks`, keys: [{ ...stranger.publicKey.export({ format: 'jwk' }), kid: 'stranger', use: 'sig' }] }))
})
await new Promise<void>(resolve => trap.listen(0, '127.0.0.1', resolve))
const trapUrl = `http://127.0.0.1:${(trap.address() as AddressInfo).port}`
t.teardown(() => {
  trap.closeAllConnections()
  trap.close()
})

const { json: jwks } = await createSend(access.url, gateway.caFile)({ path: '/jwks' })
const publicJwk = jwks.keys.find((key: { kid: string }) => key.kid === kid)
const publicKey = createPublicKey({ key: publicJwk, format: 'jwk' })

/** A key of another kind, which the gate learns before the rows begin. */
const elliptic = await addKey(access, 'ES256', true, false)
const es256 = (signature: (good: Buffer) => Buffer) => async () => {
  const token = await signed(header({ alg: 'ES256', kid: elliptic }), claims(), elliptic)
  const end = token.lastIndexOf('.')
  return `${token.slice(0, end)}.${signature(Buffer.from(token.slice(end + 1), 'base64url')).toString('base64url')}`
}
await until('the new key to be known', async () => (await ask(await es256(good => good)())).status === 200)

/** The order of P-256. */
const order = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551')
const bytes = (number: bigint, length = 32) => Buffer.from(number.toString(16).padStart(length * 2, '0'), 'hex')
const numberOf = (part: Buffer) => BigInt(`0x${part.toString('hex')}`)
const der = (signature: Buffer) => {
  const integer = (part: Buffer) => Buffer.concat([Buffer.of(2, part.length + 1, 0), part])
  const content = Buffer.concat([integer(signature.subarray(0, 32)), integer(signature.subarray(32))])
  return Buffer.concat([Buffer.of(0x30, content.length), content])
}

function ask (token: string) {
  return gateway.send({ path: '/tools/falkordb_health', body: {}, headers: { authorization: `Bearer ${token}` } })
}

/** 200, or the reason for the refusal. */
type Expected = 200 | Reason
interface Row { what: string, token: () => string | Promise<string>, must: Expected, check?: (t: Test, token: string) => Promise<void> }

/** All that was sent and must be in no log, and the ids of what was turned away. */
const secrets = new Set<string>()
const refused = new Set<string>()

const headersOf = (answer: Answer) => Object.entries(answer.headers).map(([name, value]) => `${name}: ${value}`).join('\n')
const identityHeaders = ['x-tenant-id', 'x-user-id', 'x-client-id', 'x-auth-scopes', 'x-identity-assertion']

function isRefused (t: Test, what: string, reason: Reason, answer: Answer, token = '') {
  const { status, code, message } = refusal(reason)
  t.equal(answer.status, status, `${what}: ${answer.text.slice(0, 200)}`)
  t.match(answer.headers['content-type'], /^application\/json/, what)
  if (status === 401) {
    t.match(answer.json, { error: 'invalid_token', error_description: message }, what)
    t.match(answer.headers['www-authenticate'], /^Bearer .*resource_metadata="https:/, what)
    t.equal(/error="invalid_token"/.test(String(answer.headers['www-authenticate'])), code === 'invalid_token', `${what}: an error is told only to whom has sent a token`)
  } else {
    t.match(answer.json, { error: { code, message } }, what)
  }
  const whole = `${headersOf(answer)}\n${answer.text}`
  t.strictSame(identityHeaders.filter(name => answer.headers[name] !== undefined), [], what)
  t.strictSame(tellingParts(token).filter(part => whole.includes(part)), [], `${what}: nothing of the token is sent back`)
  t.notOk(whole.includes(sentinel), what)
  const id = String(answer.headers['x-request-id'])
  t.match(id, /^[\w-]{8,64}$/, what)
  refused.add(id)
}

function table (title: string, rows: Row[]) {
  t.test(title, async t => {
    for (const { what, token: make, must, check } of rows) {
      const token = await make()
      for (const part of tellingParts(token)) secrets.add(part)
      const answer = await ask(token)
      if (must === 200) t.equal(answer.status, 200, `${what}: ${answer.text.slice(0, 200)}`)
      else isRefused(t, what, must, answer, token)
      await check?.(t, token)
    }
  })
}
const row = (what: string, must: Expected, token: Row['token'], check?: Row['check']): Row => ({ what, must, token, ...(check && { check }) })

const quoted = (value: unknown) => JSON.stringify(value)?.slice(0, 60) ?? 'nothing'

/** What the gate makes of a good token. */
async function worth (token: string) {
  return (await gateway.send({ path: '/verify', headers: { authorization: `Bearer ${token}` } })).json
}
/** It opens exactly this tenant, and no graph of the victim. */
const opens = (expected: string) => async (t: Test, token: string) => {
  t.equal((await worth(token)).tenant, expected)
  const headers = { authorization: `Bearer ${token}` }
  const graphs = await gateway.send({ path: '/api/mcp/graphs', headers })
  t.equal(graphs.status, 200, graphs.text)
  if (expected !== victim) t.notMatch(graphs.text, '"secrets"', `${quoted(expected)} sees nothing of another tenant`)
  const read = await gateway.send({ path: '/api/mcp/context', headers, body: { graphName: 'secrets', query: 'MATCH (s:Secret) RETURN count(s)' } })
  if (expected !== victim) t.equal(read.status, 404, `${quoted(expected)} reads nothing of another tenant`)
}
const grants = (...scopes: string[]) => async (t: Test, token: string) => { t.strictSame((await worth(token)).scopes, scopes) }

const hmac = (secret: string | Buffer | KeyObject, changes: Members = {}, hash = 'sha256') =>
  withSignature(header({ alg: 'HS256', ...changes }), input => createHmac(hash, secret).update(input).digest())
/** The development stack names its issuer's algorithms; where nobody does, only the key tells that it is for others. */
const notSetUp: Reason = gateway.mode === 'process' ? 'algorithm_refused' : 'key_unknown'
const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()

table('an algorithm that the issuer may not use is refused, however it is spelt', [
  ...['none', 'None', 'nOnE', 'NONE', 'none ', '', 'rs256', 'RS256 ', 'RS256\0', 'ES256K', 'RSA-OAEP', 'dir', 'HS256', 'RS384', 'PS512', 'constructor', 'a'.repeat(2_000)].map(alg =>
    row(`alg ${quoted(alg)}, no signature`, 'algorithm_refused', () => withSignature(header({ alg }), Buffer.alloc(0)))),
  ...[undefined, null, 0, true, ['RS256'], { RS256: 'RS256' }].map(alg => row(`alg ${quoted(alg)}, signed by the issuer's key`, 'algorithm_refused', () => withHeader({ alg }))),
  row('HS256 with the public key in PEM', 'algorithm_refused', () => hmac(pem)),
  row('HS256 with the public key in PEM without its last line break', 'algorithm_refused', () => hmac(pem.trimEnd())),
  row('HS256 with the public key in PKCS 1', 'algorithm_refused', () => hmac(publicKey.export({ type: 'pkcs1', format: 'pem' }))),
  row('HS256 with the public key in DER', 'algorithm_refused', () => hmac(publicKey.export({ type: 'spki', format: 'der' }))),
  row('HS256 with the public key in JSON', 'algorithm_refused', () => hmac(JSON.stringify(publicJwk))),
  row('HS256 with the modulus as text', 'algorithm_refused', () => hmac(publicJwk.n)),
  row('HS256 with the modulus as bytes', 'algorithm_refused', () => hmac(Buffer.from(publicJwk.n, 'base64url'))),
  row('HS256 with the key id', 'algorithm_refused', () => hmac(kid)),
  row('HS256 with an empty secret', 'algorithm_refused', () => hmac('')),
  row('HS384 with the public key in PEM', 'algorithm_refused', () => hmac(pem, { alg: 'HS384' }, 'sha384')),
  row('HS512 with the public key in PEM', 'algorithm_refused', () => hmac(pem, { alg: 'HS512' }, 'sha512')),
  row('HS256 with the public key in PEM, under alg RS256', 'signature_bad', () => hmac(pem, { alg: 'RS256' })),
  row('a key for another algorithm: RS256 by the elliptic key', 'key_unknown', () => signed(header({ kid: elliptic }), claims())),
  row('a key for another algorithm: ES256 by the RSA key', 'key_unknown', () => signed(header({ alg: 'ES256' }), claims())),
  row('an algorithm that the issuer is not set up for: EdDSA', notSetUp, () => withHeader({ alg: 'EdDSA' })),
  row('an algorithm that the issuer is not set up for: PS256', notSetUp, () => withHeader({ alg: 'PS256' })),
  row('alg twice, the last is none', 'algorithm_refused', () => signed(raw(header(), '', '"alg":"none"'), claims())),
  row('alg twice, the last is what has signed', 200, () => signed(raw(header(), '"alg":"none"'), claims())),
  row('alg twice, the last is none in another spelling of its name', 'algorithm_refused', () => signed(raw(header(), '', '"\\u0061lg":"none"'), claims()))
])

const flipped = (signature: Buffer) => Buffer.concat([signature.subarray(0, -1), Buffer.of((signature.at(-1) as number) ^ 1)])
const rs256 = (signature: (good: Buffer) => Buffer) => async () => {
  const token = await signed(header(), claims())
  const end = token.lastIndexOf('.')
  return `${token.slice(0, end)}.${signature(Buffer.from(token.slice(end + 1), 'base64url')).toString('base64url')}`
}
table('a signature is the key\'s own over exactly this text, or it is none', [
  ...(['RSA', 'ES256'] as const).flatMap(name => {
    const make = name === 'RSA' ? rs256 : es256
    return [
      row(`${name}: as it was made`, 200, make(good => good)),
      row(`${name}: none`, 'signature_bad', make(() => Buffer.alloc(0))),
      row(`${name}: all zero`, 'signature_bad', make(good => Buffer.alloc(good.length))),
      row(`${name}: all ones`, 'signature_bad', make(good => Buffer.alloc(good.length, 0xff))),
      row(`${name}: another bit`, 'signature_bad', make(flipped)),
      row(`${name}: a byte short`, 'signature_bad', make(good => good.subarray(0, -1))),
      row(`${name}: a byte long`, 'signature_bad', make(good => Buffer.concat([good, Buffer.alloc(1)]))),
      row(`${name}: a zero in front`, 'signature_bad', make(good => Buffer.concat([Buffer.alloc(1), good]))),
      row(`${name}: twice`, 'signature_bad', make(good => Buffer.concat([good, good])))
    ]
  }),
  row('RSA: the number one', 'signature_bad', rs256(good => Buffer.concat([Buffer.alloc(good.length - 1), Buffer.of(1)]))),
  row('RSA: the modulus itself', 'signature_bad', rs256(() => Buffer.from(publicJwk.n, 'base64url'))),
  row('ES256: r and s are the order of the curve', 'signature_bad', es256(() => Buffer.concat([bytes(order), bytes(order)]))),
  row('ES256: r is zero', 'signature_bad', es256(good => Buffer.concat([bytes(0n), good.subarray(32)]))),
  row('ES256: s is zero', 'signature_bad', es256(good => Buffer.concat([good.subarray(0, 32), bytes(0n)]))),
  row('ES256: r and s in turn', 'signature_bad', es256(good => Buffer.concat([good.subarray(32), good.subarray(0, 32)]))),
  row('ES256: in DER', 'signature_bad', es256(der)),
  row('ES256: each number a byte longer', 'signature_bad', es256(good => Buffer.concat([Buffer.alloc(1), good.subarray(0, 32), Buffer.alloc(1), good.subarray(32)]))),
  row('ES256: the other s of the same signature, which anybody can work out and which grants the same', 200, es256(good => Buffer.concat([good.subarray(0, 32), bytes(order - numberOf(good.subarray(32)))]))),
  row('by another key of the same issuer than the header names', 'signature_bad', () => signed(header({ alg: 'ES256', kid: elliptic }), claims())),
  row('of another token', 'signature_bad', async () => `${(await signed(header(), claims({ tenant_id: victim }))).split('.').slice(0, 2).join('.')}.${ada.token.split('.')[2]}`),
  row('over the claims, with another header', 'signature_bad', async () => [segment(header({ x: 1 })), ...(await signed(header(), claims())).split('.').slice(1)].join('.')),
  row('header and claims in turn', 'issuer_unknown', async () => { const [head, body, end] = (await signed(header(), claims())).split('.'); return `${body}.${head}.${end}` })
])

const lookalike = kid.replace(/[a-f]/, 'а').replace(/\d/, '１')
table('a key id is a name to compare, never a path, a query or a URL', [
  ...[
    '../../../../../../dev/null', '/proc/self/environ', 'file:///etc/passwd', `${trapUrl}/jwks`, `${issuer}/jwks`, '\' OR \'1\'=\'1', 'x\' UNION SELECT \'AAAA\'--', '$(sleep 9)', `\${jndi:ldap://127.0.0.1/${sentinel}}`,
    '\0', `${kid}\0`, ` ${kid}`, `${kid} `, `${kid}\n`, `${kid},${elliptic}`, kid.toUpperCase(), kid.slice(0, -1), lookalike, '*', '', '0', '__proto__', 'constructor', 'toString', '\ud800', sentinel, 'k'.repeat(4_000),
    0, null, true, [kid], { kid }, { toString: kid }
  ].map(odd => row(`kid ${quoted(odd)}`, 'key_unknown', () => withHeader({ kid: odd }))),
  row('no kid', 'key_unknown', () => withHeader({ kid: undefined })),
  row('kid of 10 KB', 'token_too_large', () => withHeader({ kid: 'k'.repeat(10_000) })),
  row('kid twice, the last is the key\'s', 200, () => signed(raw(header(), '"kid":"nobody"'), claims())),
  row('kid twice, the last is nobody\'s', 'key_unknown', () => signed(raw(header(), '', '"kid":"nobody"'), claims())),
  row('__proto__ with the key\'s kid', 'key_unknown', () => signed(raw(without(header(), 'kid'), `"__proto__":{"kid":"${kid}"}`), claims()))
])

const jwk = { ...stranger.publicKey.export({ format: 'jwk' }), kid: 'stranger' }
table('a key that comes along, or a place to fetch it, is not looked at', [
  ...(Object.entries({ jku: `${trapUrl}/jwks`, x5u: `${trapUrl}/cert.pem`, jwk, x5c: [publicKey.export({ type: 'spki', format: 'der' }).toString('base64')], x5t: 'AAAA', iss: trapUrl, url: trapUrl, jwks_uri: `${trapUrl}/jwks` }) as Array<[string, unknown]>).flatMap(([name, value]) => [
    row(`${name} beside a stranger's kid`, 'key_unknown', () => byStranger({ kid: 'stranger', [name]: value })),
    row(`${name} beside our kid, by a stranger`, 'signature_bad', () => byStranger({ [name]: value })),
    row(`${name} in a token that is good`, 200, () => withHeader({ [name]: value }))
  ]),
  row('an issuer of the enemy\'s own, with metadata and keys that fit', 'issuer_unknown', () => byStranger({ kid: 'stranger' }, claims({ iss: trapUrl }))),
  row('jku on the issuer\'s own host', 'key_unknown', () => byStranger({ kid: 'stranger', jku: `${issuer}@${new URL(trapUrl).host}/jwks` }))
])
t.test('nobody has followed a URL of a token', async t => {
  t.strictSame(visits, [])
})

const nested = async () => signed(header({ cty: 'JWT' }), await signed(header(), claims()))
table('no extension is understood, and one kind of token does not pass for another', [
  ...[[], ['b64'], ['exp'], ['x'], [7], null, 'exp', {}, '', false, 0].map(crit => row(`crit ${quoted(crit)}`, 'critical_extension', () => withHeader({ crit, b64: true, exp: 1, x: 1 }))),
  row('crit in another spelling of its name', 'critical_extension', () => signed(raw(header(), '"\\u0063rit":["x"]'), claims())),
  row('b64: false with crit, the claims as they are', 'critical_extension', () => withHeader({ crit: ['b64'], b64: false })),
  row('detached claims', 'token_malformed', async () => { const [head, , end] = (await signed(header(), claims())).split('.'); return `${head}..${end}` }),
  row('b64: false without crit is a member that nobody knows', 200, () => withHeader({ b64: false })),
  ...['dpop+jwt', 'logout+jwt', 'secevent+jwt', 'oauth-authz-req+jwt', 'JOSE', 'jwt ', 'application/application/jwt', '', null, 7, ['at+jwt'], { typ: 'JWT' }].map(typ => row(`typ ${quoted(typ)}`, 'type_refused', () => withHeader({ typ }))),
  ...['at+jwt', 'AT+JWT', 'application/at+jwt', 'JWT', 'jwt', undefined].map(typ => row(`typ ${quoted(typ)}`, 200, () => withHeader({ typ }))),
  row('an ID token, which is for its client', 'audience_foreign', () => signed(header({ typ: 'JWT' }), claims({ aud: 'laptop', nonce: 'n', at_hash: 'x' }))),
  row('a token within a token', 'token_malformed', nested),
  row('zip, with claims that are compressed', 'token_malformed', () => signed(header({ zip: 'DEF' }), deflateRawSync(JSON.stringify(claims())))),
  row('zip, with claims as they are', 200, () => withHeader({ zip: 'DEF' })),
  row('an encrypted token of five parts', 'api_key_unknown', () => [segment({ alg: 'RSA-OAEP', enc: 'A256GCM', kid }), 'AAAA', 'AAAA', 'AAAA', 'AAAA'].join('.')),
  row('an encrypted token that says so in three parts', 'algorithm_refused', () => withHeader({ alg: 'RSA-OAEP', enc: 'A256GCM' })),
  row('enc in a token that is signed', 200, () => withHeader({ enc: 'A256GCM' })),
  row('bound to a key of its client', 'token_bound', () => withClaims({ cnf: { jkt: 'x' } })),
  ...[{}, '', false, []].map(cnf => row(`bound by ${quoted(cnf)}`, 'token_bound', () => withClaims({ cnf })))
])

table('of a claim that comes twice the last counts, for the rules as for what is granted', [
  row('iss, ours last', 200, () => signed(header(), raw(claims(), '"iss":"https://evil.example"')), opens(tenant)),
  row('iss, ours first', 'issuer_unknown', () => signed(header(), raw(claims(), '', '"iss":"https://evil.example"'))),
  row('tenant_id, ours last', 200, () => signed(header(), raw(claims(), `"tenant_id":"${victim}"`)), opens(tenant)),
  row('tenant_id in another spelling of its name', 200, () => signed(header(), raw(claims(), `"tenant\\u005fid":"${victim}"`)), opens(tenant)),
  row('tenant_id, the last is none', 'tenant_missing', () => signed(header(), raw(claims(), '', '"tenant_id":null'))),
  row('exp, over last', 'token_expired', () => signed(header(), raw(claims(), '', '"exp":1'))),
  row('exp, over first', 200, () => signed(header(), raw(claims(), '"exp":1'))),
  row('aud, ours last', 200, () => signed(header(), raw(claims(), '"aud":"https://evil.example"'))),
  row('aud, ours first', 'audience_foreign', () => signed(header(), raw(claims(), '', '"aud":"https://evil.example"'))),
  row('scope, the lesser last', 200, () => signed(header(), raw(claims(), '"scope":"graph:admin"')), grants('graph:read')),
  row('a second tenant_id under the first signature', 'signature_bad', async () => { const [head, , end] = ada.token.split('.'); return `${head}.${segment(raw(claimsOf(ada.token), '', `"tenant_id":"${victim}"`))}.${end}` })
])

table('a tenant is the text that the issuer has signed, and no other', [
  ...[undefined, null, '', 7, true, {}, [], [7, null], [[tenant]], { 0: tenant }, { tenant_id: tenant }, 'x'.repeat(129), 'é'.repeat(65), '\ud800', 'a\udfff'].map(odd => row(`tenant_id ${quoted(odd)}`, 'tenant_missing', () => withClaims({ tenant_id: odd }))),
  row('two tenants', 'tenant_unchosen', () => withClaims({ tenant_id: [tenant, victim] })),
  row('one tenant, twice in a list', 200, () => withClaims({ tenant_id: [tenant, tenant] }), opens(tenant)),
  ...['*', `*${victim}`, `../${victim}`, `./${victim}`, `/${victim}`, `${victim}_`, `${victim}_secrets`, `${victim}\0`, `${victim} `, ` ${victim}`, victim.toUpperCase(), `${victim}%00`, `${victim}\r\nX-Tenant-Id: ${victim}`, `${tenant},${victim}`, `${victim}:secrets`, `=${victim}`, victim.replace('-', '=2D'), '{bob}', '\u202ebob', 'null', 'undefined', '__proto__', 'default']
    .map(odd => row(`tenant_id ${quoted(odd)}`, 200, () => withClaims({ tenant_id: odd }), opens(odd))),
  row('tenant_id é in one character', 200, () => withClaims({ tenant_id: `${tenant}-\u00e9` }), opens(`${tenant}-\u00e9`)),
  row('tenant_id é in two is another tenant', 200, () => withClaims({ tenant_id: `${tenant}-e\u0301` }), opens(`${tenant}-e\u0301`)),
  row('tenant_id of 128 bytes', 200, () => withClaims({ tenant_id: 'x'.repeat(128) }), opens('x'.repeat(128))),
  row('__proto__ with a tenant', 'tenant_missing', () => signed(header(), raw(without(claims(), 'tenant_id'), `"__proto__":{"tenant_id":"${victim}"}`))),
  row('__proto__ with an issuer', 'issuer_unknown', () => signed(header(), raw(without(claims(), 'iss'), `"__proto__":{"iss":"${issuer}"}`))),
  row('constructor with a tenant', 200, () => withClaims({ constructor: { prototype: { tenant_id: victim } } }), opens(tenant)),
  row('other names for a tenant', 200, () => withClaims({ tenant: victim, tenantId: victim, 'tenant_id.': victim, tid: victim, 'x-tenant-id': victim, org_id: victim }), opens(tenant))
])

const nothingGranted = [[['graph:admin']], 'graph:read\tgraph:admin', 'graph:read,graph:admin', 'GRAPH:ADMIN', 'graph:*', '*', 'graph:admin\0', ' graph', 'graph:admin\n', '__proto__', { 'graph:admin': true }, 7, true, '', [], undefined, '-graph:admin', 'graph%3Aadmin', 'ɡraph:admin']
table('a scope is granted by its exact name', [
  row('of a list', 200, () => withClaims({ scope: ['graph:write', 'openid'] }), grants('graph:read', 'graph:write')),
  row('the same twice', 200, () => withClaims({ scope: 'graph:admin graph:admin' }), grants('graph:read', 'graph:write', 'graph:admin')),
  row('scp where there is no scope', 200, () => withClaims({ scope: undefined, scp: ['graph:read'] }), grants('graph:read'))
])
t.test('any other text for a scope grants nothing', async t => {
  for (const scope of [...nothingGranted]) {
    const token = await withClaims({ scope })
    await grants()(t, token)
    const answer = await ask(token)
    t.match([answer.status, answer.json?.error?.code], [403, 'insufficient_scope'], quoted(scope))
  }
  await grants()(t, await withClaims({ scope: '', scp: 'graph:admin' }))
})

table('the audience is ours, byte for byte', [
  ...[[ours], [ours, 'https://other.example'], ['https://other.example', ours]].map(aud => row(`aud ${quoted(aud)}`, 200, () => withClaims({ aud }))),
  ...[undefined, null, '', '*', 7, true, [], [[ours]], { 0: ours }, { aud: ours }, [ours, 7], [ours, null], `${ours}/`, `${ours}?`, `${ours}#`, `${ours}x`, ours.slice(0, -1), ours.toUpperCase(), ` ${ours}`, `${ours}\0`, ours.replace('https:', 'http:'), `${ours}, https://other.example`, `${ours} https://other.example`, gateway.url, `${gateway.url}/`, issuer, `https://evil.example/?${ours}`, ours.replace('/mcp', '/%6dcp')]
    .map(aud => row(`aud ${quoted(aud)}`, 'audience_foreign', () => withClaims({ aud })))
])

table('a token is good in its time, as numbers say it', [
  ...[undefined, null, true, [], {}, [9e9], String(now() + 600), `${now() + 600}s`, '', '9e9'].map(exp => row(`exp ${quoted(exp)}`, 'expiry_missing', () => withClaims({ exp }))),
  row('exp 1e400', 'expiry_missing', () => signed(header(), raw(without(claims(), 'exp'), '"exp":1e400'))),
  row('exp -1e400', 'expiry_missing', () => signed(header(), raw(without(claims(), 'exp'), '"exp":-1e400'))),
  row('exp -0', 'token_expired', () => signed(header(), raw(without(claims(), 'exp'), '"exp":-0'))),
  ...[0, -1, 1, 1e-300].map(exp => row(`exp ${exp}`, 'token_expired', () => withClaims({ exp }))),
  row('exp a second ago', 'token_expired', () => withClaims({ exp: now() - 1, iat: now() - 60 })),
  row('exp is this second', 'token_expired', () => withClaims({ exp: now() })),
  row('exp in milliseconds', 'expiry_too_far', () => withClaims({ exp: Date.now() })),
  row('exp in 401 days', 'expiry_too_far', () => withClaims({ exp: now() + 401 * 86_400 })),
  row('exp 1e308', 'expiry_too_far', () => withClaims({ exp: 1e308 })),
  row('exp in 399 days', 200, () => withClaims({ exp: now() + 399 * 86_400 })),
  row('exp with a fraction', 200, () => withClaims({ exp: now() + 60.5 })),
  ...['nbf', 'iat'].flatMap(name => [
    row(`${name} in a minute`, 'token_not_yet_valid', () => withClaims({ [name]: now() + 60 })),
    row(`${name} in five seconds, as a clock may be ahead`, 200, () => withClaims({ [name]: now() + 5 })),
    row(`${name} in milliseconds`, 'token_not_yet_valid', () => withClaims({ [name]: Date.now() })),
    row(`${name} 1e400`, 'token_not_yet_valid', () => signed(header(), raw(without(claims(), name), `"${name}":1e400`))),
    ...[String(now()), null, [], true, {}].map(odd => row(`${name} ${quoted(odd)}`, 'token_not_yet_valid', () => withClaims({ [name]: odd })))
  ])
])

const { protocol, host } = new URL(issuer)
table('the issuer is a configured one, byte for byte, and the subject a text', [
  ...[undefined, null, 7, [issuer], { iss: issuer }, '', `${issuer}/`, `${issuer}?`, `${issuer}#`, ` ${issuer}`, `${issuer} `, `${issuer}\0`, issuer.toUpperCase(), `${protocol}//${host}:443`, `${protocol}//user@${host}`, issuer.replace(/:(?=\d+$)/, '：'), `${issuer}.evil.example`, 'api-key', '__proto__', 'constructor', '*', `${gateway.url}/`]
    .map(iss => row(`iss ${quoted(iss)}`, 'issuer_unknown', () => withClaims({ iss }))),
  // The built-in sign-in is trusted as well, and has not signed this.
  row(`iss ${quoted(gateway.url)}`, 'key_unknown', () => withClaims({ iss: gateway.url })),
  ...[undefined, null, '', 7, [], ['ada'], { sub: 'ada' }, 's'.repeat(257), '\ud800'].map(sub => row(`sub ${quoted(sub)}`, 'subject_missing', () => withClaims({ sub }))),
  ...['s'.repeat(256), `ada\r\nX-Tenant-Id: ${victim}`, 'ada\0', '*', '__proto__', '{"tenantId":"bob"}', `ada|${victim}`].map(sub => row(`sub ${quoted(sub)}`, 200, () => withClaims({ sub }), opens(tenant))),
  ...[`x\r\nX-Tenant-Id: ${victim}`, ['x'], 7, '\ud800'].map(client => row(`client_id ${quoted(client)}`, 200, () => withClaims({ client_id: client }), opens(tenant)))
])

/** A token of exactly so many characters. */
async function ofLength (length: number): Promise<string> {
  for (const pad of ['', 'x', 'xx', 'xxx']) {
    const base = segment(header({ pad })).length + 2 + 342
    for (let size = length - base; size > 0 && size > length - base - 8; size--) {
      const body = claims({ filler: '' })
      const missing = Math.floor(size * 3 / 4) - JSON.stringify(body).length
      const token = await signed(header({ pad }), { ...body, filler: 'f'.repeat(missing) })
      if (token.length === length) return token
    }
  }
  throw new Error(`no token has ${length} characters`)
}

const good = () => signed(header(), claims())
const changed = (change: (head: string, body: string, end: string) => string) => async () => {
  const [head, body, end] = (await good()).split('.') as [string, string, string]
  return change(head, body, end)
}
/** The same bytes in a last character with unused bits that are set. */
const uncanonical = (text: string) => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return `${text.slice(0, -1)}${alphabet[alphabet.indexOf(text.at(-1) as string) + 1]}`
}
/** Claims whose base64url ends in a character with unused bits. */
const uneven = async () => {
  let body = claims()
  while (segment(body).length % 4 === 0) body = { ...body, pad: `${body.pad ?? ''}x` }
  return (await signed(header(), body)).split('.') as [string, string, string]
}
table('a token has one spelling: three parts in base64url, JSON objects in UTF-8, 8 KiB at most', [
  row('padding after the header', 'token_malformed', changed((head, body, end) => `${head}=.${body}.${end}`)),
  row('padding after the claims', 'token_malformed', changed((head, body, end) => `${head}.${body}==.${end}`)),
  row('padding after the signature', 'token_malformed', changed((head, body, end) => `${head}.${body}.${end}==`)),
  row('unused bits in the claims', 'token_malformed', async () => { const [head, body, end] = await uneven(); return `${head}.${uncanonical(body)}.${end}` }),
  row('unused bits in the signature', 'token_malformed', changed((head, body, end) => `${head}.${body}.${uncanonical(end)}`)),
  row('a lone character more', 'token_malformed', changed((head, body, end) => `${head}.${body}.${end}AAA`.slice(0, head.length + body.length + end.length + 5))),
  row('base64 in place of base64url', 'token_malformed', changed((head, body, end) => `${head}.${body}.${end.slice(0, -4)}+/+/`)),
  row('a space within', 'token_malformed', changed((head, body, end) => `${head}. ${body}.${end}`)),
  row('a tab within', 'token_malformed', changed((head, body, end) => `${head}.\t${body}.${end}`)),
  row('a percent sign for a character', 'token_malformed', changed((head, body, end) => `${head}.%65${body.slice(1)}.${end}`)),
  row('a letter beyond ASCII', 'token_malformed', changed((head, body, end) => `${head}.é${body}.${end}`)),
  row('percent signs for the dots', 'api_key_unknown', changed((head, body, end) => `${head}%2E${body}%2E${end}`)),
  row('four parts', 'api_key_unknown', changed((head, body, end) => `${head}.${body}.${end}.`)),
  row('a fourth part in front', 'api_key_unknown', changed((head, body, end) => `.${head}.${body}.${end}`)),
  row('two parts', 'api_key_unknown', changed((head, body) => `${head}.${body}`)),
  row('one part', 'api_key_unknown', changed(head => head)),
  row('in quotes', 'token_malformed', changed((head, body, end) => `"${head}.${body}.${end}"`)),
  ...['..', 'e30..', 'e30.e30.', '.e30.', 'AAAA.AAAA.AAAA'].map(token => row(`nothing but ${token}`, token === 'e30.e30.' ? 'issuer_unknown' : 'token_malformed', () => token)),
  ...['.', '...', '.....', '-', '='].map(token => row(`nothing but ${token}`, 'api_key_unknown', () => token)),
  ...['[]', '""', '"x"', 'null', '7', 'true', '', ' ', '{', '{}{}', '{}]', '{"a":1,}', '{\'a\':1}', '{a:1}', '{"a":1}//', '\ufeff{}', '{"a":"\0"}', '{"a":NaN}', '{"a":"\\ud8"}', '['.repeat(2_000), '{"a":'.repeat(1_000)].flatMap(text => [
    row(`header ${quoted(text)}`, 'token_malformed', () => signed(text, claims())),
    row(`claims ${quoted(text)}`, 'token_malformed', () => signed(header(), text))
  ]),
  row('claims after a byte order mark', 'token_malformed', () => signed(header(), `\ufeff${JSON.stringify(claims())}`)),
  row('claims in UTF-16', 'token_malformed', () => signed(header(), Buffer.from(JSON.stringify(claims()), 'utf16le'))),
  row('claims nested a thousand times', 200, () => signed(header(), raw(claims(), `"deep":${'['.repeat(1_000)}${']'.repeat(1_000)}`)), opens(tenant)),
  row('claims with spaces between', 200, () => signed(header(), JSON.stringify(claims(), undefined, 2)), opens(tenant)),
  row('8 KiB', 200, () => ofLength(8_192), opens(tenant)),
  row('8 KiB and one character', 'token_too_large', () => ofLength(8_193)),
  row('16 KB', 'token_too_large', () => ofLength(16_000))
])

type Carried = (token: string) => Pick<Request, 'headers'> & Partial<Request>
const carried: Array<[what: string, must: Expected, carry: Carried]> = [
  ...['Bearer', 'bearer', 'BEARER', 'bEaReR'].map((scheme): typeof carried[0] => [`after ${scheme}`, 200, token => ({ headers: { authorization: `${scheme} ${token}` } })]),
  ['after two spaces', 200, token => ({ headers: { authorization: `Bearer  ${token}` } })],
  ['before spaces', 200, token => ({ headers: { authorization: `Bearer ${token}  ` } })],
  ['after a tab', 'missing_token', token => ({ headers: { authorization: `Bearer\t${token}` } })],
  ...['', 'Basic ', 'Digest ', 'Token ', 'DPoP ', 'Negotiate ', 'Bearer:', 'Bearer=', 'Bearer', 'BearerX ', 'Bearer,'].map((scheme): typeof carried[0] => [`after ${quoted(scheme)}`, 'missing_token', token => ({ headers: { authorization: `${scheme}${token}` } })]),
  ['nothing after Bearer', 'missing_token', () => ({ headers: { authorization: 'Bearer' } })],
  ['an empty header', 'missing_token', () => ({ headers: { authorization: '' } })],
  ['two in one header', 'several_credentials', token => ({ headers: { authorization: `Bearer ${token}, Bearer ${token}` } })],
  ['with a parameter', 'several_credentials', token => ({ headers: { authorization: `Bearer ${token}, realm="x"` } })],
  ['in two headers', 'several_credentials', token => ({ headers: ['Authorization', `Bearer ${token}`, 'Authorization', `Bearer ${token}`] })],
  ['in two headers, one of them empty', 'several_credentials', token => ({ headers: ['Authorization', '', 'authorization', `Bearer ${token}`] })],
  ['in both headers', 'several_credentials', token => ({ headers: { authorization: `Bearer ${token}`, 'X-API-Key': token } })],
  ['in X-API-Key', 'api_key_unknown', token => ({ headers: { 'X-API-Key': token } })],
  ['in X-API-Key after Bearer', 'api_key_unknown', token => ({ headers: { 'X-API-Key': `Bearer ${token}` } })],
  ...['Cookie', 'Proxy-Authorization', 'X-Auth-Token', 'X-Access-Token', 'X-Forwarded-Access-Token', 'X-Authorization', 'Sec-WebSocket-Protocol', 'X-Forwarded-Authorization', 'Mcp-Session-Id', 'X-Identity-Assertion', 'X-Original-Authorization']
    .map((name): typeof carried[0] => [`in ${name}`, 'missing_token', token => ({ headers: { [name]: name === 'Cookie' ? `access_token=${token}` : `Bearer ${token}` } })]),
  ['in the body', 'missing_token', token => ({ body: `access_token=${token}`, headers: { 'content-type': 'application/x-www-form-urlencoded' } })],
  ['in the query', 'credential_in_query', token => ({ path: `/tools/falkordb_health?access_token=${token}` })],
  ['in the query beside the header', 'credential_in_query', token => ({ path: `/tools/falkordb_health?access_token=${token}`, headers: { authorization: `Bearer ${token}` } })]
]
t.test('a token counts in one header only, in one form', async t => {
  for (const [what, must, carry] of carried) {
    const token = await good()
    for (const part of tellingParts(token)) secrets.add(part)
    const answer = await gateway.send({ path: '/tools/falkordb_health', body: {}, ...carry(token) })
    if (must === 200) t.equal(answer.status, 200, `${what}: ${answer.text}`)
    else isRefused(t, what, must, answer, token)
  }
})

t.test('29: the tool service has seen nothing of what was turned away, and no log holds a part of any token', async t => {
  // A caller who is new: of one who is known not each call is logged.
  const last = String((await (await gateway.person()).send({ path: '/tools/falkordb_health', body: {} })).headers['x-request-id'])
  for (const part of ['traefik', 'verify', 'mcp'] as const) await until(`request ${last} in the log of ${part}`, async () => (await gateway.logs(part)).includes(last), 15)
  const seen = await gateway.logs('mcp')
  t.ok(refused.size > 150, `${refused.size} requests were turned away`)
  t.strictSame([...refused].filter(id => seen.includes(id)), [])
  for (const part of ['traefik', 'verify', 'mcp', 'falkordb'] as const) {
    const log = await gateway.logs(part)
    t.strictSame([...secrets, sentinel].filter(secret => log.includes(secret)).map(secret => secret.slice(0, 40)), [], part)
  }
})
