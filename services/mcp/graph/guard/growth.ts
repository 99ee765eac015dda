/** Texts and lists that double at each step: FalkorDB looks at the memory of a query between its operations only, and forty steps make 2^40 characters. */
import { refuse } from '../refusal.ts'
import { closing, isCall, nameAt, parts, textOf, type Reading } from './reading.ts'

/** Doublings of one query. */
const maxDoublings = 16
/** Characters of a parameter that may stand for each match of replace(). */
const maxReplacement = 10_000

const ends = new Set([',', '|', '=', 'AS', 'WITH', 'RETURN', 'WHERE', 'AND', 'OR', 'XOR', 'NOT', 'WHEN', 'THEN', 'ELSE', 'END', 'IN', 'UNWIND', 'SET', 'UNION', '<', '>'])

/** @throws QueryError query_grows */
export function noGrowth (reading: Reading) {
  const { tokens } = reading
  let doublings = 0
  const chains: Array<Set<string>> = [new Set()]
  const accumulators = accumulatorsOf(reading)
  for (const [index, token] of tokens.entries()) {
    const { text } = token
    const chain = chains.at(-1) as Set<string>
    if (isCall(reading, index, 'REPLACE')) replacement(reading, index)
    if (text === '(' || text === '[' || text === '{') chains.push(new Set())
    else if (text === ')' || text === ']' || text === '}') {
      if (chains.length > 1) chains.pop()
    } else if (ends.has(text)) {
      // [s, s] doubles as s + s does.
      if (text !== ',' || accumulators.length === 0) chain.clear()
    } else if (token.kind === 'word' || token.kind === 'name') {
      if (!isAddend(reading, index)) continue
      const name = nameAt(reading, index) as string
      const accumulates = accumulators.some(({ name: own, from, until }) => own === name && index > from && index < until)
      const listed = tokens[index - 1]?.text !== '+' && tokens[index + 1]?.text !== '+'
      if (listed && !accumulates) continue
      if (!chain.has(name)) chain.add(name)
      else if (accumulates || ++doublings > maxDoublings) {
        refuse('query_grows', reading.query, token.start, `${accumulates ? 'Each round of this reduce() makes its value' : 'Each of many steps makes a value'} twice as long, which soon is more than there is memory.`, 'Add each value once: reduce(text = \'\', word IN words | text + word).')
      }
    }
  }
}

/** A variable as a whole, between + signs or the commas of a list. */
function isAddend ({ tokens }: Reading, index: number): boolean {
  const before = tokens[index - 1]?.text ?? ''
  const after = tokens[index + 1]?.text ?? ''
  return (before === '+' || after === '+' || before === '[' || before === ',') && !['.', '$', ':', '-', '*', '/'].includes(before) && !['.', '(', '[', ':', '*', '/', '-'].includes(after)
}

/** Of each reduce() that does not begin with a number: its name and where its body is. */
function accumulatorsOf (reading: Reading): Array<{ name: string, from: number, until: number }> {
  const found = []
  for (const index of reading.tokens.keys()) {
    if (!isCall(reading, index, 'REDUCE') || reading.tokens[index + 3]?.text !== '=') continue
    const [first, body] = parts(reading, index + 1, bar)
    if (first === undefined || body === undefined || (reading.tokens[index + 4]?.kind === 'number' && reading.tokens[index + 5]?.text === ',')) continue
    found.push({ name: nameAt(reading, index + 2) ?? '', from: body[0] - 1, until: closing(reading, index + 1) })
  }
  return found
}

const bar: ReadonlySet<string> = new Set(['|'])

function replacement (reading: Reading, index: number) {
  const [text, , by] = parts(reading, index + 1)
  if (text === undefined || by === undefined) return
  const given = reading.tokens[by[0]]?.text === '$' ? reading.parameters[nameAt(reading, by[0] + 1) ?? ''] : undefined
  const long = typeof given === 'string' && given.length > maxReplacement
  if (!long && textOf(reading, ...text) !== textOf(reading, ...by)) return
  refuse('query_grows', reading.query, reading.tokens[index]!.start, 'replace() would put a long text in place of each match, which may be more than there is memory.', `Replace by something else than the text itself, of at most ${maxReplacement} characters.`)
}
