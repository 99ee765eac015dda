/** The whole service in one process, with a Valkey of its own: for tests that need neither Traefik nor a browser. */
import { randomBytes } from 'node:crypto'
import { createObservability } from '@gateway/common/service.ts'
import { freePort } from '../../dev/free-port.ts'
import { createSend } from '../../tests/support/https.ts'
import { startValkey } from '../../tests/support/valkey.ts'
import { loadOauthConfig } from './config.ts'
import type { Clock } from './keys/clock.ts'
import { openService } from './start.ts'

interface Teardown { teardown: (end: () => unknown) => void }

/** A secret that every replica of a test shares. */
export const gatewaySecret = randomBytes(32).toString('hex')

export interface OauthOptions {
  /** Over the settings of a test: local sign-in, tenants acme and globex, no limits. */
  env?: Record<string, string>
  /** Of another replica; a new Valkey where absent. */
  valkeyUrl?: string
  /** The public origin; that of this replica where absent. */
  publicUrl?: string
  /** By which keys take their turns. */
  clock?: Clock
}

/** One replica that listens on a free port of 127.0.0.1, closed with its test. */
export async function openOauth (t: Teardown, { env = {}, valkeyUrl, publicUrl, clock }: OauthOptions = {}) {
  const stateUrl = valkeyUrl ?? (await startValkey(t)).url
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  const config = loadOauthConfig({
    PUBLIC_URL: publicUrl ?? origin,
    GATEWAY_SECRET: gatewaySecret,
    VALKEY_URL: stateUrl,
    LOCAL_SIGN_IN: 'true',
    LOCAL_SIGN_IN_TENANTS: 'acme,globex',
    REGISTRATIONS_PER_HOUR: '0',
    SIGN_INS_PER_MINUTE: '0',
    TOKENS_PER_MINUTE: '0',
    CLIENT_TOKENS_PER_MINUTE: '0',
    ACCOUNT_SIGN_INS_PER_HOUR: '0',
    ...env
  })
  const lines: string[] = []
  const observability = createObservability('oauth', 'info', { write: line => { lines.push(line) } })
  const { app, close: closeRest, ...service } = await openService(config, observability, clock)
  await app.listen({ host: '127.0.0.1', port })
  let closing: Promise<void> | undefined
  const close = async () => await (closing ??= (async () => {
    await app.close()
    await closeRest()
  })())
  t.teardown(close)
  return { ...service, app, config, client: service.state.client, origin, stateUrl, send: createSend(origin), lines, registry: observability.registry, close }
}
