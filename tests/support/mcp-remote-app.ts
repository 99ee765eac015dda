/** mcp-remote as a desktop client starts it, without any token: its person's browser opens what it says. */
import { globSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { getDefaultEnvironment, StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { freePort } from '../../dev/free-port.ts'
import type { App, AppOptions, Credentials, Decide } from './apps.ts'
import { answerOf, type ToolAnswer } from './clients.ts'
import { until } from './until.ts'

const program = createRequire(import.meta.url).resolve('mcp-remote/dist/proxy.js')

export interface McpRemoteAppOptions extends Omit<AppOptions, 'document' | 'wantsRefreshToken'> {
  caFile: string
  /** A folder of its own for what it remembers. */
  configDir: string
  /** mcp-remote's own options. */
  args?: string[]
  /** Makes a client ID metadata document with that redirect. @returns its URL */
  document?: ((redirect: string) => string) | undefined
}

export async function openMcpRemoteApp ({ url, name, page, caFile, configDir, args = [], document, scope }: McpRemoteAppOptions): Promise<App> {
  const port = await freePort()
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [
      program, url, String(port), '--auth-timeout', '120', ...args,
      '--static-oauth-client-metadata', JSON.stringify({ client_name: name, ...(scope && { scope }) }),
      ...(document ? ['--client-metadata-url', document(`http://localhost:${port}/oauth/callback`)] : [])
    ],
    // xdg-open takes this for the browser: the one of the test's person reads what mcp-remote prints.
    env: { ...getDefaultEnvironment(), NODE_EXTRA_CA_CERTS: caFile, MCP_REMOTE_CONFIG_DIR: configDir, BROWSER: 'true' },
    stderr: 'pipe'
  })
  let said = ''
  const asked: URL[] = []
  transport.stderr?.on('data', chunk => {
    said += String(chunk)
    const links = [...said.matchAll(/authorize this client by visiting:\s+(https:\S+)\s/g)]
    for (const [, link = ''] of links.slice(asked.length)) asked.push(new URL(link))
  })
  const client = new Client({ name: 'desktop', version: '1.0.0' })
  let connected: Promise<void> | undefined

  async function attempt (tool: string, args: Record<string, unknown>): Promise<ToolAnswer> {
    connected ??= client.connect(transport)
    await connected
    return answerOf(await client.callTool({ name: tool, arguments: args }, undefined, { timeout: 120_000 }))
  }

  function tell (cause: Error): never { throw new Error(`${cause.message}\n${said}`, { cause }) }

  /** It waits for its person by itself, so the answer and the question come as they like. */
  async function call (tool: string, args: Record<string, unknown>, decide?: Decide): Promise<ToolAnswer> {
    const known = asked.length
    let settled = false
    const outcome = attempt(tool, args).catch(tell).finally(() => { settled = true })
    // Told where it is awaited below.
    outcome.catch(() => {})
    await until('an answer of mcp-remote, or a question', () => settled || asked.length > known, 60).catch(tell)
    if (!settled) {
      if (decide === undefined) throw new Error('mcp-remote asks for a sign-in')
      await page.goto(String(asked.at(-1)))
      await decide(page)
    }
    return await outcome
  }

  function remembered (what: string): Record<string, any> {
    const [file] = globSync(join(configDir, '*', `*_${what}.json`))
    if (file === undefined) throw new Error(`mcp-remote remembers no ${what}\n${said}`)
    return JSON.parse(readFileSync(file, 'utf8'))
  }

  return {
    name,
    asked,
    call,
    query: (graphName, query, decide) => call('falkordb_query', { graphName, query }, decide),
    credentials: async () => remembered('tokens') as Credentials,
    clientId: async () => String(asked.at(-1)?.searchParams.get('client_id')),
    async close () {
      const { pid } = transport
      await client.close()
      if (pid !== null) await until('the end of mcp-remote', () => !isRunning(pid), 10)
    }
  }
}

function isRunning (pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    // ESRCH: nobody has that id.
    return false
  }
}
