/** The sign-in service alone: a refresh of a token with rotation, and a code for tokens, signed with RS256, in front of a real Valkey. */
import { startNode } from '../children.ts'
import { openGranted, tokenRequest } from '../granted.ts'
import type { Bench, Result, Scenario, Subject } from '../rounds.ts'
import { openSends, startSignInService } from '../sign-in-service.ts'
import { atMost, told, type Target as Goal } from '../targets.ts'

const floor = 'floor: Fastify, a GET and a signature'
const refreshed = 'refresh, with rotation'
const exchanged = 'code for tokens'

export const signIn: Scenario = {
  name: 'sign-in',
  title: 'sign-in service alone: tokens signed with RS256, each refresh token and each code of a grant of its own, in Valkey; a floor that asks Valkey once and signs once',
  concurrency: [1, 16],
  goals,
  open: async (bench: Bench): Promise<Subject[]> => {
    const { started } = bench
    const { url, valkeyUrl, service, valkey } = await startSignInService(bench, 'oauth')
    const bare = await startNode(started, 'floor token', 'bench/floors/token.ts', { VALKEY_URL: valkeyUrl })
    const [send] = await openSends(started, url, 1)
    const granted = await openGranted(started, send!, valkeyUrl)
    const subject = (name: string, requests: Subject['requests']): Subject =>
      ({ name, floor, processes: [service, valkey], target: { url, transport: 'http1' }, requests })
    return [
      {
        name: floor,
        processes: [{ name: 'floor', pid: bare.pid }, valkey],
        target: { url: bare.urls.floor!, transport: 'http1' },
        requests: () => [tokenRequest({ grant_type: 'refresh_token', client_id: 'a'.repeat(21), refresh_token: 'a'.repeat(43) })]
      },
      subject(refreshed, granted.refreshes),
      subject(exchanged, granted.exchanges)
    ]
  }
}

function goals (results: readonly Result[]): Goal[] {
  const at = (concurrency: number) => results.find(result => result.subject === refreshed && result.concurrency === concurrency)
  const [alone, busy] = [at(1), at(16)]
  return [
    ...(alone ? [atMost('c=1: p50 of a refresh', alone.figures.p50Ms, 5, ' ms')] : []),
    ...(busy ? [told('c=16: refreshes per second, p99', `${busy.figures.requestsPerSecond.toFixed(0)}, ${busy.figures.p99Ms.toFixed(1)} ms`)] : [])
  ]
}
