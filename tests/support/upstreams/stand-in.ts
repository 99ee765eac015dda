/** What the servers in this folder have in common: an http server on 127.0.0.1 that counts what it is asked, and fails as it is told. */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

export interface Asked {
  method: string
  url: URL
  form: URLSearchParams
  headers: IncomingMessage['headers']
}

export interface Answer {
  status?: number
  /** Sent as JSON. */
  json?: unknown
  html?: string
  headers?: Record<string, string>
}

export type Routes = Record<string, (asked: Asked) => Answer | Promise<Answer>>

/** How a path fails: `error` 500, `silent` no answer at all, `huge` 4 MiB, `text` no JSON. */
export type Trouble = 'error' | 'silent' | 'huge' | 'text'

/** Servers of people's accounts fail and count alike. */
export interface StandIn {
  /** Its origin, e.g. http://127.0.0.1:40123. */
  readonly url: string
  /** Redirect URIs that are registered there; it sends nobody anywhere else. */
  readonly callbacks: string[]
  /** Paths that fail until they are taken out again. */
  readonly trouble: Map<string, Trouble>
  /** true: a page with a button, as where a person must choose an account; false: the browser comes back at once. */
  asksPerson: boolean
  /** Requests to a path since the start. */
  count: (path: string) => number
  /** Everything that was asked, the newest last. */
  readonly asked: readonly Asked[]
  close: () => Promise<void>
}

/** Listens on a free port and answers `METHOD /path`. */
export async function standIn (routesOf: (server: StandIn) => Routes): Promise<StandIn> {
  const asked: Asked[] = []
  const http = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.destroy(error as Error))
  }).listen(0, '127.0.0.1')
  await once(http, 'listening')
  const server: StandIn = {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    callbacks: [],
    trouble: new Map(),
    asksPerson: false,
    count: path => asked.filter(({ url }) => url.pathname === path).length,
    asked,
    close: async () => {
      http.close()
      http.closeAllConnections()
      await once(http, 'close')
    }
  }
  const routes = routesOf(server)
  return server

  async function answer (request: IncomingMessage, response: ServerResponse): Promise<void> {
    const one = { method: request.method ?? '', url: new URL(request.url ?? '/', server.url), form: new URLSearchParams(await text(request)), headers: request.headers }
    asked.push(one)
    const trouble = server.trouble.get(one.url.pathname)
    if (trouble === 'silent') return
    const given = trouble === undefined ? await routes[`${one.method} ${one.url.pathname}`]?.(one) ?? { status: 404, json: { message: 'Not Found' } } : troubles[trouble]
    const type = given.html === undefined ? 'application/json; charset=utf-8' : 'text/html; charset=utf-8'
    response.writeHead(given.status ?? 200, { 'content-type': type, 'cache-control': 'no-store', ...given.headers })
    response.end(given.html ?? (given.json === undefined ? '' : JSON.stringify(given.json)))
  }
}

const troubles: Record<Exclude<Trouble, 'silent'>, Answer> = {
  error: { status: 500, json: { message: 'Server Error' } },
  huge: { json: { filler: 'x'.repeat(4_194_304) } },
  text: { html: '<h1>Down for maintenance</h1>' }
}

/** A value that nobody guesses. */
export const unguessable = (prefix = '') => `${prefix}${randomBytes(24).toString('base64url')}`

/** RFC 7636 section 4.6, S256. */
export const fitsChallenge = (verifier: string | null, challenge: string) => verifier !== null && createHash('sha256').update(verifier).digest('base64url') === challenge

/** Sends the browser back, at once or by a button, as the server was told. */
export function sendBack (server: StandIn, name: string, redirect: string, parameters: Record<string, string | null>): Answer {
  if (!server.callbacks.includes(redirect)) return { status: 400, html: `<title>${name}</title><h1>This redirect URI is not registered</h1>` }
  const url = new URL(redirect)
  for (const [parameter, value] of Object.entries(parameters)) if (value !== null) url.searchParams.set(parameter, value)
  if (!server.asksPerson) return { status: 302, headers: { location: url.href } }
  // A link that looks like one: a form would need its own address for the redirect, and no answer here depends on a cookie.
  return { html: `<!doctype html><html lang="en"><title>${name}</title><h1>${name}</h1><a href="${url.href.replaceAll('&', '&amp;').replaceAll('"', '&quot;')}" role="button">Continue</a></html>` }
}

/** Client id and secret of a token request, from the form or by Basic (RFC 6749 section 2.3.1). */
export function clientOf ({ form, headers }: Asked): { id: string | null, secret: string | null, by: 'form' | 'basic' } {
  const [, basic] = /^Basic (.+)$/.exec(headers.authorization ?? '') ?? []
  if (basic === undefined) return { id: form.get('client_id'), secret: form.get('client_secret'), by: 'form' }
  const [id = '', secret = ''] = Buffer.from(basic, 'base64').toString().split(':').map(part => decodeURIComponent(part.replaceAll('+', ' ')))
  return { id, secret, by: 'basic' }
}
