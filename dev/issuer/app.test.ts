import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify, type JSONWebKeySet } from 'jose'
import t, { type Test } from 'tap'
import { buildIssuer } from './app.ts'
import { addKey, keyRequests, mintToken, removeKey, setOutage, signInput, type IssuerAccess } from './client.ts'
import { openKeys } from './keys.ts'

const audience = 'https://localhost:8443/mcp'
const issuer = 'http://issuer.example'

/** An issuer that listens, and the way to it. */
async function start (t: Test, file?: string): Promise<IssuerAccess> {
  const app = buildIssuer({ issuer, audience, keys: await openKeys(file), mintSecret: 'only-the-owner' })
  t.teardown(() => app.close())
  return { url: await app.listen({ host: '127.0.0.1', port: 0 }), secret: 'only-the-owner' }
}

const jwks = async ({ url }: IssuerAccess) => await (await fetch(`${url}/jwks`)).json() as JSONWebKeySet
const verify = async (access: IssuerAccess, token: string) => await jwtVerify(token, createLocalJWKSet(await jwks(access)), { issuer, audience, typ: 'at+jwt' })

t.test('its tokens are access tokens that its published keys verify', async t => {
  const access = await start(t)
  const { payload, protectedHeader } = await verify(access, await mintToken(access, { claims: { sub: 'ada', tenant_id: 'acme', scope: 'graph:read' }, ttl: 60 }))
  t.match(payload, { sub: 'ada', tenant_id: 'acme', scope: 'graph:read', jti: /.{8}/ })
  t.equal(Number(payload.exp) - Number(payload.iat), 60)
  t.equal(protectedHeader.alg, 'RS256')
})

t.test('a test says every claim and header itself, and leaves claims out', async t => {
  const access = await start(t)
  const token = await mintToken(access, { claims: { aud: undefined, exp: 5, tenant_id: ['a', 'b'], iss: 'https://other.example' }, header: { typ: 'JWT', kid: 'unknown' } })
  t.notOk('aud' in decodeJwt(token))
  t.match(decodeJwt(token), { exp: 5, tenant_id: ['a', 'b'], iss: 'https://other.example' })
  t.strictSame(decodeProtectedHeader(token), { alg: 'RS256', kid: 'unknown', typ: 'JWT' })
})

t.test('keys rotate: the new one signs, the old one stays published until it is removed', async t => {
  const access = await start(t)
  const old = await mintToken(access)
  const kid = await addKey(access, 'ES256')
  const token = await mintToken(access)
  t.equal(decodeProtectedHeader(token).kid, kid)
  await verify(access, token)
  await verify(access, old)
  await removeKey(access, String(decodeProtectedHeader(old).kid))
  await t.rejects(verify(access, old), { code: 'ERR_JWKS_NO_MATCHING_KEY' })
  await verify(access, token)
})

t.test('a key can stay unpublished', async t => {
  const access = await start(t)
  const kid = await addKey(access, 'RS256', false)
  await t.rejects(verify(access, await mintToken(access, { kid })), { code: 'ERR_JWKS_NO_MATCHING_KEY' })
})

t.test('a key may sign only what asks for it by name', async t => {
  const access = await start(t)
  const first = decodeProtectedHeader(await mintToken(access)).kid
  const kid = await addKey(access, 'ES256', true, false)
  t.equal(decodeProtectedHeader(await mintToken(access)).kid, first)
  await verify(access, await mintToken(access, { kid }))
})

t.test('a test has every byte of a token signed that it has written itself', async t => {
  const access = await start(t)
  const kid = await addKey(access, 'ES256')
  const part = (text: string) => Buffer.from(text).toString('base64url')
  const input = `${part(`{"alg":"ES256","kid":"${kid}","typ":"at+jwt"}`)}.${part(`{"iss":"evil","iss":"${issuer}","aud":"${audience}"}`)}`
  t.match((await verify(access, `${input}.${await signInput(access, input, kid)}`)).payload, { iss: issuer })
  await t.rejects(signInput(access, input, 'nobody'), /404/)
  await t.rejects(signInput({ ...access, secret: 'a guess' }, input), /401/)
})

t.test('it counts how often its keys were asked for', async t => {
  const access = await start(t)
  const before = await keyRequests(access)
  await jwks(access)
  await jwks(access)
  t.equal(await keyRequests(access) - before, 2)
})

t.test('the keys never leave with their private parts', async t => {
  const access = await start(t)
  await addKey(access, 'ES256')
  for (const key of (await jwks(access)).keys) t.notOk(['d', 'p', 'q', 'dp', 'dq', 'qi'].some(name => name in key), String(key.kty))
})

t.test('keys outlive the process, in a file for their owner alone', async t => {
  const dir = await mkdtemp(join(tmpdir(), 'issuer-'))
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  const file = join(dir, 'keys.json')
  const token = await mintToken(await start(t, file))
  await verify(await start(t, file), token)
  t.equal((await stat(file)).mode & 0o777, 0o600)
})

t.test('nobody without the secret has tokens signed', async t => {
  const access = await start(t)
  await t.rejects(mintToken({ ...access, secret: 'a guess' }), /401/)
  for (const path of ['/mint', '/keys']) t.equal((await fetch(`${access.url}${path}`, { method: 'POST' })).status, 401)
})

t.test('an outage takes the documents away and nothing else', async t => {
  const access = await start(t)
  await setOutage(access, true)
  t.equal((await fetch(`${access.url}/jwks`)).status, 503)
  t.equal((await fetch(`${access.url}/.well-known/openid-configuration`)).status, 503)
  t.ok(await mintToken(access))
  await setOutage(access, false)
  t.equal((await jwks(access)).keys.length, 1)
})

t.test('its metadata say what it is, in both forms', async t => {
  const { url } = await start(t)
  for (const name of ['openid-configuration', 'oauth-authorization-server']) {
    const metadata = await (await fetch(`${url}/.well-known/${name}`)).json()
    t.match(metadata, { issuer, jwks_uri: `${issuer}/jwks`, description: /stand-in for an external identity provider/ })
  }
})
