import t from 'tap'
import { openGateway } from '../support/gateway.ts'

t.setTimeout(290_000)

// Here, beside the faults, because nobody else may ask verify while its bytes are counted.
const gateway = openGateway()
const ada = await gateway.person()
await ada.query('bodies', 'CREATE (:Start)')
const length = 2_000_000

/** Bytes that verify received meanwhile, and in the moment after: what is on its way still counts. */
async function receivedDuring (work: () => Promise<void>): Promise<number> {
  const before = await gateway.verifyReceived()
  await work()
  await new Promise(resolve => setTimeout(resolve, 500))
  return await gateway.verifyReceived() - before
}

t.test('15: verify decides without a byte of the body, and the tool service gets all of it', async t => {
  const posts = 20
  const received = await receivedDuring(async () => {
    for (let n = 0; n < posts; n++) {
      const answer = await ada.send({ path: '/tools/falkordb_query', body: { graphName: 'bodies', query: 'RETURN size($s) AS size', parameters: { s: 'x'.repeat(length) } } })
      t.equal(answer.json?.data?.[0]?.size, length, 'the whole body arrived')
    }
  })
  t.ok(received > 0, 'the calls themselves are seen')
  // Headers with a token are about 1 KB, less where HTTP/2 has seen them before. Of a body, each call would bring up to 64 KB before verify answers.
  t.ok(received < posts * 2_000, `verify received ${received} bytes while ${posts * length} passed`)

  const seen = await receivedDuring(async () => { await gateway.send({ method: 'POST', path: '/nothing-here', body: 'x'.repeat(length) }) })
  t.ok(seen > 30_000, `the meter shows bodies: ${seen} bytes when one is posted to a route of verify`)
})
