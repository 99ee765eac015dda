import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { apiKeys } from '../support/api-keys.ts'
import { connect } from '../support/clients.ts'
import { openGateway, unique } from '../support/gateway.ts'
import { until } from '../support/until.ts'

const gateway = openGateway()
const status = async (key: string, path = '/api/mcp/graphs') => (await gateway.send({ path, headers: { 'X-API-Key': key } })).status
/** Asks twice a second: whoever sends many bad keys is made to wait. */
const becomes = (key: string, wanted: number) => until(`${wanted} for the key`, async () => {
  if (await status(key) === wanted) return true
  await delay(500)
  return false
}, 15)
const idOf = (key: string) => key.split('_')[1] as string

/** A key that the gate knows already. */
async function newKey (settings: Record<string, string>) {
  const key = await apiKeys('make', { NAME: 'journey', ...settings })
  await becomes(key, 200)
  return key
}

t.test('make api-key lets a program in without a restart, over MCP in both eras and over REST; revoked, it is out', async t => {
  const tenant = unique('acme')
  const key = await newKey({ TENANT: tenant, SCOPE: 'graph:read graph:write' })
  const headers: Array<Record<string, string>> = [{ 'X-API-Key': key }, { Authorization: `Bearer ${key}` }]
  for (const [at, era] of (['v1 SDK', 'v2 SDK, 2026-07-28'] as const).entries()) {
    const client = await connect(era, gateway.mcpUrl, headers[at] as Record<string, string>)
    const { data, isError } = await client.call('falkordb_query', { graphName: 'films', query: 'CREATE (f:Film {era: $era}) RETURN f.era AS era', parameters: { era } })
    t.notOk(isError, era)
    t.match(data, { tenant, data: [{ era }] }, era)
    await client.close()
  }
  const rest = await gateway.send({ path: '/api/mcp/context', headers: headers[0] as Record<string, string>, body: { graphName: 'films', query: 'MATCH (f:Film) RETURN count(f) AS films' } })
  t.match(rest.json, { tenant, data: [{ films: 2 }] })
  const own = await gateway.send({ path: '/verify', headers: headers[1] as Record<string, string> })
  t.match(own.json, { tenant, client: 'journey', user: idOf(key), scopes: ['graph:read', 'graph:write'], expires_at: /^20/ })

  t.match(await apiKeys('list'), new RegExp(`${idOf(key)} +good +${tenant} `))
  const other = await newKey({ TENANT: tenant })
  const still = await connect('v1 SDK', gateway.mcpUrl, { 'X-API-Key': key })
  await apiKeys('revoke', { ID: idOf(key) })
  await becomes(key, 401)
  await t.rejects(still.call('falkordb_list_graphs'), 'a client that is connected is out as well')
  t.equal(await status(other), 200, 'the other key of the same tenant goes on')
  t.match(await apiKeys('list'), new RegExp(`${idOf(key)} +revoked +${tenant} `))
  await apiKeys('revoke', { ID: idOf(other) })
})

t.test('a key does what its scopes say, in its own tenant, and no more', async t => {
  const [tenant, stranger] = [unique('acme'), await gateway.person({ tenant: unique('bob') })]
  await stranger.query('secrets', 'CREATE (:Secret)')
  const key = await newKey({ TENANT: tenant, SCOPE: 'graph:read', DAYS: 'never' })
  const send = (body: object, more: Record<string, string> = {}) => gateway.send({ path: '/api/mcp/context', headers: { 'X-API-Key': key, ...more }, body })
  const write = await send({ graphName: 'films', query: 'CREATE (:Film)' })
  t.match([write.status, write.json.error.code], [403, 'insufficient_scope'])
  t.equal((await send({ graphName: 'secrets', query: 'MATCH (s) RETURN s' })).status, 404)
  for (const header of ['X-Requested-Tenant', 'X-Tenant-Id']) {
    const answer = await send({ graphName: 'secrets', query: 'MATCH (s) RETURN s' }, { [header]: stranger.tenant })
    t.notMatch(answer.text, '"success":true', `${header} leads nowhere`)
  }
  await apiKeys('revoke', { ID: idOf(key) })
})

t.test('a damaged key is told from an unknown one, and 10: no log holds a key', async t => {
  const key = await newKey({ TENANT: unique('acme') })
  const damaged = await gateway.send({ path: '/mcp', headers: { authorization: `Bearer ${key.slice(0, -2)}` }, body: {} })
  t.equal(damaged.status, 401)
  t.match(damaged.json, { error: 'invalid_token', error_description: /damaged: its checksum/ })
  t.match(damaged.headers['www-authenticate'], /^Bearer .*error="invalid_token"/)
  for (const part of ['traefik', 'verify', 'mcp'] as const) t.notMatch(await gateway.logs(part), key.slice(15, -6), part)
  await apiKeys('revoke', { ID: idOf(key) })
})
