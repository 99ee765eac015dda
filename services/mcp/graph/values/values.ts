/**
 * FalkorDB's compact reply as JSON-ready values, in the forms of the contract's section "Tools". The reply is read with every
 * RESP integer as a string, so that no digit is lost; each value comes with the code of its type.
 */
import { GraphEdge, GraphNode, GraphPath, GraphPoint } from './elements.ts'
import { isoDate, isoDatetime, isoDuration, isoTime } from './temporal.ts'

/** A RESP2 reply whose integers are strings. */
export type Raw = string | null | Raw[]

/** What the numbers in a reply stand for: the n-th name has the number n. */
export interface SchemaNames { labels: readonly string[], types: readonly string[], keys: readonly string[] }

/** The reply has a number that these names do not reach: the graph has got more names since. */
export class UnknownNameError extends Error {}

/** The reply is not what FalkorDB's compact format has been up to 4.16. */
export class UnreadableReplyError extends Error {}

/** ValueType of FalkorDB's resultset_formatter.h. */
const type = { null: '1', string: '2', integer: '3', boolean: '4', double: '5', array: '6', edge: '7', node: '8', path: '9', map: '10', point: '11', vector: '12', datetime: '13', date: '14', time: '15', duration: '16' } as const

export interface DecodedReply {
  columns: string[]
  rows: unknown[][]
  statistics: Record<string, number | string | boolean>
}

/**
 * @param reply [header, rows, statistics], or [statistics] for a query without columns
 * @param maxRows rows beyond these are not decoded
 * @param skipRows nor are so many before them
 * @throws UnknownNameError, UnreadableReplyError
 */
export function decodeReply (reply: Raw, names: SchemaNames, maxRows: number, skipRows = 0): DecodedReply {
  const parts = list(reply)
  if (parts.length === 1) return { columns: [], rows: [], statistics: decodeStatistics(list(parts[0])) }
  const [header, rows, statistics] = parts
  return {
    columns: list(header).map(column => text(list(column)[1])),
    rows: list(rows).slice(skipRows, skipRows + maxRows).map(row => list(row).map(cell => decodeValue(cell, names))),
    statistics: decodeStatistics(list(statistics))
  }
}

/** How many rows a reply has. */
export function rowCount (reply: Raw): number {
  const parts = list(reply)
  return parts.length === 1 ? 0 : list(parts[1]).length
}

/** One value; a cell is [code, value]. */
function decodeValue (cell: Raw | undefined, names: SchemaNames): unknown {
  const [code, value] = list(cell)
  switch (code) {
    case type.null: return null
    case type.string: return text(value)
    case type.integer: return decodeInteger(text(value))
    case type.boolean: return value === 'true'
    case type.double: return decodeDouble(text(value))
    case type.array: return list(value).map(item => decodeValue(item, names))
    case type.map: return decodeMap(list(value), names)
    case type.node: return decodeNode(list(value), names)
    case type.edge: return decodeEdge(list(value), names)
    case type.path: return decodePath(list(value), names)
    case type.point: return new GraphPoint(decodeDouble(text(list(value)[0])), decodeDouble(text(list(value)[1])))
    case type.vector: return { $vecf32: list(value).map(item => decodeComponent(text(item))) }
    case type.datetime: return typed('$datetime', isoDatetime, text(value))
    case type.date: return typed('$date', isoDate, text(value))
    case type.time: return typed('$time', isoTime, text(value))
    case type.duration: return typed('$duration', isoDuration, text(value))
    default: throw new UnreadableReplyError(`FalkorDB sent a value of type ${JSON.stringify(code)}`)
  }
}

function decodeInteger (digits: string): unknown {
  const number = Number(digits)
  return Number.isSafeInteger(number) ? number : { $int64: digits }
}

/** Whole numbers beyond ±(2^53−1) are typed, as in parameters: as JSON they would look like integers that lost digits. */
function decodeDouble (digits: string): unknown {
  const number = /^[+-]?(?:inf|nan)/i.test(digits) ? specialDouble(digits) : Number(digits)
  if (!Number.isFinite(number)) return { $float: String(number) }
  if (Number.isInteger(number) && !Number.isSafeInteger(number)) return { $float: String(number) }
  // JSON.stringify knows no negative zero.
  return number === 0 ? 0 : number
}

/** Of a vector, where nothing can be taken for an integer. */
function decodeComponent (digits: string): unknown {
  const number = Number(digits)
  return Number.isFinite(number) ? number : decodeDouble(digits)
}

function specialDouble (digits: string): number {
  if (/nan/i.test(digits)) return NaN
  return digits.startsWith('-') ? -Infinity : Infinity
}

function typed (name: string, format: (seconds: number) => string | undefined, digits: string): unknown {
  // Beyond the calendar that JavaScript knows, the seconds since 1970 are all that can be said.
  return { [name]: format(Number(digits)) ?? digits }
}

/** Without a prototype, so that `__proto__` is a key like any other. */
const emptyMap = () => Object.create(null) as Record<string, unknown>

function decodeMap (pairs: Raw[], names: SchemaNames): unknown {
  const map = emptyMap()
  for (let index = 0; index < pairs.length; index += 2) map[text(pairs[index])] = decodeValue(pairs[index + 1], names)
  const keys = Object.keys(map)
  // Else it would read as a typed value.
  return keys.length === 1 && keys[0]?.startsWith('$') ? { $map: map } : map
}

function decodeNode ([identity, labels, properties]: Raw[], names: SchemaNames) {
  return new GraphNode(decodeInteger(text(identity)), list(labels).map(label => nameOf(names.labels, label)), decodeProperties(list(properties), names))
}

function decodeEdge ([identity, edgeType, source, target, properties]: Raw[], names: SchemaNames) {
  return new GraphEdge(decodeInteger(text(identity)), nameOf(names.types, edgeType), decodeInteger(text(source)), decodeInteger(text(target)), decodeProperties(list(properties), names))
}

/** Two cells: a list of nodes and a list of edges. */
function decodePath ([nodes, edges]: Raw[], names: SchemaNames) {
  return new GraphPath(decodeValue(nodes, names) as GraphNode[], decodeValue(edges, names) as GraphEdge[])
}

function decodeProperties (properties: Raw[], names: SchemaNames) {
  const map = emptyMap()
  for (const property of properties) {
    const [key, ...cell] = list(property)
    map[nameOf(names.keys, key)] = decodeValue(cell, names)
  }
  return map
}

function nameOf (names: readonly string[], number: Raw | undefined): string {
  const name = names[Number(text(number))]
  if (name === undefined) throw new UnknownNameError()
  return name
}

/** `Nodes created: 1` → nodesCreated: 1 */
function decodeStatistics (lines: Raw[]): Record<string, number | string | boolean> {
  const statistics: Record<string, number | string | boolean> = {}
  for (const line of lines) {
    const [label = '', value = ''] = text(line).split(': ')
    if (label === 'Cached execution') statistics.cachedExecution = value === '1'
    else if (label === 'Query internal execution time') statistics.executionTimeMs = parseFloat(value)
    else statistics[label.toLowerCase().replace(/ (\w)/g, (_, letter: string) => letter.toUpperCase())] = /^\d+$/.test(value) ? Number(value) : value
  }
  return statistics
}

function list (raw: Raw | undefined): Raw[] {
  if (!Array.isArray(raw)) throw new UnreadableReplyError('FalkorDB sent something else where a list was expected')
  return raw
}

function text (raw: Raw | undefined): string {
  if (typeof raw !== 'string') throw new UnreadableReplyError('FalkorDB sent something else where a text was expected')
  return raw
}
