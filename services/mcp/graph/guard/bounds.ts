/** What can be said of an integer expression before it runs: between which numbers its value lies. */
import { closing, isWord, nameAt, parts, textOf, type Reading } from './reading.ts'

export interface Bounds {
  low: number
  high: number
  /** An expression whose value nobody knows, to which the numbers are added: `n.year` in `n.year + 5`. */
  base?: string
}

type Stretch = [from: number, until: number]

/** What a size counts as, for nobody knows it: sums of sizes then make a range that is accepted, a product of two makes one that is not. */
const anySize = 1_001
const known = (low: number, high = low): Bounds => ({ low, high })
const sizes: Bounds = known(0, anySize)

/** Functions that measure something that is already there. */
export const measures: ReadonlySet<string> = new Set(['SIZE', 'LENGTH', 'COUNT', 'CHAR_LENGTH', 'INDEGREE', 'OUTDEGREE'])
/** Functions that change a number by less than one. */
const keeps = new Set(['TOINTEGER', 'TOINT', 'FLOOR', 'CEIL', 'ROUND', 'TOFLOAT'])
/** Parts of dates and times, by FalkorDB's names; a year has at most six digits. */
const temporalParts = new Set(['YEAR', 'QUARTER', 'MONTH', 'WEEK', 'WEEKYEAR', 'DAY', 'DAYOFWEEK', 'DAYOFMONTH', 'ORDINALDAY', 'DAYOFQUARTER', 'HOUR', 'MINUTE', 'SECOND'])
const temporals = new Set(['DATE', 'LOCALDATETIME', 'LOCALTIME', 'DATETIME', 'TIME'])

/**
 * The bounds of the expression in a stretch of tokens; undefined where nothing is known.
 * @param names what is known of the query's variables
 */
export function boundsOf (reading: Reading, from: number, until: number, names: ReadonlyMap<string, Bounds>): Bounds | undefined {
  const { tokens, query, parameters } = reading
  let at = from
  const text = () => at < until ? tokens[at]!.text : ''

  function sum (): Bounds | undefined {
    let left = product()
    for (let sign = text(); sign === '+' || sign === '-'; sign = text()) {
      at++
      const right = product()
      left = left && right && (sign === '+' ? add(left, right) : subtract(left, right))
    }
    return left
  }

  function product (): Bounds | undefined {
    let left = signed()
    for (let sign = text(); sign === '*' || sign === '/' || sign === '%' || sign === '^'; sign = text()) {
      at++
      const right = signed()
      left = combine(sign, left, right)
    }
    return left
  }

  function signed (): Bounds | undefined {
    if (text() === '-') {
      at++
      const value = signed()
      return value && negate(value)
    }
    if (text() === '+') at++
    return operand()
  }

  function operand (): Bounds | undefined {
    const start = at
    const token = tokens[at]
    if (token === undefined || at >= until) return undefined
    let value: Bounds | undefined
    if (token.kind === 'number') {
      at++
      const number = Number(token.text.replace(/^0O/, '0o').replace(/^0X/, '0x'))
      value = Number.isFinite(number) ? known(number) : undefined
    } else if (token.text === '$') {
      const given = parameters[nameAt(reading, at + 1) ?? '']
      at += 2
      value = parameterBounds(given)
    } else if (token.text === '(') {
      const end = closing(reading, at)
      value = boundsOf(reading, at + 1, end, names)
      at = end + 1
    } else if (isWord(reading, at, 'CASE')) value = cut()
    else if (token.kind === 'word' || token.kind === 'name') {
      value = tokens[at + 1]?.text === '(' ? call() : variable()
    } else return undefined
    const postfix = at
    while (text() === '.' || text() === '[') at = text() === '.' ? at + 2 : closing(reading, at) + 1
    if (at > postfix) value = at === postfix + 2 && temporals.has(token.text) && temporalParts.has(tokens[postfix + 1]?.text ?? '') ? known(-999_999, 999_999) : undefined
    if (value !== undefined) return value
    const base = textOf(reading, start, at)
    // Two calls of rand() are two numbers.
    return /\brand/i.test(base) ? undefined : { low: 0, high: 0, base }
  }

  /** `CASE WHEN x > 100 THEN 100 ELSE x END`, the least of two, has an upper bound whatever x is. */
  function cut (): Bounds | undefined {
    const [start, words] = [at, ['WHEN', 'THEN', 'ELSE', 'END'].map(word => findWord(word))]
    at = words[3]! + 1
    const [when, then, otherwise, end] = words as [number, number, number, number]
    const sign = tokens.findIndex(({ text }, index) => index > when && (text === '>' || text === '<'))
    if (when !== start + 1 || !(sign > when && sign < then && then < otherwise && otherwise < end && end < until)) return undefined
    const right = tokens[sign + 1]?.text === '=' ? sign + 2 : sign + 1
    const most = boundsOf(reading, right, then, names)
    const branches: [Stretch, Stretch] = [[then + 1, otherwise], [otherwise + 1, end]]
    const [cutOff, same] = tokens[sign]!.text === '>' ? branches : branches.reverse() as [Stretch, Stretch]
    const instead = boundsOf(reading, ...cutOff, names)
    if (textOf(reading, ...same) !== textOf(reading, when + 1, sign) || /\brand/i.test(textOf(reading, ...same))) return undefined
    return most === undefined || instead === undefined || most.base !== undefined || instead.base !== undefined ? undefined : known(-Infinity, Math.max(most.high, instead.high))
  }

  const findWord = (word: string) => {
    const found = tokens.findIndex((_, index) => index > at && isWord(reading, index, word))
    return found < 0 ? tokens.length : found
  }

  function variable (): Bounds | undefined {
    return names.get(nameAt(reading, at++) as string)
  }

  function call (): Bounds | undefined {
    const name = tokens[at]!.text
    const open = at + 1
    at = closing(reading, open) + 1
    const given = parts(reading, open)
    if (measures.has(name)) return sizes
    const values = given.map(([start, end]) => boundsOf(reading, start, end, names))
    if (name === 'ABS') return values[0] && absolute(values[0])
    if (keeps.has(name) && values[0] !== undefined) return values[0].base === undefined ? { low: Math.floor(values[0].low), high: Math.ceil(values[0].high) } : undefined
    if (name === 'COALESCE' && values.every(value => value !== undefined && value.base === undefined)) return known(Math.min(...values.map(value => value!.low)), Math.max(...values.map(value => value!.high)))
    return undefined
  }

  const value = sum()
  return at === until && query !== '' ? value : undefined
}

