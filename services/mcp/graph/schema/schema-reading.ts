/** Reads a graph's schema in a few queries, whatever the number of its labels: counts that FalkorDB keeps, and samples. */
import { QueryError, TimeoutError } from '@gateway/common/errors.ts'
import type { GraphTarget } from '../database.ts'
import { canBeNamed, cypherName } from './cypher-names.ts'
import { indexColumns, indexesOf, type IndexRow, type Reader } from './indexes.ts'
import type { GraphSchema, SchemaConstraint, SchemaPattern, SchemaProperty } from './schema.ts'

/** Labels, and relationship types, that are read at most. */
const maxNames = 1_000
/** Longest name in characters; nobody can do anything with a longer one. */
const maxNameLength = 200
/** Nodes of a label, and of all labels together: typing a value costs FalkorDB some 10 µs. */
const maxSample = 100
const allSamples = 10_000
/** Relationships looked at for their patterns, in all: some 2 µs each. */
const allPatternSamples = 20_000
const minPatternSample = 100
/** Of one node; of one label; patterns of one type. */
const maxKeysOfNode = 200
const maxProperties = 50
const maxPatterns = 50
const maxValues = 3
const maxValueLength = 40
/** Labels or types in one query: its plan costs FalkorDB about 0.3 ms for each. */
const batchSize = 100

type Named = [name: string, count: number]

/** FalkorDB keeps these counts, so none of it looks at a node. Each part is one row, all of it one: RESULTSET_SIZE may be as small as 2. */
const overviewQuery = `CALL {
CALL db.meta.stats() YIELD nodeCount, relCount RETURN 'totals' AS kind, collect([nodeCount, relCount]) AS items
UNION ALL ${countsOf('labels')}
UNION ALL ${countsOf('relTypes')}
UNION ALL CALL db.indexes() YIELD ${indexColumns} RETURN 'indexes' AS kind, collect([${indexColumns}]) AS items
UNION ALL CALL db.constraints() YIELD type, label, properties, entitytype, status RETURN 'constraints' AS kind, collect([type, label, properties, entitytype, status]) AS items
} RETURN collect([kind, items])`

function countsOf (what: 'labels' | 'relTypes'): string {
  return `CALL db.meta.stats() YIELD ${what} UNWIND keys(${what}) AS name WITH name, ${what}[name] AS count WHERE count > 0 AND size(name) <= ${maxNameLength}
WITH name, count ORDER BY count DESC, name LIMIT ${maxNames + 1} RETURN '${what}' AS kind, collect([name, count]) AS items`
}

interface Overview {
  totals?: Array<[nodes: number, relationships: number]>
  labels?: Named[]
  relTypes?: Named[]
  indexes?: IndexRow[]
  constraints?: Array<[type: string, label: string, properties: string[], entity: string, status: string]>
}

/** @throws as GraphDatabase.query; a sampling that takes too long is left out of the schema, and named in `omitted` */
export async function readWholeSchema ({ caller, config, database }: Reader, { key }: GraphTarget): Promise<GraphSchema> {
  const end = performance.now() + config.QUERY_TIMEOUT_MS
  /** The one value that each of these queries returns. */
  const ask = async <T>(query: string): Promise<T[]> => {
    const timeoutMs = Math.floor(end - performance.now())
    if (timeoutMs < 1) throw new TimeoutError('query_timeout', 'Reading the schema took longer than it may.')
    const { rows } = await database.query({ key, query, parameters: undefined, mode: 'read', timeoutMs, maxRows: 1, tenant: caller.tenantId })
    return (rows[0]?.[0] ?? []) as T[]
  }

  const overview = Object.fromEntries(await ask<[string, unknown]>(overviewQuery)) as Overview
  const labels = (overview.labels ?? []).slice(0, maxNames)
  const types = (overview.relTypes ?? []).slice(0, maxNames)
  const omitted: string[] = []
  if (labels.length < (overview.labels?.length ?? 0)) omitted.push(`labels beyond the ${maxNames} with the most nodes`)
  if (types.length < (overview.relTypes?.length ?? 0)) omitted.push(`relationship types beyond the ${maxNames} with the most relationships`)

  /** One query for each batch of names; what was read stands where time or memory ends. */
  async function sampled<T> (what: string, names: Named[], query: (batch: Sample[]) => string): Promise<Map<number, T>> {
    const found = new Map<number, T>()
    const samples = names.flatMap(([name], index) => canBeNamed(name) ? [{ index, name: cypherName(name) }] : [])
    try {
      for (let start = 0; start < samples.length; start += batchSize) {
        for (const [index, sample] of await ask<[number, T]>(query(samples.slice(start, start + batchSize)))) found.set(index, sample)
      }
    } catch (error) {
      if (!(error instanceof TimeoutError) && !(error instanceof QueryError && error.code === 'query_memory_exceeded')) throw error
      omitted.push(`${what}: ${found.size} of ${samples.length} were looked at before the limit of time or memory`)
    }
    return found
  }

  const sampleSize = Math.max(10, Math.min(maxSample, Math.floor(allSamples / Math.max(1, labels.length + types.length))))
  const patternSample = Math.max(minPatternSample, Math.floor(allPatternSamples / Math.max(1, types.length)))
  const ofLabels = await sampled<SampledProperty[]>('properties of nodes', labels, batch => propertiesQuery(batch.map(({ index, name }) => `MATCH (e:${name}) WITH e LIMIT ${sampleSize} RETURN ${index} AS i, e`)))
  const ofTypes = await sampled<SampledProperty[]>('properties of relationships', types, batch => propertiesQuery(batch.map(({ index, name }) => `MATCH ()-[e:${name}]->() WITH e LIMIT ${sampleSize} RETURN ${index} AS i, e`)))
  const patterns = await sampled<SampledPattern[]>('patterns', types, batch => patternsQuery(batch, patternSample))

  const [[nodes, relationships] = [0, 0]] = overview.totals ?? []
  return {
    nodes,
    relationships,
    labels: labels.map(([label, count], index) => ({ label, count, properties: (ofLabels.get(index) ?? []).map(propertyOf) })),
    relationshipTypes: types.map(([type, count], index) => ({
      type,
      count,
      estimated: count > patternSample,
      properties: (ofTypes.get(index) ?? []).map(propertyOf),
      patterns: scaled(patterns.get(index) ?? [], count)
    })),
    indexes: indexesOf(overview.indexes ?? []),
    constraints: (overview.constraints ?? []).map(constraintOf),
    sampleSize,
    omitted
  }
}

