/** Brings the tool service up: configuration, database, app, listeners. */
import type { FastifyInstance } from 'fastify'
import { configOrExit } from '@gateway/common/config.ts'
import { createInternalApp, createObservability, serve } from '@gateway/common/service.ts'
import { openState } from '@gateway/common/state.ts'
import { buildApp, databaseHealth } from './app.ts'
import { loadMcpConfig } from './config.ts'
import { openDatabases } from './graph/servers.ts'
import type { Extend } from './mcp-server.ts'
import type { Tool } from './tools/tool.ts'

export interface StartOptions {
  /** In place of all tools; tests add some. */
  tools?: readonly Tool[]
  /** Adds to the MCP server of each request; tests do. */
  extend?: Extend
  /** Sees the app before its port opens. */
  prepare?: (app: FastifyInstance) => void
}

/**
 * Starts the service from the environment and returns when its ports are open; it stops by SIGTERM or SIGINT.
 * A wrong configuration ends the process with 78; a FalkorDB that does not hold the limits that REQUIRE_DB_LIMITS demands, with 1.
 */
export async function startService ({ tools, extend, prepare }: StartOptions = {}): Promise<void> {
  const config = configOrExit('mcp', () => loadMcpConfig(process.env))
  const observability = createObservability('mcp', config.LOG_LEVEL)
  const database = await openDatabases(config, observability.logger).catch((error: Error) => {
    observability.logger.fatal({ err: error }, `mcp cannot start: ${error.message}`)
    process.exit(1)
  })
  const health = databaseHealth(database)
  const state = config.VALKEY_URL === '' ? undefined : openState(config.VALKEY_URL, observability.logger)
  const app = buildApp({ config, database, observability, health, state, ...(tools && { tools }), ...(extend && { extend }) })
  prepare?.(app)
  await serve(observability, health, [
    { app, host: config.MCP_HOST, port: config.MCP_PORT, name: 'mcp' },
    { app: createInternalApp(observability, health), host: config.METRICS_HOST, port: config.METRICS_PORT, name: 'metrics' }
  ], async () => { await Promise.all([database.close(), state?.close()]) })
}
