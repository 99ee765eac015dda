/** The common work as an MCP tool call, as clients of both eras send it. */
import { createIdentityWriter, requestIdHeader } from '@gateway/common/identity.ts'
import type { LoadRequest } from './transports.ts'
import { expected, graphName, query, tenant } from './work.ts'

/** A version of the protocol: the stateless one, and one of those that begin with `initialize`, which a stateless server does not insist on. */
export type Era = '2026-07-28' | '2025-06-18'

const tool = 'falkordb_read_query'
const envelope = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {}
}

/**
 * One tools/call.
 * @param id the person whose friends are asked for
 * @param credentials the headers that say who is calling
 */
export function toolCall (era: Era, id: number, credentials: Record<string, string>): LoadRequest {
  const modern = era === '2026-07-28'
  const params = { name: tool, arguments: { graphName, query, parameters: { id } }, ...(modern && { _meta: envelope }) }
  return {
    method: 'POST',
    path: '/mcp',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': era,
      ...(modern && { 'mcp-method': 'tools/call', 'mcp-name': tool }),
      ...credentials
    },
    body: JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params }),
    expect: { status: 200, body: expected(id) }
  }
}

/** Makes a function that gives the headers that verify would add for so many users, of the common tenant or each of its own, signed anew at each call: an assertion lives for seconds. */
export function callers (secret: string, count = 100, tenantOf: (n: number) => string = () => tenant): () => Array<Record<string, string>> {
  const write = createIdentityWriter([secret])
  return () => Array.from({ length: count }, (_, n) => ({
    ...write({ tenantId: tenantOf(n), userId: `user-${n}`, clientId: 'bench', scopes: ['graph:read', 'graph:write'], issuer: 'https://issuer.example.com' }),
    [requestIdHeader]: `bench-request-${n}`
  }))
}
