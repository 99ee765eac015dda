/** A query as the checks of the guard see it. */
import type { Token } from '../lexer.ts'
import { isName } from '../nesting.ts'

export interface Reading {
  query: string
  tokens: readonly Token[]
  /** As the caller gave them; any JSON. */
  parameters: Readonly<Record<string, unknown>>
}

/** Whether the token at an index is this keyword or function, and not a property, a parameter, a label or a key of that name. */
export function isWord ({ tokens }: Reading, index: number, word: string): boolean {
  const token = tokens[index]
  return token?.kind === 'word' && token.text === word && !isName(tokens[index - 1]) && tokens[index - 1]?.text !== ':'
}

/** Whether the token at an index begins a call of this function, whose name may stand in backticks. */
export function isCall (reading: Reading, index: number, name: string): boolean {
  const token = reading.tokens[index]
  if (reading.tokens[index + 1]?.text !== '(' || isName(reading.tokens[index - 1])) return false
  // A label has no arguments: what follows a colon is a value in a map.
  return token?.kind === 'word' ? token.text === name : token?.kind === 'name' && nameAt(reading, index)?.toUpperCase() === name
}

/** The name at an index, as FalkorDB knows it, or undefined where none stands there. */
export function nameAt ({ query, tokens }: Reading, index: number): string | undefined {
  const token = tokens[index]
  if (token?.kind === 'word') return query.slice(token.start, token.end)
  return token?.kind === 'name' ? query.slice(token.start + 1, token.end - 1) : undefined
}

const opens = new Set(['(', '[', '{'])
const closes = new Set([')', ']', '}'])

/** Index of the bracket that closes the one at `open`, or the number of tokens. */
export function closing ({ tokens }: Reading, open: number): number {
  let depth = 0
  for (let index = open; index < tokens.length; index++) {
    const { text } = tokens[index]!
    if (opens.has(text)) depth++
    else if (closes.has(text) && --depth === 0) return index
  }
  return tokens.length
}

/** The stretches between the commas in a bracket, as [from, until) of token indexes. */
export function parts (reading: Reading, open: number, separators: ReadonlySet<string> = comma): Array<[from: number, until: number]> {
  const end = closing(reading, open)
  const found: Array<[number, number]> = []
  let from = open + 1
  for (let index = from; index < end; index++) {
    const { text } = reading.tokens[index]!
    if (opens.has(text)) index = Math.min(closing(reading, index), end - 1)
    else if (separators.has(text)) {
      found.push([from, index])
      from = index + 1
    }
  }
  if (from < end) found.push([from, end])
  return found
}

const comma: ReadonlySet<string> = new Set([','])

/** The text of a stretch of tokens, alike for all ways of spacing it. */
export const textOf = ({ query, tokens }: Reading, from: number, until: number) => tokens.slice(from, until).map(({ start, end }) => query.slice(start, end)).join(' ')

/** Index where the expression begins that stands before the AS at an index. */
export function itemStart (reading: Reading, as: number): number {
  const { tokens } = reading
  let from = as
  for (let depth = 0; from > 0; from--) {
    const { text } = tokens[from - 1]!
    if (closes.has(text)) depth++
    else if (opens.has(text)) {
      if (--depth < 0) break
    } else if (depth === 0 && (text === ',' || begins.some(word => isWord(reading, from - 1, word)))) break
  }
  return from
}

const begins = ['WITH', 'RETURN', 'DISTINCT', 'UNWIND', 'YIELD', 'AS']
