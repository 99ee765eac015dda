/** Serves pages without a stack, with their own policy, and remembers what their forms send. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { assets, contentSecurityPolicy } from '../../services/oauth/pages/index.ts'

export interface Post { path: string, fields: Record<string, string> }

export interface PageServer extends AsyncDisposable {
  /** http://127.0.0.1:PORT, a free one. */
  origin: string
  posts: Post[]
}

/** @param pages HTML documents by name; each is served at /<name> */
export async function servePages (pages: Record<string, string>): Promise<PageServer> {
  const posts: Post[] = []
  const server = createServer(async (request, response) => {
    const path = request.url ?? '/'
    if (request.method === 'POST') {
      posts.push({ path, fields: Object.fromEntries(new URLSearchParams(await text(request))) })
      return response.writeHead(200, { 'content-type': 'text/plain' }).end('received')
    }
    const asset = assets.find(one => one.path === path)
    const page = pages[path.slice(1)]
    if (asset !== undefined) response.writeHead(200, { 'content-type': asset.type, 'x-content-type-options': 'nosniff' }).end(asset.body)
    else if (page !== undefined) response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': contentSecurityPolicy }).end(page)
    else response.writeHead(404).end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    posts,
    async [Symbol.asyncDispose] () {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    }
  }
}
