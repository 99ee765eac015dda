/**
 * What the HTTP API is, for programs at /openapi.json and for people at /docs. Both files are generated from mcp's contracts
 * (`make openapi`, services/mcp/openapi); only the public URL is put in here.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FastifyPluginAsync } from 'fastify'
import { exampleUrl } from '@gateway/common/example-url.ts'
import type { Config } from '../config.ts'

const folder = join(import.meta.dirname, 'documents')

export const documentRoutes: FastifyPluginAsync<{ config: Config }> = async (app, { config }) => {
  // Together less than a hundred kilobytes, read once: a file that is missing ends the start, not somebody's first look.
  const read = (name: string) => readFileSync(join(folder, name), 'utf8').replaceAll(exampleUrl, () => config.PUBLIC_URL)
  const description = Buffer.from(read('openapi.json'))
  const page = read('docs.html')
  const contentSecurityPolicy = policyFor(page)
  const content = Buffer.from(page)

  const open = { config: { public: true } }
  const caching = 'public, max-age=300'
  app.get('/openapi.json', open, async (_request, reply) => reply.header('cache-control', caching).type('application/json; charset=utf-8').send(description))
  app.get('/docs', open, async (_request, reply) => reply.headers({
    'cache-control': caching, 'content-security-policy': contentSecurityPolicy, 'referrer-policy': 'no-referrer'
  }).type('text/html; charset=utf-8').send(content))
}

/** Nothing but the page's own style: no script, no request, no frame, no form (Content Security Policy Level 3, section 6). */
function policyFor (page: string): string {
  const style = /<style>(.*)<\/style>/s.exec(page)?.[1]
  if (style === undefined) throw new Error('docs.html has no style')
  return `default-src 'none'; style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`
}
