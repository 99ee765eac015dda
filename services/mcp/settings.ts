/** Settings of the tool service. Each is an environment variable; .env.example is made from them. */
import { Type, type Static } from 'typebox'
import { commonSettings } from '@gateway/common/settings.ts'

const addresses = 'Internal addresses (set by compose and make dev)'

export const settings = Type.Object({
  ...commonSettings,
  MCP_HOST: Type.String({ group: addresses, description: 'Address that the tool service listens on.', default: '127.0.0.1' }),
  MCP_PORT: Type.Integer({ group: addresses, description: 'Port of the tool service; 0 takes a free one.', default: 4190, minimum: 0, maximum: 65535 }),
  FALKORDB_URL: Type.String({
    group: 'FalkorDB',
    secret: true,
    description: 'The graph database: redis://[user:password@]host[:port], or rediss:// for TLS.',
    pattern: '^rediss?://'
  }),
  QUERY_TIMEOUT_MS: Type.Integer({ group: 'Limits', description: 'Time of a query in milliseconds, where the call names none.', default: 10_000, minimum: 1 }),
  QUERY_TIMEOUT_MAX_MS: Type.Integer({ group: 'Limits', description: 'Longest time in milliseconds that a call may ask for with timeoutMs.', default: 60_000, minimum: 1 }),
  MAX_ROWS: Type.Integer({ group: 'Limits', description: 'Most rows of one result.', default: 1_000, minimum: 1, maximum: 100_000 }),
  MAX_RESULT_BYTES: Type.Integer({ group: 'Limits', description: 'Most bytes of one result, structured content and text together.', default: 131_072, minimum: 8_192 }),
  MAX_BODY_BYTES: Type.Integer({ group: 'Limits', description: 'Most bytes of one request body.', default: 4_194_304, minimum: 1_024 }),
  QUERY_MEMORY_BYTES: Type.Integer({ group: 'Limits', description: 'Most memory in bytes that FalkorDB may use for one query.', default: 268_435_456, minimum: 1_048_576 }),
  TENANT_CONCURRENCY: Type.Integer({ group: 'Limits', description: 'Queries that one tenant may run at the same time, over all replicas of the tool service together; one at least in each.', default: 4, minimum: 1 }),
  MCP_REPLICAS: Type.Integer({ group: 'Limits', description: 'Replicas of the tool service: they share FalkorDB\'s workers and each tenant\'s TENANT_CONCURRENCY.', default: 2, minimum: 1, maximum: 64 }),
  TENANT_MAX_GRAPHS: Type.Integer({ group: 'Limits', description: 'Graphs that one tenant may have; 0 for no limit.', default: 100, minimum: 0 }),
  TENANT_MAX_MEMORY_BYTES: Type.Integer({ group: 'Limits', description: 'Memory in bytes that the graphs of one tenant may take in FalkorDB, looked at in the background; 0 for no limit.', default: 536_870_912, minimum: 0 }),
  TENANT_ACL: Type.Union([Type.Literal('on'), Type.Literal('off')], {
    group: 'FalkorDB',
    description: 'on: each tenant\'s queries run as a user of the database that can touch that tenant\'s graphs alone; FALKORDB_URL\'s user must be allowed ACL SETUSER. off: all run as FALKORDB_URL\'s user.',
    default: 'on'
  }),
  FALKORDB_TENANT_URLS: Type.String({
    group: 'FalkorDB',
    secret: true,
    description: 'Tenants on servers of their own, as JSON: {"acme":"rediss://user:password@acme-graphs:6379"}. All others are on FALKORDB_URL.',
    default: ''
  }),
  REQUIRE_DB_LIMITS: Type.Boolean({ group: 'FalkorDB', description: 'true: refuse to start where FalkorDB does not take the limits above; false: warn, also in /ready.', default: false }),
  TOOLS_HIDDEN: Type.String({ group: 'Tools', description: 'Names of tools that nobody gets, comma separated.', default: '' })
})

export type Config = Static<typeof settings>
