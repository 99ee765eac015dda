/** Floor of mcp: a bare node:http with the falkordb client that runs the common query, without MCP, tenants or authentication. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { FalkorDB } from 'falkordb'

const { FALKORDB_URL: url = '', FLOOR_GRAPH: key = '', FLOOR_QUERY: query = '' } = process.env
const database = await FalkorDB.connect({ url })
const graph = database.selectGraph(key)

async function answer (request: IncomingMessage, response: ServerResponse) {
  const params = await json(request) as { id: number }
  const { data } = await graph.roQuery(query, { params })
  const body = JSON.stringify({ data })
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }).end(body)
}

const server = createServer((request, response) => {
  answer(request, response).catch((error: Error) => response.writeHead(500).end(error.message))
})
server.listen(0, '127.0.0.1', () => {
  const floor = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  process.stdout.write(`${JSON.stringify({ urls: { floor } })}\n`)
})
