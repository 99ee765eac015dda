/** Which index a query lacks, by FalkorDB's own plan of it. */
import { tokens, type Token } from '../lexer.ts'
import { isName } from '../nesting.ts'
import { cypherName } from './cypher-names.ts'
import { createIndexStatement, type GraphIndex } from './indexes.ts'

export interface AdviceInput {
  /** Lines of GRAPH.EXPLAIN or GRAPH.PROFILE. */
  plan: readonly string[]
  /** The query that they are of. */
  query: string
  indexes: readonly GraphIndex[]
}

/** Notes of one answer; a longer list teaches nothing more. */
const maxNotes = 5

/**
 * Notes for a plan that reads every node of a label, or of the graph, to keep those with a certain property: the index that would spare
 * that, and the statement that creates it. They name labels and properties that the query itself names, and no value.
 */
export function indexAdvice ({ plan, query, indexes }: AdviceInput): string[] {
  const scans = filteredScans(plan)
  if (scans.length === 0) return []
  const notes = new Set<string>()
  const { patterns, compared } = readQuery(query)
  const ranges = rangesByLabel(indexes)
  for (const { variable, labels, inline } of patterns) {
    if (notes.size >= maxNotes) break
    const properties = [...inline, ...(variable === undefined ? [] : compared.get(variable) ?? [])]
    if (properties.length === 0) continue
    if (labels.length === 0 && variable !== undefined && scans.includes(`All Node Scan | (${variable})`)) {
      notes.add(`(${cypherName(variable)}) has no label, so every node of the graph is read: name one, (${cypherName(variable)}:Label).`)
    }
    const label = labels.find(label => scans.some(scan => scansLabel(scan, variable, label)))
    if (label === undefined) continue
    const indexed = ranges.get(label)
    for (const property of properties) {
      if (indexed?.has(property)) continue
      notes.add(`No index on :${cypherName(label)}(${cypherName(property)}), so every :${cypherName(label)} is read: ${createIndexStatement({ kind: 'range', on: 'node', label, properties: [property] })}`)
    }
  }
  return [...notes].slice(0, maxNotes)
}

/** Properties with a range index, by label: a caller's query may compare hundreds on hundreds of patterns, in a graph of a thousand indexes. */
function rangesByLabel (indexes: readonly GraphIndex[]): Map<string, Set<string>> {
  const ranges = new Map<string, Set<string>>()
  for (const { kind, on, label, properties } of indexes) {
    if (kind === 'range' && on === 'node') ranges.set(label, new Set([...ranges.get(label) ?? [], ...properties]))
  }
  return ranges
}

/** Whether a plan reads whole labels in order to filter: only then is it worth reading the indexes. */
export const scansWithFilter = (plan: readonly string[]) => filteredScans(plan).length > 0

/** The scans right under a Filter, without what GRAPH.PROFILE adds. */
function filteredScans (plan: readonly string[]): string[] {
  const operations = plan.map(line => line.trim().replace(/ \| Records produced: .*$/, ''))
  return operations.filter((operation, index) => /^(?:Node By Label Scan|All Node Scan) \| /.test(operation) && operations[index - 1] === 'Filter')
}

// FalkorDB names a node without a variable @anon_0, @anon_1, …
const scansLabel = (scan: string, variable: string | undefined, label: string) =>
  variable === undefined ? scan.startsWith('Node By Label Scan | (@anon_') && scan.endsWith(`:${label})`) : scan === `Node By Label Scan | (${variable}:${label})`

interface NodePattern {
  variable?: string
  labels: string[]
  /** Properties in braces. */
  inline: string[]
}

const clauses = new Set(['MATCH', 'WHERE', 'WITH', 'RETURN', 'SET', 'CREATE', 'MERGE', 'DELETE', 'REMOVE', 'UNWIND', 'CALL', 'YIELD', 'ORDER', 'ON', 'FOREACH', 'UNION', 'SKIP', 'LIMIT'])

function readQuery (query: string): { patterns: NodePattern[], compared: Map<string, string[]> } {
  const found = tokens(query)
  const patterns: NodePattern[] = []
  const compared = new Map<string, string[]>()
  let clause = ''
  for (const [index, token] of found.entries()) {
    if (token.kind === 'word' && clauses.has(token.text) && !isName(found[index - 1])) clause = token.text
    if (token.text === '(' && (clause === 'MATCH' || clause === 'MERGE')) {
      const pattern = nodePattern(query, found, index + 1)
      if (pattern !== undefined) patterns.push(pattern)
    }
    if (clause === 'WHERE' && isComparedProperty(found, index)) {
      const variable = nameAt(query, found[index]) as string
      compared.set(variable, [...compared.get(variable) ?? [], nameAt(query, found[index + 2]) as string])
    }
  }
  return { patterns, compared }
}

/** `(variable :Label :Label {property: …})`, from after its bracket; undefined where it is something else. */
function nodePattern (query: string, found: readonly Token[], at: number): NodePattern | undefined {
  const pattern: NodePattern = { labels: [], inline: [] }
  const variable = nameAt(query, found[at])
  if (variable !== undefined) {
    pattern.variable = variable
    at++
  }
  while (found[at]?.text === ':') {
    const label = nameAt(query, found[at + 1])
    if (label === undefined) return undefined
    pattern.labels.push(label)
    at += 2
  }
  if (found[at]?.text === '{') pattern.inline = keysOfMap(query, found, at)
  else if (found[at]?.text !== ')') return undefined
  return pattern
}

function keysOfMap (query: string, found: readonly Token[], start: number): string[] {
  const keys: string[] = []
  for (let at = start, depth = 0; at < found.length; at++) {
    const sign = found[at]?.text ?? ''
    if ('{[('.includes(sign) && sign !== '') depth++
    if ('}])'.includes(sign) && sign !== '' && --depth === 0) break
    const key = nameAt(query, found[at])
    if (depth === 1 && key !== undefined && found[at + 1]?.text === ':' && ['{', ','].includes(found[at - 1]?.text ?? '')) keys.push(key)
  }
  return keys
}

const comparing = new Set(['=', '<', '>'])
const calculating = new Set(['+', '-', '*', '/', '%', '^', '[', '.'])

/** `variable.property` beside a comparison that a range index serves: not <>, nor inside a function or a calculation. */
function isComparedProperty (found: readonly Token[], at: number): boolean {
  const [first, dot, property, next, afterNext] = found.slice(at, at + 5)
  const isWord = (token: Token | undefined) => token?.kind === 'word' || token?.kind === 'name'
  if (!isWord(first) || dot?.text !== '.' || !isWord(property) || found[at - 1]?.text === '.' || calculating.has(next?.text ?? '')) return false
  if (next?.text === 'IN') return true
  if (comparing.has(next?.text ?? '')) return !(next?.text === '<' && afterNext?.text === '>')
  const [before, previous] = [found[at - 2], found[at - 1]]
  return comparing.has(previous?.text ?? '') && !(previous?.text === '>' && before?.text === '<')
}

function nameAt (query: string, token: Token | undefined): string | undefined {
  if (token?.kind === 'word') return query.slice(token.start, token.end)
  return token?.kind === 'name' ? query.slice(token.start + 1, token.end - 1) : undefined
}
