import t from 'tap'
import { eras } from '../support/clients.ts'
import { openGateway } from '../support/gateway.ts'

t.setTimeout(200_000)
const gateway = openGateway()
const ada = await gateway.person()

for (const era of eras) {
  t.test(`17: ${era}: progress passes the proxy as it happens`, async t => {
    const client = await ada.client(era)
    t.teardown(() => client.close())
    const started = performance.now()
    const arrivals: number[] = []
    const answer = await client.call('test_slow', { seconds: 3 }, { onprogress: () => arrivals.push(performance.now() - started) })
    t.notOk(answer.isError, answer.text)
    t.ok(arrivals.length >= 5, `${arrivals.length} reports`)
    t.ok((arrivals[0] ?? Infinity) < 1_000, `the first after ${Math.round(arrivals[0] ?? 0)} ms`)
    t.ok((arrivals.at(-1) ?? 0) - (arrivals[0] ?? 0) > 1_500, 'spread over the time of the call, not all at its end')
  })
}

// All at once: each waits as long as the longest.
const long = gateway.mode === 'compose' ? [35, 90] : [35]
t.test(`17: a call of ${long.join(' and of ')} s completes, beyond every default of 30 s on the way`, { timeout: 150_000 }, async t => {
  await Promise.all(long.flatMap(seconds => [
    ...(['v1 SDK', 'v2 SDK, 2026-07-28'] as const).map(async era => {
      const client = await ada.client(era)
      const answer = await client.call('test_slow', { seconds }, { timeout: 105_000 })
      t.strictSame(answer.data, { seconds }, `${seconds} s, ${era}`)
      await client.close()
    }),
    (async () => {
      const client = await ada.client('v1 SDK')
      let reports = 0
      const answer = await client.call('test_slow', { seconds }, { timeout: 105_000, onprogress: () => { reports++ } })
      t.strictSame(answer.data, { seconds }, `${seconds} s, with progress`)
      t.ok(reports >= seconds * 2 - 2, `${reports} reports`)
      await client.close()
    })(),
    (async () => {
      const answer = await ada.send({ path: '/tools/test_slow', body: { seconds } })
      t.equal(answer.status, 200, `${seconds} s, REST`)
    })()
  ]))
})
