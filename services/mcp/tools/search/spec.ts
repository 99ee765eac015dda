import { Type } from 'typebox'
import type { Config } from '../../settings.ts'
import { openObject } from '../open-object.ts'
import { queryOutput } from '../query/spec.ts'
import type { ToolSpec } from '../tool.ts'

/** Rows where the call names no limit. */
export const defaultLimit = 10

const { nextCursor: _, ...rows } = queryOutput.properties
const searchOutput = Type.Object({ ...rows, data: Type.Array(openObject(), { description: '{node, score}' }) }, { additionalProperties: false })

export const searchSpec = (config: Config) => ({
  name: 'falkordb_search',
  title: 'Search nodes',
  description: 'Finds nodes of a label over an existing index, as rows of node and score: by text (all its words, plain text without any syntax; highest score first) or by vector (the nearest; score is the distance, lowest first). ' +
    'Where the index is missing, the error says how to create it. ' +
    'Example: {"graphName":"movies","label":"Movie","text":"space travel","limit":5}',
  scope: 'graph:read',
  hints: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  input: Type.Object({
    graphName: Type.String(),
    label: Type.String({ minLength: 1 }),
    text: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
    vector: Type.Optional(Type.Array(Type.Number(), { minItems: 1, maxItems: 8192, description: 'In place of text.' })),
    property: Type.Optional(Type.String({ minLength: 1, description: 'Search this one only; needed where the label has several vector indexes.' })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: config.MAX_ROWS, default: Math.min(defaultLimit, config.MAX_ROWS) }))
  }, { additionalProperties: false }),
  output: searchOutput
} as const satisfies ToolSpec)
