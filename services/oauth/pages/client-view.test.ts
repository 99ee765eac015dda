import t from 'tap'
import { isOnThisDevice, redirectHostOf, warning } from './client-view.ts'

const rows: Array<[redirectUri: string, host: string, onThisDevice: boolean]> = [
  ['https://claude.ai/api/mcp/auth_callback', 'claude.ai', false],
  ['https://app.example:8443/back', 'app.example:8443', false],
  ['https://claude.ai@evil.example/', 'evil.example', false],
  ['https://clаude.ai/', 'xn--clude-5ve.ai', false],
  ['https://localhost.evil.example/', 'localhost.evil.example', false],
  ['http://localhost:33418/', 'localhost', true],
  ['http://127.0.0.1:8080/back', '127.0.0.1', true],
  ['http://[::1]:9/', '[::1]', true],
  ['cursor://anysphere.cursor-retrieval/oauth/callback', 'cursor:', true],
  ['com.example.app:/oauth', 'com.example.app:', true]
]
for (const [redirectUri, host, onThisDevice] of rows) {
  t.test(`${redirectUri} leads to ${host}${onThisDevice ? ', an app on this device' : ''}`, async t => {
    t.equal(redirectHostOf(redirectUri), host)
    t.equal(isOnThisDevice(redirectHostOf(redirectUri)), onThisDevice)
  })
}

t.test('every client but a verified one of the web comes with a warning', async t => {
  t.match(warning({ name: 'Claude', redirectHost: 'evil.example', verified: false })?.toString(), /know <bdi>evil\.example<\/bdi>/)
  t.match(warning({ name: 'Claude Code', redirectHost: 'localhost', verified: false, clientHost: 'claude.ai' })?.toString(), /an app on this device/)
  t.match(warning({ name: 'Local', redirectHost: 'localhost', verified: true })?.toString(), /an app on this device/)
  t.equal(warning({ name: 'Claude', redirectHost: 'claude.ai', verified: true, clientHost: 'claude.ai' }), undefined)
})
