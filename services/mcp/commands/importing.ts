/** Puts exported graphs (exporting.ts) into FalkorDB. Ids are given anew; all else is as it was. */
import { setTimeout as delay } from 'node:timers/promises'
import { CommandError } from '@gateway/common/command.ts'
import { graphKey } from '../graph/name.ts'
import { encodeLiteral } from '../graph/values/literals.ts'
import { bindParameters } from '../graph/values/parameters.ts'
import type { Send } from '../graph/connections/connection.ts'
import { formatName, formatVersion } from './exporting.ts'
import { graphKeys, type Place } from './place.ts'

interface Index { type: string, entity: string, label: string, property: string, options?: object, language?: string, stopwords?: string[], properties?: FullText[] }
interface FullText { property: string, weight: number, nostem: boolean, phonetic: boolean }
interface Constraint { type: string, entity: string, label: string, properties: string[] }
interface Element { identity: number, labels?: string[], type?: string, source?: number, target?: number, properties: Record<string, unknown> }
interface Line { format?: string, version?: number, graph?: string, index?: Index, constraint?: Constraint, node?: Element, edge?: Element, end?: { nodes: number, edges: number } }

/** Elements, and characters of their lines, that are written by one query. */
const mostPerQuery = 500
const mostCharacters = 2 ** 20

/**
 * Makes each graph of the lines; none of them may exist yet. One that cannot be made whole is deleted again.
 * @throws CommandError, its message naming the line
 */
export async function importGraphs (send: Send, place: Place, lines: AsyncIterable<string>, say: (line: string) => void): Promise<void> {
  let importing: Import | undefined
  let number = 0
  try {
    for await (const text of lines) {
      number++
      const line = JSON.parse(text) as Line
      if (importing === undefined) importing = await begin(send, place, line)
      else if (line.end === undefined) await importing.take(line, text.length)
      else {
        await importing.end(line.end)
        say(`${JSON.stringify(importing.graph)}: ${line.end.nodes} nodes, ${line.end.edges} edges`)
        importing = undefined
      }
    }
    if (importing !== undefined) throw new CommandError('it ends before the graph does')
    if (number === 0) throw new CommandError('there is nothing in it')
  } catch (error) {
    await importing?.undo()
    throw new CommandError(`Line ${number} could not be imported: ${(error as Error).message.replace(/\.$/, '')}.${importing ? ` The graph ${JSON.stringify(importing.graph)} was taken back.` : ''}`, { cause: error })
  }
}

async function begin (send: Send, place: Place, { format, version, graph }: Line): Promise<Import> {
  if (format !== formatName || version !== formatVersion || graph === undefined) throw new CommandError(`this is no header of an export of version ${formatVersion}`)
  const { key, graphName } = graphKey(place.tenant, graph, place.multiTenancy)
  if ((await graphKeys(send, place)).includes(key)) throw new CommandError(`there is a graph ${JSON.stringify(graphName)} already, and an import changes none; delete it first`)
  await send(['GRAPH.QUERY', key, 'RETURN 1'])
  return new Import(send, key, graphName)
}

class Import {
  readonly graph: string
  readonly #send: Send
  readonly #key: string
  readonly #indexes: Index[] = []
  readonly #constraints: Constraint[] = []
  /** From the ids of the file to those of this graph. */
  readonly #ids = new Map<number, number>()
  #nodes: Element[] = []
  #edges: Element[] = []
  #characters = 0
  #edgesMade = 0

  constructor (send: Send, key: string, graph: string) {
    this.#send = send
    this.#key = key
    this.graph = graph
  }

