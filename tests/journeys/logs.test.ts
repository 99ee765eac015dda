import t from 'tap'
import { randomBytes } from 'node:crypto'
import type { PartName } from '../support/control.ts'
import { openGateway } from '../support/gateway.ts'
import { modernMessage, toolCalls } from '../support/rpc.ts'
import { until } from '../support/until.ts'

const gateway = openGateway()
const parts: PartName[] = ['traefik', 'verify', 'mcp', 'falkordb']
const sentinel = (what: string) => `sentinel${what}${randomBytes(8).toString('hex')}`

t.test('29: no token, query or parameter is ever written to a log, on good ways and on bad ones', async t => {
  const ada = await gateway.person()
  const query = sentinel('query')
  const parameter = sentinel('parameter')
  const name = sentinel('name')
  const garbage = sentinel('token')
  const apiKey = sentinel('apikey')
  const tail = ada.token.split('.')[2] as string
  const secrets = { query, parameter, name, garbage, apiKey, token: ada.token, 'the signature of the token': tail, 'the claims of the token': ada.token.split('.')[1] as string }
  const statuses: number[] = []
  const send = async (request: Parameters<typeof ada.send>[0], by: Pick<typeof ada, 'send'> = ada) => {
    const answer = await by.send(request)
    statuses.push(answer.status)
    return answer
  }
  const tool = (args: Record<string, unknown>) => ({ path: '/tools/falkordb_query', body: args })

  // Good ways.
  for (const [, request] of toolCalls('falkordb_query', { graphName: 'logs', query: `CREATE (n:L {v: $v}) RETURN n, '${query}' AS q`, parameters: { v: parameter } })) await send(request)
  await send(tool({ graphName: 'logs', query: `RETURN '${query}' AS q, $v AS v`, parameters: { v: parameter } }))
  await send({ path: '/verify' })

  // Faults of the caller.
  await send(tool({ graphName: 'logs', query: `RETURN '${query}' AS`, parameters: { v: parameter } }))
  await send(tool({ graphName: 'logs', query: `MATCH (n {x: '${query}'}) RETURN unknownFunction(n)` }))
  await send(tool({ graphName: 'logs', query: `LOAD CSV FROM '${query}' AS x RETURN x` }))
  await send(tool({ graphName: 'logs', query: `RETURN toInteger($v) + '${query}' / 0 AS x`, parameters: { v: parameter } }))
  await send(tool({ graphName: 'logs', query: `RETURN '${query}\0'` }))
  await send(tool({ graphName: 'logs', query: 'RETURN 1', parameters: { [`${name} x`]: parameter } }))
  await send(tool({ graphName: 'logs', query: 'RETURN 1', parameters: { v: { $int64: parameter } } }))
  await send(tool({ graphName: 'logs', query: `UNWIND range(1, 1000000) AS x UNWIND range(1, 1000) AS y RETURN sum(x * y) + size('${query}')`, timeoutMs: 50 }))
  await send(tool({ graphName: `${name}/*`, query: 'RETURN 1' }))
  await send(tool({ graphName: 'logs', query: 'RETURN 1', [name]: parameter }))
  await send({ path: '/tools/no-such-tool', body: { [name]: parameter } })
  await send({ path: '/mcp', body: `{"${query}": ` })
  await send({ path: '/mcp', body: query, headers: { 'content-type': 'text/plain' } })
  await send(modernMessage(name, { v: parameter }))
  await send({ ...modernMessage('tools/call', { name: 'falkordb_query', arguments: {} }), headers: { accept: 'application/json', 'Mcp-Method': name, 'MCP-Protocol-Version': parameter, 'Mcp-Name': query } })
  await send({ path: `/api/mcp/graphs?limit=${parameter}&x=${query}` })

  // Credentials where they do not belong, and bad ones.
  for (const parameterName of ['token', 'access_token', 'api_key']) await send({ path: `/mcp?${parameterName}=${garbage}`, body: {} }, gateway)
  await send({ path: `/mcp?access_token=${ada.token}`, body: {} }, gateway)
  await send({ path: `/authorize?code=${garbage}&state=${garbage}` }, gateway)
  await send({ path: `/health?token=${garbage}` }, gateway)
  for (const authorization of [`Bearer ${garbage}`, `Bearer a.${garbage}.c`, `Basic ${garbage}`, garbage, `Bearer ${ada.token}x`]) await send({ path: '/mcp', body: {}, headers: { authorization } }, gateway)
  await send({ path: '/mcp', body: {}, headers: { 'X-API-Key': apiKey, Cookie: `session=${garbage}`, 'X-Tenant-Id': garbage, 'X-Identity-Assertion': garbage, 'User-Agent': garbage, Referer: `https://x/?t=${garbage}` } }, gateway)
  await send({ path: '/mcp', body: {}, headers: { authorization: `Bearer ${ada.token}`, 'X-API-Key': apiKey } }, gateway)
  await send({ path: '/mcp', body: {}, headers: { X_Tenant_Id: garbage } }, gateway)
  t.ok(statuses.some(status => status === 200) && statuses.some(status => status >= 400), statuses.join(' '))

  // The last request's id shows that the logs are complete up to here.
  // verify tells of a caller that it has not met before.
  const last = await send({ path: '/tools/falkordb_health', body: {} }, await gateway.person())
  const id = String(last.headers['x-request-id'])
  for (const part of ['traefik', 'verify', 'mcp'] as const) await until(`request ${id} in the log of ${part}`, async () => (await gateway.logs(part)).includes(id), 15)

  for (const part of parts) {
    const log = await gateway.logs(part)
    for (const [what, secret] of Object.entries(secrets)) {
      const line = log.split('\n').find(line => line.includes(secret) || line.includes(encodeURIComponent(secret)) || line.includes(Buffer.from(secret).toString('base64').slice(2, -4)))
      t.equal(line, undefined, `${what} in the log of ${part}`)
    }
  }
})

t.test('one request is found in every log under one id', async t => {
  const ada = await gateway.person()
  const answer = await ada.send({ path: '/tools/falkordb_health', body: {} })
  const id = String(answer.headers['x-request-id'])
  t.match(id, /^[\w-]{8,64}$/)
  for (const part of ['traefik', 'verify', 'mcp'] as const) {
    await until(`request ${id} in the log of ${part}`, async () => (await gateway.logs(part)).includes(id), 15)
    t.pass(part)
  }
})
