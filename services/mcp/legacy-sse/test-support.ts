/** Replicas around one Valkey, and a client of the 2024-11-05 transport that shows each event. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import type { Test } from 'tap'
import { Type } from 'typebox'
import type { Identity } from '@gateway/common/identity.ts'
import { createObservability } from '@gateway/common/service.ts'
import { openState } from '@gateway/common/state.ts'
import { until } from '../../../tests/support/until.ts'
import { buildApp, databaseHealth } from '../app.ts'
import { configOf, fakeDatabase, headersOf } from '../test-support.ts'
import { allTools } from '../tools/index.ts'
import { defineTool } from '../tools/tool.ts'
import type { Bounds } from './bounds.ts'

/** A tool that runs until the test lets it go, and one whose answer is as long as it is asked to be. */
export function testTools () {
  const held: Array<{ signal: AbortSignal, release: () => void }> = []
  const hints = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false }
  const base = { title: 'For tests', description: 'For tests.', scope: 'graph:read', hints, output: Type.Object({ tenant: Type.String() }) } as const
  const hold = defineTool({
    name: 'hold',
    spec: () => ({ ...base, name: 'hold', input: Type.Object({}, { additionalProperties: false }) }),
    async handle (_input, { caller, signal, progress }) {
      await progress(1, 2, 'holding')
      await new Promise<void>(resolve => held.push({ signal, release: resolve }))
      return { structured: { tenant: caller.tenantId }, text: caller.tenantId }
    }
  })
  const long = defineTool({
    name: 'long',
    spec: () => ({ ...base, name: 'long', input: Type.Object({ length: Type.Integer() }, { additionalProperties: false }) }),
    async handle ({ length }, { caller }) { return { structured: { tenant: caller.tenantId }, text: 'x'.repeat(length) } }
  })
  return { held, tools: [...allTools, hold, long] }
}

export interface ReplicaOptions {
  bounds?: Partial<Bounds>
  tools?: ReturnType<typeof testTools>['tools']
}

/** A replica with a port of its own, connected to Valkey. */
export async function openReplica (t: Test, valkeyUrl: string, { bounds, tools }: ReplicaOptions = {}) {
  const lines: string[] = []
  const observability = createObservability('mcp', 'trace', { write: line => lines.push(line) })
  const database = fakeDatabase({})
  const state = openState(valkeyUrl, observability.logger)
  const app = buildApp({ config: configOf(), database, observability, health: databaseHealth(database), state, ...(bounds && { bounds }), ...(tools && { tools }) })
  t.teardown(async () => {
    await app.close()
    await state.close()
  })
  const url = await app.listen({ port: 0 })
  await until('Valkey to be connected', () => state.connected)
  const streams = async () => Number(/^legacy_sse_streams (\d+)$/m.exec(await observability.registry.metrics())?.[1])
  return { app, state, url, lines, streams, ended: (reason: string) => lines.some(line => line.includes(`"reason":"${reason}"`)) }
}

export type Replica = Awaited<ReturnType<typeof openReplica>>
export type Message = Record<string, any>

/** POST /messages as that identity. */
export async function post (replica: Pick<Replica, 'url'>, endpoint: string, identity: Identity, message: unknown) {
  const response = await fetch(`${replica.url}${endpoint}`, { method: 'POST', headers: { 'content-type': 'application/json', ...headersOf(identity) }, body: JSON.stringify(message) })
  const text = await response.text()
  return { status: response.status, text, headers: response.headers, json: () => JSON.parse(text) as Message }
}

export const toolCall = (id: number, name: string, args: object = {}, meta?: object): Message => ({ jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: args, ...(meta && { _meta: meta }) } })

/** Tries GET /sse, without reading what comes. */
export const knock = (replica: Pick<Replica, 'url'>, identity: Identity, signal?: AbortSignal) => fetch(`${replica.url}/sse`, { headers: headersOf(identity), ...(signal && { signal }) })

/** Opens a stream and reads it to its end. */
export async function openStream (t: Test, replica: Pick<Replica, 'url'>, identity: Identity) {
  const controller = new AbortController()
  t.teardown(() => controller.abort())
  const response = await knock(replica, identity, controller.signal)
  if (response.status !== 200) throw new Error(`GET /sse was answered with ${response.status}: ${await response.text()}`)
  const messages: Message[] = []
  const comments: string[] = []
  const endpoint = Promise.withResolvers<string>()
  async function read () {
    let rest = ''
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      const events = (rest + chunk).split('\n\n')
      rest = events.pop()!
      for (const event of events) {
        const data = /^data: (.*)$/m.exec(event)?.[1]
        if (event.startsWith(':')) comments.push(event)
        else if (event.startsWith('event: endpoint\n')) endpoint.resolve(data!)
        else messages.push(JSON.parse(data!) as Message)
      }
    }
  }
  let over = false
  const ended = read().catch(() => {}).then(() => { over = true })
  return {
    response,
    endpoint: await endpoint.promise,
    messages,
    comments,
    ended,
    isOver: () => over,
    answer: async (id: number) => {
      await until(`the answer to message ${id}`, () => messages.some(message => message.id === id))
      return messages.find(message => message.id === id)!
    },
    close: () => controller.abort()
  }
}

/** A way to Valkey that can be cut for one replica alone. */
export async function openWay (t: Test, port: number) {
  const sockets = new Set<Socket>()
  let open = true
  const server = createServer(socket => {
    if (!open) return socket.destroy()
    const onward = connect(port, '127.0.0.1')
    for (const [one, other] of [[socket, onward], [onward, socket]] as const) {
      sockets.add(one)
      one.on('error', () => {}).on('close', () => {
        sockets.delete(one)
        other.destroy()
      }).pipe(other)
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = () => {
    open = false
    for (const socket of sockets) socket.destroy()
  }
  t.teardown(() => {
    cut()
    server.close()
  })
  return { url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`, cut, mend: () => { open = true } }
}
