/** Floor of mcp behind Traefik: a bare node:http that reads the body and answers every request with the same JSON. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

const answer = process.env.FLOOR_ANSWER ?? '{}'
const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(answer) }
const server = createServer((request, response) => {
  request.resume().once('end', () => response.writeHead(200, headers).end(answer))
})
server.listen(0, '127.0.0.1', () => {
  const floor = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  process.stdout.write(`${JSON.stringify({ urls: { floor } })}\n`)
})