/** A name to look at, in Cypher; `index` is its place in the schema. */
interface Sample { index: number, name: string }

type SampledProperty = [name: string, types: Array<[type: string, values: string[], elements: string[]]>]

// A CASE would not do in place of the list in brackets: FalkorDB computes all of its branches, also those that fail for other types.
const propertiesQuery = (branches: string[]) => `CALL { ${branches.join(' UNION ALL ')} }
WITH i, e UNWIND keys(e)[..${maxKeysOfNode}] AS k WITH i, k, e[k] AS v WHERE size(k) <= ${maxNameLength}
WITH i, k, typeOf(v) AS t, left(toStringOrNull(v), ${maxValueLength + 1}) AS s, head([x IN [v] WHERE typeOf(x) = 'List' | typeOf(x[0])]) AS element
WITH i, k, t, count(*) AS c, collect(DISTINCT s)[..${maxValues}] AS s, collect(DISTINCT element) AS elements ORDER BY c DESC
WITH i, k, sum(c) AS c, collect([t, s, elements]) AS types ORDER BY c DESC, k
WITH i, collect([k, types])[..${maxProperties}] AS properties RETURN collect([i, properties])`

type SampledPattern = [from: string[], to: string[], count: number]

const patternsQuery = (batch: Sample[], limit: number) => `CALL { ${batch.map(({ index, name }) =>
  `MATCH (a)-[:${name}]->(b) WITH a, b LIMIT ${limit} RETURN ${index} AS i, labels(a) AS f, labels(b) AS t, count(*) AS c`).join(' UNION ALL ')} }
WITH i, f, t, c ORDER BY c DESC WITH i, collect([f, t, c])[..${maxPatterns}] AS patterns RETURN collect([i, patterns])`

/** @param total of all relationships of the type, of which these may be a sample */
function scaled (patterns: SampledPattern[], total: number): SchemaPattern[] {
  const seen = patterns.reduce((sum, [,, count]) => sum + count, 0)
  // Of no more than maxPatterns patterns nothing was cut, so a complete sample needs no scaling.
  const factor = seen > 0 && patterns.length < maxPatterns ? total / seen : 1
  return patterns.map(([from, to, count]) => ({ from, to, count: Math.round(count * factor) }))
}

/** FalkorDB's typeOf(), in the words of Cypher. */
const typeNames: Record<string, string> = { Vectorf32: 'VECTOR' }
const typeName = (type: string) => typeNames[type] ?? type.toUpperCase()

function propertyOf ([name, found]: SampledProperty): SchemaProperty {
  return {
    name,
    types: found.map(([type, , elements]) => type === 'List' ? listType(elements) : typeName(type)),
    values: found.flatMap(([type, values]) => withoutValues.has(type) ? [] : values.map(value => valueOf(type, value))).slice(0, maxValues)
  }
}

/** Points are rarely of interest and long; lists and vectors FalkorDB does not turn into text. */
const withoutValues = new Set(['Point', 'List', 'Vectorf32', 'Map'])

function listType (elements: string[]): string {
  const known = elements.filter(element => element !== 'Null')
  return known.length === 1 ? `LIST<${typeName(known[0] as string)}>` : 'LIST'
}

function valueOf (type: string, text: string): string | number | boolean {
  if (type === 'Boolean') return text === 'true'
  const number = Number(text)
  if (type === 'Integer' && Number.isSafeInteger(number)) return number
  if (type === 'Float' && Number.isFinite(number)) return number
  return [...text].length > maxValueLength ? `${[...text].slice(0, maxValueLength - 1).join('')}…` : text
}

function constraintOf ([type, label, properties, entity, status]: [string, string, string[], string, string]): SchemaConstraint {
  return { kind: type === 'UNIQUE' ? 'unique' : 'mandatory', on: entity === 'NODE' ? 'node' : 'relationship', label, properties, status }
}
