/** What registered clients cost those who ask for metadata or tokens: one service knows one client, the other one ten thousand. */
import { register } from '../../tests/support/sign-in.ts'
import { openGranted } from '../granted.ts'
import type { Bench, Result, Scenario, Subject } from '../rounds.ts'
import { openSends, overAll, startSignInService } from '../sign-in-service.ts'
import { atMost, type Target as Goal } from '../targets.ts'
import type { LoadRequest } from '../transports.ts'

const many = 10_000

export const manyClients: Scenario = {
  name: 'clients',
  title: `sign-in service alone: one registered client, and ${many} of them, each with a grant of its own`,
  concurrency: [1],
  goals,
  open: async (bench: Bench): Promise<Subject[]> => (await Promise.all([1, many].map(async count => await openClients(bench, count)))).flat()
}

const metadata = (count: number) => `metadata, ${count === 1 ? '1 client' : `${count} clients`}`
const token = (count: number) => `refresh, ${count === 1 ? '1 client' : `${count} clients`}`

async function openClients (bench: Bench, count: number): Promise<Subject[]> {
  const { started, say } = bench
  const { url, valkeyUrl, service, valkey } = await startSignInService(bench, `oauth, ${count}`)
  const sends = await openSends(started, url, 8)
  const ids: string[] = []
  say(`clients: registering ${count}`)
  await overAll(sends, count, async send => { ids.push((await register(send)).client_id) })
  const granted = await openGranted(started, sends[0]!, valkeyUrl)
  const subject = (name: (count: number) => string, requests: Subject['requests']): Subject =>
    ({ name: name(count), ...(count > 1 && { floor: name(1) }), processes: [service, valkey], target: { url, transport: 'http1' }, requests })
  let next = 0
  return [
    subject(metadata, () => [metadataRequest]),
    // In turn over all rounds: none comes again before all have had their turn.
    subject(token, async count => {
      const from = next
      next += count
      return await granted.refreshes(count, n => ids[(from + n) % ids.length]!)
    })
  ]
}

const metadataRequest: LoadRequest = { method: 'GET', path: '/.well-known/oauth-authorization-server', headers: {}, expect: { status: 200, body: ['"token_endpoint":"'] } }

function goals (results: readonly Result[]): Goal[] {
  const ratioOf = (name: string) => results.find(({ subject }) => subject === name)?.toFloor?.p50
  return ([[metadata, 'the metadata'], [token, 'a refresh']] as const).flatMap(([name, what]) => {
    const ratio = ratioOf(name(many))
    return ratio === undefined ? [] : [atMost(`p50 of ${what} with ${many} clients, of that with one`, ratio, 1.1, ' ×')]
  })
}
