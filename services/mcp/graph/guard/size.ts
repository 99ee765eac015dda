/** How much there is of everything that FalkorDB's parser and planner take more than their share of time for. */
import { Nesting } from '../nesting.ts'
import { refuse } from '../refusal.ts'
import { isWord, type Reading } from './reading.ts'

export const maxTokens = 8_192
/** Nodes in patterns: planning MATCH grows faster than their square (400: under a second, 2,500: no answer). */
export const maxPatternNodes = 400
/** OPTIONAL MATCHes, each of which plans anew what stands before it. */
export const maxOptionalMatches = 100

/** @throws QueryError query_too_many_tokens */
export function fewTokens ({ query, tokens }: Reading) {
  const token = tokens[maxTokens]
  if (token !== undefined) refuse('query_too_many_tokens', query, token.start, `The query has more than ${maxTokens} words, numbers and signs.`, 'Pass lists and maps as parameters: UNWIND $rows AS row …')
}

/** @throws QueryError query_too_deep, query_too_complex */
export function shallowAndFewPatterns (reading: Reading) {
  const { query, tokens } = reading
  const nesting = new Nesting(query)
  let nodes = 0
  for (const [index, token] of tokens.entries()) {
    if (token.text === '(' && !nesting.operandEnded && ++nodes > maxPatternNodes) refuse('query_too_complex', query, token.start, `The query has more than ${maxPatternNodes} nodes in its patterns.`, 'Pass them as a parameter: UNWIND $rows AS row …, or ask in several queries.')
    nesting.read(token, tokens[index - 1])
  }
}

/** @throws QueryError query_too_complex */
export function fewOptionalMatches (reading: Reading) {
  let optional = 0
  for (const [index, { start }] of reading.tokens.entries()) {
    if (isWord(reading, index, 'OPTIONAL') && isWord(reading, index + 1, 'MATCH') && ++optional > maxOptionalMatches) refuse('query_too_complex', reading.query, start, `The query has more than ${maxOptionalMatches} OPTIONAL MATCH.`, 'Ask in several queries, or use pattern comprehensions: [(n)-->(m) | m].')
  }
}
