/**
 * `make revoke` and `make revocations`: in the dev stack that runs in DEV_DIR, else in the Valkey of VALKEY_URL, else in the compose
 * stack, whose Valkey only its containers reach. Words: TENANT, USER, JTI, GRANT, TOKEN, ISSUER.
 */
import '@gateway/common/node-version.ts'
import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { placeHere } from '../services/verify/commands/place.ts'
import { ending, listThere, revokeThere, RevokingError, withoutToken, wordNames, type Place, type Words } from '../services/verify/commands/revoking.ts'
import { defaultDir, readStackFile, StackError } from './stack/file.ts'

const say = (line: string) => { process.stdout.write(`${line}\n`) }

async function placeNear (env: NodeJS.ProcessEnv): Promise<Place | undefined> {
  const dir = env.DEV_DIR || defaultDir
  try {
    const { services, issuer } = await readStackFile(dir)
    say(`In the dev stack of ${dir}:`)
    return { valkeyUrl: services.valkey.url, issuers: [issuer] }
  } catch (error) {
    if (!(error instanceof StackError)) throw error
    if (env.DEV_DIR) throw new RevokingError(error.message)
  }
  if (!env.VALKEY_URL) return undefined
  say('In the Valkey of VALKEY_URL:')
  return placeHere(env)
}

/** The same command where the compose stack has its Valkey. */
function inContainer (command: string, words: Words): void {
  const args = Object.entries(words).filter(([, value]) => value).map(([name, value]) => `${name}=${value}`)
  const { error, status } = spawnSync('docker', ['compose', 'exec', '-T', 'verify', 'node', `services/verify/commands/${command}.ts`, ...args], { cwd: resolve(import.meta.dirname, '..'), stdio: ['ignore', 'inherit', 'inherit'] })
  if (error) throw new RevokingError(`No dev stack runs in ${defaultDir}, VALKEY_URL is not set, and docker compose could not be run (${error.message}). Set VALKEY_URL, or DEV_DIR.`)
  if (status !== 0) process.exitCode = 1
}

const [command] = process.argv.slice(2)
await ending(async () => {
  // The token goes no further than this process.
  const words = withoutToken(Object.fromEntries(wordNames.map(name => [name, process.env[name]])))
  const place = await placeNear(process.env)
  if (place === undefined) return inContainer(command as string, command === 'revoke' ? words : {})
  if (command === 'revoke') say(await revokeThere(words, place))
  else await listThere(place, say)
})
