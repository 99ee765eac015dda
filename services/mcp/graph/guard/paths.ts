/**
 * The path procedures heed no time-out once they look for several paths: two paths in a graph of 400 nodes held FalkorDB 4.16 up for good,
 * 10^9 ended it within two seconds. Bounded in length they are quick.
 */
import { refuse } from '../refusal.ts'
import { boundsOf, type Bounds } from './bounds.ts'
import { closing, nameAt, parts, type Reading } from './reading.ts'

/** Paths that algo.SPpaths and algo.SSpaths may look for, and relationships of each where they look for more than one. */
export const maxPathCount = 1_000
export const maxPathLength = 10
/** Of algo.labelPropagation; 10 is its default. No time-out ends them: 1,000 of them take four seconds on 2,000 nodes. */
export const maxIterations = 100

/** @throws QueryError query_too_many_paths, query_too_many_iterations */
export function boundedPaths (reading: Reading) {
  const { tokens } = reading
  for (const index of tokens.keys()) {
    if (tokens[index + 1]?.text === '(' && /^labelPropagation$/i.test(nameAt(reading, index) ?? '')) fewIterations(reading, index)
    if (tokens[index + 1]?.text !== '(' || !/^S[PS]paths$/i.test(nameAt(reading, index) ?? '')) continue
    if (tokens[index + 2]?.text !== '{') return tooMany(reading, index)
    const given = options(reading, index + 2)
    const count = given.has('PATHCOUNT') ? upTo(given.get('PATHCOUNT')) : 1
    if (count > 1 && (count > maxPathCount || upTo(given.get('MAXLEN')) > maxPathLength)) tooMany(reading, index)
  }
}

/** It goes on as long as it may wherever labels swing to and fro. */
function fewIterations (reading: Reading, index: number) {
  const { query, tokens } = reading
  if (tokens[index + 2]?.text === ')') return
  const given = tokens[index + 2]?.text === '{' ? options(reading, index + 2) : new Map<string, Bounds | undefined>([['MAXITERATIONS', undefined]])
  if (given.has('MAXITERATIONS') && upTo(given.get('MAXITERATIONS')) > maxIterations) refuse('query_too_many_iterations', query, tokens[index]!.start, `This procedure may take at most ${maxIterations} iterations.`, 'Write in the call: {maxIterations: 10}, as a number or a parameter.')
}

const upTo = (bounds: Bounds | undefined) => bounds === undefined || bounds.base !== undefined ? Infinity : bounds.high

/** The numbers in a map literal; of a key that is there twice, the greater. */
function options (reading: Reading, open: number): Map<string, Bounds | undefined> {
  const found = new Map<string, Bounds | undefined>()
  for (const [from, until] of parts(reading, open)) {
    const key = nameAt(reading, from)?.toUpperCase() ?? ''
    const value = boundsOf(reading, from + 2, until, new Map())
    found.set(key, found.has(key) && upTo(found.get(key)) > upTo(value) ? found.get(key) : value)
  }
  return found
}

function tooMany (reading: Reading, index: number): never {
  const { query, tokens } = reading
  if (closing(reading, index + 1) === tokens.length) refuse('query_unterminated', query, tokens[index + 1]!.start, 'A bracket begins here and does not end.', 'Close it.')
  refuse('query_too_many_paths', query, tokens[index]!.start, 'More than one path is looked for without a bound that ends the search.', `Write in the call: {sourceNode: a, targetNode: b, pathCount: 5, maxLen: 6}, with pathCount up to ${maxPathCount} and maxLen up to ${maxPathLength}, as numbers or parameters.`)
}
