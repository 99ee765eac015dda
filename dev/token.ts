/** `make token`: prints one access token of the running stack's development issuer, and nothing else. Settings: TENANT, USER, SCOPE, TTL, DEV_DIR. */
import '@gateway/common/node-version.ts'
import { mintToken } from './issuer/client.ts'
import { defaultDir, readStackFile } from './stack/file.ts'
import { firstCaller } from './stack/welcome.ts'

/** Longest life of a token in seconds: 30 days. */
const maxTtl = 30 * 86_400

try {
  const { TENANT = firstCaller.tenant, USER = firstCaller.user, SCOPE = firstCaller.scope, TTL = '3600', DEV_DIR } = process.env
  const ttl = Number(TTL)
  if (!Number.isInteger(ttl) || ttl < 1 || ttl > maxTtl) throw new Error(`TTL is the token's life in whole seconds, from 1 to ${maxTtl} (it is ${JSON.stringify(TTL)}).`)
  const stack = await readStackFile(DEV_DIR || defaultDir)
  // An empty value leaves the claim out: a token without tenant is a way to see what the gateway says of one.
  const token = await mintToken(stack.mint, { claims: { sub: USER || undefined, tenant_id: TENANT || undefined, scope: SCOPE || undefined }, ttl })
  process.stdout.write(`${token}\n`)
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`)
  process.exitCode = 1
}
