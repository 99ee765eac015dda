/** Rotates the signing and cookie keys of this environment; `make rotate-keys` runs it in the container of oauth. Word: NOW=true. */
import '@gateway/common/node-version.ts'
import { Type } from 'typebox'
import { CommandError, ending, wordsOf } from '@gateway/common/command.ts'
import { ConfigurationError, loadConfig } from '@gateway/common/config.ts'
import { parseSecrets } from '@gateway/common/secrets.ts'
import { checkSecret, secretsOf, settings } from '../config.ts'
import { rotateThere, wordNames, type Place } from '../keys/rotating.ts'

/** No cookie of a sign-in that is under way lives longer, whatever SESSION_TTL_S is. */
const interactionSeconds = 3_600

/** A leaked key must not wait for a fault of another setting. */
const placeSettings = Type.Pick(settings, ['SIGNING_KEYS_FILE', 'VALKEY_URL', 'GATEWAY_SECRET', 'OAUTH_SECRET', 'ACCESS_TOKEN_ALG', 'ACCESS_TOKEN_TTL_S', 'SESSION_TTL_S'])

function placeHere (env: NodeJS.ProcessEnv): Place {
  try {
    const config = loadConfig(placeSettings, env, [({ GATEWAY_SECRET: secret }) => parseSecrets(secret).faults, checkSecret])
    return {
      file: config.SIGNING_KEYS_FILE,
      valkeyUrl: config.VALKEY_URL,
      secrets: secretsOf(config),
      algorithm: config.ACCESS_TOKEN_ALG,
      accessTokenSeconds: config.ACCESS_TOKEN_TTL_S,
      cookieSeconds: Math.max(config.SESSION_TTL_S, interactionSeconds)
    }
  } catch (error) {
    if (error instanceof ConfigurationError) throw new CommandError(error.message, { cause: error })
    throw error
  }
}

await ending(async () => {
  process.stdout.write(`${await rotateThere(wordsOf(wordNames, process.argv.slice(2)), placeHere(process.env))}\n`)
})
