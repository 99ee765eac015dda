/**
 * A pattern as a condition for a node with two labels ends FalkorDB 4.16 where the first label has the most nodes: `MATCH (n:A:B) WHERE (n)-->()`.
 * To begin with the rarer label it looks for the step behind the label's scan, and takes the condition for it (cost_base_label_scan.c).
 */
import { refuse } from '../refusal.ts'
import { labelsOf } from './labels.ts'
import { closing, isWord, nameAt, type Reading } from './reading.ts'

const beforeConditions = ['WHERE', 'AND', 'OR', 'XOR', 'NOT']

/** @throws QueryError query_predicate_has_labels */
export function fewLabelsInPredicates (reading: Reading) {
  const { query, tokens } = reading
  const labels = labelsOf(reading)
  const severalLabels = (node: number) => (labels.get(nameAt(reading, node + 1) ?? '')?.size ?? 0) > 1
  for (const [index, { text, start }] of tokens.entries()) {
    if (text !== '(' || !isCondition(reading, index)) continue
    const nodes = chain(reading, index)
    if (nodes.length > 1 && nodes.some(severalLabels)) refuse('query_predicate_has_labels', query, start, 'A pattern is the condition for a node with several labels, which ends FalkorDB.', 'Leave one label in the pattern and ask for the others as a condition: MATCH (n:A) WHERE n:B AND (n)-->()')
  }
}

/** Whether a condition begins at an index, in however many brackets. */
function isCondition (reading: Reading, index: number): boolean {
  let before = index - 1
  while (reading.tokens[before]?.text === '(') before--
  return beforeConditions.some(word => isWord(reading, before, word))
}

/** Indexes of the brackets of the nodes of a path. */
function chain (reading: Reading, first: number): number[] {
  const { tokens } = reading
  const nodes = []
  for (let at = first; tokens[at]?.text === '(';) {
    nodes.push(at)
    at = closing(reading, at) + 1
    if (tokens[at]?.text === '<') at++
    if (tokens[at]?.text !== '-') break
    at = tokens[at + 1]?.text === '[' ? closing(reading, at + 1) + 1 : at + 1
    if (tokens[at]?.text !== '-') break
    at = tokens[at + 1]?.text === '>' ? at + 2 : at + 1
  }
  return nodes
}
