/**
 * Parameters in the only form that FalkorDB takes them in: a header `CYPHER name=value … ` before the query, of literals.
 * For dates and the like FalkorDB has no literal, only functions. So a parameter that holds one is put into the query at each `$name`, as a
 * call of that function on hidden parameters: the query's text gets no value of the caller, and nothing is appended to it.
 */
import { QueryError } from '@gateway/common/errors.ts'
import { guardQuery, maxQueryBytes } from '../guard.ts'
import { tokens } from '../lexer.ts'
import { encodeLiteral, encodeName, isPlainObject, keyPattern, refuse, typedValue } from './literals.ts'
import { isIsoDate, isIsoDatetime, isIsoDuration, isIsoTime } from './temporal.ts'

export interface BoundQuery {
  /** Header and query, as FalkorDB gets them. */
  text: string
  /** The offset in the caller's query for one in bytes that FalkorDB names. */
  originalOffset: (byteOffset: number) => number
}

/**
 * Puts a query and its parameters together.
 * @param query one that guardQuery() has passed
 * @param parameters a JSON object; what JSON cannot carry is a typed value such as `{"$int64": "9007199254740993"}`
 * @throws ValidationError invalid_parameters, its message naming the path and the way to write it
 */
export function bindParameters (query: string, parameters: unknown): BoundQuery {
  if (parameters === undefined || parameters === null) return { text: query, originalOffset: counter(query, query, []) }
  if (!isPlainObject(parameters)) refuse('parameters', 'must be an object of names and values')
  const header: string[] = []
  const expressions = new Map<string, string>()
  let hiddenCount = 0
  const hide: Hide = literal => {
    if (++hiddenCount > maxHidden) tooMany()
    // No caller's name has a blank.
    const hidden = `\`gateway ${header.length}\``
    header.push(`${hidden}=${literal} `)
    return `$${hidden}`
  }
  for (const [name, value] of Object.entries(parameters)) {
    const path = `parameters.${name}`
    const quoted = encodeName(name, 'parameters')
    if (needsFunction(value)) expressions.set(name, encodeExpression(value, path, 0, hide))
    else header.push(`${quoted}=${encodeLiteral(value, path, 0)} `)
  }
  const { body, changes } = substitute(query, expressions)
  return header.length === 0
    ? { text: body, originalOffset: counter(query, body, changes) }
    // FalkorDB does not count the blanks between the parameters and the query.
    : { text: `CYPHER ${header.join('')}${body}`, originalOffset: counter(query, body, changes, body.length - body.trimStart().length) }
}

/** What a caller's query must not name: the value of one may stand where the guard takes it for missing, such as in range(). */
const hiddenName = /^`gateway \d+`$/
/** More of them do not fit into a query, each of which needs its `$name`. */
const maxHidden = Math.floor(maxQueryBytes / '$`gateway 0`'.length)

/** Makes a parameter that the caller does not see, and returns what stands for it in a query. */
type Hide = (literal: string) => string

interface FunctionType {
  call: string
  accepts: (value: unknown) => boolean
  /** What the function is called with; without it, the value as it is. */
  prepare?: (value: unknown) => unknown
  form: string
}

const isVector = (value: unknown) => Array.isArray(value) && value.length > 0 && value.every(item => Number.isFinite(item) || typedValue(item)?.[0] === '$float')

/** In a vector every number is a float, however large. */
const asFloat = (item: unknown) => typeof item === 'number' ? { $float: String(item) } : item

const functions: Record<string, FunctionType> = {
  $date: { call: 'date', accepts: isIsoDate, form: 'a date such as "2026-11-20"' },
  $datetime: { call: 'localdatetime', accepts: isIsoDatetime, form: 'a local date and time in whole seconds such as "2026-11-20T12:34:56"' },
  $time: { call: 'localtime', accepts: isIsoTime, form: 'a local time in whole seconds such as "12:34:56"' },
  $duration: { call: 'duration', accepts: isIsoDuration, form: 'a duration in whole numbers such as "P1Y2M10DT2H30M"' },
  $vecf32: { call: 'vecf32', accepts: isVector, prepare: value => (value as unknown[]).map(asFloat), form: 'a list of numbers such as [0.5, -0.25]' }
}

