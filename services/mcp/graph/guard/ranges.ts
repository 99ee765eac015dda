/**
 * range() makes its whole list in one allocation, before any timeout or memory limit of FalkorDB is looked at, and a loop inside an expression
 * is not interrupted: range(1, 100000000) ends the process (1.6 GB), two loops of a million keep a thread for hours (FalkorDB 4.16).
 */
import { refuse } from '../refusal.ts'
import { boundsOf, type Bounds } from './bounds.ts'
import { closing, isCall, isWord, itemStart, nameAt, parts, type Reading } from './reading.ts'
import { reckons, reductionAt } from './reductions.ts'

/** Numbers that one range() may make; 16 bytes each. */
export const maxRange = 1_000_000
/** Rounds of loops over ranges inside one another, in one expression. UNWINDs do not count: between their rows FalkorDB looks at the time. */
export const maxRounds = 4_000_000
/** Numbers of a range from which reduce() makes a text or list: each round copies what there is. */
export const maxAppends = 10_000

/** @throws QueryError query_range_too_long, query_range_unknown, query_loops_too_long */
export function boundedRanges (reading: Reading) {
  const { query, tokens } = reading
  // What is known of the query's variables: numbers, and the lengths of lists.
  const names = new Map<string, Bounds>()
  const lists = new Map<string, number>()
  const around: number[] = []
  let loops = 1

  function repeat (times: number, index: number) {
    loops *= Math.max(1, times)
    if (loops > maxRounds) refuse('query_loops_too_long', query, tokens[index]!.start, `The loops over ranges here make more than ${maxRounds} rounds together, which no time-out ends.`, 'Take shorter ranges, or UNWIND them: UNWIND range(1, 5000) AS x UNWIND range(1, 5000) AS y …')
  }

  for (const [index, { text }] of tokens.entries()) {
    if (text === '(' || text === '[' || text === '{') around.push(loops)
    else if (text === ')' || text === ']' || text === '}') loops = around.pop() ?? 1
    else if (isWord(reading, index, 'UNION')) {
      names.clear()
      lists.clear()
    } else if (isCall(reading, index, 'RANGE')) {
      const { length, values } = rangeAt(reading, index, names)
      const unwinds = isWord(reading, index - 1, 'UNWIND')
      const loopsOver = isWord(reading, index - 1, 'IN')
      if (loopsOver) repeat(length, index)
      if (loopsOver) setOrForget(names, nameAt(reading, index - 2), values)
      const after = closing(reading, index + 1) + 1
      if (isWord(reading, after, 'AS')) {
        if (!unwinds) lists.set(nameAt(reading, after + 1) ?? '', length)
      }
    } else if (isWord(reading, index, 'IN') && !isCall(reading, index + 1, 'RANGE')) {
      const times = lists.get(nameAt(reading, index + 1) ?? '')
      if (times !== undefined) repeat(times, index)
      const before = tokens[index - 2]?.text
      if (before === '[' || before === '(' || before === ',') names.delete(nameAt(reading, index - 1) ?? '')
    } else if (isWord(reading, index, 'AS')) setOrForget(names, nameAt(reading, index + 1), named(reading, index, names))
    else if (isCall(reading, index, 'REDUCE')) {
      names.delete(nameAt(reading, index + 2) ?? '')
      fewAppends(reading, index, names, lists)
    }
  }
}

function setOrForget (names: Map<string, Bounds>, name: string | undefined, value: Bounds | undefined) {
  if (name === undefined) return
  if (value === undefined || value.base !== undefined) names.delete(name)
  else names.set(name, value)
}

function rangeAt (reading: Reading, index: number, names: ReadonlyMap<string, Bounds>): { length: number, values: Bounds | undefined } {
  const given = parts(reading, index + 1)
  if (given.length < 2) return { length: 0, values: undefined }
  const [from, to, step = { low: 1, high: 1 }] = given.map(([start, end]) => boundsOf(reading, start, end, names))
  const start = reading.tokens[index]!.start
  if (from === undefined || to === undefined || from.base !== to.base) return unknown(reading, index)
  const slowest = step?.base === undefined && step !== undefined && step.low * step.high > 0 ? Math.min(Math.abs(step.low), Math.abs(step.high)) : 1
  // Upwards, as without a step, a range to a smaller number is empty.
  const upwards = step !== undefined && step.base === undefined && step.low > 0
  const length = Math.floor(Math.max(0, to.high - from.low, upwards ? 0 : from.high - to.low) / slowest) + 1
  if (!(length <= maxRange + 1)) refuse('query_range_too_long', reading.query, start, `This range may have more than ${maxRange} numbers.`, 'Take a shorter range.')
  return { length, values: from.base === undefined ? { low: Math.min(from.low, to.low), high: Math.max(from.high, to.high) } : undefined }
}

function unknown (reading: Reading, index: number): never {
  const [, last = [index + 2, index + 2]] = parts(reading, index + 1)
  const { query, tokens } = reading
  const shown = query.slice(tokens[last[0]]?.start, tokens[last[1] - 1]?.end).slice(0, 80)
  refuse('query_range_unknown', query, tokens[index]!.start, 'How long this range gets depends on values that nobody knows before the query runs; a long one ends the database.', `Bound it by a remainder, which leaves values up to ${maxRange} as they are: range(0, (${shown}) % ${maxRange + 1}), or cut it off: CASE WHEN x > 100 THEN 100 ELSE x END. Parameters and size() need none.`)
}

/** What is known of the value before an AS: of the expression, or of each element of the list that is unwound. */
function named (reading: Reading, as: number, names: ReadonlyMap<string, Bounds>): Bounds | undefined {
  const { tokens } = reading
  const from = itemStart(reading, as)
  if (!isWord(reading, from - 1, 'UNWIND')) return isWord(reading, from - 1, 'YIELD') ? undefined : boundsOf(reading, from, as, names)
  if (isCall(reading, from, 'RANGE')) return closing(reading, from + 1) === as - 1 ? rangeAt(reading, from, names).values : undefined
  if (tokens[from]?.text === '[' && closing(reading, from) === as - 1) return union(parts(reading, from).map(([start, end]) => boundsOf(reading, start, end, names)))
  const given = tokens[from]?.text === '$' && from + 2 === as ? reading.parameters[nameAt(reading, from + 1) ?? ''] : undefined
  return Array.isArray(given) && given.every(value => typeof value === 'number') ? union((given as number[]).map(value => ({ low: value, high: value }))) : undefined
}

function union (values: Array<Bounds | undefined>): Bounds | undefined {
  let all: Bounds = { low: 0, high: 0 }
  for (const value of values) {
    if (value === undefined || value.base !== undefined) return undefined
    all = { low: Math.min(all.low, value.low), high: Math.max(all.high, value.high) }
  }
  return all
}

/** A reduce() over a long range may only reckon with numbers. */
function fewAppends (reading: Reading, index: number, names: ReadonlyMap<string, Bounds>, lists: ReadonlyMap<string, number>) {
  const { query, tokens } = reading
  const reduction = reductionAt(reading, index)
  if (reduction === undefined || reckons(reading, reduction)) return
  const [from] = reduction.list
  const rounds = isCall(reading, from, 'RANGE') ? rangeAt(reading, from, names).length : lists.get(nameAt(reading, from) ?? '') ?? 0
  if (rounds > maxAppends) refuse('query_range_too_long', query, tokens[from]!.start, `A reduce() that builds a text or a list takes at most ${maxAppends} rounds here: each one copies what there is.`, 'Use a list comprehension: [i IN range(1, 20000) | …], or UNWIND the range and collect().')
}
