/**
 * JSON values, and typed values for what JSON cannot carry, as literals of FalkorDB's parameter header. Written for its parser
 * (param_parser.c), which reads literals only, ends at a NUL, and knows these escapes: \\ \" \' \a \b \f \n \r \t \v \?
 */
import { ValidationError } from '@gateway/common/errors.ts'

/** Lists and maps inside one another. */
const maxParameterDepth = 32
const namePattern = /^[A-Za-z_]\w*$/
/** Of a key in a map: results have such keys, and what came out must go in again. */
export const keyPattern = /^\$?[A-Za-z_]\w*$/
const int64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n }

/**
 * A value as a literal.
 * @param path where it stands, for the message
 * @param depth of the lists and maps around it
 * @throws ValidationError invalid_parameters, its message naming the path and the way to write it
 */
export function encodeLiteral (value: unknown, path: string, depth: number): string {
  if (depth > maxParameterDepth) refuse(path, `is nested more than ${maxParameterDepth} deep`)
  switch (typeof value) {
    case 'string': return encodeString(value, path)
    case 'number': return encodeNumber(value, path)
    case 'boolean': return String(value)
    case 'bigint': return encodeInt64(value, path)
    case 'object': break
    default: refuse(path, 'is no JSON value')
  }
  if (value === null) return 'null'
  if (Array.isArray(value)) return encodeList(value, path, depth)
  if (!isPlainObject(value)) refuse(path, 'is no JSON value')
  const typed = typedValue(value)
  return typed === undefined ? encodeMap(value, path, depth) : encodeTyped(...typed, path, depth)
}

function encodeList (list: unknown[], path: string, depth: number): string {
  // Array.from: a hole is undefined, which is refused.
  return `[${Array.from(list, (item, index) => encodeLiteral(item, `${path}[${index}]`, depth + 1)).join(',')}]`
}

function encodeMap (map: Record<string, unknown>, path: string, depth: number): string {
  return `{${Object.entries(map).map(([key, value]) => `${encodeName(key, path, keyPattern)}:${encodeLiteral(value, `${path}.${key}`, depth + 1)}`).join(',')}}`
}

/** In backticks: FalkorDB would cut the word CYPHER off the front of a bare name, in any case. */
export function encodeName (key: string, path: string, pattern = namePattern): string {
  if (!pattern.test(key)) refuse(path, `has the name ${JSON.stringify(key.slice(0, 60))}; a name is a letter or _ and then letters, digits and _ (A-Z, a-z), also inside maps. Pass other names as strings: [{"key": …, "value": …}]`)
  return `\`${key}\``
}

function encodeString (text: string, path: string): string {
  if (text.includes('\0')) refuse(path, 'holds the character NUL (\\u0000), which FalkorDB cannot store; remove it')
  if (!text.isWellFormed()) refuse(path, 'holds half of a surrogate pair, which is no Unicode text; send the whole character')
  return `"${text.replace(/[\\"]/g, '\\$&')}"`
}

function encodeNumber (number: number, path: string): string {
  if (!Number.isFinite(number)) refuse(path, 'is no finite number; write {"$float": "Infinity"}')
  if (!Number.isInteger(number)) return String(number)
  if (!Number.isSafeInteger(number)) refuse(path, `is beyond ±(2^53−1), where JSON numbers lose digits; write {"$int64": "${BigInt(number)}"} with the exact digits, or {"$float": "${number}"}`)
  return Object.is(number, -0) ? '-0.0' : String(number)
}

function encodeInt64 (number: bigint, path: string): string {
  if (number < int64.min || number > int64.max) refuse(path, 'does not fit into int64 (−2^63 to 2^63−1); send it as a string or as {"$float": "…"}')
  return String(number)
}

const decimal = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/

function encodeFloat (text: unknown, path: string): string {
  // No literal means infinity; one beyond a double's range becomes it.
  if (text === 'Infinity') return '1e999'
  if (text === '-Infinity') return '-1e999'
  const number = typeof text === 'string' && text.length <= 1_000 && decimal.test(text) ? Number(text) : NaN
  if (!Number.isFinite(number)) refuse(path, 'is no {"$float": …}: its value is a string with a decimal number such as "1.5e300", or "NaN", "Infinity", "-Infinity"')
  const digits = Object.is(number, -0) ? '-0' : String(number)
  return /[.e]/.test(digits) ? digits : `${digits}.0`
}

function encodeTyped (type: string, value: unknown, path: string, depth: number): string {
  if (type === '$int64') {
    if (typeof value !== 'string' || !/^[+-]?\d{1,40}$/.test(value)) refuse(path, 'is no {"$int64": …}: its value is a string of decimal digits such as "9007199254740993"')
    return encodeInt64(BigInt(value.replace(/^\+/, '')), path)
  }
  if (type === '$float') return encodeFloat(value, path)
  if (type === '$map') {
    if (!isPlainObject(value)) refuse(path, 'is no {"$map": …}: its value is an object')
    return encodeMap(value, path, depth)
  }
  refuse(path, `has the only key ${JSON.stringify(type.slice(0, 60))}, which is no type (there are $int64, $float, $date, $datetime, $time, $duration, $vecf32 and $map); write a real map as {"$map": {…}}`)
}

/** The key and the value of a typed value such as {"$date": …}, else undefined. */
export function typedValue (value: unknown): [type: string, value: unknown] | undefined {
  if (!isPlainObject(value)) return undefined
  const keys = Object.keys(value)
  const [type] = keys
  return keys.length === 1 && type?.startsWith('$') ? [type, value[type]] : undefined
}

export function isPlainObject (value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype = Object.getPrototypeOf(value) as unknown
  return prototype === Object.prototype || prototype === null
}

/** @throws ValidationError invalid_parameters */
export function refuse (path: string, fault: string): never {
  const where = path.length > 120 ? `${path.slice(0, 120)}…` : path
  throw new ValidationError('invalid_parameters', `${where} ${fault}.`, { details: { path: where } })
}
