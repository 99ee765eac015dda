/** The sign-in service under load: how it is started, and how a person and an OAuth client speak to it. */
import { freePort } from '../dev/free-port.ts'
import { startStateStore } from '../dev/programs/state-store.ts'
import type { Answer, Send } from '../tests/support/https.ts'
import { compile, startNode } from './children.ts'
import type { MeasuredProcess } from './measure.ts'
import type { Bench } from './rounds.ts'
import { openConnections, type Connection } from './transports.ts'

/** What it is called from outside; requests go straight to the service. */
export const origin = 'https://localhost'

export interface SignInService {
  url: string
  valkeyUrl: string
  service: MeasuredProcess
  valkey: MeasuredProcess
}

/** Starts the service and a Valkey of its own. Whoever types a name is signed in, as a member of one tenant; nothing is limited. */
export async function startSignInService ({ started, say }: Bench, name: string): Promise<SignInService> {
  const script = 'services/oauth/server.ts'
  await compile(script)
  const valkey = await startStateStore({ port: await freePort(), say })
  started.defer(valkey.stop)
  const { pid, urls } = await startNode(started, name, script, {
    NODE_ENV: 'production',
    PUBLIC_URL: origin,
    GATEWAY_SECRET: 'signs only what this benchmark asks for',
    VALKEY_URL: valkey.url,
    OAUTH_PORT: '0',
    METRICS_PORT: '0',
    LOCAL_SIGN_IN: 'true',
    LOCAL_SIGN_IN_TENANTS: 'bench',
    REGISTRATIONS_PER_HOUR: '0',
    SIGN_INS_PER_MINUTE: '0',
    TOKENS_PER_MINUTE: '0',
    CLIENT_TOKENS_PER_MINUTE: '0',
    ACCOUNT_SIGN_INS_PER_HOUR: '0'
  })
  return { url: urls.public!, valkeyUrl: valkey.url, service: { name: 'oauth', pid }, valkey: { name: 'valkey', pid: valkey.pid, database: true } }
}

/** Opens keep-alive connections, closed with the bench; each sends one request at a time. */
export async function openSends (started: AsyncDisposableStack, url: string, count: number): Promise<Send[]> {
  const connections = await openConnections({ url, transport: 'http1' }, count)
  for (const connection of connections) started.defer(connection.close)
  return connections.map(sendOver)
}

const sendOver = (connection: Connection): Send => async ({ method = 'GET', path, headers = {}, body }) => {
  const json = body !== undefined && typeof body !== 'string'
  const answer = await connection.send({
    method: method as 'GET' | 'POST',
    path,
    headers: { ...headers as Record<string, string>, ...(json && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: json ? JSON.stringify(body) : body as string }),
    expect: { status: 200 }
  })
  return {
    status: answer.status,
    headers: answer.headers as Answer['headers'],
    text: answer.body,
    json: String(answer.headers['content-type']).startsWith('application/json') ? JSON.parse(answer.body) : undefined
  }
}

/** Does something `count` times, as many at once as there are connections. */
export async function overAll (sends: readonly Send[], count: number, work: (send: Send, n: number) => Promise<unknown>): Promise<void> {
  let next = 0
  await Promise.all(sends.map(async send => {
    while (next < count) await work(send, next++)
  }))
}
