/** Clients of MCP 2024-11-05 (HTTP+SSE): the v1 SDK's own, and the bare stream. */
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import { answerOf, type McpClient } from './clients.ts'
import type { Gateway, Person } from './gateway.ts'

export type SseClient = Pick<McpClient, 'call' | 'listTools' | 'close'>

/** The v1 SDK's client at /sse. It opens another stream by itself where one ends. */
export async function connectSse (gateway: Gateway, person: Person): Promise<SseClient> {
  const client = new Client({ name: 'journey', version: '1.0.0' })
  await client.connect(new SSEClientTransport(new URL('/sse', gateway.url), { requestInit: { headers: person.headers } }) as Transport)
  return {
    call: async (name, args = {}, options) => answerOf(await client.callTool({ name, arguments: args }, undefined, options)),
    listTools: async () => (await client.listTools()).tools,
    close: () => client.close()
  }
}

/** Opens a stream as that person. @returns the status, and where it was opened the path for messages and what has come until now */
export async function openSse (gateway: Gateway, headers: Record<string, string>) {
  const controller = new AbortController()
  const response = await fetch(new URL('/sse', gateway.url), { headers, signal: controller.signal })
  let text = ''
  const first = Promise.withResolvers<void>()
  async function read () {
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk
      if (text.includes('\n\n')) first.resolve()
    }
  }
  const ended = read().catch(() => {}).finally(first.resolve)
  await first.promise
  return {
    status: response.status,
    headers: response.headers,
    endpoint: /^event: endpoint\ndata: (\S+)\n\n/.exec(text)?.[1],
    text: () => text,
    ended,
    close: () => controller.abort()
  }
}
