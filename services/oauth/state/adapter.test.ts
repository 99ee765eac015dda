import { errors, type Adapter, type Provider } from 'oidc-provider'
import t, { type Test } from 'tap'
import { nowSeconds, parseRecord, readRevocations, revocationsChannel } from '@gateway/common/revocations.ts'
import type { StateClient } from '@gateway/common/state.ts'
import { until } from '../../../tests/support/until.ts'
import { names } from './names.ts'
import { gidOf, type Store } from './store.ts'
import { connection, everything, issuer, makeProvider, openThere, publicClient, resource, serve } from './test-support.ts'

const accountId = 'github:583231'

/** A grant with its connection, as a consent makes it. */
async function consented (provider: Provider, store: Store): Promise<string> {
  const grant = new provider.Grant({ accountId, clientId: publicClient.client_id })
  grant.addResourceScope(resource, 'graph:read')
  const grantId = await grant.save()
  await store.grants.remember(grantId, connection(), 15_552_000)
  return grantId
}

const facts = (grantId: string) => ({ accountId, clientId: publicClient.client_id, grantId, scope: 'graph:read', resource }) as const

async function revokedGrants (client: StateClient): Promise<string[]> {
  const ids: string[] = []
  for await (const records of readRevocations(client, fault => { throw new Error(fault) })) ids.push(...records.filter(({ revocation }) => revocation.kind === 'grant' && revocation.issuer === issuer).map(({ revocation }) => revocation.id))
  return ids
}

/** What oidc-provider keeps of one sign-in and its tokens, made by its own models. @returns each value that a bearer could use */
async function wholeLife (t: Test, provider: Provider, store: Store): Promise<string[]> {
  const session = new provider.Session()
  session.loginAccount({ accountId })
  await session.save(28_800)
  const grantId = await consented(provider, store)
  session.grantIdFor(publicClient.client_id, grantId)
  await session.persist()

  const uid = 'an-interaction-of-this-test'
  const interaction = new (provider.Interaction as unknown as new (uid: string, payload: object) => InstanceType<Provider['Interaction']>)(uid, {
    returnTo: `${issuer}/authorize/${uid}`,
    prompt: { name: 'consent', reasons: [], details: {} },
    params: { client_id: publicClient.client_id, state: 'state-of-the-client' },
    session,
    grant: await provider.Grant.find(grantId)
  })
  await interaction.save(900)
  const found = await provider.Interaction.find(uid)
  t.match(found, { uid, returnTo: `${issuer}/authorize/${uid}`, params: { state: 'state-of-the-client' }, session: { accountId, uid: session.uid }, grantId })
  await found?.persist()
  t.equal((await provider.Interaction.find(uid))?.returnTo, `${issuer}/authorize/${uid}`, 'however often it is kept')

  const code = await new provider.AuthorizationCode({ ...facts(grantId), redirectUri: 'http://127.0.0.1/back', codeChallenge: 'c', codeChallengeMethod: 'S256' } as never).save()
  await (await provider.AuthorizationCode.find(code))?.consume()
  const refresh = new provider.RefreshToken({ ...facts(grantId), gty: 'authorization_code', rotations: 0 } as never)
  const token = await refresh.save()
  t.match(await provider.RefreshToken.find(token), { jti: token, ...facts(grantId) })
  await (await provider.RefreshToken.find(token))?.consume()
  const next = await new provider.RefreshToken({ ...facts(grantId), gty: 'authorization_code refresh_token', rotations: 1 } as never).save()
  const initial = await new provider.InitialAccessToken({ expiresIn: 600 } as never).save()
  return [session.jti, uid, code, token, next, initial] as string[]
}

t.test('no value that a bearer could use lies in Valkey, and everything there ends by itself', async t => {
  const { client, store } = await openThere(t)
  const provider = makeProvider(store)
  const bearers = await wholeLife(t, provider, store)
  const origin = await serve(t, provider)
  const registered = await (await fetch(`${origin}/reg`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ redirect_uris: ['https://app.example/back'], token_endpoint_auth_method: 'client_secret_basic' }) })).json() as Record<string, string>
  t.type(registered.client_secret, 'string')
  bearers.push(String(registered.client_secret), String(registered.registration_access_token), 'a-state-of-an-upstream')
  await store.signIns.keep('a-state-of-an-upstream', { uid: 'x' }, 600)
  await store.accounts.save({ id: accountId, upstream: 'github', name: 'octocat', handle: 'github:octocat', email: undefined, groups: [] }, undefined, 600)
  const { secret } = await store.clients.create({ name: 'nightly', tenant: 'acme', scopes: ['graph:read'], expiresAt: nowSeconds() + 600 })
  bearers.push(String(secret))

  const all = await everything(client)
  t.ok(all.length >= 15)
  for (const bearer of bearers) {
    t.ok(bearer.length >= 20)
    t.strictSame(all.filter(({ key, value }) => key.includes(bearer) || value.includes(bearer)), [])
  }
  t.strictSame(all.filter(({ key, left }) => left <= 0 && key !== names.machines), [])
  t.ok(all.every(({ key }) => key.startsWith('oauth:')))
})

