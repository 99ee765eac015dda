/** MCP messages written by hand, for what no well-behaved client would send. */
import type { Request } from './https.ts'

const accept = 'application/json, text/event-stream'

/** A message as a client of 2025 posts it to /mcp. */
export function legacyMessage (method: string, params: unknown = {}): Request {
  return { method: 'POST', path: '/mcp', headers: { accept }, body: { jsonrpc: '2.0', id: 1, method, params } }
}

/** A message as a client of 2026-07-28 posts it: the envelope in `_meta`, and its mirror in the headers. */
export function modernMessage (method: string, params: Record<string, unknown> = {}): Request {
  const version = '2026-07-28'
  const envelope = {
    'io.modelcontextprotocol/protocolVersion': version,
    'io.modelcontextprotocol/clientInfo': { name: 'journey', version: '1.0.0' },
    'io.modelcontextprotocol/clientCapabilities': {}
  }
  return {
    method: 'POST',
    path: '/mcp',
    headers: { accept, 'MCP-Protocol-Version': version, 'Mcp-Method': method, ...(typeof params.name === 'string' && { 'Mcp-Name': params.name }) } as Record<string, string>,
    body: { jsonrpc: '2.0', id: 1, method, params: { ...params, _meta: envelope } }
  }
}

/** The same tool call in both eras, for promises that both keep. */
export function toolCalls (name: string, args: Record<string, unknown> = {}): Array<[era: string, request: Request]> {
  const params = { name, arguments: args }
  return [['2025', legacyMessage('tools/call', params)], ['2026-07-28', modernMessage('tools/call', params)]]
}
