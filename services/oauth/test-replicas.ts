/** Several replicas of the service behind one public origin, for tests of what must not depend on who answers. */
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createSend } from '../../tests/support/https.ts'
import { startValkey } from '../../tests/support/valkey.ts'
import { openOauth, type OauthOptions } from './test-support.ts'

export type Replica = Awaited<ReturnType<typeof openOauth>>

export interface ReplicasOptions extends OauthOptions {
  /** What a replica has besides. */
  each?: ReadonlyArray<OauthOptions>
}

/**
 * Two replicas on one Valkey, and a door that sends every request to the other one than the request before.
 * @returns `replace` puts another replica in the place of one, as a restart with other settings does
 */
export async function openReplicas (t: { teardown: (end: () => unknown) => void }, { each = [{}, {}], valkeyUrl, ...common }: ReplicasOptions = {}) {
  const stateUrl = valkeyUrl ?? (await startValkey(t)).url
  const replicas: Replica[] = []
  const asked = each.map(() => 0)
  let next = 0
  const door = createServer((incoming, outgoing) => {
    const index = next
    next = (next + 1) % replicas.length
    asked[index]!++
    const { port } = new URL(replicas[index]!.origin)
    const onward = request({ host: '127.0.0.1', port, method: incoming.method, path: incoming.url, headers: incoming.headers }, answer => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(outgoing)
    })
    onward.on('error', () => outgoing.writeHead(502).end())
    incoming.pipe(onward)
  }).listen(0, '127.0.0.1')
  await once(door, 'listening')
  t.teardown(() => {
    door.closeAllConnections()
    door.close()
  })
  const origin = `http://127.0.0.1:${(door.address() as AddressInfo).port}`
  const open = async (own: OauthOptions = {}) => await openOauth(t, { ...common, ...own, env: { ...common.env, ...own.env }, valkeyUrl: stateUrl, publicUrl: origin })
  for (const own of each) replicas.push(await open(own))
  return {
    origin,
    stateUrl,
    send: createSend(origin),
    replicas,
    /** How many requests each has been sent. */
    asked,
    /** The next request goes to this one. */
    startAt: (index: number) => { next = index },
    replace: async (index: number, own: OauthOptions = {}) => {
      await replicas[index]!.close()
      replicas[index] = await open(own)
    }
  }
}
