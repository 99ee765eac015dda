/** Puts the service together from its settings: the process does so, and tests do. */
import type { FastifyInstance } from 'fastify'
import { openRevocations } from '@gateway/common/known-revocations.ts'
import { Health, type Observability } from '@gateway/common/service.ts'
import { openState } from '@gateway/common/state.ts'
import { buildOauthApp } from './app.ts'
import type { Config } from './config.ts'
import type { Clock } from './keys/clock.ts'
import { openKeyRing } from './keys/key-ring.ts'
import { openLimits } from './limits/limits.ts'
import { openMemberships } from './people/membership.ts'
import { createGuardedFetch } from './provider/metadata-documents.ts'
import { openStore } from './state/store.ts'
import { openUpstreams } from './upstreams/index.ts'

/**
 * Opens everything; returns when there are keys to sign with, which may wait for Valkey.
 * @param clock by which keys take their turns, for tests; that of this machine where absent
 * @throws Error where the guard of outgoing requests does not hold, or the keys cannot be read
 */
export async function openService (config: Config, observability: Observability, clock?: Clock) {
  const { logger, registry } = observability
  const state = openState(config.VALKEY_URL, logger)
  const { client } = state
  // In one turn with openState, so that nothing published is missed.
  const revocations = openRevocations(state, { outage: 'continue', logger, registry })
  const opening = openKeyRing({ file: config.SIGNING_KEYS_FILE, client, state, secrets: config.secrets, algorithm: config.ACCESS_TOKEN_ALG, accessTokenSeconds: config.ACCESS_TOKEN_TTL_S, logger, ...(clock && { clock }) })
  const memberships = openMemberships(config, logger)
  const upstreams = openUpstreams(config, logger)
  const [guarded, keys] = await Promise.all([createGuardedFetch({ trustedHosts: config.cimdTrustedHosts, caFile: config.CIMD_CA_FILE, logger }), opening])
  const store = openStore(client, {
    issuer: config.issuer,
    clientUnusedSeconds: config.CLIENT_UNUSED_S,
    accessTokenSeconds: config.ACCESS_TOKEN_TTL_S,
    reuseGraceSeconds: config.REFRESH_REUSE_GRACE_S,
    clientsMax: config.CLIENTS_MAX
  })
  const limits = openLimits(config, client, logger)
  const health = new Health(async () => ({
    valkey: state.connected ? 'ok' : 'Valkey cannot be reached: nobody can sign in, and no token is refreshed',
    keys: keys.status(),
    members: memberships.status(),
    revocations: revocations.status()
  }))
  const app: FastifyInstance = buildOauthApp({ config, store, keys, memberships, upstreams, revocations, limits, guarded, client, health, observability })
  return {
    app,
    health,
    store,
    keys,
    state,
    revocations,
    /** After the app has closed. */
    close: async () => {
      memberships.close()
      await Promise.all([keys.close(), revocations.close(), guarded.close()])
      await state.close()
    }
  }
}
