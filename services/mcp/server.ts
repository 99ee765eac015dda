/** The process of the tool service. */
import '@gateway/common/node-version.ts'
import { configOrExit } from '@gateway/common/config.ts'
import { createInternalApp, createObservability, serve } from '@gateway/common/service.ts'
import { buildApp, databaseHealth } from './app.ts'
import { loadMcpConfig } from './config.ts'
import { connectGraphDatabase } from './graph/client.ts'

const config = configOrExit('mcp', () => loadMcpConfig(process.env))
const observability = createObservability('mcp', config.LOG_LEVEL)
const database = await connectGraphDatabase({
  url: config.FALKORDB_URL,
  maxRows: config.MAX_ROWS,
  timeoutDefaultMs: config.QUERY_TIMEOUT_MS,
  timeoutMaxMs: config.QUERY_TIMEOUT_MAX_MS,
  queryMemoryBytes: config.QUERY_MEMORY_BYTES,
  tenantConcurrency: config.TENANT_CONCURRENCY,
  requireLimits: config.REQUIRE_DB_LIMITS,
  logger: observability.logger
}).catch((error: Error) => {
  observability.logger.fatal({ err: error }, `mcp cannot start: ${error.message}`)
  process.exit(1)
})
const health = databaseHealth(database)

await serve(observability, health, [
  { app: buildApp({ config, database, observability, health }), host: config.MCP_HOST, port: config.MCP_PORT, name: 'mcp' },
  { app: createInternalApp(observability, health), host: config.METRICS_HOST, port: config.METRICS_PORT, name: 'metrics' }
], () => database.close())
