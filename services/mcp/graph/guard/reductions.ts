/** reduce() as the checks see it, and how its value grows: one that takes itself twice doubles with each round, and FalkorDB 4.16 looks at no limit meanwhile. */
import { measures } from './bounds.ts'
import { closing, isCall, isWord, nameAt, parts, type Reading } from './reading.ts'

type Stretch = [from: number, until: number]

export interface Reduction {
  /** Of the accumulator. */
  name: string
  first: Stretch
  /** Index of the loop's variable. */
  variable: number
  list: Stretch
  body: Stretch
}

/** The call of reduce() at an index; undefined where there is none, or none that FalkorDB would take. */
export function reductionAt (reading: Reading, index: number): Reduction | undefined {
  const { tokens } = reading
  if (!isCall(reading, index, 'REDUCE') || tokens[index + 3]?.text !== '=') return undefined
  const [head, body] = parts(reading, index + 1, bar)
  const [first, loop] = parts(reading, index + 1)
  if (head === undefined || body === undefined || first === undefined || loop === undefined || !isWord(reading, loop[0] + 1, 'IN')) return undefined
  return { name: nameAt(reading, index + 2) ?? '', first: [first[0] + 2, first[1]], variable: loop[0], list: [loop[0] + 2, head[1]], body: [body[0], closing(reading, index + 1)] }
}

const bar: ReadonlySet<string> = new Set(['|'])

/** Whether it reckons with numbers alone, so that its value stays as large as it is. */
export function reckons (reading: Reading, reduction: Reduction): boolean {
  const { tokens } = reading
  const { name, first, variable, list, body } = reduction
  const loop = isCall(reading, list[0], 'RANGE') && closing(reading, list[0] + 1) === list[1] - 1 ? nameAt(reading, variable) : undefined
  const number = (at: number) => tokens[at]!.kind === 'number' || '+-*/%^()<>=,'.includes(tokens[at]!.text || ' ')
  for (let at = first[0]; at < first[1]; at++) if (!number(at) && tokens[at]!.text !== '[' && tokens[at]!.text !== ']') return false
  const listed = tokens[first[0]]?.text === '['
  let literals = 0
  for (let at = body[0]; at < body[1]; at++) {
    const { text } = tokens[at]!
    const own = nameAt(reading, at)
    if (own === name || own === loop) {
      // The list as a whole may be put into itself.
      if (own === name && listed && tokens[at + 1]?.text !== '[') return false
    } else if (text === '[') {
      const indexes = nameAt(reading, at - 1) !== undefined
      if (!listed || (!indexes && ++literals > 1)) return false
    } else if (!number(at) && text !== ']' && !(tokens[at]!.kind === 'word' && numeric.has(text))) return false
  }
  return true
}

const numeric = new Set(['CASE', 'WHEN', 'THEN', 'ELSE', 'END', 'AND', 'OR', 'XOR', 'NOT', 'ABS', 'SIGN', 'SQRT', 'FLOOR', 'CEIL', 'ROUND', 'TOINTEGER', 'TOFLOAT', 'EXP', 'LOG', 'POW'])

/** How often each round takes the value so far, or the part of it that it takes most. */
export function timesTaken (reading: Reading, { name, body }: Reduction): number {
  return timesOf(reading, body, new Set([name])).get(name) ?? 0
}

/** How often the value of an expression takes each of these variables, or the part of it that it takes most: 2 for s in `s + s`, 1 for `s[0] + s[1]`. */
export function timesOf (reading: Reading, stretch: Stretch, names: ReadonlySet<string>): Map<string, number> {
  const times = new Map<string, number>()
  for (const [name, parts] of count(reading, stretch, names, 1)) times.set(name, (parts.get('') ?? 0) + Math.max(0, ...[...parts].filter(([part]) => part !== '').map(([, taken]) => taken)))
  return times
}

/** By name, and in it by part: '' for the whole, else a key or a number in brackets. */
type Taken = Map<string, Map<string, number>>

/** What results in true or false, or picks nothing. */
const tests = new Set(['ALL', 'ANY', 'NONE', 'SINGLE', 'EXISTS', 'ISEMPTY'])
/** What a loop's body counts as, which is taken once a round. */
const loopWeight = 16

