/** Random changes of texts, JSON and tokens. */
import fc from 'fast-check'
import { segment } from '../support/tokens.ts'

const oddTexts = ['', ' ', '\0', '\r\n', '__proto__', 'constructor', 'none', 'é', '\ud800', '\ufeff', '../../etc/passwd', '\' OR 1=1--', '*', '%2e%2e', '{}', '[]', 'null', 'a'.repeat(5_000)]

/** Any JSON value, with the odd ones often. */
export const oddValue: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(...oddTexts, null, true, false, 0, -1, -0, 1e308, 9e15, [], {}, [[]], [null], { toString: 1 }),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.jsonValue({ maxDepth: 3 })
)

/** Members to change, by their names. */
export const edits = (names: readonly string[]): fc.Arbitrary<Record<string, unknown>> => fc.dictionary(fc.oneof(fc.constantFrom(...names), fc.string({ maxLength: 12 })), oddValue, { maxKeys: 3 })

/** One change of a text as a whole. */
export const textChange: fc.Arbitrary<(text: string) => string> = fc.oneof(
  fc.tuple(fc.nat(), fc.nat(7)).map(([at, bit]) => (text: string) => {
    const bytes = Buffer.from(text, 'latin1')
    if (bytes.length > 0) bytes[at % bytes.length] = (bytes[at % bytes.length] as number) ^ (1 << bit)
    return bytes.toString('latin1')
  }),
  fc.tuple(fc.nat(), fc.nat(20)).map(([at, length]) => (text: string) => `${text.slice(0, at % (text.length + 1))}${text.slice(at % (text.length + 1) + length)}`),
  fc.tuple(fc.nat(), fc.string({ unit: 'binary-ascii', maxLength: 12 })).map(([at, more]) => (text: string) => `${text.slice(0, at % (text.length + 1))}${more}${text.slice(at % (text.length + 1))}`),
  fc.nat().map(at => (text: string) => text.slice(0, at % (text.length + 1))),
  fc.nat().map(at => (text: string) => `${text}${text.slice(at % (text.length + 1))}`),
  fc.constantFrom('=', '==', '.', '..', 'A', ' ', '\t', '%3D', ',', '+/').map(more => (text: string) => `${text}${more}`),
  fc.constantFrom<(text: string) => string>(text => text.toUpperCase(), text => text.toLowerCase(), text => encodeURIComponent(text), text => Buffer.from(text).toString('base64'), text => `"${text}"`, text => text.split('.').reverse().join('.'), text => text.replaceAll('-', '+').replaceAll('_', '/'))
)

/** Parts of several tokens in any order. */
export const recombined = (tokens: readonly string[]) => {
  const parts = tokens.flatMap(token => token.split('.'))
  return fc.array(fc.constantFrom(...parts, ''), { minLength: 0, maxLength: 5 }).map(chosen => chosen.join('.'))
}

/** JSON that an object cannot hold: members twice, and text that is nearly JSON. */
export const jsonText = (members: object): fc.Arbitrary<string> => fc.oneof(
  fc.tuple(fc.constantFrom(...Object.keys(members)), oddValue, fc.boolean()).map(([name, value, first]) => {
    const json = JSON.stringify(members)
    const more = `${JSON.stringify(name)}:${JSON.stringify(value)}`
    return first ? `{${more},${json.slice(1)}` : `${json.slice(0, -1)},${more}}`
  }),
  textChange.map(change => change(JSON.stringify(members)))
)

/** A header and payload as a token has them before its signature. */
export const inputOf = (header: object | string, payload: object | string) => `${segment(header)}.${segment(payload)}`
