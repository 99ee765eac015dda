import t, { type Test } from 'tap'
import { revocationsKey } from '@gateway/common/revocations.ts'
import { askToken, claimsOf, exchange, formsOf, refresh, register, signIn, tokensOf } from '../../tests/support/sign-in.ts'
import { openReplicas } from './test-replicas.ts'

const post = (fields: Record<string, string>) => ({ method: 'POST', headers: { 'Content-Type': 'application/x-www-form-urlencoded' }, body: new URLSearchParams(fields).toString() })

/** All that people and clients do, each request at the other replica than the one before. */
async function wholeLife (t: Test, first: number) {
  const { send, origin, startAt, asked } = await openReplicas(t)
  startAt(first)
  const client = await register(send)
  const registration = { path: new URL(client.registration_client_uri!).pathname, headers: { Authorization: `Bearer ${client.registration_access_token}` } }
  t.equal((await send(registration)).status, 200, 'RFC 7592')
  const done = await signIn(send, origin, { tenant: 'acme', client })
  let tokens = await exchange(send, done)
  for (let n = 0; n < 5; n++) tokens = tokensOf(await refresh(send, client, tokens.refresh_token))
  t.equal(claimsOf(tokens.access_token).tenant_id, 'acme')
  t.match((await send({ path: '/introspect', ...post({ client_id: client.client_id, token: tokens.access_token }) })).json, { active: true })

  const again = await signIn(send, origin, { tenant: 'acme', client, browser: done.browser })
  t.ok((await exchange(send, again)).access_token, 'who is signed in gets a second code without a name')
  const account = await done.browser.open('/account')
  t.match(account.text, 'A test client')
  const { fields } = formsOf(account.text).find(({ action }) => action === '/account/disconnect')!
  t.equal((await done.browser.submit('/account/disconnect', { ...fields, gid: String(claimsOf(tokens.access_token).gid) })).status, 200)
  t.equal((await refresh(send, client, tokens.refresh_token)).json.error, 'invalid_grant')
  t.ok(Math.abs(asked[0]! - asked[1]!) <= 1 && asked[0]! > 10, `in turn: ${asked.join(' and ')} requests`)
}

t.test('12: each request of a sign-in and all that follows may go to another replica than the one before', async t => {
  for (const first of [0, 1]) await t.test(`beginning with replica ${first + 1}`, async t => await wholeLife(t, first))
})

t.test('9: of two replicas that get the same refresh token at once one honours it; the other says invalid_grant, and nothing else happens', async t => {
  const { send, origin, replicas } = await openReplicas(t)
  const done = await signIn(send, origin, { tenant: 'acme' })
  let { refresh_token: token } = await exchange(send, done)
  const wins = [0, 0]
  for (let n = 0; n < 40; n++) {
    const answers = await Promise.all(replicas.map(replica => refresh(replica.send, done.client, token)))
    t.strictSame(answers.map(({ status }) => status).sort(), [200, 400])
    const winner = answers.findIndex(({ status }) => status === 200)
    t.strictSame(Object.keys(answers[1 - winner]!.json).sort(), ['error', 'error_description'])
    t.equal(answers[1 - winner]!.json.error, 'invalid_grant')
    wins[winner]!++
    token = answers[winner]!.json.refresh_token
  }
  t.comment(`won: ${wins.join(' and ')}`)
  t.equal(await replicas[0]!.client.zCard(revocationsKey), 0, 'the grant goes on')
  t.equal((await refresh(send, done.client, token)).status, 200, 'and the last successor is good')
})

t.test('a code that two replicas get at once is good once at most, and ends what it was exchanged for', async t => {
  const { send, origin, replicas } = await openReplicas(t)
  const client = await register(send)
  for (let n = 0; n < 10; n++) {
    const { code, redirectUri, verifier } = await signIn(send, origin, { tenant: 'acme', client, name: `ada${n}` })
    const answers = await Promise.all(replicas.map(replica => askToken(replica.send, { grant_type: 'authorization_code', client_id: client.client_id, code, redirect_uri: redirectUri, code_verifier: verifier })))
    const winners = answers.filter(({ status }) => status === 200)
    t.ok(winners.length <= 1, 'one at most')
    for (const { status, json } of answers.filter(answer => !winners.includes(answer))) t.match({ status, ...json }, { status: 400, error: 'invalid_grant' })
    for (const { json } of winners) {
      t.equal((await refresh(send, client, json.refresh_token)).json.error, 'invalid_grant', 'what the other may have stolen is worth nothing')
      const revoked = await replicas[0]!.client.zRange(revocationsKey, 0, -1)
      t.ok(revoked.some(record => record.includes(String(claimsOf(json.access_token).gid))), 'verify refuses its access token')
    }
  }
})
