/** One HTTPS request to a stack of this machine, whose certificate only its own authority vouches for. */
import { request } from 'node:https'

export interface CallOptions {
  method?: string
  headers?: Record<string, string>
  /** Sent as JSON. */
  body?: unknown
  /** The authority in PEM. */
  ca: string | Buffer
  signal?: AbortSignal | undefined
}

/** Sends one request on a connection of its own. @returns status and body @throws if no answer comes within 30 s */
export function call (url: string, { method = 'GET', headers = {}, body, ca, signal }: CallOptions): Promise<{ status: number, text: string }> {
  const payload = body === undefined ? undefined : JSON.stringify(body)
  const timeout = AbortSignal.timeout(30_000)
  return new Promise((resolve, reject) => {
    const outgoing = request(url, {
      method,
      ca,
      agent: false,
      headers: { ...headers, ...(payload !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }) },
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout
    }, incoming => {
      let text = ''
      incoming.setEncoding('utf8')
        .on('data', (chunk: string) => { text += chunk })
        .on('error', reject)
        .on('end', () => resolve({ status: incoming.statusCode ?? 0, text }))
    })
    outgoing.on('error', reject)
    outgoing.end(payload)
  })
}

/** A call of a tool as a client of the 2025 protocol posts it. */
export function toolCall (name: string, args: Record<string, unknown> = {}) {
  return {
    headers: { accept: 'application/json, text/event-stream' },
    body: { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: args } }
  }
}

/** Where clients read how to sign in at the built-in sign-in (RFC 8414 section 3). */
export const serverMetadata = ({ url }: { url: string }) => `${url}/.well-known/oauth-authorization-server`
