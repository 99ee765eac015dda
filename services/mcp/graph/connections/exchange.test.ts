/** What a caller is told of a write when its time is over. */
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import t from 'tap'
import { Connection } from './connection.ts'
import { Exchange } from './exchange.ts'
import { addressOf } from './wire.ts'

/** A connection to a server that gives these answers, one to each command, and is silent then. */
async function connectionTo (...answers: string[]): Promise<Connection> {
  const server = createServer(socket => socket.on('error', () => {}).on('data', () => { socket.write(answers.shift() ?? '') })).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const connection = await Connection.open(addressOf(`redis://127.0.0.1:${(server.address() as AddressInfo).port}`), { maxReplyBytes: 1_000, asUrlUser: false })
  t.teardown(() => {
    connection.destroy()
    server.close()
  })
  return connection
}

const call = { key: 'acme_g', query: 'CREATE (n:New) RETURN n', originalOffset: () => 0 }

t.test('a write that was done is not called timed out where only its names cannot be read: it would be sent again', async t => {
  const exchange = new Exchange({ ...call, mode: 'write' }, 10_000)
  await exchange.on(await connectionTo('+done\r\n'), async ({ write }) => { await write(['GRAPH.QUERY']) })
  t.match(exchange.giveUp(), { type: 'DatabaseError', code: 'write_outcome_unknown', message: /read before sending it again/ })
})

t.test('where nothing was written, or FalkorDB has refused to, the time is over and no more', async t => {
  const refused = new Exchange({ ...call, mode: 'write' }, 10_000)
  await refused.on(await connectionTo('-no\r\n'), async ({ write }) => { await t.rejects(write(['GRAPH.QUERY']), { code: 'query_failed' }) })
  t.match(refused.giveUp(), { code: 'query_timeout' })
  const read = new Exchange({ ...call, mode: 'read' }, 10_000)
  await read.on(await connectionTo('+names\r\n'), async ({ read }) => { await read(['GRAPH.RO_QUERY']) })
  t.match(read.giveUp(), { code: 'query_timeout' })
})
