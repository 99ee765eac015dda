/** A path of exactly a thousand million steps ended FalkorDB 4.16 within two seconds, whatever its time-out; one of up to so many is ended in time. */
import { refuse } from '../refusal.ts'
import type { Reading } from './reading.ts'

/** Relationships that a path of a pattern may have at least. */
export const maxLeastHops = 100

/** @throws QueryError query_too_many_hops */
export function fewLeastHops ({ query, tokens }: Reading) {
  for (const [index, { text, start }] of tokens.entries()) {
    const least = tokens[index + 1]
    if (text !== '*' || least?.kind !== 'number' || !(Number(least.text) > maxLeastHops)) continue
    const open = tokens.findLastIndex((token, at) => at < index && (token.text === '[' || token.text === ']' || token.text === ')'))
    if (tokens[open]?.text === '[' && tokens[open - 1]?.text === '-') refuse('query_too_many_hops', query, start, `A path may have at least ${maxLeastHops} relationships, not more.`, 'Begin with fewer: [:KNOWS*1..5]')
  }
}
