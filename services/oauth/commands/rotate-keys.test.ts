import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { until } from '../../../tests/support/until.ts'
import { startValkey } from '../../../tests/support/valkey.ts'
import { kidsOf, replica, secret } from '../keys/test-support.ts'
import { systemClock } from '../keys/clock.ts'

const run = promisify(execFile)

t.test('make rotate-keys, by the environment of the service: the running replica publishes the next key; NOW=true withdraws all others', async t => {
  const { url } = await startValkey(t)
  const { ring } = await replica(t, url, { clock: systemClock })
  const [former] = kidsOf(ring)
  const env = { GATEWAY_SECRET: secret, VALKEY_URL: url }
  const command = async (words: string[], more = {}) => (await run(process.execPath, [join(import.meta.dirname, 'rotate-keys.ts'), ...words], { env: { ...env, ...more } })).stdout
  t.match(await command([]), /stays published until .*Z.*nobody notices\.\n$/s)
  await until('the next key', () => ring.jwks.keys.length === 2)
  t.equal(kidsOf(ring)[0], former)
  await t.rejects(command([]), { code: 1, stdout: '', stderr: /^A rotation is under way until [^\n]*NOW=true\.\n$/ })
  t.match(await command(['NOW=true']), /All access tokens that the former ones signed have ended/)
  await until('the withdrawal', () => ring.jwks.keys.length === 1)
  t.not(kidsOf(ring)[0], former)
  await t.rejects(command(['WHEN=now']), { code: 1, stderr: /^"WHEN" is no word that is known here; there are NOW\.\n$/ })
  await t.rejects(command([], { VALKEY_URL: '' }), { code: 1, stderr: /^Neither SIGNING_KEYS_FILE nor VALKEY_URL is set/ })
  await t.rejects(command([], { GATEWAY_SECRET: 'short' }), { code: 1, stderr: /GATEWAY_SECRET has 5 characters/ })
})
