/**
 * Results as a compact table of Cypher-like values, for a model to read: `Ada | 36 | (#12:Person {name: "Ada"})`. A cell is one line of visible characters, and its kind
 * can be told: text that holds a separator, or could be read as a number, a date or a node, stands in quotes.
 */
import { GraphEdge, GraphNode, GraphPath, GraphPoint } from './graph/values/elements.ts'
import { visible } from './text.ts'

/** The names of the columns as the table's first line. */
export const headerLine = (columns: readonly string[]) => columns.map(cellOfText).join(' | ')

/** One row as a line. */
export const rowLine = (row: readonly unknown[]) => row.map(value => typeof value === 'string' ? cellOfText(value) : inner(value)).join(' | ')

/** Begins with a letter and has nothing that could end a cell or begin another kind of value. */
const plainText = /^\p{L}[^|"\\`<>{}[\]]*$/u
/** What a value of another kind looks like: null, NaN, P1Y, point(…). */
const otherKind = /^(?:null|true|false|nan|infinity|p(?:t?\d).*|(?:point|vecf32)\(.*)$/is

/** Most text; tells the same as the two patterns and `visible` below, sooner. */
const ordinary = /^[A-EGHJ-MOQ-SU-Za-eghj-moq-su-z][\w .,:;!?@#%&*+=/()'$~^-]*(?<! )$/

function cellOfText (text: string): string {
  if (ordinary.test(text)) return text
  return plainText.test(text) && !text.endsWith(' ') && !otherKind.test(text) && visible(text) === text ? text : quoted(text)
}

const quoted = (text: string) => visible(`"${text.includes('"') || text.includes('\\') ? text.replace(/[\\"]/g, '\\$&') : text}"`)

/** A name of a label, a type or a property; in backticks where Cypher would want them. */
const name = (text: string) => /^[A-Za-z_]\w*$/.test(text) ? text : visible(`\`${text.replace(/[\\`]/g, '$&$&')}\``)

/** A value inside a cell, where text is always quoted. */
function inner (value: unknown): string {
  if (typeof value === 'string') return quoted(value)
  if (value === null || typeof value !== 'object') return String(value)
  if (Array.isArray(value)) return `[${value.map(inner).join(', ')}]`
  if (value instanceof GraphNode) return node(value)
  if (value instanceof GraphEdge) return `[${edge(value, ` ${id(value.source)}→${id(value.target)}`)}]`
  if (value instanceof GraphPath) return path(value)
  if (value instanceof GraphPoint) return `point({latitude: ${inner(value.latitude)}, longitude: ${inner(value.longitude)}})`
  const keys = Object.keys(value)
  const [type] = keys
  return keys.length === 1 && type?.startsWith('$') ? typed(type, (value as Record<string, unknown>)[type]) : map(value as Record<string, unknown>)
}

/** A typed value of the contract, by its own text. */
function typed (type: string, value: unknown): string {
  if (type === '$map' && value !== null && typeof value === 'object') return map(value as Record<string, unknown>)
  if (type === '$vecf32') return `vecf32(${inner(value)})`
  // A whole number that is a double.
  if (type === '$float' && /^-?\d+$/.test(String(value))) return `${value}.0`
  return typeof value === 'string' ? visible(value) : map({ [type]: value })
}

const map = (value: Record<string, unknown>) => `{${Object.keys(value).map(key => `${name(key)}: ${inner(value[key])}`).join(', ')}}`

/** `#12`; beyond ±(2^53−1) an identity is a typed value. */
const id = (identity: unknown) => `#${inner(identity)}`

const withProperties = (head: string, properties: Record<string, unknown>) => Object.keys(properties).length === 0 ? head : `${head} ${map(properties)}`

const node = ({ identity, labels, properties }: GraphNode) => `(${withProperties([id(identity), ...labels.map(name)].join(':'), properties)})`

const edge = ({ identity, type, properties }: GraphEdge, ends: string) => withProperties(`${id(identity)}:${name(type)}${ends}`, properties)

/** `(#1:A)-[#3:KNOWS]->(#2:B)`: the arrow has the direction of the relationship, whichever way the path goes. */
function path ({ nodes, edges }: GraphPath): string {
  const parts: string[] = []
  for (const [index, at] of nodes.entries()) {
    parts.push(node(at))
    const next = edges[index]
    if (next === undefined) continue
    const forward = id(next.source) === id(at.identity)
    parts.push(forward ? `-[${edge(next, '')}]->` : `<-[${edge(next, '')}]-`)
  }
  return parts.join('')
}
