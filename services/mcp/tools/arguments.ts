/** Arguments against a tool's input schema, with messages from which a model can mend its call. */
import type { TObject } from 'typebox'
import { Compile } from 'typebox/compile'
import { ValidationError } from '@gateway/common/errors.ts'

/** Faults named in one message; a longer list teaches nothing more. */
const maxFaults = 5

/**
 * Makes the checker of one tool's arguments. Missing ones get no defaults: that is the tool's work.
 * @returns a function that throws ValidationError `invalid_arguments`; it names arguments, never their values
 */
export function createArgumentCheck (tool: string, schema: TObject): (args: unknown) => Record<string, unknown> {
  const validator = Compile(schema)
  const names = Object.keys(schema.properties)
  const usage = names.length === 0 ? `${tool} takes no arguments.` : `${tool} takes ${names.map(name => schema.required?.includes(name) ? name : `${name}?`).join(', ')}.`
  return args => {
    if (validator.Check(args)) return args as Record<string, unknown>
    const faults = [...new Set(validator.Errors(args).flatMap(describe))].slice(0, maxFaults)
    throw new ValidationError('invalid_arguments', `${faults.join('; ')}. ${usage}`, { details: { faults } })
  }
}

interface SchemaFault { keyword: string, instancePath: string, message: string, params: object }

function describe ({ keyword, instancePath, message, params }: SchemaFault): string[] {
  const facts = params as { additionalProperties?: string[], requiredProperties?: string[] }
  const where = instancePath === '' ? 'The arguments' : `Argument ${quoted(instancePath.slice(1).replaceAll('/', '.'))}`
  switch (keyword) {
    case 'additionalProperties': return (facts.additionalProperties ?? []).map(name => `Unknown argument ${quoted(name)}`)
    case 'required': return (facts.requiredProperties ?? []).map(name => `Argument ${quoted(name)} is missing`)
    // Said already by additionalProperties.
    case 'boolean': return []
    default: return [`${where} ${message}`]
  }
}

const quoted = (name: string) => JSON.stringify(name.length > 60 ? `${name.slice(0, 60)}…` : name)
