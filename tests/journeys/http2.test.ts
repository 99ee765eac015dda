import t from 'tap'
import { connect, type OutgoingHttpHeaders } from 'node:http2'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { openGateway, unique } from '../support/gateway.ts'
import { modernMessage } from '../support/rpc.ts'

const gateway = openGateway()
const ada = await gateway.person({ scope: 'graph:read' })
const bob = unique('bob')

/** One request over HTTP/2, as most clients behind a load balancer speak it. */
async function send (headers: OutgoingHttpHeaders, body?: unknown) {
  const session = connect(gateway.url, { ca: readFileSync(gateway.caFile) })
  try {
    await once(session, 'connect')
    const stream = session.request(headers)
    stream.setEncoding('utf8')
    let text = ''
    const arrivals: number[] = []
    const started = performance.now()
    stream.on('data', (chunk: string) => {
      text += chunk
      arrivals.push(performance.now() - started)
    })
    const responded = once(stream, 'response')
    stream.end(body === undefined ? undefined : JSON.stringify(body))
    const [response] = await responded
    await once(stream, 'end')
    return { status: Number(response[':status']), text, arrivals }
  } finally {
    session.close()
  }
}

const get = (path: string, headers: OutgoingHttpHeaders = {}) => send({ ':path': path, ...ada.headers, ...headers })
const post = ({ path, headers, body }: ReturnType<typeof modernMessage>) =>
  send({ ':method': 'POST', ':path': path, ...ada.headers, 'content-type': 'application/json', ...headers as Record<string, string> }, body)

t.test('11: a tool answers over HTTP/2', async t => {
  const answer = await post(modernMessage('tools/call', { name: 'falkordb_health', arguments: {} }))
  t.equal(answer.status, 200)
  t.match(answer.text, '"status":"ok"')
  t.equal((await send({ ':path': '/mcp', ':method': 'POST' }, {})).status, 401)
})

t.test('17: progress passes over HTTP/2 as it happens', async t => {
  const message = modernMessage('tools/call', { name: 'test_slow', arguments: { seconds: 2 } })
  const { params } = message.body as { params: { _meta: Record<string, unknown> } }
  params._meta.progressToken = 1
  const { status, text, arrivals } = await post(message)
  t.equal(status, 200)
  t.equal(text.match(/notifications\/progress/g)?.length, 4)
  t.ok((arrivals[0] ?? Infinity) < 1_000 && (arrivals.at(-1) ?? 0) > 1_500, arrivals.map(Math.round).join(' '))
})

t.test('14: nor does HTTP/2 let a client name its own tenant', async t => {
  const spoofs: OutgoingHttpHeaders[] = [
    { 'x-tenant-id': bob }, { 'x-tenant-id': [bob, bob] }, { 'x-tenant-id': '' }, { x_tenant_id: bob }, { 'x.tenant.id': bob },
    { 'x-tenant-id': bob, 'x-user-id': 'bob', 'x-client-id': 'bob', 'x-auth-scopes': 'graph:admin', 'x-identity-assertion': ada.token }
  ]
  for (const headers of spoofs) {
    const answer = await get('/api/mcp/metadata', headers)
    t.ok([200, 400].includes(answer.status), `${Object.keys(headers).join(' ')}: ${answer.status}`)
    t.notMatch(answer.text, bob)
    if (answer.status === 200) t.match(JSON.parse(answer.text), { tenant: ada.tenant, scopes: ['graph:read'] })
  }
})

t.test('13: a foreign :authority is refused', async t => {
  const answer = await get('/api/mcp/metadata', { ':authority': 'evil.example' })
  t.ok(answer.status >= 400 && answer.status < 500, String(answer.status))
})
