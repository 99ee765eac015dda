/** One statement, that begins as one and reaches nothing outside the graph. */
import { refuse } from '../refusal.ts'
import { closing, isWord, type Reading } from './reading.ts'

/**
 * FalkorDB reads `CYPHER name=value …` and bare `name=value` before a query as parameters; EXPLAIN and PROFILE would be ignored or run the query.
 * @throws QueryError query_empty, cypher_prefix_refused, query_bad_start, query_prefix_refused
 */
export function plainStart ({ query, tokens: [first, second] }: Reading) {
  if (first === undefined) return refuse('query_empty', query, 0, 'The query is empty.', 'Send Cypher: MATCH (n) RETURN n LIMIT 10')
  // No word boundary: FalkorDB takes `CYPHERx=1` as well.
  const assigns = (first.kind === 'word' || first.kind === 'name') && second?.text === '='
  if (assigns || (first.kind === 'word' && first.text.startsWith('CYPHER'))) refuse('cypher_prefix_refused', query, first.start, 'A query may not set parameters or options in its text.', 'Send them in the argument "parameters" and write $name in the query.')
  // FalkorDB's parser goes on behind a quote that should not be there, and reads the string as Cypher.
  if (first.kind === 'string' || first.kind === 'name') refuse('query_bad_start', query, first.start, 'A query begins with a clause; here it begins with a quote.', 'Send the query itself, without quotes around it: MATCH (n) RETURN n LIMIT 10')
  if (first.text === 'EXPLAIN' || first.text === 'PROFILE') refuse('query_prefix_refused', query, first.start, `${first.text} is not part of a query here.`, `Remove ${first.text}.`)
}

/** @throws QueryError query_has_several_statements */
export function oneStatement ({ query, tokens }: Reading) {
  const second = tokens.find((token, index) => tokens[index - 1]?.text === ';' && token.text !== ';')
  if (second !== undefined) refuse('query_has_several_statements', query, second.start, 'A query is one statement; here a second one begins.', 'Send each statement as a query of its own.')
}

/**
 * The two words side by side are never anything else, so what stands before them does not matter.
 * @throws QueryError load_csv_refused
 */
export function noLoadCsv ({ query, tokens }: Reading) {
  const csv = tokens.findIndex(({ text }, index) => text === 'CSV' && tokens[index - 1]?.text.endsWith('LOAD') === true)
  if (csv > 0) refuse('load_csv_refused', query, tokens[csv - 1]!.start, 'LOAD CSV is not allowed: it reads files and addresses outside the graph.', 'Pass the rows as a parameter: UNWIND $rows AS row CREATE (:Label {name: row.name})')
}

/**
 * FalkorDB 4.16 ends with an assertion at `CALL db./**\/labels()`: "terminal AST nodes should have no children".
 * @throws QueryError query_bad_comment
 */
export function noCommentAtDot ({ query, tokens }: Reading) {
  const bad = tokens.find((token, index) => token.afterComment && (token.text === '.' || tokens[index - 1]?.text === '.'))
  if (bad !== undefined) refuse('query_bad_comment', query, bad.start, 'A comment stands beside a dot.', 'Move the comment in front of the name, or leave it out.')
}

/**
 * FalkorDB 4.16 writes out the `*` of a RETURN or WITH at the wrong place of its tree where a comment stands behind a subquery or FOREACH before it,
 * and ends some queries later.
 * @throws QueryError query_bad_comment
 */
export function noCommentBehindSubquery (reading: Reading) {
  const { query, tokens } = reading
  const all = tokens.some(({ text }, index) => text === '*' && ['RETURN', 'WITH', 'DISTINCT'].some(word => isWord(reading, index - 1, word)))
  if (!all) return
  for (const index of tokens.keys()) {
    const opens = (isWord(reading, index, 'CALL') && tokens[index + 1]?.text === '{') || (isWord(reading, index, 'FOREACH') && tokens[index + 1]?.text === '(')
    const next = opens ? tokens[closing(reading, index + 1) + 1] : undefined
    if (next?.afterComment) refuse('query_bad_comment', query, next.start, 'A comment stands behind a subquery or FOREACH, and all variables (*) are asked for.', 'Leave the comment out, or name what to return in place of *.')
  }
}

/** What a string may stand behind, beside these signs; anywhere else it is no Cypher. */
const beforeStrings = new Set(['RETURN', 'WITH', 'DISTINCT', 'BY', 'WHEN', 'THEN', 'ELSE', 'CASE', 'IN', 'CONTAINS', 'AND', 'OR', 'XOR', 'NOT', 'WHERE', 'UNWIND', 'FROM', 'LIMIT', 'SKIP', 'SET', 'DELETE',
  '(', '[', ',', ':', '|', '=', '<', '>', '+', '-', '*', '/', '%', '^', '=~', '..'])

/**
 * Behind a string that stands where none may, FalkorDB's parser goes on as if what is inside were Cypher: `CALL { "RETURN [x IN [x IN …" }`.
 * @throws QueryError query_misplaced_string
 */
export function stringsAreOperands ({ query, tokens }: Reading) {
  const bad = tokens.find(({ kind }, index) => kind === 'string' && index > 0 && !beforeStrings.has(tokens[index - 1]!.text))
  if (bad !== undefined) refuse('query_misplaced_string', query, bad.start, 'A string stands where none can be.', "Put names into `backticks`, and write keys of maps without quotes: {name: 'x'}")
}
