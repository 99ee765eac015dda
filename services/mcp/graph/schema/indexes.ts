/** The indexes of a graph: reading them, and the statements that create them. */
import type { CallContext } from '../../tools/tool.ts'
import type { GraphTarget } from '../database.ts'
import { cypherName, cypherString } from './cypher-names.ts'

export interface GraphIndex {
  kind: 'range' | 'fulltext' | 'vector'
  on: 'node' | 'relationship'
  /** The label, or the relationship type. */
  label: string
  properties: string[]
  /** Of a vector index. */
  dimension?: number
  /** Of a vector index: `cosine` or `euclidean`. */
  similarity?: string
  /** Of a full-text index, where it is not FalkorDB's default (english, no stop words). */
  language?: string
  stopwords?: string[]
  /** true while FalkorDB still fills it: searches do not find everything yet. */
  building?: boolean
}

/** What reading needs of a call. */
export type Reader = Pick<CallContext, 'caller' | 'config' | 'database'>

/** As in `CALL db.indexes() YIELD …`, in this order. `info` is left out: FalkorDB takes three times as long for it. */
export const indexColumns = 'label, properties, types, options, language, stopwords, entitytype, status'

const indexesQuery = `CALL db.indexes() YIELD ${indexColumns} RETURN collect([${indexColumns}])`

/**
 * Every index of a graph as of now, from a single query; use it where a stale answer would mislead.
 * @throws as GraphDatabase.query
 */
export async function readIndexes ({ caller, config, database }: Reader, key: GraphTarget['key'], signal?: AbortSignal): Promise<GraphIndex[]> {
  const { rows } = await database.query({ key, query: indexesQuery, parameters: undefined, mode: 'read', timeoutMs: config.QUERY_TIMEOUT_MS, maxRows: 1, tenant: caller.tenantId, signal })
  return indexesOf((rows[0]?.[0] ?? []) as IndexRow[])
}

type VectorOptions = { dimension?: number, similarityFunction?: string } | undefined
/** FalkorDB's row for one label: its properties, the kinds of index on each, and their options. */
export type IndexRow = [label: string, properties: string[], types: Record<string, string[]>, options: Record<string, VectorOptions>, language: string, stopwords: string[], entity: string, status: string]

/** FalkorDB names the indexes of a label together; here each stands for itself, the range and full-text properties of a label in one. */
export function indexesOf (rows: readonly IndexRow[]): GraphIndex[] {
  return rows.flatMap(([label, properties, types, options, language, stopwords, entity, status]) => {
    const withKind = (kind: string) => properties.filter(property => types[property]?.includes(kind))
    const place = { on: entity === 'NODE' ? 'node' : 'relationship', label, ...(status !== 'OPERATIONAL' && { building: true }) } as const
    const found: GraphIndex[] = []
    const [range, fulltext] = [withKind('RANGE'), withKind('FULLTEXT')]
    if (range.length > 0) found.push({ kind: 'range', ...place, properties: range })
    if (fulltext.length > 0) found.push({ kind: 'fulltext', ...place, properties: fulltext, ...(language !== 'english' && { language }), ...(stopwords.length > 0 && { stopwords }) })
    for (const property of withKind('VECTOR')) {
      const { dimension, similarityFunction } = options[property] ?? {}
      found.push({ kind: 'vector', ...place, properties: [property], ...(dimension !== undefined && { dimension }), ...(similarityFunction !== undefined && { similarity: similarityFunction }) })
    }
    return found
  })
}

/** The statement that creates an index; `similarityFunction` and `dimension` as far as they are known. */
export function createIndexStatement ({ kind, on, label, properties, dimension, similarity, language, stopwords }: GraphIndex): string {
  const variable = on === 'node' ? 'n' : 'r'
  const pattern = on === 'node' ? `(n:${cypherName(label)})` : `()-[r:${cypherName(label)}]->()`
  const columns = properties.map(property => `${variable}.${cypherName(property)}`).join(', ')
  if (kind === 'range') return `CREATE INDEX FOR ${pattern} ON (${columns})`
  if (kind === 'vector') return `CREATE VECTOR INDEX FOR ${pattern} ON (${columns}) OPTIONS {dimension: ${dimension ?? '<length of the vectors>'}, similarityFunction: '${similarity ?? 'cosine'}'}`
  if (on === 'relationship') return `CREATE FULLTEXT INDEX FOR ${pattern} ON (${columns})`
  const facts = [`label: ${cypherString(label)}`, ...(language ? [`language: ${cypherString(language)}`] : []), ...(stopwords ? [`stopwords: [${stopwords.map(cypherString).join(', ')}]`] : [])]
  const where = facts.length === 1 ? cypherString(label) : `{${facts.join(', ')}}`
  return `CALL db.idx.fulltext.createNodeIndex(${[where, ...properties.map(cypherString)].join(', ')})`
}
