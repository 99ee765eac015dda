import t from 'tap'
import { QueryError } from '@gateway/common/errors.ts'
import type { GraphDatabase } from '../graph/database.ts'
import { caller, fakeDatabase, modernRpc, rpc, testApp } from '../test-support.ts'

const ada = caller('acme', 'graph:admin')
const eras = { 'the 2025 era': rpc, '2026-07-28': modernRpc } as const
const row = { columns: ['a'], rows: [['ä']], truncated: false, statistics: {} }

/** pino's number of the level. */
const debug = 20

interface Change { headers?: Record<string, unknown>, message?: Record<string, unknown>, params?: Record<string, unknown>, meta?: Record<string, unknown> }

/** A call of read_query, changed; the marks of the answer are made alike. */
function sender (database: Partial<GraphDatabase>) {
  const { app, lines } = testApp(fakeDatabase(database))
  return async (era: keyof typeof eras, { headers, message, params, meta }: Change = {}, args: object = { graphName: 'films', query: 'RETURN 1' }) => {
    const request = eras[era](ada, 'tools/call', { name: 'falkordb_read_query', arguments: args })
    const body = JSON.parse(String(request.payload))
    const _meta = { ...body.params._meta, ...meta }
    const changed = { ...body, ...message, params: { ...body.params, ...params, ...(Object.keys(_meta).length > 0 && { _meta }) } }
    const before = lines.length
    const sent = Object.entries({ ...request.headers, ...headers }).filter(([, value]) => value !== undefined)
    const reply = await app.inject({ ...request, headers: Object.fromEntries(sent) as Record<string, string>, payload: JSON.stringify(changed) })
    const answer = JSON.parse(reply.body.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'MARK'))
    return { status: reply.statusCode, type: reply.headers['content-type'], cache: reply.headers['cache-control'], answer, plain: lines.slice(before).map(line => JSON.parse(line) as { msg: string, level: number }).some(({ msg, level }) => msg === 'answered' && level === debug) }
  }
}

t.test('a plain call is answered as the SDK would answer it', async t => {
  const databases: Record<string, Partial<GraphDatabase>> = {
    'a result': { query: async () => row },
    'an error': { query: async () => { throw new QueryError('syntax_error', 'Bad.', { details: { position: 1 } }) } },
    'a fault of ours': { query: async () => { throw new TypeError('sentinel') } }
  }
  for (const era of Object.keys(eras) as Array<keyof typeof eras>) {
    for (const [what, database] of Object.entries(databases)) {
      const send = sender(database)
      const { plain, ...short } = await send(era)
      // What nobody has heard of belongs to nobody's contract, so the SDK looks at it.
      const { plain: other, ...long } = await send(era, { meta: { 'example.com/other': 1 } })
      t.strictSame([plain, other], [true, false], `${era}: both ways were gone`)
      t.strictSame(short, long, `${era}: ${what}`)
    }
    const send = sender({})
    const { plain, ...short } = await send(era, {}, { graphName: 1 })
    t.strictSame([short], [await send(era, { meta: { 'example.com/other': 1 } }, { graphName: 1 })].map(({ plain, ...long }) => long), `${era}: wrong arguments`)
    t.ok(plain)
  }
})

t.test('what is not in order in every way is the SDK\'s to judge', async t => {
  const send = sender({ query: async () => row })
  const modern: Record<string, [Change, status: number]> = {
    'another Mcp-Name': [{ headers: { 'mcp-name': 'falkordb_query' } }, 400],
    'another Mcp-Method': [{ headers: { 'mcp-method': 'tools/list' } }, 400],
    'no Mcp-Method': [{ headers: { 'mcp-method': undefined } }, 400],
    'another revision in the header': [{ headers: { 'mcp-protocol-version': '2025-11-25' } }, 400],
    'an unknown revision': [{ headers: { 'mcp-protocol-version': '2099-01-01' }, meta: { 'io.modelcontextprotocol/protocolVersion': '2099-01-01' } }, 400],
    'no capabilities': [{ meta: { 'io.modelcontextprotocol/clientCapabilities': undefined } }, 400],
    'a client without a name': [{ meta: { 'io.modelcontextprotocol/clientInfo': { version: '1' } } }, 400],
    'an id that is no integer': [{ message: { id: 1.5 } }, 400],
    'a member that no message has': [{ message: { other: 1 } }, 400],
    'no such tool': [{ headers: { 'mcp-name': 'nothing' }, params: { name: 'nothing' } }, 200]
  }
  for (const [what, [change, status]] of Object.entries(modern)) {
    const reply = await send('2026-07-28', change)
    t.strictSame([reply.plain, reply.status], [false, status], what)
    t.ok(reply.answer.error, what)
  }
  const legacy: Record<string, [Change, status: number]> = {
    'an Accept without streams': [{ headers: { accept: 'application/json' } }, 406],
    'an unknown revision': [{ headers: { 'mcp-protocol-version': '2099-01-01' } }, 400],
    'another version of JSON-RPC': [{ message: { jsonrpc: '1.0' } }, 400]
  }
  for (const [what, [change, status]] of Object.entries(legacy)) {
    const reply = await send('the 2025 era', change)
    t.strictSame([reply.plain, reply.status], [false, status], what)
  }
})
