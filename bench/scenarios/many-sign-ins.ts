/** What many whole sign-ins leave in the memory of the service, and how many it does in a second. */
import { Browser, exchange, register, signIn, type Registered } from '../../tests/support/sign-in.ts'
import { usageOf } from '../measure.ts'
import type { Experiment } from '../rounds.ts'
import { openSends, origin, overAll, startSignInService } from '../sign-in-service.ts'
import { percentile } from '../statistics.ts'
import { atMost, told, type Target } from '../targets.ts'

const signIns = Number(process.env.BENCH_SIGN_INS || 10_000)
const clients = 100
const concurrency = 8

export const manySignIns: Experiment = {
  name: 'sign-ins',
  title: `${signIns} whole sign-ins at c=${concurrency}: authorize, sign-in page, consent page, code, tokens; each of another person in a browser without cookies, for ${clients} clients in turn`,
  run: async bench => {
    const { started, say } = bench
    const { url, service } = await startSignInService(bench, 'oauth')
    const targets: Target[] = [told('RSS at idle', `${usageOf(service).rssMiB.toFixed(0)} MiB`)]
    const sends = await openSends(started, url, concurrency)
    const registered: Registered[] = []
    for (let n = 0; n < clients; n++) registered.push(await register(sends[0]!))

    const latencies = new Float64Array(signIns)
    const steps = new Set([1, 2, 5].map(tenths => Math.round(signIns * tenths / 10)))
    let done = 0
    const before = usageOf(service)
    const begun = performance.now()
    await overAll(sends, signIns, async (send, n) => {
      const start = performance.now()
      await exchange(send, await signIn(send, origin, { name: `user-${n}`, client: registered[n % clients]!, browser: new Browser(send, origin) }))
      latencies[n] = performance.now() - start
      if (!steps.has(++done)) return
      targets.push(told(`RSS after ${done} sign-ins`, `${usageOf(service).rssMiB.toFixed(0)} MiB`))
      say(`sign-ins: ${done} of ${signIns}`)
    })
    const seconds = (performance.now() - begun) / 1000
    const after = usageOf(service)
    latencies.sort()
    return [
      ...targets,
      atMost(`RSS after ${signIns} sign-ins`, after.rssMiB, 120, ' MiB'),
      told('RSS at the most', `${after.peakMiB.toFixed(0)} MiB`),
      told('whole sign-ins per second', (signIns / seconds).toFixed(1)),
      told('of one: p50, p99', `${percentile(latencies, 0.5).toFixed(0)} ms, ${percentile(latencies, 0.99).toFixed(0)} ms`),
      told('of one: CPU of the service', `${((after.cpuUs - before.cpuUs) / signIns / 1000).toFixed(1)} ms`)
    ]
  }
}
