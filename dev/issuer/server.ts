/** The process of the development issuer. Its settings come from whoever starts it: make dev, or the compose journeys. */
import { buildIssuer, disclaimer } from './app.ts'
import { openKeys } from './keys.ts'

const setting = (name: string): string => {
  const value = process.env[name]
  if (value) return value
  process.stderr.write(`issuer: ${name} is not set\n`)
  process.exit(78)
}

const { ISSUER_HOST: host = '127.0.0.1', ISSUER_KEYS_FILE: keysFile } = process.env
const issuer = setting('ISSUER_URL')
const app = buildIssuer({
  issuer,
  audience: setting('ISSUER_AUDIENCE'),
  keys: await openKeys(keysFile),
  mintSecret: setting('ISSUER_MINT_SECRET')
})

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, async () => {
    await app.close()
    process.exit(0)
  })
}
await app.listen({ host, port: Number(setting('ISSUER_PORT')) })
process.stdout.write(`${disclaimer}\n${issuer}\n`)
