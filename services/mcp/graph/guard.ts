/**
 * What is refused before FalkorDB sees it: queries that reach outside the graph, that a parameter header could be taken over by,
 * or that its parser spends seconds on without heeding any timeout. One pass over the text, one over its tokens.
 */
import { tokens, type Token } from './lexer.ts'
import { isName, Nesting } from './nesting.ts'
import { refuse } from './refusal.ts'

/** Longest query in UTF-8 bytes. */
export const maxQueryBytes = 16_384
const maxTokens = 8_192
/** Nodes in patterns: planning MATCH grows faster than their square (400: under a second, 2,500: no answer). */
const maxPatternNodes = 400
/** Numbers that one range() with literal bounds may make: FalkorDB makes them all at once, whatever the timeout. */
const maxRange = 1_000_000

const writing = new Set(['CREATE', 'MERGE', 'SET', 'DELETE', 'DETACH', 'REMOVE', 'FOREACH', 'DROP', 'CALL'])

/**
 * Refuses what must not reach FalkorDB.
 * @returns mayWrite: false only for queries that cannot write, whatever the graph; true is a guess that FalkorDB's plan settles
 * @throws QueryError with details.position (0-based), line, column and hint
 */
export function guardQuery (query: string): { mayWrite: boolean } {
  guardText(query)
  const found = tokens(query)
  guardStart(query, found)
  const nesting = new Nesting(query)
  let patternNodes = 0
  let mayWrite = false
  for (const [index, token] of found.entries()) {
    const previous = found[index - 1]
    if (index === maxTokens) refuse('query_too_many_tokens', query, token.start, `The query has more than ${maxTokens} words, numbers and signs.`, 'Pass lists and maps as parameters: UNWIND $rows AS row …')
    // The two words side by side are never anything else, so what stands before them does not matter.
    if (token.text === 'CSV' && previous?.text.endsWith('LOAD')) refuse('load_csv_refused', query, previous.start, 'LOAD CSV is not allowed: it reads files and addresses outside the graph.', 'Pass the rows as a parameter: UNWIND $rows AS row CREATE (:Label {name: row.name})')
    // FalkorDB 4.16 ends with an assertion at `CALL db./**/labels()`: "terminal AST nodes should have no children".
    if (token.afterComment && (token.text === '.' || previous?.text === '.')) refuse('query_bad_comment', query, token.start, 'A comment stands beside a dot.', 'Move the comment in front of the name, or leave it out.')
    if (token.kind === 'word' && writing.has(token.text) && !isName(previous)) mayWrite = true
    if (token.text === '(' && !nesting.operandEnded && ++patternNodes > maxPatternNodes) refuse('query_too_complex', query, token.start, `The query has more than ${maxPatternNodes} nodes in its patterns.`, 'Pass them as a parameter: UNWIND $rows AS row …, or ask in several queries.')
    if (token.text === 'RANGE') guardRange(query, found, index)
    if (previous?.text === ';' && token.text !== ';') refuse('query_has_several_statements', query, token.start, 'A query is one statement; here a second one begins.', 'Send each statement as a query of its own.')
    nesting.read(token, previous)
  }
  return { mayWrite }
}

function guardText (query: string) {
  if (Buffer.byteLength(query) > maxQueryBytes) refuse('query_too_long', '', maxQueryBytes, `The query is longer than ${maxQueryBytes} bytes.`, 'Pass data as parameters: UNWIND $rows AS row …')
  // FalkorDB would silently drop all that follows a NUL.
  const nul = query.indexOf('\0')
  if (nul >= 0) refuse('query_has_nul', query, nul, 'The query holds a NUL character.', 'Remove it.')
  const surrogate = query.search(/\p{Cs}/u)
  if (surrogate >= 0) refuse('query_not_unicode', query, surrogate, 'The query holds half of a surrogate pair, which is no Unicode text.', 'Send the whole character.')
}

/** FalkorDB reads `CYPHER name=value …` and bare `name=value` before a query as parameters; EXPLAIN and PROFILE would be ignored or run the query. */
function guardStart (query: string, [first, second]: Token[]) {
  if (first === undefined) return refuse('query_empty', query, 0, 'The query is empty.', 'Send Cypher: MATCH (n) RETURN n LIMIT 10')
  // No word boundary: FalkorDB takes `CYPHERx=1` as well.
  const assigns = (first.kind === 'word' || first.kind === 'name') && second?.text === '='
  if (assigns || (first.kind === 'word' && first.text.startsWith('CYPHER'))) refuse('cypher_prefix_refused', query, first.start, 'A query may not set parameters or options in its text.', 'Send them in the argument "parameters" and write $name in the query.')
  if (first.text === 'EXPLAIN' || first.text === 'PROFILE') refuse('query_prefix_refused', query, first.start, `${first.text} is not part of a query here.`, `Remove ${first.text}.`)
}

function guardRange (query: string, found: Token[], index: number) {
  if (found[index + 1]?.text !== '(') return
  const bounds: number[] = []
  let sign = 1
  for (const token of found.slice(index + 2, index + 11)) {
    if (token.text === '-') sign = -sign
    else if (token.kind === 'number') {
      bounds.push(sign * Number(token.text))
      sign = 1
    } else if (token.text === ')') break
    else if (token.text !== ',') return
  }
  const [from = 0, to = 0, step = 1] = bounds
  if (bounds.length > 1 && Math.abs((to - from) / (step || 1)) > maxRange) refuse('query_range_too_long', query, found[index]?.start ?? 0, `This range has more than ${maxRange} numbers.`, 'Take a shorter range.')
}
