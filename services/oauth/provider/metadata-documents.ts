/**
 * Client ID metadata documents (draft-ietf-oauth-client-id-metadata-document), and the one way by which oidc-provider fetches anything:
 * addresses that strangers name must not lead into the network that this service stands in.
 */
import { lookup as resolve, type LookupAddress } from 'node:dns'
import { once } from 'node:events'
import { createServer, isIP, type AddressInfo, type LookupFunction } from 'node:net'
import { X509Certificate } from 'node:crypto'
import { getCACertificates } from 'node:tls'
import type { Client, KoaContextWithOIDC } from 'oidc-provider'
import type { Logger } from 'pino'
import { Agent, buildConnector, fetch as request, type Dispatcher } from 'undici'
import { ConfigurationError } from '@gateway/common/config.ts'
import { readTextFile } from '@gateway/common/watched-file.ts'
import { maxKeys } from './client-rules.ts'
import { isPublicAddress } from './public-addresses.ts'
import { redirectFault } from './redirect-uris.ts'

/** For one document: connecting, waiting and reading together. */
const timeoutMs = 2_500
/** Of whatever is fetched; `fetchResponseBodyLimits` of oidc-provider is narrower for documents. */
const maxBytes = 64 * 1024
/** Longest client id: it stands in tokens, headers and log lines. */
const maxIdLength = 512

export interface GuardedFetch {
  /**
   * For oidc-provider's `fetch`: https only, no redirect is followed, 2.5 s.
   * @throws Error where the address may not be asked, or cannot be
   */
  fetch: (url: string | URL, options?: RequestInit) => Promise<Response>
  close: () => Promise<void>
}

export interface GuardedFetchOptions {
  /** `host` or `host:port`, in lower case, that are asked wherever they lie. */
  trustedHosts: readonly string[]
  /** PEM file of an authority that the trusted hosts are also believed by; '' for none. */
  caFile: string
  logger: Logger
  /** How names become addresses; the system's way. */
  lookup?: typeof resolve
}

/** A refusal of the guard, as opposed to a server that does not answer. */
class AddressRefused extends Error {
  override readonly name = 'AddressRefused'
}

/**
 * Makes that way, and proves that it refuses this machine.
 * @throws ConfigurationError where caFile holds no certificate, Error where the guard does not hold
 */
export async function createGuardedFetch ({ trustedHosts, caFile, logger, lookup = resolve }: GuardedFetchOptions): Promise<GuardedFetch> {
  const common = { connections: 4, pipelining: 0, keepAliveTimeout: 1_000, maxResponseSize: maxBytes, allowH2: false }
  const guarded = new Agent({ ...common, connect: guardedConnector(lookup) })
  const trusted = new Agent({ ...common, connect: { ...(caFile !== '' && { ca: [...getCACertificates('default'), readAuthority(caFile)] }), timeout: timeoutMs, allowH2: false } })
  const close = async () => { await Promise.all([guarded.destroy(), trusted.destroy()]) }
  try {
    await proveGuard(guarded)
  } catch (error) {
    await close()
    throw error
  }
  const fetch = async (url: string | URL, options: RequestInit = {}) => {
    const target = new URL(url)
    try {
      const dispatcher = isTrusted(target, trustedHosts) ? trusted : guarded
      if (target.protocol !== 'https:') throw new AddressRefused('the address is not https')
      if (dispatcher === guarded && target.port !== '') throw new AddressRefused('the port is not 443')
      return await fewKeys(await ask(target, options, dispatcher))
    } catch (error) {
      logger.info({ host: target.host, reason: reasonOf(error) }, 'what a client named could not be fetched')
      throw error
    }
  }
  return { fetch, close }
}

async function ask (target: URL, options: RequestInit, dispatcher: Dispatcher): Promise<Response> {
  const signal = AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(options.signal ? [options.signal] : [])])
  // A redirect comes back as such, and is no 200; a dispatcher of the caller's would be a way round ours.
  return await request(target, { ...options, dispatcher, signal, redirect: 'manual' } as never) as unknown as Response
}

/**
 * The same answer, where it is no set of more keys than a client may have: each of them would be tried on every assertion that names none.
 * @throws Error where it is, or where it is larger than anything that is fetched once it is unpacked
 */