t.test('only what the operator makes for ever stays for ever', async t => {
  const { client, store } = await openThere(t)
  const { clientId } = await store.clients.create({ name: 'nightly', tenant: 'acme', scopes: ['graph:read'] })
  t.strictSame(new Set((await everything(client)).filter(({ left }) => left === -1).map(({ key }) => key)), new Set([names.client(clientId), names.machines]))
  await t.rejects(store.adapter('Session').upsert('s', { uid: 'u' }), /without an end/)
})

t.test('two replicas that use up the same token at the same time: one wins, 40 times of 40', async t => {
  const there = await openThere(t)
  const other = await there.replica()
  const [one, two] = [makeProvider(there.store), makeProvider(other.store)]
  const outcomes = async (kind: 'RefreshToken' | 'AuthorizationCode', value: string) => {
    const tokens = await Promise.all([one, two].map(async provider => kind === 'RefreshToken' ? await provider.RefreshToken.find(value) : await provider.AuthorizationCode.find(value)))
    return await Promise.allSettled(tokens.map(async token => await token?.consume()))
  }
  for (let n = 0; n < 40; n++) {
    const grantId = await consented(one, there.store)
    const refresh = await new one.RefreshToken({ ...facts(grantId), gty: 'authorization_code' } as never).save()
    const results = await outcomes('RefreshToken', refresh)
    t.strictSame(results.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
    t.ok(results.every(result => result.status === 'fulfilled' || result.reason instanceof errors.InvalidGrant))
    t.ok(await one.Grant.find(grantId), 'the grant goes on')

    const code = await new one.AuthorizationCode(facts(grantId) as never).save()
    t.strictSame((await outcomes('AuthorizationCode', code)).map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
    t.equal(await one.Grant.find(grantId), undefined, 'a code in two hands ends the grant')
    await t.rejects(new one.RefreshToken({ ...facts(grantId), gty: 'authorization_code' } as never).save(), errors.InvalidGrant, 'and the winner gets nothing')
    t.equal(await there.client.exists(names.grantTokens(gidOf(grantId))), 0)
  }
  t.equal((await revokedGrants(there.client)).length, 40)
})

t.test('a refresh token is recognised for its whole life after its use: late reuse ends the grant and its access tokens', async t => {
  const { client, store } = await openThere(t)
  const provider = makeProvider(store)
  const origin = await serve(t, provider)
  const grantId = await consented(provider, store)
  const value = await new provider.RefreshToken({ ...facts(grantId), gty: 'authorization_code', rotations: 0 } as never).save()
  const refresh = async (token: string) => {
    const answer = await fetch(`${origin}/token`, { method: 'POST', body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: token, client_id: publicClient.client_id, scope: 'graph:read' }) })
    return { status: answer.status, body: await answer.json() as Record<string, string> }
  }
  const first = await refresh(value)
  t.equal(first.status, 200)
  const used = await provider.RefreshToken.find(value)
  t.match(used, { ...facts(grantId), resource: undefined, isValid: false })
  t.ok(Math.abs(Number((used as unknown as { consumed: number }).consumed) - nowSeconds()) <= 2)
  t.ok(await client.ttl(names.record('RefreshToken', value)) > 2_591_000, 'its time is its own still')
  t.match(await refresh(value), { status: 400, body: { error: 'invalid_grant' } })
  t.strictSame(await revokedGrants(client), [gidOf(grantId)])
  t.match(await refresh(String(first.body.refresh_token)), { status: 400, body: { error: 'invalid_grant' } }, 'the thief has lost it, too')
  t.strictSame((await everything(client)).filter(({ key, value }) => key !== names.ended(gidOf(grantId)) && key.startsWith('oauth:') && `${key} ${value}`.includes(gidOf(grantId))), [])
})

t.test('a use that was slower than the grace counts as late', async t => {
  const { client, store } = await openThere(t, { reuseGraceSeconds: 10 })
  const provider = makeProvider(store)
  const grantId = await consented(provider, store)
  const value = await new provider.RefreshToken(facts(grantId) as never).save()
  const [quick, slow, slower] = await Promise.all([1, 2, 3].map(async () => await provider.RefreshToken.find(value)))
  await quick?.consume()
  await t.rejects(slow?.consume() as Promise<void>, errors.InvalidGrant)
  t.ok(await provider.Grant.find(grantId))
  await client.hSet(names.record('RefreshToken', value), 'consumed', nowSeconds() - 11)
  await t.rejects(slower?.consume() as Promise<void>, errors.InvalidGrant)
  t.equal(await provider.Grant.find(grantId), undefined)
})

