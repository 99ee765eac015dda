/** @falkordb/mcpserver, the database vendor's own MCP server, as its README starts it over HTTP: a static key, sessions, no tenants. */
import { execFile } from 'node:child_process'
import { access, mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from '../../dev/free-port.ts'
import { startProcess } from '../../dev/process.ts'
import { temporaryFolder } from '../children.ts'
import type { MeasuredProcess } from '../measure.ts'
import type { Bench, Subject } from '../rounds.ts'
import type { LoadRequest } from '../transports.ts'
import { expected, idOf, query } from '../work.ts'

const version = '1.3.0'
const apiKey = 'the one key of the peer'
/** Of the revision that it speaks. */
const protocolVersion = '2025-06-18'
/** Clients, as many as the load has workers at most: a session each. */
const sessions = 64

export const peerName = `@falkordb/mcpserver ${version}, directly`

/**
 * Starts the peer beside the same database; installed under .cache/ at its first use.
 * @param key of the graph that it queries
 */
export async function openPeer ({ started, say }: Bench, falkordbUrl: string, key: string, database: MeasuredProcess, floor: string): Promise<Subject> {
  const program = await install(say)
  const [port, log] = [await freePort(), join(await temporaryFolder(started), 'log')]
  const { hostname, port: databasePort } = new URL(falkordbUrl)
  const url = `http://127.0.0.1:${port}`
  const running = await startProcess({
    command: [process.execPath, program],
    cwd: resolve(program, '..'),
    env: { PATH: process.env.PATH ?? '', NODE_ENV: 'production', MCP_TRANSPORT: 'http', MCP_PORT: String(port), MCP_API_KEY: apiKey, FALKORDB_HOST: hostname, FALKORDB_PORT: databasePort },
    log,
    isReady: () => fetch(url, { method: 'HEAD' }).then(() => true, () => false)
  }, new AbortController().signal)
  started.defer(running.stop)
  const ids: string[] = []
  for (let n = 0; n < sessions; n++) ids.push(await initialize(url))
  return {
    name: peerName,
    floor,
    processes: [{ name: 'mcpserver', pid: running.pid! }, database],
    target: { url, transport: 'http1' },
    requests: count => Array.from({ length: count }, (_, n) => toolCall(idOf(n), key, ids[n % ids.length]!))
  }
}

async function install (say: (line: string) => void): Promise<string> {
  const folder = resolve(import.meta.dirname, '../../.cache/peers')
  const program = join(folder, 'node_modules/@falkordb/mcpserver/dist/index.js')
  const there = await access(join(folder, version)).then(() => true, () => false)
  if (there) return program
  say(`installing @falkordb/mcpserver ${version} under .cache/peers`)
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies: { '@falkordb/mcpserver': version } }))
  await promisify(execFile)('npm', ['install', '--no-audit', '--no-fund', '--no-package-lock'], { cwd: folder, timeout: 300_000 })
  await writeFile(join(folder, version), '')
  return program
}

const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream', authorization: `Bearer ${apiKey}` }

async function initialize (url: string): Promise<string> {
  const params = { protocolVersion, capabilities: {}, clientInfo: { name: 'bench', version: '1' } }
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params }) })
  const session = response.headers.get('mcp-session-id')
  await response.text()
  if (session === null) throw new Error(`the peer gave no session (${response.status})`)
  const noted = await fetch(url, { method: 'POST', headers: { ...headers, 'mcp-session-id': session, 'mcp-protocol-version': protocolVersion }, body: JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' }) })
  await noted.text()
  return session
}

const toolCall = (id: number, graphName: string, session: string): LoadRequest => ({
  method: 'POST',
  path: '/',
  headers: { ...headers, 'mcp-session-id': session, 'mcp-protocol-version': protocolVersion },
  body: JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'query_graph_readonly', arguments: { graphName, query, params: { id } } } }),
  expect: { status: 200, body: expected(id) }
})
