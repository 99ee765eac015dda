/**
 * The names of labels, relationship types and property keys behind the numbers of FalkorDB's compact replies.
 *
 * Numbers mean something only within one life of one graph: GRAPH.DELETE begins anew, also when another replica does it. FalkorDB keeps a
 * version of each graph's names (a hash chained over every name added) and refuses a query that is sent with another one, before
 * running it. So each query is sent with the version of the names that its reply will be read by.
 */
import { LRUCache } from 'lru-cache'
import type { Send } from '../connections/connection.ts'
import { decodeReply, type Raw, type SchemaNames } from './values.ts'

export interface VersionedNames extends SchemaNames {
  /** undefined: this FalkorDB does not know versions, so the names hold for one reply only. */
  version: string | undefined
}

/** What a graph knows that does not exist yet. */
export const noNames: VersionedNames = { version: '0', labels: [], types: [], keys: [] }

const namesQuery = `CALL db.labels() YIELD label RETURN 'labels' AS kind, collect(label) AS names
UNION ALL CALL db.relationshipTypes() YIELD relationshipType RETURN 'types' AS kind, collect(relationshipType) AS names
UNION ALL CALL db.propertyKeys() YIELD propertyKey RETURN 'keys' AS kind, collect(propertyKey) AS names`

/** Rounds of asking before it is taken that others add names faster than they can be read. */
const maxRounds = 8

/** The version that a query should have been sent with; undefined where it was run. */
export function versionMismatch (reply: Raw): string | undefined {
  const [error, version] = reply as unknown as [unknown, string]
  return error instanceof Error && error.message === 'version mismatch' ? version : undefined
}

/** Names by key, for one process. */
export class SchemaNamesCache {
  // Counted in characters: some 50 MB at most.
  readonly #names = new LRUCache<string, VersionedNames>({ maxSize: 20_000_000, sizeCalculation: size })

  get (key: string): VersionedNames | undefined { return this.#names.get(key) }

  /** The graph is gone. */
  forget (key: string) { this.#names.delete(key) }

  /**
   * Reads the names of a graph, consistent with their version.
   * @param version where to begin, known from a mismatch or from before
   * @throws what `send` throws, such as FalkorDB's error for a missing graph
   */
  async load (send: Send, key: string, timeoutMs: number, version = '0'): Promise<VersionedNames> {
    for (let round = 0; ; round++) {
      const versioned = round < maxRounds
      const reply = await send(['GRAPH.RO_QUERY', key, namesQuery, '--compact', 'TIMEOUT', String(timeoutMs), ...(versioned ? ['VERSION', version] : [])])
      const other = versionMismatch(reply)
      if (other !== undefined) version = other
      else return this.#keep(key, { ...readNames(reply), version: versioned ? version : undefined })
    }
  }

  #keep (key: string, names: VersionedNames): VersionedNames {
    // A graph with names has a version other than 0: this FalkorDB did not look at it.
    if (names.version === '0' && size(names) > 1) return { ...names, version: undefined }
    if (names.version !== undefined) this.#names.set(key, names)
    return names
  }
}

/** Whether the later names are of the same life of the graph: names are only ever added at the end. */
export function extend (later: SchemaNames, earlier: SchemaNames): boolean {
  return (['labels', 'types', 'keys'] as const).every(kind => earlier[kind].every((name, number) => later[kind][number] === name))
}

function readNames (reply: Raw): SchemaNames {
  const { rows } = decodeReply(reply, noNames, Infinity)
  const read = Object.fromEntries(rows) as Partial<Record<string, string[]>>
  return { labels: read.labels ?? [], types: read.types ?? [], keys: read.keys ?? [] }
}

function size ({ labels, types, keys }: SchemaNames): number {
  let characters = 1
  for (const names of [labels, types, keys]) for (const name of names) characters += name.length + 1
  return characters
}
