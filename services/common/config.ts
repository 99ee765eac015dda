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
export type Check<T> = (config: T) => readonly string[]

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
  // allErrors: a bad installation should need one start to learn all that is wrong.
  const ajv = new Ajv({ allErrors: true, useDefaults: true, coerceTypes: true, strict: false, removeAdditional: true })
  try {
    const config = envSchema<Static<T>>({ schema: structuredCloneSchema(schema), data, env: false, ajv })
    faults.push(...checks.flatMap(check => check(config)))
    if (faults.length > 0) throw new ConfigurationError(faults)
    return config
  } catch (error) {
    if (error instanceof ConfigurationError) throw error
    throw new ConfigurationError([...faults, ...schemaFaults(schema, data, error)])
  }
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
function structuredCloneSchema (schema: TObject): object {
  return JSON.parse(JSON.stringify(schema)) as object
}

interface AjvError { instancePath: string, keyword: string, message?: string, params: Record<string, unknown> }

function schemaFaults (schema: TObject, data: Record<string, string>, error: unknown): string[] {
  const errors = (error as { errors?: AjvError[] }).errors
  if (errors === undefined) throw error
  return errors.map(fault => {
    if (fault.keyword === 'required') {
      const name = String(fault.params.missingProperty)
      const { description, secret } = schema.properties[name] as SettingFacts & { description?: string }
      return `${name} is not set${secret ? ` (nor ${name}_FILE)` : ''}${description ? `: ${description}` : ''}`
    }
    const name = fault.instancePath.split('/')[1] ?? ''
    const { secret } = (schema.properties[name] ?? {}) as SettingFacts
    const allowed = Array.isArray(fault.params.allowedValues) ? `: ${fault.params.allowedValues.join(', ')}` : ''
    return `${name} ${fault.message ?? 'is invalid'}${allowed}${secret ? '' : ` (it is ${JSON.stringify(data[name])})`}`
  })
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
