import t from 'tap'
import { openGateway, unique, type Person } from '../support/gateway.ts'
import { until } from '../support/until.ts'

t.setTimeout(290_000)

const gateway = openGateway()
const status = async (person: Person) => (await person.send({ path: '/api/mcp/graphs' })).status
const stateUp = async () => /^state_up (\d)$/m.exec(String((await gateway.metrics('verify'))[0]))?.[1]

t.test('Valkey dies: calls go on, what was revoked stays revoked, and when it is back a revocation works again', { timeout: 120_000 }, async t => {
  const [ada, bob, eve] = await Promise.all(['ada', 'bob', 'eve'].map(name => gateway.person({ user: unique(name) })))
  t.equal(await status(ada!), 200)
  await gateway.revoke(`TENANT=${eve!.tenant}`)
  await until('the revocation', async () => await status(eve!) === 401, 1)

  await gateway.killValkey()
  let away = true
  t.teardown(() => away && gateway.valkeyBack())
  await until('the outage to be seen', async () => await stateUp() === '0')
  t.equal(await status(ada!), 200)
  t.equal(await status(bob!), 200, 'a token that nobody has seen before')
  t.equal(await status(eve!), 401)
  t.match(await gateway.revoke(`TENANT=${bob!.tenant}`).catch((error: { stderr: string }) => error.stderr), /Valkey cannot be reached, so nothing was done/)

  await gateway.valkeyBack()
  away = false
  await until('the connection', async () => await stateUp() === '1')
  t.equal(await status(eve!), 401)
  await gateway.revoke(`TENANT=${bob!.tenant}`)
  await until('the new revocation', async () => await status(bob!) === 401, 1)
  t.equal(await status(ada!), 200)
})
