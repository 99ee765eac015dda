import t from 'tap'
import { createSend } from '../support/https.ts'
import { openGateway, unique } from '../support/gateway.ts'
import { readStack } from '../support/stack-file.ts'

const gateway = openGateway()
const bob = await gateway.person({ tenant: unique('bob') })
const ada = await gateway.person({ scope: 'graph:read' })
await bob.query('secrets', 'CREATE (:Secret {text: "for bob only"})')

const names = ['X-Tenant-Id', 'X-User-Id', 'X-Client-Id', 'X-Auth-Scopes', 'X-Identity-Assertion', 'X-Request-Id']
const forgedValue: Record<string, string> = { 'X-Tenant-Id': bob.tenant, 'X-User-Id': 'bob', 'X-Client-Id': 'bob', 'X-Auth-Scopes': 'graph:admin', 'X-Identity-Assertion': bob.token, 'X-Request-Id': 'forged-request-id' }
const metadata = (headers: readonly string[]) => gateway.send({ path: '/api/mcp/metadata', headers: ['Authorization', ada.headers.authorization, ...headers] })

/** Each way to write a header name that some server has once taken for another. */
const spellings: Record<string, (name: string) => string[]> = {
  plainly: name => [name, forgedValue[name] ?? ''],
  'in lower case': name => [name.toLowerCase(), forgedValue[name] ?? ''],
  'in upper case': name => [name.toUpperCase(), forgedValue[name] ?? ''],
  'with underscores': name => [name.replaceAll('-', '_'), forgedValue[name] ?? ''],
  'with one underscore': name => [name.replace('-', '_'), forgedValue[name] ?? ''],
  'with dots': name => [name.replaceAll('-', '.'), forgedValue[name] ?? ''],
  twice: name => [name, forgedValue[name] ?? '', name, forgedValue[name] ?? ''],
  'twice in two cases': name => [name, forgedValue[name] ?? '', name.toLowerCase(), forgedValue[name] ?? ''],
  'as a list': name => [name, `${forgedValue[name]}, ${forgedValue[name]}`],
  empty: name => [name, ''],
  'listed by Connection': name => [name, forgedValue[name] ?? '', 'Connection', `keep-alive, ${name}`],
  'listed by Connection alone': name => ['Connection', `close, ${name}`]
}

t.test('14: a client cannot name its own tenant, user, client or scopes, however it spells them', async t => {
  for (const [spelling, write] of Object.entries(spellings)) {
    for (const name of names) {
      const answer = await metadata(write(name))
      // A name that only some servers read as ours is refused whole; a plain one is replaced by verify's.
      t.ok([200, 400].includes(answer.status), `${name} ${spelling}: ${answer.status}`)
      if (answer.status === 200) t.match(answer.json, { tenant: ada.tenant, scopes: ['graph:read'] }, `${name} ${spelling}`)
      else t.match(spelling, /underscore|dots/, `only alias spellings are refused, not ${name} ${spelling}`)
      t.notMatch(answer.text, bob.tenant)
      t.not(answer.headers['x-request-id'], 'forged-request-id', 'verify alone names the request')
    }
  }
})

t.test('14: all forged at once, on every kind of route, give nothing of another tenant', async t => {
  const forged = names.flatMap(name => [name, forgedValue[name] ?? ''])
  const graphs = await gateway.send({ path: '/api/mcp/graphs', headers: ['Authorization', ada.headers.authorization, ...forged] })
  t.strictSame(graphs.json.graphs, [])
  const read = await gateway.send({ path: '/tools/falkordb_read_query', method: 'POST', body: { graphName: 'secrets', query: 'MATCH (n) RETURN n' }, headers: ['Authorization', ada.headers.authorization, ...forged] })
  t.equal(read.status, 404)
  const write = await gateway.send({ path: '/tools/falkordb_query', method: 'POST', body: { graphName: 'mine', query: 'CREATE (:X)' }, headers: ['Authorization', ada.headers.authorization, ...forged] })
  t.equal(write.status, 403, 'forged scopes grant nothing')
})

t.test('14: identity headers without a token open nothing, on public routes neither', async t => {
  const forged = names.flatMap(name => [name, forgedValue[name] ?? ''])
  for (const path of ['/api/mcp/metadata', '/api/mcp/graphs', '/tools', '/verify']) {
    const answer = await gateway.send({ path, headers: forged })
    t.equal(answer.status, 401, path)
  }
  for (const path of ['/health', '/.well-known/oauth-protected-resource', '/nothing']) {
    const answer = await gateway.send({ path, headers: forged })
    t.notMatch(answer.text, bob.tenant, path)
    for (const name of names.slice(0, 5)) t.equal(answer.headers[name.toLowerCase()], undefined, `${path} answers no ${name}`)
    t.not(answer.headers['x-request-id'], 'forged-request-id', path)
  }
})

t.test('no answer carries identity headers back to the client', async t => {
  for (const path of ['/api/mcp/metadata', '/verify', '/tools']) {
    const answer = await ada.send({ path })
    for (const name of names.slice(0, 5)) t.equal(answer.headers[name.toLowerCase()], undefined, `${path}: ${name}`)
  }
})

t.test('credentials and cookies never reach the tool service, the identity does', async t => {
  const { data } = await ada.call('test_headers')
  const arrived = (data.names as string[]).map(name => name.toLowerCase())
  for (const name of ['authorization', 'x-api-key', 'cookie', 'proxy-authorization']) t.notOk(arrived.includes(name), name)
  for (const name of names) t.equal(arrived.filter(one => one === name.toLowerCase()).length, 1, `${name} once`)

  const answer = await ada.send({ path: '/tools/test_headers', body: {}, headers: { Cookie: 'a=b', 'Proxy-Authorization': 'Basic x' } })
  t.equal(answer.status, 200)
  for (const name of ['cookie', 'proxy-authorization']) t.notOk(answer.json.names.some((one: string) => one.toLowerCase() === name), name)
})

t.test('a direct call to the tool service is refused: without an assertion, with a token, with plain headers, with a forged one', { skip: gateway.mode === 'compose' && 'nothing but Traefik has a published port' }, async t => {
  for (const { url } of readStack().services.mcp) {
    const direct = createSend(String(url))
    const plain = { 'X-Tenant-Id': bob.tenant, 'X-User-Id': 'bob', 'X-Client-Id': 'bob', 'X-Auth-Scopes': 'graph:admin' }
    for (const headers of [{}, ada.headers, plain, { ...plain, 'X-Identity-Assertion': bob.token }, { ...plain, 'X-Identity-Assertion': '' }] as Array<Record<string, string>>) {
      for (const path of ['/mcp', '/tools/falkordb_list_graphs', '/api/mcp/context']) {
        const answer = await direct({ path, headers, body: { jsonrpc: '2.0', id: 1, method: 'tools/list' } })
        t.equal(answer.status, 401, `${path} with ${Object.keys(headers).join(' ') || 'nothing'}`)
        t.notMatch(answer.text, /falkordb_|secrets/)
      }
    }
  }
})