async function fewKeys (response: Response): Promise<Response> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    size += chunk.length
    if (size > maxBytes) throw new Error(`the answer has more than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  const text = Buffer.concat(chunks).toString('utf8')
  if (keysIn(text) > maxKeys) throw new Error(`there are more than ${maxKeys} keys`)
  return new Response(text === '' ? null : text, { status: response.status, headers: [...response.headers] })
}

/** How many keys a set of them holds (RFC 7517 section 5); whether it is JSON at all is judged where it is used. */
function keysIn (text: string): number {
  try {
    const { keys } = JSON.parse(text) as { keys?: unknown }
    return Array.isArray(keys) ? keys.length : 0
  } catch {
    return 0
  }
}

/** The innermost cause: undici's own message is "fetch failed". */
function reasonOf (error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  return error.cause === undefined ? (error as NodeJS.ErrnoException).code ?? error.message : reasonOf(error.cause)
}

/** Connects to public addresses alone: judged before a packet is sent, and once more by what the socket is connected to. */
function guardedConnector (lookup: typeof resolve): buildConnector.connector {
  const connect = buildConnector({ lookup: publicLookup(lookup), timeout: timeoutMs, allowH2: false })
  return (options, callback) => {
    const host = options.hostname.replace(/^\[(.*)\]$/, '$1')
    // An address is never looked up.
    if (isIP(host) !== 0 && !isPublicAddress(host)) return callback(refused(), null)
    connect(options, (error, socket) => {
      // undici leaves the socket out of a call with an error.
      if (error !== null) return callback(error, null)
      if (isPublicAddress(socket.remoteAddress ?? '')) return callback(null, socket)
      socket.destroy()
      callback(refused(), null)
    })
  }
}

/** One address of a name that is not public spoils all: whoever runs the name could have either asked. */
function publicLookup (lookup: typeof resolve): LookupFunction {
  return (hostname, options, callback) => lookup(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
    const [first] = addresses ?? []
    if (error !== null || first === undefined) callback(error ?? new Error('the name has no address'), '')
    else if (!addresses.every(({ address }) => isPublicAddress(address))) callback(refused(), '')
    else if (options.all === true) callback(null, addresses)
    else callback(null, first.address, first.family)
  })
}

const refused = () => new AddressRefused('the name leads to an address that is not public')

/** A server of our own on this machine must not be reached, by address or by name. */
async function proveGuard (guarded: Dispatcher): Promise<void> {
  let reached = false
  const server = createServer(socket => {
    reached = true
    socket.destroy()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  try {
    for (const host of ['127.0.0.1', 'localhost', '[::ffff:127.0.0.1]']) {
      const outcome = await ask(new URL(`https://${host}:${port}/`), {}, guarded).catch((error: Error) => error.cause)
      if (!(outcome instanceof AddressRefused) || reached) throw new Error(`the guard over what clients name does not refuse ${host}: client ID metadata documents could be fetched from inside the network`)
    }
  } finally {
    server.close()
  }
}

function readAuthority (path: string): string {
  const pem = readTextFile(path)
  try {
    if (new X509Certificate(pem).subject !== '') return pem
  } catch {
    // Told below, as for one without a name.
  }
  throw new ConfigurationError([`CIMD_CA_FILE: ${path} holds no certificate in PEM`])
}

function isTrusted ({ hostname, port }: URL, trustedHosts: readonly string[]): boolean {
  return trustedHosts.includes(port === '' ? hostname : `${hostname}:${port}`)
}

export interface MetadataDocumentOptions {
  trustedHosts: readonly string[]
  /** Counts a document that is to be fetched for a client's address; throws where there were too many. */
  limit: (address: string) => Promise<void>
}

/** For `features.clientIdMetadataDocument` of oidc-provider. What a document says is judged by `extraClientMetadata`. */
export function clientIdMetadataDocument ({ trustedHosts, limit }: MetadataDocumentOptions) {
  return {
    enabled: true,
    ack: 'draft-02',
    async allowFetch (ctx: KoaContextWithOIDC | undefined, clientId: string): Promise<boolean> {
      if (!isDocumentAddress(clientId, trustedHosts)) return false
      // Without a request it is asked for by a page of ours, for a sign-in that was counted when it began.
      if (ctx !== undefined) await limit(ctx.ip)
      return true
    },
    // Once more, so that a client whom nobody judged does not pass.
    allowClient: (_ctx: KoaContextWithOIDC | undefined, { redirectUris, grantTypes }: Client): boolean =>
      (redirectUris ?? []).length > 0 && redirectUris!.every(uri => redirectFault(uri) === undefined) && grantTypes?.includes('client_credentials') !== true,
    /** Seconds, whatever the document's own headers say: short enough for a change, long enough not to be asked at each refresh. */
    cacheDuration: { min: 300, max: 86_400 }
  }
}

/** True for an id in the one form that a URL has (so that no two ids are one place), with a path, and at port 443 or a trusted host. */
function isDocumentAddress (clientId: string, trustedHosts: readonly string[]): boolean {
  const url = clientId.length > maxIdLength ? null : URL.parse(clientId)
  if (url === null || url.protocol !== 'https:' || url.href !== clientId) return false
  if (url.pathname === '/' || url.username !== '' || url.password !== '' || url.hash !== '' || url.hostname.endsWith('.')) return false
  return url.port === '' || isTrusted(url, trustedHosts)
}
