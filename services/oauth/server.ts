/** The process of the oauth service. */
import '@gateway/common/node-version.ts'
import { configOrExit } from '@gateway/common/config.ts'
import { createInternalApp, createObservability, serve } from '@gateway/common/service.ts'
import { loadOauthConfig } from './config.ts'
import { openService } from './start.ts'

const config = configOrExit('oauth', () => loadOauthConfig(process.env))
const observability = createObservability('oauth', config.LOG_LEVEL)
for (const warning of config.warnings) observability.logger.warn(warning)
const { app, health, close } = await openService(config, observability)
await serve(observability, health, [
  // Traefik looks at /live once a second. A request that it cannot send again may have used up a refresh token.
  { app, host: config.OAUTH_HOST, port: config.OAUTH_PORT, name: 'public', leadMs: 2_500 },
  { app: createInternalApp(observability, health), host: config.METRICS_HOST, port: config.METRICS_PORT, name: 'metrics' }
], close)
