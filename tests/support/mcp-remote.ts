/** mcp-remote as a desktop client starts it, with the development CA. */
import { createRequire } from 'node:module'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { getDefaultEnvironment, StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { answerOf } from './clients.ts'
import type { Person } from './gateway.ts'

// mcp-remote puts the variable's value there itself; a space in an argument does not survive every desktop client.
const reference = ['Authorization:$', '{AUTH_HEADER}'].join('')
const program = createRequire(import.meta.url).resolve('mcp-remote/dist/proxy.js')

export interface McpRemoteOptions {
  url: string
  caFile: string
  person: Person
  /** mcp-remote's own options. */
  args: string[]
  /** A folder of its own for what it remembers. */
  configDir: string
}

/** One query through it, and what it said meanwhile. @throws with what it said where it does not connect */
export async function queryThroughMcpRemote ({ url, caFile, person, args, configDir }: McpRemoteOptions, query: { graphName: string, query: string }) {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [program, url, '--header', reference, ...args],
    env: { ...getDefaultEnvironment(), NODE_EXTRA_CA_CERTS: caFile, AUTH_HEADER: person.headers.authorization, MCP_REMOTE_CONFIG_DIR: configDir },
    stderr: 'pipe'
  })
  let said = ''
  transport.stderr?.on('data', chunk => { said += String(chunk) })
  const client = new Client({ name: 'desktop', version: '1.0.0' })
  try {
    await client.connect(transport).catch((cause: Error) => { throw new Error(`${cause.message}\n${said}`, { cause }) })
    return { answer: answerOf(await client.callTool({ name: 'falkordb_query', arguments: query })), said }
  } finally {
    await client.close()
  }
}
