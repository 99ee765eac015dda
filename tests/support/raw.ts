/** Bytes over a TLS socket, exactly as they are given, and every answer that comes back on it. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type TLSSocket } from 'node:tls'
import type { Gateway } from './gateway.ts'

export interface RawAnswer {
  status: number
  /** By lower-case name; a repeated one is joined with a comma. */
  headers: Record<string, string>
  body: string
  /** The body as JSON; undefined where it is none. */
  json: any
}

export interface Exchange {
  /** Final answers, in their order; the one to the probe is not among them. */
  answers: RawAnswer[]
  /** The connection has ended. */
  closed: boolean
  /** The probe was answered: the server had kept the connection open after the last answer. */
  keptOpen: boolean
  /** Bytes that are no answer. */
  rest: string
  /** Milliseconds until the end. */
  took: number
}

export interface ExchangeOptions {
  /** Milliseconds for all of it; 20,000 where absent. */
  deadline?: number
  /** Milliseconds between the parts. */
  pause?: number
  /** Address of this machine to send from. */
  from?: string
}

/** Where to connect. */
export type Door = Pick<Gateway, 'url' | 'caFile'>

/** A TLS connection to the public port, for the protocol of that ALPN name. */
export async function openSocket ({ url, caFile }: Door, alpn = 'http/1.1', from?: string): Promise<TLSSocket> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: from === undefined ? hostname : '127.0.0.1', port: Number(port), servername: hostname, ca: readFileSync(caFile), ALPNProtocols: [alpn], ...(from && { localAddress: from }) })
  await once(socket, 'secureConnect')
  return socket
}

/**
 * Sends bytes and collects what comes. After the first answer a probe follows on the same connection: what the server took for further
 * requests is answered before it, and a server that closes does not answer it. So nothing has to be waited for by time.
 * @param parts sent one after the other; a part is sent although the connection is ending, as an enemy would
 */
export async function exchange (door: Door, parts: string | Buffer | ReadonlyArray<string | Buffer>, { deadline = 20_000, pause = 0, from }: ExchangeOptions = {}): Promise<Exchange> {
  const started = performance.now()
  const socket = await openSocket(door, undefined, from)
  const probe = `/probe-${Math.random().toString(36).slice(2)}`
  let received = ''
  let probed = false
  const read = () => readAnswers(received)
  let closed = false
  const ended = new Promise<void>(resolve => {
    const timer = setTimeout(resolve, deadline)
    const end = () => {
      closed = true
      clearTimeout(timer)
      resolve()
    }
    // A reset is an end as well: the server may close with our bytes still on the way.
    socket.on('error', end).on('close', end)
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      received += chunk
      if (probed || read().answers.length === 0) return
      probed = true
      socket.write(`GET ${probe} HTTP/1.1\r\nHost: ${new URL(door.url).host}\r\nConnection: close\r\n\r\n`)
    })
  })
  try {
    for (const [index, part] of (typeof parts === 'string' || Buffer.isBuffer(parts) ? [parts] : parts).entries()) {
      if (index > 0 && pause > 0) await Promise.race([ended, new Promise(resolve => setTimeout(resolve, pause))])
      if (socket.destroyed) break
      socket.write(typeof part === 'string' ? Buffer.from(part, 'latin1') : part)
    }
    await ended
  } finally {
    socket.destroy()
  }
  const { answers, rest } = read()
  const keptOpen = answers.at(-1)?.json?.path === probe
  return { answers: keptOpen ? answers.slice(0, -1) : answers, closed, keptOpen, rest, took: performance.now() - started }
}

/** All complete answers (RFC 9112), without the interim ones. */
export function readAnswers (text: string): { answers: RawAnswer[], rest: string } {
  const answers: RawAnswer[] = []
  let rest = text
  for (;;) {
    const end = rest.indexOf('\r\n\r\n')
    const status = /^HTTP\/1\.[01] (\d{3})/.exec(rest)?.[1]
    if (end < 0 || status === undefined) return { answers, rest }
    const headers: Record<string, string> = {}
    for (const line of rest.slice(0, end).split('\r\n').slice(1)) {
      const colon = line.indexOf(':')
      const name = line.slice(0, colon).toLowerCase()
      const value = line.slice(colon + 1).trim()
      headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`
    }
    const after = rest.slice(end + 4)
    const hasNoBody = status.startsWith('1') || status === '204' || status === '304'
    const body = hasNoBody ? { text: '', length: 0 } : bodyOf(after, headers)
    if (body === undefined) return { answers, rest }
    rest = after.slice(body.length)
    if (!status.startsWith('1') || status === '101') answers.push({ status: Number(status), headers, body: body.text, json: jsonOf(body.text) })
  }
}

/** The body at the start of the text and the length that it has there; undefined where it is not complete. */
function bodyOf (text: string, headers: Record<string, string>): { text: string, length: number } | undefined {
  if (headers['transfer-encoding'] === 'chunked') {
    let at = 0
    let body = ''
    for (;;) {
      const line = /^([0-9a-f]+)[^\r]*\r\n/i.exec(text.slice(at, at + 64))
      if (line === null) return undefined
      const size = parseInt(String(line[1]), 16)
      at += line[0].length
      if (text.length < at + size + 2) return undefined
      body += text.slice(at, at + size)
      at += size + 2
      if (size === 0) return { text: body, length: at }
    }
  }
  // Without a length an answer lasts to the end of the connection.
  const length = headers['content-length'] === undefined ? text.length : Number(headers['content-length'])
  return text.length < length ? undefined : { text: text.slice(0, length), length }
}

function jsonOf (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
