/** What a flood of forged tokens does to callers whose tokens are known: valid shape, known issuer, known key id, a signature of nobody. */
import { readFile } from 'node:fs/promises'
import { makeCertificates } from '../../deploy/certificates.ts'
import { temporaryFolder } from '../children.ts'
import { decision, forged, resource, startGate } from '../gate.ts'
import { startIdentityProvider } from '../identity-provider.ts'
import { startLoadGenerator } from '../load-generator.ts'
import type { Experiment } from '../rounds.ts'
import { median } from '../statistics.ts'
import { atMost, told, type Target } from '../targets.ts'
import { tenant } from '../work.ts'

const attackers = 16
const forgeries = 20_000

export const forgedTokens: Experiment = {
  name: 'forged',
  title: `good callers at c=1 with known tokens, beside a flood of forged RS256 tokens at c=${attackers}, over TLS and HTTP/2`,
  run: async ({ started, say, load, plan }) => {
    const provider = started.use(await startIdentityProvider(resource))
    const { ca: caFile, verify: { cert, key } } = await makeCertificates({ dir: await temporaryFolder(started) })
    const ca = await readFile(caFile, 'utf8')
    const gate = await startGate(started, 'verify', provider, { VERIFY_TLS_CERT: cert, VERIFY_TLS_KEY: key, AUDIT_LOG_FILE: '/dev/null' })
    const target = { url: gate.urls.decision!, transport: 'http2', ca } as const
    const tokens = await provider.tokens('RS256', 1_000)
    const good = tokens.map(token => decision(token, tenant))
    const flood = started.use(startLoadGenerator())
    const measured = async () => (await load.run(good, plan.requests)).p50Ms

    const besides = async (name: string, addressOf: (n: number) => string): Promise<Target[]> => {
      const quiet: number[] = []
      const flooded: number[] = []
      const rates: number[] = []
      for (let round = 1; round <= plan.rounds; round++) {
        say(`forged: ${name}, round ${round} of ${plan.rounds}`)
        const bad = Array.from({ length: forgeries }, (_, n) => forged(tokens[n % tokens.length]!, addressOf(n)))
        await load.prepare({ target, concurrency: 1, requests: good, warmUp: 1_000 })
        quiet.push(await measured())
        await flood.prepare({ target, concurrency: attackers, requests: bad, warmUp: 200 })
        const over = new AbortController()
        const flooding = (async () => {
          for (;;) {
            const { count, seconds } = await flood.run(bad, 2_000)
            if (over.signal.aborted) return
            rates.push(count / seconds)
          }
        })()
        flooded.push(await measured())
        over.abort()
        await flooding
      }
      return [
        atMost(`p50 of good callers beside a flood ${name}, of theirs without`, median(flooded) / median(quiet), 2, ' ×'),
        told(`forged tokens refused per second, ${name}`, rates.length === 0 ? 'under 2,000 in the time' : median(rates).toFixed(0)),
        told(`p50 of good callers, ${name}: without, with`, `${median(quiet).toFixed(2)} ms, ${median(flooded).toFixed(2)} ms`)
      ]
    }
    return [
      ...await besides('from one address', () => '198.51.100.7'),
      ...await besides('from 20,000 addresses', n => `198.18.${n >> 8 & 127}.${n & 255}`)
    ]
  }
}
