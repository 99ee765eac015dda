/**
 * Configuration from the environment. Every fault is reported in one start; a secret may come from a file
 * named by its `*_FILE` twin; an empty variable counts as not set, because compose passes `${NAME:-}` so.
 */
import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import { envSchema } from 'env-schema'
import type { Static, TObject } from 'typebox'

/** A setting's own facts beside JSON Schema's `description` and `default`. */
export interface SettingFacts {
  /** May come from `<NAME>_FILE`; its value is never shown. */
  secret?: boolean
  /** Heading in .env.example. */
  group?: string
  /** Shown in .env.example in place of an empty value. */
  example?: string
}

/** All that is wrong with the environment, one line a fault. */
export class ConfigurationError extends Error {
  readonly faults: readonly string[]
  constructor (faults: readonly string[]) {
    super(`The configuration has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n${faults.map(fault => `  - ${fault}`).join('\n')}`)
    this.name = 'ConfigurationError'
    this.faults = faults
  }
}

/** A rule over several settings: the faults that it finds, in words. */
export type Check<T> = (config: T) => Iterable<string>

/**
 * Reads the settings of one service.
 * @param schema an object schema of typebox whose properties are environment variables
 * @param env usually process.env; never changed
 * @param checks rules that one property's schema cannot say
 * @throws ConfigurationError with every fault found
 */
export function loadConfig<T extends TObject> (schema: T, env: NodeJS.ProcessEnv, checks: ReadonlyArray<Check<Static<T>>> = []): Static<T> {
  const faults: string[] = []
  const data: Record<string, string> = {}
  for (const [name, property] of Object.entries(schema.properties)) {
    const value = readVariable(name, property as SettingFacts, env, faults)
    if (value !== undefined) data[name] = value
  }
  const { config, faults: wrong } = validate(schema, data)
  const readable = faultless(config, new Set(wrong.keys()))
  faults.push(...wrong.values(), ...checks.flatMap(check => judged(check, readable)))
  if (faults.length > 0) throw new ConfigurationError(faults)
  return config
}

/** The settings in their own types, and by name what is wrong with those that have none. */
function validate<T extends TObject> (schema: T, data: Record<string, string>): { config: Static<T>, faults: Map<string, string> } {
  // allErrors: a bad installation should need one start to learn all that is wrong.
  const ajv = new Ajv({ allErrors: true, useDefaults: true, coerceTypes: true, strict: false, removeAdditional: true })
  const accept = (properties: object, given: Record<string, string>) =>
    envSchema<Static<T>>({ schema: { ...copyOf(schema), properties: copyOf(properties), required: schema.required.filter(name => name in properties) }, data: given, env: false, ajv })
  try {
    return { config: accept(schema.properties, data), faults: new Map() }
  } catch (error) {
    const faults = schemaFaults(schema, data, error)
    const good = <V>(named: Record<string, V>) => Object.fromEntries(Object.entries(named).filter(([name]) => !faults.has(name)))
    return { config: accept(good(schema.properties), good(data)), faults }
  }
}

const faulty = Symbol('a setting that is wrong already')

/** The settings for rules to read; reading a wrong one ends the rule. */
function faultless<T extends object> (config: T, wrong: ReadonlySet<string>): T {
  return new Proxy(config, {
    get (settings, name) {
      if (wrong.has(name as string)) throw faulty
      return Reflect.get(settings, name) as unknown
    }
  })
}

// A rule that reads a wrong setting has no more to say; what it found before counts, and the others are still asked.
function judged<T> (check: Check<T>, config: T): string[] {
  const faults: string[] = []
  try {
    for (const fault of check(config)) faults.push(fault)
  } catch (error) {
    if (error !== faulty) throw error
  }
  return faults
}

function readVariable (name: string, facts: SettingFacts, env: NodeJS.ProcessEnv, faults: string[]): string | undefined {
  const value = env[name] === '' ? undefined : env[name]
  const file = facts.secret === true && env[`${name}_FILE`] !== '' ? env[`${name}_FILE`] : undefined
  if (file === undefined) return value
  if (value !== undefined) faults.push(`${name} and ${name}_FILE are both set; keep one`)
  try {
    const text = readFileSync(file, 'utf8').replace(/\r?\n$/, '')
    if (text === '') faults.push(`${name}_FILE names an empty file`)
    return text
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    faults.push(`${name}_FILE: ${file} cannot be read (${code})${code === 'EACCES' ? `; the service runs as user ${process.getuid?.()}, let that user read it` : ''}`)
    return undefined
  }
}

// env-schema writes additionalProperties into the schema that it is given.
const copyOf = (value: object): object => JSON.parse(JSON.stringify(value)) as object

interface AjvError { instancePath: string, keyword: string, message?: string, params: Record<string, unknown> }

function schemaFaults (schema: TObject, data: Record<string, string>, error: unknown): Map<string, string> {
  const errors = (error as { errors?: AjvError[] }).errors
  if (errors === undefined) throw error
  const faults = new Map<string, string>()
  const nameOf = (fault: AjvError) => fault.keyword === 'required' ? String(fault.params.missingProperty) : fault.instancePath.split('/')[1] ?? ''
  for (const [name, [fault]] of Object.entries(Object.groupBy(errors, nameOf)) as Array<[string, [AjvError]]>) {
    faults.set(name, schemaFault(name, schema.properties[name] as Property, data[name], fault))
  }
  return faults
}

interface Property extends SettingFacts { description?: string, anyOf?: Array<{ const?: unknown }> }

function schemaFault (name: string, { description, secret, anyOf }: Property, value: string | undefined, fault: AjvError): string {
  if (fault.keyword === 'required') return `${name} is not set${secret ? ` (nor ${name}_FILE)` : ''}${description ? `: ${description}` : ''}`
  const wrong = anyOf === undefined ? fault.message ?? 'is invalid' : `must be one of ${anyOf.map(choice => choice.const).join(', ')}`
  return `${name} ${wrong}${secret ? '' : ` (it is ${JSON.stringify(value)})`}`
}

/**
 * Loads a configuration at the start of a process; on faults prints them all and ends the process with 78 (EX_CONFIG).
 */
export function configOrExit<T> (service: string, load: () => T): T {
  try {
    return load()
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    process.stderr.write(`${service}: ${error.message}\nEach variable is described in .env.example.\n`)
    process.exit(78)
  }
}

/** Parts of a comma-separated variable, trimmed, without empty ones. */
export function list (value: string): string[] {
  return value.split(',').map(part => part.trim()).filter(part => part !== '')
}
