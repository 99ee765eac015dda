/** One connection of the load generator: HTTP/1.1 keep-alive or HTTP/2, plain or over TLS as the URL says. */
import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { text } from 'node:stream/consumers'
import { Client } from 'undici'

export interface LoadRequest {
  method: 'GET' | 'POST'
  path: string
  headers: Record<string, string>
  body?: string
  expect: {
    status: number
    /** Another status that is as good. */
    orStatus?: number
    /** A response header and its exact value. */
    header?: [name: string, value: string]
    /** Texts that the body holds. */
    body?: string[]
  }
}

export interface Answer {
  status: number
  headers: Record<string, string | string[] | undefined>
  body: string
}

export interface Target {
  /** Origin, e.g. https://localhost:8443. */
  url: string
  /** `http2`: all requests share one connection, as Traefik's do; `http1`: one connection for each worker. */
  transport: 'http1' | 'http2'
  /** The authority in PEM that signed the server's certificate. */
  ca?: string
}

export interface Connection {
  /** @throws where no whole answer comes */
  send: (request: LoadRequest) => Promise<Answer>
  close: () => Promise<void>
}

/** No answer for so long, in milliseconds, ends the run: the bench measures no stuck server. */
const patienceMs = 30_000

/** Opens the connections of `workers` closed loops; each worker uses the one at its own index. */
export async function openConnections (target: Target, workers: number): Promise<Connection[]> {
  if (target.transport === 'http1') return Array.from({ length: workers }, () => http1(target))
  const shared = await http2(target)
  return Array.from({ length: workers }, () => shared)
}

function http1 ({ url, ca }: Target): Connection {
  const client = new Client(url, { pipelining: 1, headersTimeout: patienceMs, bodyTimeout: patienceMs, ...(ca !== undefined && { connect: { ca } }) })
  return {
    send: async ({ method, path, headers, body }) => {
      const response = await client.request({ method, path, headers, body: body ?? null })
      return { status: response.statusCode, headers: response.headers, body: await response.body.text() }
    },
    close: () => client.close()
  }
}

async function http2 ({ url, ca }: Target): Promise<Connection> {
  const session = connectHttp2(url, ca === undefined ? {} : { ca })
  await once(session, 'connect')
  let failure: Error | undefined
  session.on('error', error => { failure = error })
  return {
    send: async ({ method, path, headers, body }) => {
      const stream = session.request({ ':method': method, ':path': path, ...headers }, { endStream: body === undefined })
      stream.setTimeout(patienceMs, () => stream.destroy(new Error(`no answer within ${patienceMs} ms`)))
      if (body !== undefined) stream.end(body)
      const [[answer], content] = await Promise.all([once(stream, 'response'), text(stream)])
      if (failure !== undefined) throw failure
      return { status: Number(answer[':status']), headers: answer, body: content }
    },
    close: async () => {
      if (session.destroyed) return
      session.close()
      await once(session, 'close')
    }
  }
}
