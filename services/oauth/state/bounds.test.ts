/** Valkey evicts nothing: what one person or a stranger makes there must not take the room of all others. */
import t from 'tap'
import { nowSeconds } from '@gateway/common/revocations.ts'
import { authorizePath, Browser, exchange, pkce, refresh, signIn, tokensOf } from '../../../tests/support/sign-in.ts'
import { until } from '../../../tests/support/until.ts'
import { openOauth } from '../test-support.ts'
import { tokensOfGrant } from './adapter.ts'
import { connectionsOfAccount } from './grants.ts'
import { names } from './names.ts'
import { gidOf } from './store.ts'
import { connection, makeProvider, openThere, publicClient } from './test-support.ts'

t.test('with Valkey nearly full strangers register no client and begin no sign-in, while whoever is connected refreshes and disconnects', async t => {
  const { send, origin, client } = await openOauth(t)
  const done = await signIn(send, origin, { tenant: 'acme' })
  const tokens = await exchange(send, done)
  const used = Number(/^used_memory:(\d+)/m.exec(await client.info('memory'))?.[1])
  await client.configSet('maxmemory', String(Math.floor(used * 1.25)))
  const redirectUri = done.client.redirect_uris[0]!
  const registration = () => send({ method: 'POST', path: '/register', body: { redirect_uris: [redirectUri] } })
  await until('the refusal', async () => (await registration()).status === 503)
  t.equal((await registration()).json.error, 'temporarily_unavailable')
  const path = authorizePath({ clientId: done.client.client_id, redirectUri, challenge: pkce().challenge })
  const begun = await send({ path })
  t.match(begun.headers.location, /[?&]error=temporarily_unavailable&/)
  const next = tokensOf(await refresh(send, done.client, tokens.refresh_token))
  t.equal((await send({ method: 'POST', path: '/revoke', headers: { 'Content-Type': 'application/x-www-form-urlencoded' }, body: new URLSearchParams({ token: next.refresh_token, client_id: done.client.client_id }).toString() })).status, 200)
  t.equal((await refresh(send, done.client, next.refresh_token)).json.error, 'invalid_grant')
  await client.configSet('maxmemory', '0')
  await until('room again', async () => (await registration()).status === 201)
  t.match((await new Browser(send, origin).open(path)).text, 'value="local"')
})

t.test('of a grant that is refreshed for months the newest tokens are kept: the last one works, a used one of late ends the grant', async t => {
  const { client, store } = await openThere(t)
  const provider = makeProvider(store)
  const grantId = await new provider.Grant({ accountId: 'github:583231', clientId: publicClient.client_id }).save()
  const made: string[] = []
  for (let turn = 0; turn < tokensOfGrant + 20; turn++) {
    const token = new provider.RefreshToken({ accountId: 'github:583231', clientId: publicClient.client_id, grantId, scope: 'graph:read', gty: 'authorization_code', rotations: turn } as never)
    made.push(await token.save())
    // Each a second younger, as time would have it.
    await client.zAdd(names.grantTokens(gidOf(grantId)), { score: nowSeconds() + 1_000_000 + turn, value: names.record('RefreshToken', made.at(-1)!) })
    if (turn > 0 && turn < tokensOfGrant + 19) await token.consume()
  }
  t.equal(await client.zCard(names.grantTokens(gidOf(grantId))), tokensOfGrant)
  t.equal((await client.keys('oauth:refresh-token:*')).length, tokensOfGrant)
  t.match(await provider.RefreshToken.find(made[0]!), { rotations: 0 }, 'one that was never used stays before those that were')
  t.equal(await provider.RefreshToken.find(made[1]!), undefined)
  t.match(await provider.RefreshToken.find(made.at(-2)!), { consumed: Number })
  t.match(await provider.RefreshToken.find(made.at(-1)!), { rotations: tokensOfGrant + 19 })
})

t.test('a person has so many connections and no more: a new one ends the one that was used the longest ago', async t => {
  const { client, store: { grants } } = await openThere(t)
  for (let number = 0; number < connectionsOfAccount; number++) {
    await grants.remember(`grant ${number}`, connection(), 600)
    await client.hSet(names.connection(gidOf(`grant ${number}`)), 'lastUsed', nowSeconds() - (number === 7 ? 500 : 100))
  }
  await grants.remember('somebody else', connection({ accountId: 'github:1' }), 600)
  t.equal((await grants.ofAccount('github:583231')).length, connectionsOfAccount)
  await grants.remember('one more', connection(), 600)
  t.equal((await grants.ofAccount('github:583231')).length, connectionsOfAccount)
  t.equal(await grants.find(gidOf('grant 7')), undefined)
  t.ok(await grants.find(gidOf('one more')))
  t.equal((await grants.ofAccount('github:1')).length, 1)
})
