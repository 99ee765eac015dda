/** /openapi.json against the real stack: schemathesis asks what it allows and what it does not, and every answer must be one that it names. */
import t from 'tap'
import { makeExampleGraphs } from '../support/examples.ts'
import { openGateway } from '../support/gateway.ts'
import { runSchemathesis } from './program.ts'

const gateway = openGateway()
const ada = await gateway.person({ scope: 'graph:read graph:write graph:admin' })
await makeExampleGraphs(ada)

const { json } = await gateway.send({ path: '/openapi.json' })
const operations = Object.entries<object>(json.paths).flatMap(([path, methods]) => Object.keys(methods).map(method => `${method.toUpperCase()} ${path}`))
const { code, output, accepted, faults } = await runSchemathesis(gateway.url, gateway.caFile, ada.headers.authorization, t.comment)

for (const operation of operations) {
  t.test(`${operation} answers as /openapi.json says, whatever is sent`, async t => {
    t.strictSame(faults.get(operation) ?? [], [])
    t.ok((accepted.get(operation) ?? 0) > 0, 'and good requests were answered')
  })
}

t.test('schemathesis found nothing else', async t => {
  t.strictSame([...faults.keys()].filter(operation => !operations.includes(operation)), [])
  t.equal(code, 0)
  // Its own words, with a curl command for each fault.
  if (code !== 0) for (const line of output.split('\n')) t.comment(line.slice(0, 600))
})
