/**
 * `make client`, `make grants` and the like: a command of services/oauth/commands where dev/stack/nearest.ts finds a Valkey, in the environment of the
 * service itself, because clients, grants and keys are read by its settings.
 */
import '@gateway/common/node-version.ts'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ending } from '@gateway/common/command.ts'
import { clientWords, jwksOf } from '../services/oauth/commands/machine-clients.ts'
import { grantWords } from '../services/oauth/commands/people-grants.ts'
import { wordNames as rotationWords } from '../services/oauth/keys/rotating.ts'
import { defaultDir, gatewaySecretIn, oauthSecretIn, type StackFile } from './stack/file.ts'
import { inContainer, nearest } from './stack/nearest.ts'
import { localSignIn, repository } from './stack/parts.ts'

/** The words that each command takes; make gives them as variables. */
const wordsOf: Record<string, readonly string[]> = {
  client: clientWords,
  clients: [],
  'revoke-client': ['CLIENT'],
  grants: grantWords,
  'end-grant': ['GRANT'],
  'rotate-keys': rotationWords
}

/** The environment of oauth in a stack of make dev. */
function environmentOf ({ url, services }: StackFile): NodeJS.ProcessEnv {
  const secretOf = (path: string) => readFileSync(path, 'utf8')
  const dir = process.env.DEV_DIR || defaultDir
  return {
    ...localSignIn,
    ...process.env,
    PUBLIC_URL: url,
    VALKEY_URL: services.valkey.url,
    VALKEY_URL_FILE: '',
    GATEWAY_SECRET_FILE: '',
    GATEWAY_SECRET: secretOf(gatewaySecretIn(dir)),
    OAUTH_SECRET_FILE: '',
    OAUTH_SECRET: secretOf(oauthSecretIn(dir))
  }
}

const [command = ''] = process.argv.slice(2)
await ending(async () => {
  // A file of keys means nothing in a container.
  const words = jwksOf(Object.fromEntries((wordsOf[command] ?? []).map(name => [name, process.env[name]])), path => readFileSync(path, 'utf8'))
  const env = await nearest(process.env, { server: 'Valkey', variable: 'VALKEY_URL', inStack: environmentOf, inEnvironment: () => process.env })
  if (env === undefined) return await inContainer('oauth', command, 'VALKEY_URL', words).ended
  const given = Object.entries(words).filter(([, value]) => value).map(([name, value]) => `${name}=${value}`)
  const child = spawn(process.execPath, [join(repository, `services/oauth/commands/${command}.ts`), ...given], { env, stdio: ['ignore', 'inherit', 'inherit'] })
  const [code] = await once(child, 'close') as [number | null]
  // It has said why.
  if (code !== 0) process.exitCode = 1
})