t.test('a grant that has ended is not brought back by what was under way', async t => {
  const { client, store } = await openThere(t)
  const provider = makeProvider(store)
  const grantId = await consented(provider, store)
  const grant = await provider.Grant.find(grantId)
  t.ok(await store.grants.end(gidOf(grantId)))
  await t.rejects(grant?.save() as Promise<string>, errors.InvalidGrant)
  await t.rejects(store.grants.remember(grantId, connection(), 600), errors.InvalidGrant)
  await t.rejects(new provider.AuthorizationCode(facts(grantId) as never).save(), errors.InvalidGrant)
  await store.grants.touch(gidOf(grantId))
  t.strictSame((await everything(client)).map(({ key }) => key).filter(key => key.startsWith('oauth:')), [names.ended(gidOf(grantId))])
})

t.test('the end of a grant reaches whoever listens, by oidc-provider as by a person', async t => {
  const { client, store } = await openThere(t)
  const provider = makeProvider(store)
  const listener = client.duplicate()
  await listener.connect()
  t.teardown(() => listener.destroy())
  const heard: string[] = []
  await listener.subscribe(revocationsChannel, message => heard.push(message))
  const [one, two] = [await consented(provider, store), await consented(provider, store)]
  await provider.Grant.adapter.destroy(one)
  t.ok(await store.grants.end(gidOf(two)))
  t.notOk(await store.grants.end(gidOf(two)), 'there is none any more')
  t.notOk(await store.grants.end('nobody-has-this-one'))
  await until('the news', () => heard.length === 2)
  t.match(heard.map(message => parseRecord(message)), [one, two].map(grantId => ({ revocation: { kind: 'grant', issuer, id: gidOf(grantId) } })))
  for (const message of heard) t.ok(JSON.parse(message).until > nowSeconds() + 86_000, 'access tokens of a longer setting before are covered')
})

t.test('a session is found by its uid without the value of its cookie, and its identifier can change', async t => {
  const { store } = await openThere(t)
  const provider = makeProvider(store)
  const session = new provider.Session()
  session.loginAccount({ accountId })
  session.grantIdFor('editor', 'g')
  await session.save(600)
  const former = session.jti as string
  const byUid = await provider.Session.findByUid(session.uid)
  t.match(byUid, { uid: session.uid, accountId })
  t.equal(byUid?.grantIdFor('editor'), 'g')
  t.not(byUid?.jti, former)
  session.resetIdentifier()
  await session.save(600)
  t.equal(await provider.Session.find(former), undefined)
  t.match(await provider.Session.find(session.jti as string), { uid: session.uid, accountId })
  t.ok(await provider.Session.findByUid(session.uid))
  await session.destroy()
  t.equal(await provider.Session.findByUid(session.uid), undefined)
})

t.test('an assertion of a machine counts once, also when it is sent to two replicas at once', async t => {
  const there = await openThere(t)
  const other = await there.replica()
  const unique = [there, other].map(({ store }) => (makeProvider(store) as unknown as { ReplayDetection: { unique: (iss: string, jti: string, exp: number) => Promise<boolean> } }).ReplayDetection)
  for (let n = 0; n < 20; n++) {
    const results = await Promise.allSettled(unique.map(async model => await model.unique('machine', `jti-${n}`, nowSeconds() + 60)))
    t.equal(results.filter(result => result.status === 'fulfilled' && result.value).length, 1)
  }
})

t.test('the index of a grant holds living tokens only', async t => {
  const { client, store } = await openThere(t)
  const provider = makeProvider(store)
  const grantId = await consented(provider, store)
  const index = names.grantTokens(gidOf(grantId))
  await client.zAdd(index, [{ score: nowSeconds() - 5, value: 'an expired one' }])
  const token = new provider.RefreshToken(facts(grantId) as never)
  const value = await token.save()
  t.strictSame(await client.zRange(index, 0, -1), [names.record('RefreshToken', value)])
  t.ok(await client.ttl(index) > 2_591_000)
  await new provider.AuthorizationCode(facts(grantId) as never).save()
  t.ok(await client.ttl(index) > 2_591_000, 'a short-lived one does not shorten its life')
  await token.destroy()
  t.equal(await client.zCard(index), 1)
  await (provider.RefreshToken as unknown as { revokeByGrantId: (id: string) => Promise<void> }).revokeByGrantId(grantId)
  t.equal(await client.exists(index), 0)
})

t.test('what is not offered has no place', async t => {
  const { store } = await openThere(t)
  t.throws(() => store.adapter('DeviceCode'), /not offered/)
  await t.rejects((store.adapter('Session') as Adapter).findByUserCode('ABCD'), /not offered/)
})
