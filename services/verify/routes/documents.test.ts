import { createHash } from 'node:crypto'
import t from 'tap'
import { exampleUrl } from '@gateway/common/example-url.ts'
import { openService, publicUrl, startIssuer, trusting } from '../test-support.ts'

const issuer = await startIssuer(t)
const service = openService(t, trusting(issuer))
const get = (url: string) => service.open.inject({ url, headers: { host: 'evil.example', 'x-forwarded-host': 'evil.example' } })

t.test('anybody may read what the HTTP API is, and finds it at the public URL', async t => {
  const answer = await get('/openapi.json')
  t.equal(answer.statusCode, 200)
  t.match(answer.headers, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'public, max-age=300' })
  t.match(answer.json(), { openapi: '3.1.0', servers: [{ url: publicUrl }], paths: { '/tools/falkordb_query': Object } })
  t.notMatch(answer.body, exampleUrl)
  t.notMatch(answer.body, 'evil.example', '5: a forged host changes no public URL')
})

t.test('the page for people may do nothing but show itself', async t => {
  const answer = await get('/docs')
  t.equal(answer.statusCode, 200)
  t.match(answer.headers, { 'content-type': 'text/html; charset=utf-8', 'referrer-policy': 'no-referrer' })
  const [, style = ''] = /<style>(.*)<\/style>/s.exec(answer.body) ?? []
  const hash = createHash('sha256').update(style).digest('base64')
  t.equal(answer.headers['content-security-policy'], `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`)
  t.match(answer.body, `curl ${publicUrl}/tools/falkordb_query`)
  t.notMatch(answer.body, exampleUrl)
  t.notMatch(answer.body, /<script|style=|<img|<link|\son\w+=/i, 'nothing that the policy would refuse')
})

t.test('another method than GET is 405 there', async t => {
  for (const url of ['/openapi.json', '/docs']) {
    t.equal((await service.open.inject({ method: 'HEAD', url })).statusCode, 200)
    const answer = await service.open.inject({ method: 'POST', url })
    t.equal(answer.statusCode, 405)
    t.equal(answer.headers.allow, 'GET, HEAD')
  }
})
