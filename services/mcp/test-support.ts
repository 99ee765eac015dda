/** What the tests of this folder share: a caller's headers, an app around any database, and the SDK's own clients. */
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client'
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { InjectOptions } from 'fastify'
import { createIdentityWriter, type Identity } from '@gateway/common/identity.ts'
import { createObservability } from '@gateway/common/service.ts'
import { expandScopes, type Scope } from '@gateway/common/scopes.ts'
import { buildApp, databaseHealth, type McpAppOptions } from './app.ts'
import { loadMcpConfig } from './config.ts'
import type { GraphDatabase } from './graph/database.ts'

export const secret = 'a-secret-for-tests-0123456789abcdef'
export const publicUrl = 'https://graphs.example.com'

const write = createIdentityWriter([secret])

/** A caller as verify would describe it. */
export function caller (tenantId: string, highest: Scope = 'graph:write'): Identity {
  return { tenantId, userId: 'ada', clientId: 'tests', scopes: expandScopes([highest]), issuer: 'https://issuer.example.com' }
}

/** The headers that verify would hand over for a caller. */
export const headersOf = (identity: Identity): Record<string, string> => write(identity)

/** Settings of the service with those given changed. */
export const configOf = (changed: Record<string, string> = {}) =>
  loadMcpConfig({ PUBLIC_URL: publicUrl, GATEWAY_SECRET: secret, FALKORDB_URL: 'redis://127.0.0.1:6379', LOG_LEVEL: 'trace', ...changed })

/** Stands in for FalkorDB where a test is about the frame around it; whatever a test did not give is a failure of that test. */
export function fakeDatabase (given: Partial<GraphDatabase>): GraphDatabase {
  const missing = (name: string) => async (): Promise<never> => { throw new TypeError(`the test did not expect database.${name}()`) }
  return {
    query: missing('query'),
    explain: missing('explain'),
    profile: missing('profile'),
    writes: missing('writes'),
    remove: missing('remove'),
    keys: missing('keys'),
    ping: async () => {},
    info: async () => ({ version: '8.0.0', module: '4.16.3', limits: {}, warnings: [] }),
    up: true,
    close: async () => {},
    ...given
  }
}

export interface TestAppOptions {
  settings?: Record<string, string>
  tools?: McpAppOptions['tools']
}

/** An app of its own with its own metrics; `lines` holds what it logged. */
export function testApp (database: GraphDatabase, { settings, tools }: TestAppOptions = {}) {
  const lines: string[] = []
  const config = configOf(settings)
  const observability = createObservability('mcp', config.LOG_LEVEL, { write: line => lines.push(line) })
  const app = buildApp({ config, database, observability, health: databaseHealth(database), ...(tools && { tools }) })
  const metrics = async (name: string) => (await observability.registry.metrics()).split('\n').filter(line => line.startsWith(name))
  return { app, config, lines, metrics, observability }
}

/** A 2025-era message to /mcp. */
export function rpc (identity: Identity, method: string, params: object = {}, headers: Record<string, string> = {}): InjectOptions {
  return {
    method: 'POST',
    url: '/mcp',
    headers: { accept: 'application/json, text/event-stream', 'content-type': 'application/json', ...headersOf(identity), ...headers },
    payload: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })
  }
}

/** The same message in the envelope of 2026-07-28. */
export function modernRpc (identity: Identity, method: string, params: Record<string, unknown> = {}): InjectOptions {
  const headers: Record<string, string> = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': method }
  if (typeof params.name === 'string') headers['mcp-name'] = params.name
  const meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'tests', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {}
  }
  return rpc(identity, method, { ...params, _meta: meta }, headers)
}

/** A tool call in either era. */
export const toolCall = (era: 'legacy' | 'modern', identity: Identity, name: string, args: unknown) =>
  (era === 'legacy' ? rpc : modernRpc)(identity, 'tools/call', { name, arguments: args })

/** Calls tools through an app: the structured content with its text, the error, or the HTTP status with its challenge. */
export const callThrough = (app: ReturnType<typeof testApp>['app']) => async (identity: Identity, name: string, args: object, era: 'legacy' | 'modern' = 'modern') => {
  const reply = await app.inject(toolCall(era, identity, name, args))
  if (reply.statusCode !== 200) return { status: reply.statusCode, challenge: reply.headers['www-authenticate'] }
  const { isError, content: [{ text }], structuredContent } = reply.json().result
  return isError ? JSON.parse(text) : { ...structuredContent, text }
}

/** The SDK clients that users have: v1 (2025), v2 on its 2025 leg, v2 on 2026-07-28. Each is given connected. */
export const clients = {
  'v1 SDK, 2025 era': async (url: string, identity: Identity) => {
    const client = new LegacyClient({ name: 'tests', version: '1' })
    // v1's own types predate exactOptionalPropertyTypes.
    await client.connect(new LegacyTransport(new URL(url), { requestInit: { headers: headersOf(identity) } }) as Parameters<typeof client.connect>[0])
    return client
  },
  'v2 SDK, 2025 era': async (url: string, identity: Identity) => {
    const client = new ModernClient({ name: 'tests', version: '1' })
    await client.connect(new ModernTransport(new URL(url), { requestInit: { headers: headersOf(identity) } }))
    return client
  },
  'v2 SDK, 2026-07-28': async (url: string, identity: Identity) => {
    const client = new ModernClient({ name: 'tests', version: '1' }, { versionNegotiation: { mode: { pin: '2026-07-28' } } })
    await client.connect(new ModernTransport(new URL(url), { requestInit: { headers: headersOf(identity) } }))
    return client
  }
}
