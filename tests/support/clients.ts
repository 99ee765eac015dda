/** The real MCP clients of both eras, with a bearer token and nothing else. */
import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 } from '@modelcontextprotocol/client'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'

/** Each way in which a client of November 2026 opens the conversation. */
export const eras = ['v1 SDK', 'v2 SDK, legacy', 'v2 SDK, auto', 'v2 SDK, 2026-07-28'] as const
export type Era = typeof eras[number]

export interface ToolAnswer {
  isError: boolean
  /** structuredContent, {} where the answer has none. */
  data: Record<string, any>
  /** The text that a model reads. */
  text: string
}

export interface CallOptions {
  onprogress?: (progress: { progress: number, total?: number | undefined }) => void
  /** Milliseconds; 60,000 where absent. */
  timeout?: number
}

export interface McpClient {
  call: (name: string, args?: Record<string, unknown>, options?: CallOptions) => Promise<ToolAnswer>
  listTools: () => Promise<Array<{ name: string, title?: string | undefined, annotations?: Record<string, unknown> | undefined, inputSchema: object, outputSchema?: object | undefined }>>
  /** The protocol version that both sides agreed on. */
  protocolVersion: () => string | undefined
  close: () => Promise<void>
}

const info = { name: 'journey', version: '1.0.0' }
/** How the v2 SDK is told which era to speak. */
export const modes = { 'v2 SDK, legacy': 'legacy', 'v2 SDK, auto': 'auto', 'v2 SDK, 2026-07-28': { pin: '2026-07-28' } } as const

/** Connects a client; rejects with the SDK's own error where the gateway refuses. */
export async function connect (era: Era, url: string, headers: Record<string, string>): Promise<McpClient> {
  const target = new URL(url)
  if (era === 'v1 SDK') {
    const transport = new TransportV1(target, { requestInit: { headers } })
    const client = new ClientV1(info)
    // The SDK's own types disagree under exactOptionalPropertyTypes-like readings of sessionId.
    await client.connect(transport as Transport)
    return {
      call: async (name, args = {}, options) => answerOf(await client.callTool({ name, arguments: args }, undefined, options)),
      listTools: async () => (await client.listTools()).tools,
      protocolVersion: () => transport.protocolVersion,
      close: () => client.close()
    }
  }
  const client = new ClientV2(info, { versionNegotiation: { mode: modes[era] } })
  await client.connect(new TransportV2(target, { requestInit: { headers } }))
  return {
    call: async (name, args = {}, options) => answerOf(await client.callTool({ name, arguments: args }, options)),
    listTools: async () => (await client.listTools()).tools as Awaited<ReturnType<McpClient['listTools']>>,
    protocolVersion: () => client.getNegotiatedProtocolVersion(),
    close: () => client.close()
  }
}

/** What a tool said, the same for every client. */
export function answerOf (result: Record<string, any>): ToolAnswer {
  const content = (result.content ?? []) as Array<{ type: string, text?: string }>
  return {
    isError: result.isError === true,
    data: result.structuredContent ?? {},
    text: content.filter(part => part.type === 'text').map(part => part.text).join('\n')
  }
}
