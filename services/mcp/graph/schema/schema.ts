/** The schema of a graph, kept for a short while: what labels, relationships, properties, indexes and constraints it has. */
import { LRUCache } from 'lru-cache'
import type { GraphDatabase, GraphTarget } from '../database.ts'
import { graphKey } from '../name.ts'
import type { GraphIndex, Reader } from './indexes.ts'
import { readWholeSchema } from './schema-reading.ts'

/** A property of a label or of a relationship type, as far as a sample shows. */
export interface SchemaProperty {
  name: string
  /** As Cypher names them: STRING, INTEGER, FLOAT, BOOLEAN, POINT, DATE, TIME, DATETIME, DURATION, VECTOR, LIST<STRING>, …; the commonest first. */
  types: string[]
  /** Up to three different values, long texts cut; none of lists, points and vectors. */
  values: Array<string | number | boolean>
}

export interface SchemaLabel {
  label: string
  /** Exact. */
  count: number
  properties: SchemaProperty[]
}

export interface SchemaPattern {
  /** All labels of the node at the start, and at the end; empty for a node without one. */
  from: string[]
  to: string[]
  /** Relationships of this type between such nodes; where the type is `estimated`, the sample's share of all. */
  count: number
}

export interface SchemaRelationship {
  type: string
  /** Exact. */
  count: number
  /** true where the patterns come from the first relationships only, so that rare ones may be missing. */
  estimated: boolean
  properties: SchemaProperty[]
  /** By falling count. */
  patterns: SchemaPattern[]
}

export interface SchemaConstraint {
  kind: 'unique' | 'mandatory'
  on: 'node' | 'relationship'
  /** The label, or the relationship type. */
  label: string
  properties: string[]
  /** As FalkorDB says: OPERATIONAL, FAILED, or still at work. */
  status: string
}

/**
 * All that is known of a graph. Labels and relationships come by falling count and have at least one node or relationship each; all their counts are exact,
 * properties and patterns are sampled.
 */
export interface GraphSchema {
  nodes: number
  relationships: number
  labels: SchemaLabel[]
  relationshipTypes: SchemaRelationship[]
  indexes: GraphIndex[]
  constraints: SchemaConstraint[]
  /** Nodes looked at for each label; as many relationships for each type. */
  sampleSize: number
  /** What is not in it and why: labels beyond the most that are read, a sampling that took too long. */
  omitted: string[]
}

/** A schema is at most this old, where others write. In ms. */
const lifeMs = 30_000

/** Schemas of one process, about 10 MB at most; a reading is shared by all who ask meanwhile. */
class SchemaCache {
  readonly #kept = new LRUCache<string, GraphSchema>({ ttl: lifeMs, maxSize: 10_000_000, sizeCalculation: schema => JSON.stringify(schema).length })
  readonly #reading = new Map<string, Promise<GraphSchema>>()

  async get (target: GraphTarget, read: () => Promise<GraphSchema>): Promise<GraphSchema> {
    const name = nameOf(target)
    const kept = this.#kept.get(name)
    if (kept !== undefined) return kept
    const shared = this.#reading.get(name)
    if (shared !== undefined) return await shared
    const reading = read()
    this.#reading.set(name, reading)
    try {
      const schema = await reading
      // Forgotten meanwhile: what was read may be older than the write.
      if (this.#reading.get(name) === reading) this.#kept.set(name, schema)
      return schema
    } finally {
      if (this.#reading.get(name) === reading) this.#reading.delete(name)
    }
  }

  forget (target: GraphTarget) {
    this.#kept.delete(nameOf(target))
    this.#reading.delete(nameOf(target))
  }
}

const nameOf = ({ tenant, key }: GraphTarget) => JSON.stringify([tenant, key])

const caches = new WeakMap<GraphDatabase, SchemaCache>()

function cacheOf (database: GraphDatabase): SchemaCache {
  const cache = caches.get(database) ?? new SchemaCache()
  caches.set(database, cache)
  return cache
}

/**
 * The schema of one of the caller's graphs, at most 30 s old where another process writes. The reading is read-only, as the tenant, within QUERY_TIMEOUT_MS,
 * and goes on when one of those who wait for it leaves. Do not change what is returned: others have the same.
 * @param graphName as a caller writes it
 * @throws ValidationError invalid_graph_name, NotFoundError graph_not_found, and as GraphDatabase.query
 */
export async function readSchema (reader: Reader, graphName: string): Promise<GraphSchema> {
  const { caller, config, database } = reader
  const target = { tenant: caller.tenantId, key: graphKey(caller.tenantId, graphName, config.ENABLE_MULTI_TENANCY).key }
  return await cacheOf(database).get(target, () => readWholeSchema(reader, target))
}

/** To be called after every write to a graph, whatever its outcome, and after its deletion. */
export function forgetSchema (database: GraphDatabase, target: GraphTarget): void {
  caches.get(database)?.forget(target)
}
