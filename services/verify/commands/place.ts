import { CommandError } from '@gateway/common/command.ts'
import { ConfigurationError } from '@gateway/common/config.ts'
import { loadVerifyConfig } from '../config.ts'
import type { Place } from './revoking.ts'

/** The Valkey and the issuers of the verify service whose environment this is. @throws CommandError where it has no Valkey */
export function placeHere (env: NodeJS.ProcessEnv): Place {
  let valkeyUrl = env.VALKEY_URL ?? ''
  let issuers: string[] | undefined
  try {
    const config = loadVerifyConfig(env)
    valkeyUrl = config.VALKEY_URL
    issuers = config.issuers.map(({ issuer }) => issuer)
  } catch (error) {
    // An environment that has the Valkey alone is good enough, with ISSUER written out.
    if (!(error instanceof ConfigurationError)) throw error
  }
  if (valkeyUrl === '') throw new CommandError('VALKEY_URL is not set: without the Valkey that the replicas share nothing can be revoked.')
  return { valkeyUrl, issuers }
}
