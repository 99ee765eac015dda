/** One HTTPS request exactly as written: no normalised path, no folded headers, no redirect followed. */
import { Agent, request as httpsRequest } from 'node:https'
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { readFileSync } from 'node:fs'

export interface Request {
  method?: string
  /** Sent byte for byte, so `/mcp/../x` stays so. */
  path: string
  /** A record, or name and value in turn where a header must come twice or in its own spelling. */
  headers?: Record<string, string> | readonly string[]
  /** A string or bytes are sent as they are, anything else as JSON. */
  body?: unknown
}

export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  text: string
  /** The body as JSON; undefined where it is none. */
  json: any
}

export type Send = (request: Request) => Promise<Answer>

/**
 * Makes the sender for one origin.
 * @param origin e.g. https://localhost:8443, or http://127.0.0.1:9090 for an internal port
 * @param caFile PEM file of the authority that signed the origin's certificate
 * @param from address of this machine to send from, e.g. 127.0.0.2; any where absent
 */
export function createSend (origin: string, caFile?: string, from?: string): Send {
  const { hostname, port, protocol } = new URL(origin)
  const agent = protocol === 'https:' ? new Agent({ keepAlive: true, ...(caFile && { ca: readFileSync(caFile) }) }) : undefined
  return ({ method, path, headers = {}, body }) => new Promise((resolve, reject) => {
    const payload = body === undefined || typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body)
    const pairs = Array.isArray(headers) ? [...headers] : Object.entries(headers).flat()
    const has = (name: string) => pairs.some((value, at) => at % 2 === 0 && value.toLowerCase() === name)
    if (!has('host')) pairs.push('Host', `${hostname}:${port}`)
    if (payload !== undefined && !has('content-type')) pairs.push('Content-Type', 'application/json')
    if (payload !== undefined && !has('transfer-encoding')) pairs.push('Content-Length', String(Buffer.byteLength(payload)))
    const options = { ...(from && { localAddress: from, family: 4 }), hostname, port, path, method: method ?? (body === undefined ? 'GET' : 'POST'), headers: pairs }
    const outgoing = agent ? httpsRequest({ ...options, agent }) : httpRequest(options)
    outgoing.on('error', reject)
    outgoing.on('response', incoming => {
      incoming.setEncoding('utf8')
      let text = ''
      incoming.on('data', (chunk: string) => { text += chunk })
      incoming.on('error', reject)
      incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text, json: jsonOf(text) }))
    })
    outgoing.end(payload)
  })
}

function jsonOf (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The JSON-RPC message of an answer that is JSON or one server-sent event (the 2025 era answers so). */
export function rpcMessage (answer: Answer): any {
  if (answer.json !== undefined) return answer.json
  const data = answer.text.split('\n').findLast(line => line.startsWith('data: '))
  return data === undefined ? undefined : JSON.parse(data.slice('data: '.length))
}