/** A parameter's own number; null makes a range of nothing. */
function parameterBounds (value: unknown): Bounds | undefined {
  if (value === undefined || value === null) return known(0)
  if (typeof value === 'object' && '$int64' in value) return known(Number(value.$int64))
  return typeof value === 'number' ? known(value) : undefined
}

function add (left: Bounds, right: Bounds): Bounds | undefined {
  if (left.base !== undefined && right.base !== undefined) return undefined
  const base = left.base ?? right.base
  return { low: left.low + right.low, high: left.high + right.high, ...(base !== undefined && { base }) }
}

function subtract (left: Bounds, right: Bounds): Bounds | undefined {
  if (right.base === undefined) return add(left, negate(right) as Bounds)
  return left.base === right.base ? known(left.low - right.high, left.high - right.low) : undefined
}

const negate = ({ low, high, base }: Bounds): Bounds | undefined => base === undefined ? known(-high, -low) : undefined

const absolute = ({ low, high, base }: Bounds): Bounds | undefined => base === undefined ? known(0, Math.max(Math.abs(low), Math.abs(high))) : undefined

function combine (sign: string, left: Bounds | undefined, right: Bounds | undefined): Bounds | undefined {
  if (right === undefined || right.base !== undefined) return undefined
  // Whatever stands left, a remainder is smaller than its divisor.
  if (sign === '%') {
    const most = Math.ceil(Math.max(Math.abs(right.low), Math.abs(right.high))) - 1
    return known(-most, most)
  }
  if (left === undefined || left.base !== undefined) return undefined
  if (sign === '*') return corners(left, right, (a, b) => a * b)
  if (sign === '^') return corners(left, right, Math.pow)
  // A divisor below one makes it greater.
  return right.low >= 1 || right.high <= -1 ? corners(left, right, (a, b) => a / b) : undefined
}

function corners (left: Bounds, right: Bounds, of: (a: number, b: number) => number): Bounds | undefined {
  const values = [left.low, left.high].flatMap(a => [right.low, right.high].map(b => of(a, b)))
  return values.some(Number.isNaN) ? undefined : known(Math.min(...values), Math.max(...values))
}
