import t from 'tap'
import { readFileSync } from 'node:fs'
import type { StackFile } from '../../dev/stack/file.ts'
import { startDevStack } from '../support/dev-stack.ts'
import { createSend } from '../support/https.ts'

t.setTimeout(290_000)

t.test('3: where no sign-in service runs, its paths answer a JSON 404 and never a 5xx, and the resource names the other issuer alone', { timeout: 120_000 }, async t => {
  const stack = await startDevStack({ PORT: '0', MCP_REPLICAS: '1', OAUTH_REPLICAS: '0' }, 'dev/stack.ts')
  t.teardown(() => stack.stop())
  const { url, ca, issuer, services } = JSON.parse(readFileSync(stack.path, 'utf8')) as StackFile
  t.strictSame(services.oauth, [])
  t.notMatch(stack.output(), /sign in in the browser/, 'nobody is told to')
  const send = createSend(url, ca)
  const paths = [
    '/.well-known/oauth-authorization-server', '/.well-known/openid-configuration', '/.well-known/jwks.json',
    '/register', '/register/abc', '/authorize', '/authorize/abc', '/token', '/revoke', '/introspect', '/interaction/abc', '/callback/google', '/account', '/account/me'
  ]
  for (const path of paths) {
    for (const method of ['GET', 'POST']) {
      const answer = await send({ method, path, ...(method === 'POST' && { body: {} }) })
      t.equal(answer.status, 404, `${method} ${path}`)
      t.equal(answer.json?.error?.type, 'NotFoundError', `${method} ${path} in JSON`)
    }
  }
  t.strictSame((await send({ path: '/.well-known/oauth-protected-resource/mcp' })).json.authorization_servers, [issuer])
  t.strictSame(await stack.stop(), [], 'nothing is left')
})