  async take ({ index, constraint, node, edge }: Line, characters: number) {
    if (index) this.#indexes.push(index)
    else if (constraint) this.#constraints.push(constraint)
    else if (node) this.#nodes.push(node)
    else if (edge) this.#edges.push(edge)
    else throw new CommandError('this is no line of an export')
    this.#characters += characters
    // An edge needs its nodes.
    if ((edge && this.#nodes.length > 0) || this.#nodes.length + this.#edges.length >= mostPerQuery || this.#characters > mostCharacters) await this.#flush()
  }

  /** Indexes come when the data are there, and constraints last: a unique one needs its index. */
  async end ({ nodes, edges }: { nodes: number, edges: number }) {
    await this.#flush()
    if (this.#ids.size !== nodes || this.#edgesMade !== edges) throw new CommandError(`there are ${this.#ids.size} nodes and ${this.#edgesMade} edges where the end tells ${nodes} and ${edges}`)
    // A label's language and stop words belong to its first index alone.
    const fullTextFirst = this.#indexes.toSorted((a, b) => Number(b.type === 'fulltext') - Number(a.type === 'fulltext'))
    for (const index of fullTextFirst) for (const query of indexQueries(index)) await this.#run(query)
    for (const { type, entity, label, properties } of this.#constraints) await this.#send(['GRAPH.CONSTRAINT', 'CREATE', this.#key, type.toUpperCase(), entity.toUpperCase(), label, 'PROPERTIES', String(properties.length), ...properties])
    await this.#settled()
  }

  async undo () { await this.#send(['GRAPH.DELETE', this.#key]) }

  async #run (query: string, parameters?: unknown) { return await this.#send(['GRAPH.QUERY', this.#key, bindParameters(query, parameters).text]) }

  async #flush () {
    const nodes = this.#nodes
    const edges = this.#edges
    this.#nodes = []
    this.#edges = []
    this.#characters = 0
    for (const alike of byShape(nodes)) await this.#inParts(alike, part => this.#makeNodes(part))
    for (const alike of byShape(edges)) await this.#inParts(alike, part => this.#makeEdges(part))
  }

  /** Dates and vectors are written as functions into the query, which has a longest length: halves where that is too long. */
  async #inParts (elements: Element[], make: (part: Element[]) => Promise<void>): Promise<void> {
    try {
      await make(elements)
    } catch (error) {
      if ((error as { code?: string }).code !== 'invalid_parameters' || elements.length === 1) throw error
      const half = Math.ceil(elements.length / 2)
      await this.#inParts(elements.slice(0, half), make)
      await this.#inParts(elements.slice(half), make)
    }
  }

  async #makeNodes (nodes: Element[]) {
    const [first] = nodes as [Element]
    const labels = (first.labels ?? []).map(label => `:${quoted(label)}`).join('')
    const reply = await this.#run(`UNWIND $rows AS row CREATE (n${labels} ${map(first)}) RETURN collect(row[0]), collect(id(n))`, { rows: nodes.map(node => [node.identity, ...Object.values(node.properties)]) })
    const [, [[old, made]]] = reply as unknown as [unknown, [[string, string]]]
    const ids = JSON.parse(String(made)) as number[]
    for (const [at, identity] of (JSON.parse(String(old)) as number[]).entries()) this.#ids.set(identity, ids[at]!)
  }

  async #makeEdges (edges: Element[]) {
    const [first] = edges as [Element]
    const rows = edges.map(({ source, target, properties }) => [this.#ids.get(source as number), this.#ids.get(target as number), ...Object.values(properties)])
    if (rows.some(([source, target]) => source === undefined || target === undefined)) throw new CommandError('an edge names a node that is not there')
    // By a name of its own FalkorDB seeks an id; by row[0] it would look at every node.
    const reply = await this.#run(`UNWIND $rows AS row WITH row, row[0] AS source, row[1] AS target MATCH (a) WHERE id(a) = source MATCH (b) WHERE id(b) = target CREATE (a)-[e:${quoted(first.type ?? '')} ${map(first, 2)}]->(b)`, { rows })
    this.#edgesMade += Number(/Relationships created: (\d+)/.exec(String(reply))?.[1] ?? 0)
  }

  /** FalkorDB makes indexes and constraints in the background. */
  async #settled () {
    for (;;) {
      const reply = await this.#run("CALL db.constraints() YIELD status, label WHERE status <> 'OPERATIONAL' RETURN status, label")
      const [, rows] = reply as unknown as [unknown, Array<[string, string]>]
      const failed = rows.find(([status]) => status === 'FAILED')
      if (failed !== undefined) throw new CommandError(`the data break a constraint of ${JSON.stringify(failed[1])}`)
      if (rows.length === 0) return
      await delay(50)
    }
  }
}

/** Those with the same labels or type and the same names of properties, which one query can write. */
function byShape (elements: Element[]): Element[][] {
  const shapes = new Map<string, Element[]>()
  for (const element of elements) {
    const shape = JSON.stringify([element.labels, element.type, Object.entries(element.properties).map(([name, value]) => [name, form(value)])])
    const alike = shapes.get(shape)
    if (alike === undefined) shapes.set(shape, [element])
    else alike.push(element)
  }
  return [...shapes.values()]
}

/** FalkorDB keeps no maps in properties: what looks like one is a point. */
const isPoint = (value: unknown) => typeof value === 'object' && value !== null && 'latitude' in value
function form (value: unknown): 'value' | 'point' | 'points' {
  if (isPoint(value)) return 'point'
  return Array.isArray(value) && value.some(isPoint) ? 'points' : 'value'
}

const made = { value: (row: string) => row, point: (row: string) => `point(${row})`, points: (row: string) => `[x IN ${row} | point(x)]` }

function map ({ properties }: Element, from = 1): string {
  return `{${Object.entries(properties).map(([name, value], at) => `${quoted(name)}: ${made[form(value)](`row[${at + from}]`)}`).join(', ')}}`
}

/** There is no escape in backticks, and so no such name in FalkorDB. */
function quoted (name: string): string {
  if (name === '' || /[`\0]/.test(name)) throw new CommandError('a label, type or property has a name that FalkorDB cannot have')
  return `\`${name}\``
}

function indexQueries ({ type, entity, label, property, options, language, stopwords, properties = [] }: Index): string[] {
  const of = entity === 'node' ? `(e:${quoted(label)})` : `()-[e:${quoted(label)}]->()`
  const literal = (value: unknown) => encodeLiteral(value, 'options', 0)
  if (type === 'fulltext') {
    const ofLabel = { ...(language && { language }), ...(stopwords?.length && { stopwords }) }
    return properties.map(({ property, weight, nostem, phonetic }, at) => `CREATE FULLTEXT INDEX FOR ${of} ON (e.${quoted(property)}) OPTIONS ${literal({ ...(at === 0 && ofLabel), weight: typed(weight), nostem, ...(phonetic && { phonetic: 'dm:en' }) })}`)
  }
  if (type === 'vector') return [`CREATE VECTOR INDEX FOR ${of} ON (e.${quoted(property)}) OPTIONS ${literal(options)}`]
  if (type === 'range') return [`CREATE INDEX FOR ${of} ON (e.${quoted(property)})`]
  throw new CommandError(`there is no index of the type ${JSON.stringify(type)}`)
}

const typed = (weight: unknown) => typeof weight === 'number' ? { $float: String(weight) } : weight
