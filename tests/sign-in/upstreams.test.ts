import t from 'tap'
import { openGateway } from '../support/gateway.ts'
import { exchange, signIn } from '../support/sign-in.ts'

const gateway = openGateway()

t.test('a token of the built-in sign-in calls a tool, in its tenant', async t => {
  const tokens = await exchange(gateway.send, await signIn(gateway.send, gateway.url, { name: 'ada@acme.example' }))
  const answer = await gateway.send({ path: '/api/mcp/graphs', headers: { Authorization: `Bearer ${tokens.access_token}` } })
  t.equal(answer.status, 200, answer.text)
  t.equal(answer.json.tenant, 'acme')
})
