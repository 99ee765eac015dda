/** A subquery whose last clause calls a procedure ends FalkorDB 4.16: `CALL { CALL db.labels() } RETURN 1`. With a RETURN behind it, or outside of a subquery, the call is well. */
import { refuse } from '../refusal.ts'
import { closing, isWord, nameAt, type Reading } from './reading.ts'

const clauses = ['RETURN', 'WITH', 'MATCH', 'OPTIONAL', 'UNWIND', 'CREATE', 'MERGE', 'SET', 'DELETE', 'DETACH', 'REMOVE', 'FOREACH', 'CALL', 'UNION']

/** @throws QueryError query_subquery_ends_in_call */
export function subqueriesEndWell (reading: Reading) {
  const { query, tokens } = reading
  for (const [index, { start }] of tokens.entries()) {
    if (!isWord(reading, index, 'CALL') || tokens[index + 1]?.text === '{' || !insideSubquery(reading, index)) continue
    if (tokens[afterCall(reading, index)]?.text === '}') refuse('query_subquery_ends_in_call', query, start, 'A subquery ends with the call of a procedure, which ends FalkorDB.', 'Return what it yields: CALL { CALL db.labels() YIELD label RETURN label } RETURN label')
  }
}

/** Whether the innermost bracket around the index is that of `CALL {`. */
function insideSubquery (reading: Reading, index: number): boolean {
  let depth = 0
  for (let at = index - 1; at > 0; at--) {
    const { text } = reading.tokens[at]!
    if (text === '}' || text === ')' || text === ']') depth++
    else if ((text === '{' || text === '(' || text === '[') && --depth < 0) return text === '{' && isWord(reading, at - 1, 'CALL')
  }
  return false
}

/** Index of the first token behind a call, its arguments and what it yields. */
function afterCall (reading: Reading, call: number): number {
  const { tokens } = reading
  let at = call + 1
  while (nameAt(reading, at) !== undefined) at += tokens[at + 1]?.text === '.' ? 2 : 1
  if (tokens[at]?.text === '(') at = closing(reading, at) + 1
  if (!isWord(reading, at, 'YIELD')) return at
  // `YIELD set` yields something of that name.
  do at = isWord(reading, at + 2, 'AS') ? at + 4 : at + 2
  while (tokens[at]?.text === ',')
  if (!isWord(reading, at, 'WHERE')) return at
  while (at < tokens.length && tokens[at]!.text !== '}' && !clauses.some(word => isWord(reading, at, word))) at = '([{'.includes(tokens[at]!.text || ' ') ? closing(reading, at) + 1 : at + 1
  return at
}
