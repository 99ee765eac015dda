/** Stands between the conformance suite, which can send no header of ours, and the gateway: it adds the bearer token, and nothing else. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { Agent, request } from 'node:https'
import type { AddressInfo } from 'node:net'

export interface Forwarder {
  /** Where the suite finds `/mcp`. */
  url: string
  stop: () => Promise<void>
}

/**
 * Opens a port of 127.0.0.1. A request that names the forwarder as its host or origin names the gateway behind it; a foreign name stays
 * foreign, so that the gateway is the one who refuses it.
 * @param origin an origin that the gateway allows
 */
export async function startForwarder (gatewayUrl: string, caFile: string, authorization: string, origin: string): Promise<Forwarder> {
  const { hostname, port, host } = new URL(gatewayUrl)
  const agent = new Agent({ keepAlive: true, ca: readFileSync(caFile), servername: hostname })
  const server = createServer((incoming, outgoing) => {
    const headers = translated(incoming.headers)
    const onward = request({ agent, hostname: '127.0.0.1', port, path: incoming.url, method: incoming.method, headers: { ...headers, authorization } }, answer => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
      answer.pipe(outgoing)
    })
    onward.on('error', error => outgoing.destroy(error))
    outgoing.on('close', () => onward.destroy())
    incoming.pipe(onward)
  })

  function translated (headers: IncomingHttpHeaders): IncomingHttpHeaders {
    const own = headers.host === new URL(url).host
    const ownOrigin = headers.origin === new URL(url).origin
    return { ...headers, ...(own && { host }), ...(ownOrigin && { origin }) }
  }

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`
  return {
    url,
    async stop () {
      server.close()
      server.closeAllConnections()
      agent.destroy()
      await once(server, 'close')
    }
  }
}
