/**
 * A tenant's graphs as JSON lines that another FalkorDB, or any program, can take; docs/tenants-data.md describes them. Each graph is read in pages
 * that seek by id, so that neither the database nor this process holds more than a page at once.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { ErrorReply } from '@redis/client'
import { CommandError } from '@gateway/common/command.ts'
import { SchemaNamesCache, versionMismatch } from '../graph/values/schema-names.ts'
import { decodeReply, type Raw, type SchemaNames } from '../graph/values/values.ts'
import type { Send } from '../graph/connections/connection.ts'
import { graphKeys, type Place } from './place.ts'

export const formatName = 'falkordb-mcp-gateway-graph'
export const formatVersion = 1

export interface ExportedGraph {
  tenant: string
  /** Its name without the tenant. */
  graph: string
  key: string
  /** Reads a copy made by GRAPH.COPY, which nobody writes to; it takes as much memory again meanwhile. */
  copy: boolean
}

type Line = Record<string, unknown>
interface Numbered { identity: number }
interface Node extends Numbered { labels: string[], properties: Record<string, unknown> }
interface Edge extends Numbered { type: string, source: number, target: number, properties: Record<string, unknown> }

/** Elements of the first page; the next ones are longer or shorter, as their bytes are. */
const firstPage = 100
const mostPerPage = 5_000
const goodPageCharacters = 2 ** 20

/** All graphs of a tenant, one after the other. */
export async function * exportTenant (send: Send, place: Place, copy: boolean): AsyncGenerator<string> {
  for (const key of await graphKeys(send, place)) yield * exportGraph(send, { tenant: place.tenant, graph: key.slice(place.prefix.length), key, copy })
}

/** The header, the schema, the nodes, the edges, and a last line with their numbers, without which a file is not whole. */
async function * exportGraph (send: Send, { tenant, graph, key, copy }: ExportedGraph): AsyncGenerator<string> {
  // What some readers of lines take for the end of one, Node's among them.
  const line = (value: Line) => JSON.stringify(value).replace(/[\u2028\u2029]/g, char => char === '\u2028' ? '\\u2028' : '\\u2029')
  yield line({ format: formatName, version: formatVersion, tenant, graph, exportedAt: new Date().toISOString() })
  const reader = new Reader(send, key)
  for (const index of await reader.indexes()) yield line({ index })
  for (const constraint of await reader.constraints()) yield line({ constraint })
  // No tenant's key begins so: an encoded tenant has no colon.
  const copied = `:export:${process.pid}:${Date.now()}`
  if (copy) await send(['GRAPH.COPY', key, copied])
  try {
    const data = copy ? new Reader(send, copied) : reader
    let nodes = 0
    let edges = 0
    for await (const node of data.nodes()) {
      nodes++
      yield line({ node })
    }
    for await (const edge of data.edges()) {
      edges++
      yield line({ edge })
    }
    yield line({ end: { nodes, edges } })
  } finally {
    if (copy) await send(['GRAPH.DELETE', copied])
  }
}

class Reader {
  readonly #send: Send
  readonly #key: string
  readonly #names = new SchemaNamesCache()

  constructor (send: Send, key: string) {
    this.#send = send
    this.#key = key
  }

  /** By the range of their ids, in rising order (NodeByIdSeek): an ORDER BY would sort all that are left, each time. */
  async * nodes (): AsyncGenerator<Node> {
    let from = 0
    for await (const page of this.#pages<Node>(limit => `CYPHER from=${from} most=${limit} MATCH (n) WHERE id(n) >= $from WITH n LIMIT $most RETURN collect(n)`)) {
      for (const node of page) {
        if (node.identity < from) throw unordered()
        from = node.identity + 1
        yield node
      }
    }
  }

  /** By the ids of their source nodes, because FalkorDB does not seek an edge by its own; within one node by their order there. */
  async * edges (): AsyncGenerator<Edge> {
    let source = 0
    let skip = 0
    for await (const page of this.#pages<Edge>(limit => `CYPHER source=${source} skip=${skip} most=${limit} MATCH (a)-[e]->() WHERE id(a) >= $source WITH e SKIP $skip LIMIT $most RETURN collect(e)`)) {
      for (const edge of page) {
        if (edge.source < source) throw unordered()
        skip = edge.source === source ? skip + 1 : 1
        source = edge.source
        yield edge
      }
    }
  }

