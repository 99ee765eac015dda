/** The files that pages load: each under a name that changes with its bytes, so that browsers may keep it for ever. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

export interface Asset {
  /** Path that it is served at. */
  path: string
  /** Its Content-Type. */
  type: string
  body: Buffer
}

function load (file: string, name: string, extension: string, type: string): Asset {
  const body = readFileSync(new URL(file, import.meta.url))
  return { path: `/account/assets/${name}-${createHash('sha256').update(body).digest('hex').slice(0, 16)}.${extension}`, type, body }
}

export const stylesheet = load('style.css', 'style', 'css', 'text/css; charset=utf-8')
export const mark = load('assets/mark.svg', 'mark', 'svg', 'image/svg+xml')

/** All that the routes must serve, with `Cache-Control: public, max-age=31536000, immutable`. */
export const assets: readonly Asset[] = [stylesheet, mark]
