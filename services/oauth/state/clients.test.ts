import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { SignJWT, decodeJwt } from 'jose'
import t from 'tap'
import { nowSeconds, readRevocations, type Remembered } from '@gateway/common/revocations.ts'
import type { StateClient } from '@gateway/common/state.ts'
import { hashOfSecret } from './clients.ts'
import { names } from './names.ts'
import { gidOf, type MachineClient, type Store } from './store.ts'
import { connection, issuer, makeProvider, openThere, resource, serve } from './test-support.ts'

const day = 86_400
const metadata = { redirect_uris: ['https://app.example/back'], token_endpoint_auth_method: 'client_secret_basic' }

async function register (origin: string, body: object = metadata) {
  const answer = await fetch(`${origin}/reg`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  return { status: answer.status, body: await answer.json() as Record<string, string> }
}

/** The registered client's own record (RFC 7592). */
async function manage (origin: string, { client_id: id, registration_access_token: token }: Record<string, string>, method: string, body?: object) {
  const answer = await fetch(`${origin}/reg/${id}`, { method, headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, ...(body && { body: JSON.stringify(body) }) })
  return { status: answer.status, body: await answer.json().catch(() => undefined) as Record<string, string> }
}

const basic = (id: string, secret: string) => `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`

async function machineToken (origin: string, authorization: string) {
  const answer = await fetch(`${origin}/token`, { method: 'POST', headers: { authorization }, body: new URLSearchParams({ grant_type: 'client_credentials', resource, scope: 'graph:read' }) })
  return { status: answer.status, body: await answer.json() as Record<string, string> }
}

async function revocations (client: StateClient): Promise<Remembered[]> {
  const all: Remembered[] = []
  for await (const records of readRevocations(client, fault => { throw new Error(fault) })) all.push(...records)
  return all
}

async function machines (store: Store): Promise<MachineClient[]> {
  const all: MachineClient[] = []
  for await (const page of store.clients.all()) all.push(...page)
  return all
}

/** Seconds that are left to a key, to within a few of what is wanted. */
async function lives (client: StateClient, key: string, seconds: number): Promise<boolean> {
  return Math.abs(await client.ttl(key) - seconds) <= 5
}

t.test('a registered client is kept for a day, once it was used for CLIENT_UNUSED_S from its last use, and its registration token as long', async t => {
  const { client, store } = await openThere(t, { clientUnusedSeconds: 400 * day })
  const origin = await serve(t, makeProvider(store))
  const { status, body } = await register(origin)
  t.equal(status, 201)
  const [record, token] = [names.client(String(body.client_id)), names.record('RegistrationAccessToken', String(body.registration_access_token))]
  const live = async (seconds: number) => await lives(client, record, seconds) && await lives(client, token, seconds) && Math.abs(Number(await client.zScore(names.clients, String(body.client_id))) - nowSeconds() - seconds) <= 5
  t.ok(await live(day))
  await store.clients.used(String(body.client_id))
  t.ok(await live(400 * day))
  t.ok(await client.ttl(names.clients) >= 400 * day - 5)

  await client.expire(record, 100)
  await store.clients.used(String(body.client_id))
  t.ok(await lives(client, record, 100), 'once an hour at most')
  await client.hSet(record, 'used', nowSeconds() - 3_600)
  await store.clients.used(String(body.client_id))
  t.ok(await live(400 * day))
  await store.clients.used('https://claude.ai/client.json')
  t.equal(await store.clients.count(), 1, 'a client of a metadata document has no record')
})

t.test('a secret is kept as its digest, which is no secret itself; an update keeps it, and gives no more time', async t => {
  const { client, store } = await openThere(t)
  const provider = makeProvider(store)
  const origin = await serve(t, provider)
  const { body: registered } = await register(origin)
  const id = String(registered.client_id)
  const kept = hashOfSecret(String(registered.client_secret))
  t.equal((await store.clients.find(id))?.client_secret, kept)
  await client.expire(names.client(id), 1_000)
  const updated = await manage(origin, registered, 'PUT', { ...metadata, client_id: id, client_name: 'Renamed' })
  t.equal(updated.status, 200)
  t.match(await store.clients.find(id), { client_name: 'Renamed', client_secret: kept })
  t.ok(await lives(client, names.client(id), 1_000))
  t.equal((await manage(origin, updated.body, 'GET')).body.client_name, 'Renamed')
  t.equal((await manage(origin, registered, 'GET')).status, 401, 'its registration token is another one now')
  t.ok(await lives(client, names.record('RegistrationAccessToken', String(updated.body.registration_access_token)), 1_000))
  const found = await provider.Client.find(id) as unknown as { compareClientSecret: (actual: string) => boolean }
  t.ok(found.compareClientSecret(String(registered.client_secret)))
  t.notOk(found.compareClientSecret(kept), 'who reads Valkey cannot use what is there')
})

t.test('one client more than CLIENTS_MAX is refused and told what to do, also when many come at once', async t => {
  const { client, store } = await openThere(t, { clientsMax: 5 })
  const origin = await serve(t, makeProvider(store))
  const answers = await Promise.all(Array.from({ length: 15 }, async () => await register(origin)))
  t.equal(answers.filter(({ status }) => status === 201).length, 5)
  const refused = answers.find(({ status }) => status !== 201)
  t.match(refused, { status: 503, body: { error: 'temporarily_unavailable', error_description: /CLIENTS_MAX/ } })
  t.equal(await store.clients.count(), 5)
  await store.clients.create({ name: 'nightly', tenant: 'acme', scopes: ['graph:read'] })
  t.equal(await store.clients.count(), 5, 'the operator\'s own are not counted')

  const known = answers.find(({ status }) => status === 201)?.body as Record<string, string>
  t.equal((await manage(origin, known, 'PUT', { ...metadata, client_id: known.client_id })).status, 200, 'who is there already may change')
  const [oldest] = await client.zRange(names.clients, 0, 0)
  await client.zAdd(names.clients, [{ score: nowSeconds() - 1, value: String(oldest) }])
  t.equal((await register(origin)).status, 201, 'the place of one that was forgotten is free')
})

t.test('a client that deletes its registration ends its connections with it (RFC 7592)', async t => {
  const { client, store } = await openThere(t)
  const origin = await serve(t, makeProvider(store))
  const { body: registered } = await register(origin)
  const id = String(registered.client_id)
  await store.grants.remember('g', connection({ clientId: id }), day)
  t.equal((await manage(origin, registered, 'DELETE')).status, 204)
  t.equal(await store.grants.find(gidOf('g')), undefined)
  t.match((await revocations(client)).map(({ revocation }) => revocation), [{ kind: 'grant', issuer, id: gidOf('g') }])
  t.equal(await store.clients.find(id), undefined)
  t.equal(await store.clients.count(), 0)
  t.equal(await client.exists(names.record('RegistrationAccessToken', String(registered.registration_access_token))), 0)
  t.equal((await manage(origin, registered, 'GET')).status, 401)
})

t.test('nobody registers as a machine', async t => {
  const { store } = await openThere(t)
  const origin = await serve(t, makeProvider(store))
  for (const more of [{ gateway_machine: true }, { gateway_tenant: 'acme' }]) t.match(await register(origin, { ...metadata, ...more }), { status: 400, body: { error: 'invalid_client_metadata' } })
})

t.test('a machine client gets tokens by its secret; removed, it gets none, and those that it has are revoked', async t => {
  const { client, store } = await openThere(t)
  const origin = await serve(t, makeProvider(store))
  const { clientId, secret } = await store.clients.create({ name: 'nightly', tenant: 'acme', scopes: ['graph:read', 'graph:write'] })
  const { status, body } = await machineToken(origin, basic(clientId, String(secret)))
  t.equal(status, 200)
  const claims = decodeJwt(String(body.access_token))
  t.match(claims, { sub: clientId, client_id: clientId, scope: 'graph:read', iss: issuer })
  t.equal((await machineToken(origin, basic(clientId, 'guessed'))).status, 401)
  t.equal((await machineToken(origin, basic(clientId, hashOfSecret(String(secret))))).status, 401)
  await store.clients.used(clientId)
  t.match(await machines(store), [{ clientId, name: 'nightly', tenant: 'acme', scopes: ['graph:read', 'graph:write'], auth: 'client_secret_basic', expiresAt: undefined }])
  t.ok(Number((await machines(store))[0]?.lastUsed) >= nowSeconds() - 5)

  t.ok(await store.clients.remove(clientId))
  const [record] = await revocations(client)
  t.match(record?.revocation, { kind: 'subject', issuer, id: clientId })
  t.ok(Number(record?.revocation.at) >= Number(claims.iat))
  t.ok(Number(record?.until) > Number(claims.exp))
  t.equal((await machineToken(origin, basic(clientId, String(secret)))).status, 401)
  t.strictSame(await machines(store), [])
  t.notOk(await store.clients.remove(clientId))
})

t.test('a machine with keys of its own signs in by them, and one with an end is gone then', async t => {
  const { client, store } = await openThere(t)
  const origin = await serve(t, makeProvider(store))
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const end = nowSeconds() + 1_000
  const { clientId, secret } = await store.clients.create({ name: 'signer', tenant: 'acme', scopes: ['graph:read'], jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'ES256' }] }, expiresAt: end })
  t.equal(secret, undefined)
  const assertion = await new SignJWT({ jti: randomUUID() }).setProtectedHeader({ alg: 'ES256', kid: 'k1' }).setIssuer(clientId).setSubject(clientId).setAudience(issuer).setIssuedAt().setExpirationTime('1m').sign(privateKey)
  const ask = async () => (await fetch(`${origin}/token`, { method: 'POST', body: new URLSearchParams({ grant_type: 'client_credentials', resource, scope: 'graph:read', client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer', client_assertion: assertion }) })).status
  t.equal(await ask(), 200)
  t.equal(await ask(), 401, 'an assertion counts once')
  t.match(await machines(store), [{ clientId, auth: 'private_key_jwt', expiresAt: end }])
  t.equal(await client.expireTime(names.client(clientId)), end)
})
