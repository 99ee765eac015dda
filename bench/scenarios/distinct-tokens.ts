/** Memory and the slowest answers while the number of distinct tokens grows far beyond what is remembered. */
import { decision, resource, startGate } from '../gate.ts'
import { startIdentityProvider } from '../identity-provider.ts'
import { usageOf } from '../measure.ts'
import type { Experiment } from '../rounds.ts'
import { atMost, told, type Target } from '../targets.ts'
import { tenant } from '../work.ts'

const steps = [1, 1_000, 10_000, 50_000, 100_000]
const concurrency = 32

export const distinctTokens: Experiment = {
  name: 'tokens',
  title: `1 to ${steps.at(-1)} distinct ES256 tokens at c=${concurrency}, plain HTTP/1.1`,
  run: async ({ started, say, load }) => {
    const provider = started.use(await startIdentityProvider(resource))
    const gate = await startGate(started, 'verify', provider)
    const off = await startGate(started, 'verify, caches off', provider, { TOKEN_CACHE_ENTRIES: '0' })
    const process = { name: 'verify', pid: gate.pid }
    const most = steps.at(-1)!
    say(`tokens: having ${most} tokens signed`)
    const requests = (await provider.tokens('ES256', most)).map(token => decision(token, tenant))
    const target = (url: string) => ({ url, transport: 'http1' } as const)
    const targets: Target[] = []
    for (const count of steps) {
      say(`tokens: ${count}`)
      const list = requests.slice(0, count)
      await load.prepare({ target: target(gate.urls.decision!), concurrency, requests: list, warmUp: 100 })
      await load.run(list, Math.max(count, 20_000))
      targets.push(told(`RSS after ${count} distinct tokens`, `${usageOf(process).rssMiB.toFixed(0)} MiB`))
    }
    const full = usageOf(process).rssMiB
    // The one with caches off answers the same requests, in turns of the same run.
    const p99 = { on: 0, off: 0 }
    for (const [name, child] of [['off', off], ['on', gate]] as const) {
      say(`tokens: ${most} again, ${name === 'on' ? 'remembering' : 'caches off'}`)
      await load.prepare({ target: target(child.urls.decision!), concurrency, requests, warmUp: 2_000 })
      p99[name] = (await load.run(requests, most)).p99Ms
    }
    const again = usageOf(process)
    return [
      ...targets,
      atMost('RSS at the most', again.peakMiB, 130, ' MiB'),
      atMost(`growth of RSS by ${most} tokens more`, again.rssMiB - full, 5, ' MiB'),
      atMost(`p99 at ${most} tokens in turn, of that with caches off`, p99.on / p99.off, 1, ' ×')
    ]
  }
}