function count (reading: Reading, [from, until]: Stretch, names: ReadonlySet<string>, weight: number): Taken {
  const { tokens } = reading
  const taken: Taken = new Map()
  for (let at = from; at < until; at++) {
    const { text } = tokens[at]!
    const next = tokens[at + 1]?.text
    const name = nameAt(reading, at)
    if (isWord(reading, at, 'CASE')) {
      const [branches, end] = branchesOf(reading, at, until)
      join(taken, branches.map(branch => count(reading, branch, names, weight)).reduce(greater, new Map()))
      at = end
    } else if (next === '(' && (measures.has(text) || tests.has(text))) at = closing(reading, at + 1)
    else if (text === '[' && isWord(reading, at + 2, 'IN')) {
      const end = Math.min(closing(reading, at), until)
      join(taken, loopCount(reading, [at + 3, end], at + 1, names, weight))
      at = end
    } else if (isCall(reading, at, 'REPLACE')) {
      for (const [index, part] of parts(reading, at + 1).entries()) join(taken, count(reading, part, names, index === 2 ? weight * loopWeight : weight))
      at = closing(reading, at + 1)
    } else if (isCall(reading, at, 'REDUCE')) {
      const inner = reductionAt(reading, at)
      if (inner === undefined) continue
      join(taken, count(reading, inner.first, names, weight))
      join(taken, count(reading, inner.list, names, weight))
      join(taken, count(reading, inner.body, names, weight * loopWeight))
      at = closing(reading, at + 1)
    } else if (name !== undefined && names.has(name) && !isKey(reading, at) && !isCompared(reading, at)) {
      const part = partAt(reading, at + 1)
      join(taken, new Map([[name, new Map([[part, weight]])]]))
    }
  }
  return taken
}

/** `[x IN list WHERE … | …]`: the condition takes nothing, and each element is taken once by taking the list. */
function loopCount (reading: Reading, [from, until]: Stretch, variable: number, names: ReadonlySet<string>, weight: number): Taken {
  const where = top(reading, from, until, at => isWord(reading, at, 'WHERE'))
  const body = top(reading, from, until, at => reading.tokens[at]!.text === '|')
  const taken = count(reading, [from, Math.min(where, body)], names, weight)
  if (body >= until) return taken
  const own = nameAt(reading, variable) as string
  const elements = timesOf(reading, [body + 1, until], new Set([own])).get(own) ?? 0
  for (const parts of taken.values()) for (const [part, times] of parts) parts.set(part, times * Math.max(1, elements))
  join(taken, count(reading, [body + 1, until], new Set([...names].filter(name => name !== own)), weight * loopWeight))
  return taken
}

function top (reading: Reading, from: number, until: number, fits: (at: number) => boolean): number {
  for (let at = from; at < until; at++) {
    if (fits(at)) return at
    if ('([{'.includes(reading.tokens[at]!.text || ' ')) at = closing(reading, at)
  }
  return until
}

/** What a CASE may result in, and the index of its END. */
function branchesOf (reading: Reading, start: number, until: number): [branches: Stretch[], end: number] {
  const branches: Stretch[] = []
  let open: number | undefined
  for (let at = start + 1; at < until; at++) {
    const close = (from: number | undefined) => {
      if (open !== undefined) branches.push([open, at])
      open = from
    }
    if (isWord(reading, at, 'CASE')) at = branchesOf(reading, at, until)[1]
    else if ('([{'.includes(reading.tokens[at]!.text || ' ')) at = closing(reading, at)
    else if (isWord(reading, at, 'THEN') || isWord(reading, at, 'ELSE')) close(at + 1)
    else if (isWord(reading, at, 'WHEN')) close(undefined)
    else if (isWord(reading, at, 'END')) {
      close(undefined)
      return [branches, at]
    }
  }
  return [branches, until]
}

const isKey = ({ tokens }: Reading, at: number) => tokens[at - 1]?.text === '.' || tokens[at - 1]?.text === '$' || (tokens[at + 1]?.text === ':' && ['{', ','].includes(tokens[at - 1]?.text ?? ''))

const isCompared = ({ tokens }: Reading, at: number) => ['<', '>', '='].some(sign => tokens[at - 1]?.text === sign || tokens[at + 1]?.text === sign)

/** `.key` and `[0]` are parts; any other index may be any of them, also a huge one, which FalkorDB wraps round. */
function partAt (reading: Reading, at: number): string {
  const { tokens } = reading
  if (tokens[at]?.text === '.') return `.${nameAt(reading, at + 1)}`
  return tokens[at]?.text === '[' && /^\d{1,4}$/.test(tokens[at + 1]?.text ?? '') && tokens[at + 2]?.text === ']' ? `[${tokens[at + 1]!.text}]` : ''
}

function join (taken: Taken, more: Taken) {
  for (const [name, parts] of more) {
    const known = taken.get(name) ?? new Map<string, number>()
    taken.set(name, known)
    for (const [part, times] of parts) known.set(part, (known.get(part) ?? 0) + times)
  }
}

function greater (left: Taken, right: Taken): Taken {
  const all: Taken = new Map()
  join(all, left)
  for (const [name, parts] of right) {
    const known = all.get(name) ?? new Map<string, number>()
    all.set(name, known)
    for (const [part, times] of parts) known.set(part, Math.max(known.get(part) ?? 0, times))
  }
  return all
}
