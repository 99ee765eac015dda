/** Texts and lists that double at each step: FalkorDB looks at the memory of a query between its operations only, and forty steps make 2^40 characters. */
import { refuse } from '../refusal.ts'
import { closing, isCall, isWord, itemStart, nameAt, parts, textOf, type Reading } from './reading.ts'
import { reckons, reductionAt, timesOf, timesTaken } from './reductions.ts'

/** Doublings of one query. */
const maxDoublings = 16
/** How many times the first value a named value may hold: `WITH s + s AS s` again and again. */
const maxGrowth = 4_096
/** Characters of a parameter that may stand for each match of replace(). */
const maxReplacement = 10_000

const ends = new Set([',', '|', '=', 'AS', 'WITH', 'RETURN', 'WHERE', 'AND', 'OR', 'XOR', 'NOT', 'WHEN', 'THEN', 'ELSE', 'END', 'IN', 'UNWIND', 'SET', 'UNION', '<', '>'])

/** @throws QueryError query_grows */
export function noGrowth (reading: Reading) {
  const { query, tokens } = reading
  let doublings = 0
  const chains: Array<Set<string>> = [new Set()]
  const sizes = new Map<string, number>()
  for (const [index, token] of tokens.entries()) {
    const { text, start } = token
    const chain = chains.at(-1) as Set<string>
    const reduction = reductionAt(reading, index)
    if (reduction !== undefined && !reckons(reading, reduction) && timesTaken(reading, reduction) > 1) {
      refuse('query_grows', query, start, 'Each round of this reduce() makes its value twice as long, which soon is more than there is memory.', "Take the value once in each round: reduce(text = '', word IN words | text + word).")
    }
    if (isWord(reading, index, 'UNION')) sizes.clear()
    if (isWord(reading, index, 'AS') && named(reading, index, sizes) > maxGrowth) refuse('query_grows', query, start, 'Step by step this query makes a value many times as large, which soon is more than there is memory.', 'Take each value once in each WITH.')
    if (isCall(reading, index, 'REPLACE')) replacement(reading, index)
    if (text === '(' || text === '[' || text === '{') chains.push(new Set())
    else if (text === ')' || text === ']' || text === '}') {
      if (chains.length > 1) chains.pop()
    } else if (ends.has(text)) chain.clear()
    else if ((token.kind === 'word' || token.kind === 'name') && isAddend(reading, index)) {
      const name = textOf(reading, index, endOf(reading, index))
      if (!chain.has(name)) chain.add(name)
      else if (++doublings > maxDoublings) refuse('query_grows', query, start, 'Each of many steps makes a value twice as long, which soon is more than there is memory.', 'Add each value once.')
    }
  }
}

/** Notes how large the value before an AS is, counted in the first values that it is made of. */
function named (reading: Reading, as: number, sizes: Map<string, number>): number {
  const name = nameAt(reading, as + 1)
  if (name === undefined) return 0
  let size = 0
  for (const [of, times] of timesOf(reading, [itemStart(reading, as), as], new Set(sizes.keys()))) size += times * sizes.get(of)!
  sizes.set(name, Math.max(1, size))
  return size
}

/** A variable or a part of one between + signs. */
function isAddend (reading: Reading, index: number): boolean {
  const { tokens } = reading
  const before = tokens[index - 1]?.text ?? ''
  const after = tokens[endOf(reading, index)]?.text ?? ''
  return (before === '+' || after === '+') && !['.', '$', '-', '*', '/'].includes(before) && !['(', ':', '*', '/', '-'].includes(after)
}

/** Index behind a variable and the keys and indexes that follow it. */
function endOf (reading: Reading, index: number): number {
  const { tokens } = reading
  let at = index + 1
  while (tokens[at]?.text === '.' || tokens[at]?.text === '[') at = tokens[at]!.text === '.' ? at + 2 : closing(reading, at) + 1
  return at
}

function replacement (reading: Reading, index: number) {
  const [text, , by] = parts(reading, index + 1)
  if (text === undefined || by === undefined) return
  const given = reading.tokens[by[0]]?.text === '$' ? reading.parameters[nameAt(reading, by[0] + 1) ?? ''] : undefined
  const long = typeof given === 'string' && given.length > maxReplacement
  if (!long && textOf(reading, ...text) !== textOf(reading, ...by)) return
  refuse('query_grows', reading.query, reading.tokens[index]!.start, 'replace() would put a long text in place of each match, which may be more than there is memory.', `Replace by something else than the text itself, of at most ${maxReplacement} characters.`)
}
