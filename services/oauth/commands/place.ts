/** Where the commands of sign-in work: a Valkey, and the issuer whose clients and grants lie there. */
import { CommandError } from '@gateway/common/command.ts'
import { ConfigurationError } from '@gateway/common/config.ts'
import { UnavailableError } from '@gateway/common/errors.ts'
import { connectOnce, stateUrlFault } from '@gateway/common/state.ts'
import { loadOauthConfig } from '../config.ts'
import { openStore, type Store } from '../state/store.ts'

export interface Place {
  valkeyUrl: string
  /** PUBLIC_URL. */
  issuer: string
}

/** The place of the oauth service whose environment this is. @throws CommandError where it has none */
export function placeHere (env: NodeJS.ProcessEnv): Place {
  let valkeyUrl = env.VALKEY_URL ?? ''
  let issuer = env.PUBLIC_URL ?? ''
  try {
    const config = loadOauthConfig(env)
    valkeyUrl = config.VALKEY_URL
    issuer = config.issuer
  } catch (error) {
    // An environment that has these two alone is good enough.
    if (!(error instanceof ConfigurationError)) throw error
  }
  if (valkeyUrl === '') throw new CommandError('VALKEY_URL is not set: clients and grants are in the Valkey that the replicas share.')
  if (!URL.canParse(issuer)) throw new CommandError('PUBLIC_URL is not set: whose clients and grants?')
  return { valkeyUrl, issuer }
}

/** Of these only the issuer matters to what an operator does. */
const serviceOptions = { clientUnusedSeconds: 34_560_000, accessTokenSeconds: 86_400, reuseGraceSeconds: 10, clientsMax: 1 }

/**
 * Does something with the store of a place.
 * @throws CommandError where Valkey cannot be reached or has not confirmed it
 */
export async function withStore<T> ({ valkeyUrl, issuer }: Place, work: (store: Store) => Promise<T>): Promise<T> {
  const fault = stateUrlFault('VALKEY_URL', valkeyUrl)
  if (fault !== undefined) throw new CommandError(`${fault}.`)
  const client = await connectOnce(valkeyUrl).catch((cause: Error) => { throw new CommandError(`Valkey cannot be reached, so nothing was done: ${cause.message}`, { cause }) })
  try {
    return await work(openStore(client, { issuer, ...serviceOptions }))
  } catch (error) {
    if (!(error instanceof UnavailableError)) throw error
    throw new CommandError(`Valkey has not confirmed it, so it may not hold; mend the cause and run the command again: ${(error.cause as Error).message}`, { cause: error })
  } finally {
    client.destroy()
  }
}

/** Quoted as JSON: a client names itself, and its name must not move a terminal's cursor. */
export const quoted = (text: string) => JSON.stringify(text)

/** A time in seconds since 1970, to the minute in UTC. */
export const minute = (seconds: number) => `${new Date(seconds * 1000).toISOString().slice(0, 16).replace('T', ' ')} UTC`
