/**
 * FalkorDB 4.16 takes the options of a vector index as they are: an M of 1, -1 or 1,000,000 ends it at the first vector. And it evaluates them outside
 * of any query, where a variable has no place: `OPTIONS {dimension: reduce(s = 1, x IN [2] | x)}` ends it at once.
 */
import { refuse } from '../refusal.ts'
import { boundsOf } from './bounds.ts'
import { nameAt, parts, type Reading } from './reading.ts'

/** Neighbours of a vector in the index; 16 is FalkorDB's default. */
export const leastM = 2
export const mostM = 512
const plain = new Set(['$', '-', '+', ',', '[', ']'])

/** @throws QueryError query_bad_index_options */
export function plainIndexOptions (reading: Reading) {
  const { tokens } = reading
  for (const [index, { text }] of tokens.entries()) {
    // Elsewhere it is the name of something: options {.a, .b}.
    if (text !== 'OPTIONS' || tokens[index - 1]?.text !== ')' || tokens[index + 1]?.text !== '{') continue
    for (const [from, until] of parts(reading, index + 1)) {
      for (let at = from + 2; at < until; at++) if (!isPlain(reading, at)) bad(reading, at)
      if (nameAt(reading, from)?.toUpperCase() !== 'M') continue
      const value = boundsOf(reading, from + 2, until, new Map())
      if (value === undefined || value.base !== undefined || value.low < leastM || value.high > mostM) bad(reading, from)
    }
  }
}

const isPlain = ({ tokens }: Reading, at: number) => tokens[at]!.kind === 'string' || tokens[at]!.kind === 'number' || plain.has(tokens[at]!.text) || tokens[at - 1]?.text === '$'

const bad = ({ query, tokens }: Reading, at: number): never => refuse('query_bad_index_options', query, tokens[at]!.start, `The options of an index are numbers, strings and parameters, and M is from ${leastM} to ${mostM}.`, "Write: OPTIONS {dimension: 384, similarityFunction: 'cosine', M: 16}")
