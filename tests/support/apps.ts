/** Apps that know no more than the gateway's URL: the SDKs' clients and mcp-remote, with the browser that they open for their person. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2, UnauthorizedError as UnauthorizedV2, type OAuthClientProvider as ProviderV2, type OAuthDiscoveryState, type StoredOAuthClientInformation, type StoredOAuthTokens } from '@modelcontextprotocol/client'
import { UnauthorizedError as UnauthorizedV1, type OAuthClientProvider as ProviderV1 } from '@modelcontextprotocol/sdk/client/auth.js'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import type { Page } from 'playwright-core'
import { answerOf, modes, type Era, type ToolAnswer } from './clients.ts'
import { until } from './until.ts'

/** What the person does when the app has opened a page for them. */
export type Decide = (page: Page) => Promise<void>

export interface Credentials { access_token: string, refresh_token?: string | undefined, scope?: string | undefined }

export interface App {
  /** What it calls itself. */
  name: string
  /**
   * Calls a tool. Where the app asks for a sign-in first, `decide` is what its person does, and the call goes on by itself.
   * @throws where it asks and nobody decides, and with what the client throws
   */
  call: (tool: string, args: Record<string, unknown>, decide?: Decide) => Promise<ToolAnswer>
  /** falkordb_query. */
  query: (graphName: string, query: string, decide?: Decide) => Promise<ToolAnswer>
  /** What it wanted its person to open, in order. */
  asked: URL[]
  /** What it holds now. */
  credentials: () => Promise<Credentials>
  clientId: () => Promise<string>
  close: () => Promise<void>
}

export interface AppOptions {
  /** The gateway's URL of MCP. */
  url: string
  name: string
  /** The browser of its person. */
  page: Page
  /** URL of its client ID metadata document, whose redirect is http://127.0.0.1/callback; absent: it registers. */
  document?: string | undefined
  /** What it asks for at first, in place of what the gateway's challenge says. */
  scope?: string | undefined
  /** Absent: true. */
  wantsRefreshToken?: boolean | undefined
}

/** An app of an SDK: the code comes to a server of its own on this machine. */
export async function openSdkApp (era: Era, { url, name, page, document, scope, wantsRefreshToken = true }: AppOptions): Promise<App> {
  const callback = await openCallback()
  const asked: URL[] = []
  const memory = new Memory({ name, redirect: callback.url, document, wantsRefreshToken }, async link => {
    if (scope !== undefined && asked.length === 0) link.searchParams.set('scope', scope)
    asked.push(link)
    await page.goto(link.href)
  })
  let connection = connectionOf(era, new URL(url), memory)

  async function attempt (tool: string, args: Record<string, unknown>): Promise<ToolAnswer> {
    if (!connection.open) {
      // A transport can be started once.
      connection = connectionOf(era, new URL(url), memory)
      await connection.connect()
    }
    return answerOf(await connection.call(tool, args))
  }

  async function call (tool: string, args: Record<string, unknown>, decide?: Decide): Promise<ToolAnswer> {
    try {
      return await attempt(tool, args)
    } catch (error) {
      if (decide === undefined || !(error instanceof UnauthorizedV1 || error instanceof UnauthorizedV2)) throw error
      await decide(page)
      const { searchParams } = await callback.next()
      if (searchParams.get('state') !== memory.latestState) throw new Error('the answer is to another request')
      await connection.finish(searchParams)
      return await attempt(tool, args)
    }
  }

  return {
    name,
    asked,
    call,
    query: (graphName, query, decide) => call('falkordb_query', { graphName, query }, decide),
    credentials: async () => memory.held(),
    clientId: async () => String(memory.clientInformation()?.client_id),
    async close () {
      await connection.close()
      await callback.close()
    }
  }
}

interface Connection {
  open: boolean
  connect: () => Promise<void>
  call: (name: string, args: Record<string, unknown>) => Promise<Record<string, any>>
  finish: (answer: URLSearchParams) => Promise<void>
  close: () => Promise<void>
}

const info = { name: 'app', version: '1.0.0' }

function connectionOf (era: Era, url: URL, memory: Memory): Connection {
  if (era === 'v1 SDK') {
    const transport = new TransportV1(url, { authProvider: memory as ProviderV1 })
    const client = new ClientV1(info)
    return {
      open: false,
      async connect () {
        await client.connect(transport as Transport)
        this.open = true
      },
      call: (name, args) => client.callTool({ name, arguments: args }),
      finish: answer => transport.finishAuth(String(answer.get('code'))),
      close: () => client.close()
    }
  }
  const transport = new TransportV2(url, { authProvider: memory })
  const client = new ClientV2(info, { versionNegotiation: { mode: modes[era] } })
  return {
    open: false,
    async connect () {
      await client.connect(transport)
      this.open = true
    },
    call: (name, args) => client.callTool({ name, arguments: args }),
    finish: answer => transport.finishAuth(answer),
    close: () => client.close()
  }
}

/** What an app remembers, as the SDKs ask for it. */
class Memory implements ProviderV2 {
  readonly redirectUrl: string
  readonly clientMetadata
  readonly clientMetadataUrl: string | undefined
  latestState = ''
  #client: StoredOAuthClientInformation | undefined
  #tokens: StoredOAuthTokens | undefined
  #verifier = ''
  #discovered: OAuthDiscoveryState | undefined
  readonly #open: (link: URL) => Promise<void>

  constructor ({ name, redirect, document, wantsRefreshToken }: { name: string, redirect: string, document: string | undefined, wantsRefreshToken: boolean }, open: (link: URL) => Promise<void>) {
    this.redirectUrl = redirect
    this.clientMetadataUrl = document
    this.clientMetadata = { client_name: name, redirect_uris: [redirect], grant_types: ['authorization_code', ...(wantsRefreshToken ? ['refresh_token'] : [])], response_types: ['code'], token_endpoint_auth_method: 'none' }
    this.#open = open
  }

  held (): Credentials {
    if (this.#tokens === undefined) throw new Error('the app has no token')
    return this.#tokens
  }

  state () { return (this.latestState = randomBytes(16).toString('base64url')) }
  clientInformation () { return this.#client }
  saveClientInformation (client: StoredOAuthClientInformation) { this.#client = client }
  tokens () { return this.#tokens }
  saveTokens (tokens: StoredOAuthTokens) { this.#tokens = tokens }
  redirectToAuthorization (link: URL) { return this.#open(link) }
  codeVerifier () { return this.#verifier }
  saveCodeVerifier (verifier: string) { this.#verifier = verifier }
  discoveryState () { return this.#discovered }
  saveDiscoveryState (state: OAuthDiscoveryState) { this.#discovered = state }
  invalidateCredentials (what: 'all' | 'client' | 'tokens' | 'verifier' | 'discovery') {
    if (what === 'all' || what === 'tokens') this.#tokens = undefined
    if (what === 'all' || what === 'client') this.#client = undefined
    if (what === 'all' || what === 'discovery') this.#discovered = undefined
  }
}

/** The small server to which a desktop app has its answer sent. */
async function openCallback () {
  const answers: URL[] = []
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://127.0.0.1')
    if (url.pathname !== '/callback') return response.writeHead(404).end()
    answers.push(url)
    response.writeHead(200, { 'content-type': 'text/plain' }).end('You may close this window.')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback`,
    async next (): Promise<URL> {
      await until('the browser at the app\'s redirect', () => answers.length > 0)
      return answers.shift() as URL
    },
    async close () {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    }
  }
}
