/** JSON files that an operator writes: each fault is named by its place, and never quotes what stands there. */
import type { Static, TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { ConfigurationError } from './config.ts'

/**
 * Makes the reader of one kind of file.
 * @returns what turns its text into the value, and throws ConfigurationError with up to 8 faults
 */
export function jsonReader<T extends TSchema> (schema: T): (text: string) => Static<T> {
  const shape = Compile(schema)
  return text => {
    const value = parsed(text)
    if (shape.Check(value)) return value as Static<T>
    throw new ConfigurationError(shape.Errors(value).flatMap(error => faultsOf(error as ShapeError)))
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

interface ShapeError { keyword: string, instancePath: string, message: string, params: { requiredProperties?: string[], additionalProperties?: string[], allowedValues?: unknown[] } }

function faultsOf ({ keyword, instancePath, message, params }: ShapeError): string[] {
  const path = instancePath.split('/').slice(1).map(part => part.replaceAll('~1', '/').replaceAll('~0', '~'))
  if (keyword === 'required') return (params.requiredProperties ?? []).map(name => `${placeOf([...path, name])} is missing`)
  if (keyword === 'additionalProperties') return (params.additionalProperties ?? []).map(name => `${placeOf([...path, name])} is unknown here`)
  // typebox tells of an unknown member twice; this is the other one.
  if (keyword === 'boolean') return []
  return [`${placeOf(path)} ${keyword === 'enum' ? `must be one of ${params.allowedValues?.join(', ')}` : message}`]
}

/** `keys[0].scopes[1]`, `tenants["north sea"].scopes`. */
export function placeOf (path: ReadonlyArray<string | number>): string {
  if (path.length === 0) return 'the whole'
  return path.map(part => /^\d+$/.test(String(part)) ? `[${part}]` : /^[A-Za-z_]\w{0,31}$/.test(String(part)) ? `.${part}` : `[${JSON.stringify(String(part).slice(0, 40))}]`).join('').replace(/^\./, '')
}
