/**
 * What is refused before FalkorDB sees it: queries that reach outside the graph, that a parameter header could be taken over by, and those
 * that end FalkorDB or hold it up without it heeding any timeout. docs/cypher.md tells callers.
 */
import { boundedPaths } from './guard/paths.ts'
import { fewLabelsInCycles } from './guard/cycles.ts'
import { fewLeastHops } from './guard/hops.ts'
import { fewLabelsInPredicates } from './guard/predicates.ts'
import { plainIndexOptions } from './guard/index-options.ts'
import { guardParameters } from './guard/parameters.ts'
import { boundedRanges } from './guard/ranges.ts'
import { fewOptionalMatches, fewTokens, shallowAndFewPatterns } from './guard/size.ts'
import { noCommentAtDot, noCommentBehindSubquery, noLoadCsv, oneStatement, plainStart, stringsAreOperands } from './guard/statement.ts'
import { noGrowth } from './guard/growth.ts'
import { subqueriesEndWell } from './guard/subqueries.ts'
import type { Reading } from './guard/reading.ts'
import { tokens, type Token } from './lexer.ts'
import { isPlainObject } from './values/literals.ts'
import { isName } from './nesting.ts'
import { refuse } from './refusal.ts'

/** Longest query in UTF-8 bytes. */
export const maxQueryBytes = 16_384

/** In this order: those after the size may take what they read for short and shallow. */
const checks: ReadonlyArray<(reading: Reading) => void> = [
  plainStart,
  fewTokens,
  noLoadCsv,
  noCommentAtDot,
  noCommentBehindSubquery,
  oneStatement,
  stringsAreOperands,
  shallowAndFewPatterns,
  fewOptionalMatches,
  fewLeastHops,
  fewLabelsInCycles,
  fewLabelsInPredicates,
  subqueriesEndWell,
  plainIndexOptions,
  boundedRanges,
  noGrowth,
  boundedPaths
]

const writing = new Set(['CREATE', 'MERGE', 'SET', 'DELETE', 'DETACH', 'REMOVE', 'FOREACH', 'DROP', 'CALL'])

/**
 * Refuses what must not reach FalkorDB.
 * @param parameters as the caller gave them: ranges and the like may depend on their values
 * @returns mayWrite: false only for queries that cannot write, whatever the graph; true is a guess that FalkorDB's plan settles
 * @throws QueryError with details.position (0-based), line, column and hint; ValidationError invalid_parameters for too large maps
 */
export function guardQuery (query: string, parameters?: unknown): { mayWrite: boolean } {
  guardText(query)
  guardParameters(parameters)
  const found = tokens(query)
  const reading = { query, tokens: found, parameters: isPlainObject(parameters) ? parameters : {} }
  for (const check of checks) check(reading)
  return { mayWrite: found.some((token, index) => writes(token, found[index - 1])) }
}

const writes = (token: Token, previous: Token | undefined) => token.kind === 'word' && writing.has(token.text) && !isName(previous)

function guardText (query: string) {
  if (Buffer.byteLength(query) > maxQueryBytes) refuse('query_too_long', '', maxQueryBytes, `The query is longer than ${maxQueryBytes} bytes.`, 'Pass data as parameters: UNWIND $rows AS row …')
  // FalkorDB would silently drop all that follows a NUL.
  const nul = query.indexOf('\0')
  if (nul >= 0) refuse('query_has_nul', query, nul, 'The query holds a NUL character.', 'Remove it.')
  const surrogate = query.search(/\p{Cs}/u)
  if (surrogate >= 0) refuse('query_not_unicode', query, surrogate, 'The query holds half of a surrogate pair, which is no Unicode text.', 'Send the whole character.')
}
