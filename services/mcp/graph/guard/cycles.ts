/** A path of variable length from a node with two labels back to itself ends FalkorDB 4.16: `MATCH (n:A:B)-[*1..3]->(n)`. With one label, or in WHERE, it is well. */
import { refuse } from '../refusal.ts'
import { labelsOf } from './labels.ts'
import { closing, nameAt, type Reading } from './reading.ts'

/** @throws QueryError query_cycle_has_labels */
export function fewLabelsInCycles (reading: Reading) {
  const { query, tokens } = reading
  const cycles = new Map<string, number>()
  for (const [index, { text }] of tokens.entries()) {
    const name = nameAt(reading, index + 1)
    if (text === '(' && name !== undefined && nameAt(reading, farEnd(reading, index) + 1) === name) cycles.set(name, index)
  }
  const labels = labelsOf(reading)
  for (const [name, index] of cycles) {
    if ((labels.get(name)?.size ?? 0) > 1) refuse('query_cycle_has_labels', query, tokens[index]!.start, 'A path of variable length leads from a node with several labels to itself, which ends FalkorDB.', 'Leave one label in the pattern and ask for the others afterwards: MATCH (n:A)-[*1..3]->(n) WHERE n:B')
  }
}

/** Index of the bracket of the node at the other end of a relationship of variable length, else the number of tokens. */
function farEnd (reading: Reading, node: number): number {
  const { tokens } = reading
  let at = closing(reading, node) + 1
  if (tokens[at]?.text === '<') at++
  if (tokens[at]?.text !== '-' || tokens[at + 1]?.text !== '[') return tokens.length
  const end = closing(reading, at + 1)
  if (!tokens.slice(at, end).some(({ text }) => text === '*')) return tokens.length
  at = end + 2
  return tokens[at]?.text === '>' ? at + 1 : at
}
