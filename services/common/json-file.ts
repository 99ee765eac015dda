/** JSON files that an operator writes: each fault is named by its place, and never quotes what stands there. */
import { Ajv, type ErrorObject } from 'ajv'
import type { Static, TSchema } from 'typebox'
import { ConfigurationError } from './config.ts'

/**
 * Makes the reader of one kind of file.
 * @returns what turns its text into the value, and throws ConfigurationError with up to 8 faults
 */
export function jsonReader<T extends TSchema> (schema: T): (text: string) => Static<T> {
  // The validator of the settings: typebox's own would be a second one, of 5 MiB in every process.
  const accepts = new Ajv({ allErrors: true, strict: false, validateSchema: false, meta: false }).compile(schema)
  return text => {
    const value = parsed(text)
    if (accepts(value)) return value as Static<T>
    throw new ConfigurationError(accepts.errors!.slice(0, 8).map(faultOf))
  }
}

function parsed (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    // Of V8's message the position alone: the rest may quote the file.
    const [at] = /line \d+ column \d+/.exec((error as Error).message) ?? []
    throw new ConfigurationError([`the text is no JSON${at === undefined ? '' : ` (${at})`}`])
  }
}

function faultOf ({ keyword, instancePath, message = 'is wrong', params }: ErrorObject): string {
  const path = instancePath.split('/').slice(1).map(part => part.replaceAll('~1', '/').replaceAll('~0', '~'))
  if (keyword === 'required') return `${placeOf([...path, String(params.missingProperty)])} is missing`
  if (keyword === 'additionalProperties') return `${placeOf([...path, String(params.additionalProperty)])} is unknown here`
  return `${placeOf(path)} ${keyword === 'enum' ? `must be one of ${(params.allowedValues as unknown[]).join(', ')}` : message.replace('NOT', 'not')}`
}

/** `keys[0].scopes[1]`, `tenants["north sea"].scopes`. */
export function placeOf (path: ReadonlyArray<string | number>): string {
  if (path.length === 0) return 'the whole'
  return path.map(part => /^\d+$/.test(String(part)) ? `[${part}]` : /^[A-Za-z_]\w{0,31}$/.test(String(part)) ? `.${part}` : `[${JSON.stringify(String(part).slice(0, 40))}]`).join('').replace(/^\./, '')
}