  async indexes (): Promise<Line[]> {
    const rows = await this.#rows('CALL db.indexes() YIELD label, entitytype, status, types, options, language, stopwords, info RETURN label, entitytype, status, types, options, language, stopwords, info')
    return rows.flatMap(([label, entitytype, , types, options, language, stopwords, info]) => {
      const entity = String(entitytype).toLowerCase()
      const fields = (info as { fields?: Field[] }).fields ?? []
      const each = Object.entries(types as Record<string, string[]>).flatMap(([property, kinds]) => kinds.map(kind => ({ property, kind: kind.toLowerCase() })))
      const text = each.filter(({ kind }) => kind === 'fulltext').map(({ property }) => fullText(property, fields.find(({ path }) => path === property)))
      return [
        ...each.filter(({ kind }) => kind !== 'fulltext').map(({ property, kind }) => ({ type: kind, entity, label, property, ...(kind === 'vector' && { options: (options as Record<string, unknown>)[property] }) })),
        ...text.length > 0 ? [{ type: 'fulltext', entity, label, language, stopwords, properties: text }] : []
      ]
    })
  }

  async constraints (): Promise<Line[]> {
    const rows = await this.#rows('CALL db.constraints() YIELD type, label, properties, entitytype, status RETURN type, label, properties, entitytype, status')
    // One that failed does not hold.
    return rows.filter(([,,,, status]) => status !== 'FAILED').map(([type, label, properties, entitytype]) => ({ type: String(type).toLowerCase(), entity: String(entitytype).toLowerCase(), label, properties }))
  }

  /** Pages until an empty one. @param query for so many elements, from where the last page ended */
  async * #pages<T> (query: (limit: number) => string): AsyncGenerator<T[]> {
    let limit = firstPage
    for (;;) {
      let page: T[]
      try {
        page = (await this.#rows(query(limit)))[0]?.[0] as T[]
      } catch (error) {
        // QUERY_MEM_CAPACITY, or the time: fewer at once.
        if (!(error instanceof ErrorReply) || !/mem consumption|timed out/.test(error.message) || limit === 1) throw error
        limit = Math.ceil(limit / 4)
        continue
      }
      if (page.length === 0) return
      yield page
      const characters = JSON.stringify(page).length
      limit = Math.min(mostPerPage, Math.max(1, Math.floor(page.length * goodPageCharacters / characters)))
    }
  }

  /** Rows of a read-only query, read by the names that the graph had when it ran. */
  async #rows (query: string): Promise<unknown[][]> {
    for (let round = 0; round < 20; round++) {
      const names = this.#names.get(this.#key) ?? await this.#names.load(this.#send, this.#key, 10_000).catch(gone)
      const reply = await this.#send(['GRAPH.RO_QUERY', this.#key, query, '--compact', ...(names.version === undefined ? [] : ['VERSION', names.version])]).catch(gone)
      const version = versionMismatch(reply)
      if (version === undefined) return exactRows(reply, names)
      await this.#names.load(this.#send, this.#key, 10_000, version)
      await delay(10)
    }
    throw new CommandError('The graph gets new labels or properties faster than it can be read; stop its writers, or export a copy: COPY=yes.')
  }
}

interface Field { path: string, options: number, textWeight: number }

/** RediSearch's field options: 4 no stemming, 8 phonetic. Which phonetic algorithm it is FalkorDB does not tell; there is one for English. */
function fullText (property: string, field: Field | undefined) {
  const { options = 0, textWeight = 1 } = field ?? {}
  return { property, weight: textWeight, nostem: (options & 4) !== 0, phonetic: (options & 8) !== 0 }
}

function exactRows (reply: Raw, names: SchemaNames): unknown[][] {
  const { rows } = decodeReply(reply, names, Infinity)
  const raw = (reply as Raw[][])[1] as Raw[][]
  return rows.map((row, at) => row.map((value, column) => exact(raw[at]![column] as Raw[], value, names)))
}

/** The codes of FalkorDB's compact reply, as in values.ts. */
const code = { double: '5', array: '6', edge: '7', node: '8' } as const

/** The decoded value, in which a double that is whole stays a double: 3.0 is {"$float":"3"} here, where a result for a caller has 3. */
function exact ([type, raw]: Raw[], value: unknown, names: SchemaNames): unknown {
  if (type === code.double && typeof value === 'number' && Number.isInteger(value)) return { $float: String(raw) }
  if (type === code.array) return (value as unknown[]).map((item, at) => exact((raw as Raw[][])[at]!, item, names))
  if (type === code.node || type === code.edge) {
    const { properties } = value as { properties: Record<string, unknown> }
    for (const [key, ...cell] of (raw as Raw[][]).at(-1) as Raw[][]) {
      const name = names.keys[Number(key)]!
      properties[name] = exact(cell, properties[name], names)
    }
  }
  return value
}

function gone (error: unknown): never {
  if (error instanceof Error && /empty key/.test(error.message)) throw new CommandError('A graph was deleted while it was exported.')
  throw error
}

const unordered = () => new Error('FalkorDB did not return elements in the order of their ids, on which an export relies; tell the makers of this gateway which version it is')
