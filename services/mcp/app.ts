/** The tool service as a Fastify app: tests and benchmarks build it without opening a port. */
import type { FastifyInstance } from 'fastify'
import { createChallenge } from '@gateway/common/challenge.ts'
import { addHealthRoutes, createApp, Health, type Observability } from '@gateway/common/service.ts'
import type { Config } from './config.ts'
import type { GraphDatabase } from './graph/database.ts'
import { measureDatabase } from './graph-metrics.ts'
import { identity } from './identity.ts'
import { apiRoutes } from './routes/api.ts'
import { mcpRoutes } from './routes/mcp.ts'
import { createToolbox } from './toolbox.ts'
import { allTools } from './tools/index.ts'
import type { Tool } from './tools/tool.ts'

export interface McpAppOptions {
  config: Config
  database: GraphDatabase
  observability: Observability
  health: Health
  /** Tests add slow ones. */
  tools?: readonly Tool[]
}

/** Builds the app; the caller opens the port, and closes the database after the app. */
export function buildApp ({ config, database, observability, health, tools = allTools }: McpAppOptions): FastifyInstance {
  const challenge = createChallenge(config.PUBLIC_URL, 'graph:read graph:write')
  const app = createApp(observability, { bodyLimit: config.MAX_BODY_BYTES, challenge })
  // JSON is all that any route takes; Fastify would read plain text as well.
  app.removeContentTypeParser('text/plain')
  const toolbox = createToolbox({ config, database: measureDatabase(database, observability.registry), observability, tools })
  app.register(identity, { secret: config.GATEWAY_SECRET })
  app.register(mcpRoutes, { toolbox, publicUrl: config.PUBLIC_URL, challenge })
  app.register(apiRoutes, { toolbox })
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