const functionOf = (type: string) => Object.hasOwn(functions, type) ? functions[type] : undefined
const isNaNValue = (type: string, value: unknown) => type === '$float' && value === 'NaN'

function needsFunction (value: unknown): boolean {
  const [type, inner] = typedValue(value) ?? []
  if (type !== undefined && (functionOf(type) !== undefined || isNaNValue(type, inner))) return true
  if (Array.isArray(value)) return value.some(needsFunction)
  return isPlainObject(value) && Object.values(value).some(needsFunction)
}

function encodeExpression (value: unknown, path: string, depth: number, hide: Hide): string {
  if (!needsFunction(value)) return hide(encodeLiteral(value, path, depth))
  if (Array.isArray(value)) return `[${value.map((item, index) => encodeExpression(item, `${path}[${index}]`, depth + 1, hide)).join(',')}]`
  const typed = typedValue(value)
  if (typed === undefined) return encodeMap(value, path, depth, hide)
  const [type, inner] = typed
  if (isNaNValue(type, inner)) return '(0.0/0.0)'
  const made = functionOf(type)
  // Of the other types none holds values: this refuses.
  if (made === undefined && type !== '$map') return encodeLiteral(value, path, depth)
  if (made === undefined) return encodeMap(inner, path, depth, hide)
  if (!made.accepts(inner)) refuse(path, `is no {"${type}": …}: its value is ${made.form}`)
  return `${made.call}(${encodeExpression(made.prepare?.(inner) ?? inner, path, depth, hide)})`
}

function encodeMap (map: unknown, path: string, depth: number, hide: Hide): string {
  if (!isPlainObject(map)) refuse(path, 'is no {"$map": …}: its value is an object')
  return `{${Object.entries(map).map(([key, value]) => `${encodeName(key, path, keyPattern)}:${encodeExpression(value, `${path}.${key}`, depth + 1, hide)}`).join(',')}}`
}

/** A stretch of the caller's query that has become longer or shorter. Offsets in UTF-16 units. */
interface Change { from: number, until: number, madeFrom: number, madeUntil: number }

function substitute (query: string, expressions: ReadonlyMap<string, string>): { body: string, changes: Change[] } {
  if (expressions.size === 0) return { body: query, changes: [] }
  const changes: Change[] = []
  let body = ''
  let copied = 0
  const found = tokens(query)
  for (const [index, token] of found.entries()) {
    if (token.kind === 'name' && hiddenName.test(query.slice(token.start, token.end))) refuse('parameters', 'cannot be asked for as `gateway 0` and so on: those are named by the gateway; use another name')
    const name = token.text === '$' ? found[index + 1] : undefined
    if (name === undefined) continue
    const expression = expressions.get(query.slice(name.start, name.end).replaceAll('`', ''))
    if (expression === undefined) continue
    body += query.slice(copied, token.start)
    const madeFrom = body.length
    body += ` ${expression} `
    if (body.length > maxQueryBytes) tooMany()
    copied = name.end
    changes.push({ from: token.start, until: copied, madeFrom, madeUntil: body.length })
  }
  body += query.slice(copied)
  guardLonger(body)
  return { body, changes }
}

function tooMany (): never {
  refuse('parameters', 'hold more dates, times, durations or vectors than fit into a query; pass them as strings or lists and call the function in the query: date(row.day), vecf32(row.embedding)')
}

function guardLonger (body: string) {
  try {
    guardQuery(body)
  } catch (error) {
    if (!(error instanceof QueryError)) throw error
    tooMany()
  }
}

function counter (query: string, body: string, changes: readonly Change[], skipped = 0): BoundQuery['originalOffset'] {
  return byteOffset => {
    const made = skipped + Buffer.from(body.slice(skipped)).subarray(0, byteOffset).toString().length
    const before = changes.findLast(({ madeFrom }) => madeFrom <= made)
    if (before === undefined) return Math.min(made, query.length)
    return made < before.madeUntil ? before.from : Math.min(before.until + made - before.madeUntil, query.length)
  }
}
