import t from 'tap'
import { until } from '../../tests/support/until.ts'
import { caller, fakeDatabase, headersOf, rpc, testApp } from './test-support.ts'

const empty = { columns: [], rows: [], truncated: false, statistics: {} }
const acme = caller('acme')
const args = (parameters: object) => ({ graphName: 'films', query: 'RETURN $a', parameters })
const post = (identity: typeof acme, payload: object) => ({ method: 'POST' as const, url: '/tools/falkordb_read_query', headers: { 'content-type': 'application/json', ...headersOf(identity) }, payload: JSON.stringify(payload) })

t.test('27: a body of few bytes and very many values is refused, wherever in it they are, and is not kept while others wait', async t => {
  const { app } = testApp(fakeDatabase({ query: async () => empty }))
  const many = Array(600_000).fill({})
  const refused = await app.inject(post(acme, args({ a: many })))
  t.equal(refused.statusCode, 400)
  t.match(refused.json(), { error: { type: 'ValidationError', code: 'too_many_values', message: /several requests/ } })
  const aside = await app.inject({ ...rpc(acme, ''), payload: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'falkordb_health', arguments: {}, _meta: { many } } }) })
  t.match([aside.statusCode, aside.json().error.data], [400, { code: 'too_many_values' }])
  t.equal((await app.inject(post(acme, args({ a: many.slice(0, 300_000) })))).statusCode, 200)
})

t.test('27: large bodies of one tenant are refused while it has as many under way as fill a part of the memory; others are not', async t => {
  const gate = Promise.withResolvers<typeof empty>()
  let running = 0
  const { app } = testApp(fakeDatabase({ query: async () => { running++; return await gate.promise } }))
  t.teardown(() => app.close())
  const large = args({ a: 'x'.repeat(4_000_000) })
  const first = Array.from({ length: 4 }, () => app.inject(post(acme, large)))
  await until('four large calls', () => running === 4)
  const refused = await app.inject(post(acme, large))
  t.equal(refused.statusCode, 429)
  t.match(refused.json(), { error: { type: 'RateLimitError', code: 'too_many_bytes' } })
  const others = [app.inject(post(acme, args({ a: 1 }))), app.inject(post(caller('other'), large))]
  await until('two calls beside them', () => running === 6)
  gate.resolve(empty)
  for (const { statusCode } of await Promise.all([...first, ...others])) t.equal(statusCode, 200)
  t.equal((await app.inject(post(acme, large))).statusCode, 200, 'room is given back')
})
