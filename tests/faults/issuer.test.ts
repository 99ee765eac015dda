import t from 'tap'
import { addKey, mintToken, removeKey, setOutage } from '../../dev/issuer/client.ts'
import { openGateway, unique } from '../support/gateway.ts'
import { headerOf } from '../support/tokens.ts'
import { until } from '../support/until.ts'

t.setTimeout(290_000)

const gateway = openGateway()
const { issuerAccess } = gateway
const claims = { tenant_id: unique('acme'), sub: 'ada', scope: 'graph:read' }
/** The issuer is asked for new keys at most once in ten seconds, so that garbage tokens cannot make requests. */
const taken = (what: string, token: string) => until(what, async () => (await ask(token)).status === 200, 15)
const ask = (token: string) => gateway.send({ path: '/tools/falkordb_health', body: {}, headers: { authorization: `Bearer ${token}` } })

t.test('a new key of the issuer is taken without a restart, and the old one stays good while it is published', async t => {
  const old = await mintToken(issuerAccess, { claims })
  t.equal((await ask(old)).status, 200)
  const kid = await addKey(issuerAccess)
  const fresh = await mintToken(issuerAccess, { claims })
  t.equal(headerOf(fresh).kid, kid)
  await taken('the new key to be taken', fresh)
  t.equal((await ask(old)).status, 200, 'the old key')

  const elliptic = await addKey(issuerAccess, 'ES256')
  await taken('the key of another algorithm to be taken', await mintToken(issuerAccess, { claims }))
  await removeKey(issuerAccess, elliptic)
})

t.test('a key that the issuer never published verifies nothing', async t => {
  const kid = await addKey(issuerAccess, 'RS256', false)
  const answer = await ask(await mintToken(issuerAccess, { claims, kid }))
  t.equal(answer.status, 401)
  await removeKey(issuerAccess, kid)
})

t.test('with the issuer away, known keys go on and an unknown one is 503 or 401, never a way in', async t => {
  const known = await mintToken(issuerAccess, { claims })
  t.equal((await ask(known)).status, 200)
  const kid = await addKey(issuerAccess)
  t.teardown(async () => {
    await setOutage(issuerAccess, false)
    await removeKey(issuerAccess, kid)
  })
  await setOutage(issuerAccess, true)
  t.equal((await ask(known)).status, 200, 'known keys')
  const answer = await ask(await mintToken(issuerAccess, { claims, kid }))
  t.ok([401, 503].includes(answer.status), String(answer.status))
  if (answer.status === 503) {
    t.match(answer.json, { error: { type: 'UnavailableError' } })
    t.ok(Number(answer.headers['retry-after']) > 0, 'says when to come back')
  }
})
