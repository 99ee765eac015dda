/** The tool service as a Fastify app: tests and benchmarks build it without opening a port. */
import type { FastifyInstance } from 'fastify'
import { createChallenge } from '@gateway/common/challenge.ts'
import { parseSecrets } from '@gateway/common/secrets.ts'
import { addHealthRoutes, createApp, Health, type Observability } from '@gateway/common/service.ts'
import type { State } from '@gateway/common/state.ts'
import { bodies } from './bodies.ts'
import type { Config } from './settings.ts'
import type { GraphDatabase } from './graph/database.ts'
import { measureDatabase } from './graph-metrics.ts'
import { identity } from './identity.ts'
import { usualBounds, type Bounds } from './legacy-sse/bounds.ts'
import { createExchange } from './legacy-sse/exchange.ts'
import type { Extend } from './mcp-server.ts'
import { apiRoutes } from './routes/api.ts'
import { mcpRoutes } from './routes/mcp.ts'
import { sseRoutes } from './routes/sse.ts'
import { createToolbox } from './toolbox.ts'
import { allTools } from './tools/index.ts'
import type { Tool } from './tools/tool.ts'

export interface McpAppOptions {
  config: Config
  database: GraphDatabase
  observability: Observability
  health: Health
  /** What the replicas share, opened in the same turn; without it `/sse` is not served. */
  state?: State | undefined
  /** Of the streams of `/sse`; tests change some. */
  bounds?: Partial<Bounds>
  /** Tests add slow ones. */
  tools?: readonly Tool[]
  /** Tests add to the MCP server of each request. */
  extend?: Extend
}

/** Builds the app; the caller opens the port, and closes the database after the app. */
export function buildApp ({ config, database, observability, health, state, bounds, tools = allTools, extend }: McpAppOptions): FastifyInstance {
  const challenge = createChallenge(config.PUBLIC_URL, 'graph:read graph:write')
  const app = createApp(observability, { bodyLimit: config.MAX_BODY_BYTES, challenge })
  // JSON is all that any route takes; Fastify would read plain text as well.
  app.removeContentTypeParser('text/plain')
  const toolbox = createToolbox({ config, database: measureDatabase(database, observability.registry), observability, tools })
  const exchange = state && createExchange({
    state,
    secrets: parseSecrets(config.GATEWAY_SECRET).secrets,
    logger: app.log,
    registry: observability.registry,
    bounds: { ...usualBounds(config.MAX_RESULT_BYTES), ...bounds }
  })
  app.register(identity, { secret: config.GATEWAY_SECRET })
  app.register(bodies, { maxBytes: config.MAX_BODY_BYTES })
  app.register(mcpRoutes, { toolbox, publicUrl: config.PUBLIC_URL, challenge, ...(extend && { extend }) })
  app.register(apiRoutes, { toolbox, challenge })
  app.register(sseRoutes, { toolbox, publicUrl: config.PUBLIC_URL, exchange, ...(extend && { extend }) })
  app.register(async app => addHealthRoutes(app, health))
  return app
}

/** Readiness of the tool service: FalkorDB answers, and its limits are set or else warned of. */
export function databaseHealth (database: GraphDatabase): Health {
  return new Health(async () => {
    try {
      await database.ping()
    } catch {
      return { falkordb: 'away' }
    }
    const { warnings } = await database.info()
    return { falkordb: 'ok', ...(warnings.length > 0 && { limits: `warning: ${warnings.join('; ')}` }) }
  })
}
