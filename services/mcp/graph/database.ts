/** The graph database as the tools know it: one call, one answer or one GatewayError. client.ts is the one behind it. */

/** A graph of a tenant. */
export interface GraphTarget {
  /** Whose call it is: its user in the database, its share of the workers, its quotas. */
  tenant: string
  /** The FalkorDB key, made by graphKey(). */
  key: string
}

/** A query of a tenant, passed by guardQuery(). */
export interface QueryTarget extends GraphTarget {
  query: string
  parameters: unknown
  /** From the call to its end, waiting for a place included; more than the server's TIMEOUT_MAX is lowered to it. */
  timeoutMs: number
  /** The client went away: nothing more is sent to FalkorDB, and the outcome of what was sent is logged. */
  signal?: AbortSignal | undefined
}

export interface GraphCall extends QueryTarget {
  /** `read` runs as GRAPH.RO_QUERY, `write` as GRAPH.QUERY. */
  mode: 'read' | 'write'
  /** Rows returned at most. */
  maxRows: number
  /** Rows left out before the first; default 0. */
  skipRows?: number
}

export interface GraphResult {
  columns: string[]
  /** JSON-ready values, in the order of `columns`. */
  rows: unknown[][]
  /** True where the database had more rows than these. */
  truncated: boolean
  statistics: Record<string, number | string | boolean>
  /** true where the graph did not exist before this write. */
  created?: boolean
}

export interface GraphDatabaseInfo {
  /** Version of the Redis or Valkey server. */
  version: string
  /** Version of the FalkorDB module. */
  module: string
  /** By FalkorDB's own names (GRAPH.CONFIG); times in ms, memory in bytes. */
  limits: Record<string, number>
  /** Limits that could not be set, and whatever else an operator should mend. */
  warnings: string[]
}

export interface GraphDatabase {
  /**
   * @throws ValidationError for parameters, QueryError, NotFoundError graph_not_found (read), ForbiddenError for a quota, RateLimitError queue_full, TimeoutError,
   * DatabaseError; of these `write_outcome_unknown` alone leaves open whether something was written
   */
  query: (call: GraphCall) => Promise<GraphResult>
  /** FalkorDB's plan of a query, an operation a line; nothing is run. @throws as query */
  explain: (call: QueryTarget) => Promise<string[]>
  /** Runs the query, with whatever it writes, and tells rows and time of each operation. @throws as query */
  profile: (call: QueryTarget) => Promise<string[]>
  /**
   * Whether the database's own plan of the query writes; nothing is run.
   * @throws NotFoundError graph_not_found: without a graph there is no plan
   */
  writes: (call: QueryTarget) => Promise<boolean>
  /** Deletes a graph. @throws NotFoundError graph_not_found, DatabaseError */
  remove: (target: GraphTarget) => Promise<void>
  /** Keys of a tenant's graphs, sorted. @param prefix what they begin with */
  keys: (tenant: string, prefix: string) => Promise<string[]>
  /** @throws DatabaseError where FalkorDB does not answer within 2 s, or lacks limits that are required */
  ping: (tenant?: string) => Promise<void>
  /** Versions as of now, limits as of the last connection. */
  info: (tenant?: string) => Promise<GraphDatabaseInfo>
  /** Whether FalkorDB is connected and answers. */
  readonly up: boolean
  close: () => Promise<void>
}
