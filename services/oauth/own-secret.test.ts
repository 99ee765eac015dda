import { decodeProtectedHeader } from 'jose'
import t from 'tap'
import { ringKey } from './keys/ring-in-valkey.ts'
import { unwrap } from './keys/wrapping.ts'
import { gatewaySecret, openOauth } from './test-support.ts'

const own = 'a-secret-of-sign-in-0123456789abcdef'

t.test('who has GATEWAY_SECRET and reads Valkey, as the tool service does, has no signing key', async t => {
  const { client } = await openOauth(t, { env: { OAUTH_SECRET: own } })
  const wrapped = await client.get(ringKey) ?? ''
  t.equal(decodeProtectedHeader(wrapped).typ, 'gateway-oauth-keys')
  await t.rejects(unwrap(wrapped, [gatewaySecret], 'here'), { name: 'ConfigurationError' })
  t.match((await unwrap(wrapped, [own], 'here')).text, '"kty"')
})

t.test('an installation that began without OAUTH_SECRET gets one and keeps its keys', async t => {
  const kidsOf = ({ keys }: Awaited<ReturnType<typeof openOauth>>) => keys.jwks.keys.map(({ kid }) => kid)
  const first = await openOauth(t)
  const kids = kidsOf(first)
  await first.close()
  const { stateUrl } = first
  const second = await openOauth(t, { valkeyUrl: stateUrl, env: { OAUTH_SECRET: `${own},${gatewaySecret}` } })
  t.strictSame(kidsOf(second), kids)
  await second.close()
  t.strictSame(kidsOf(await openOauth(t, { valkeyUrl: stateUrl, env: { OAUTH_SECRET: own } })), kids)
})
