/** The REST twin as OpenAPI 3.1, made from the same contracts that the tools are checked against. */
import type { TObject } from 'typebox'
import { exampleUrl } from '@gateway/common/example-url.ts'
import { scopes } from '@gateway/common/scopes.ts'
import { contractOf, shortcuts } from '../routes/api.ts'
import { gateway } from '../tools/server-info/handler.ts'
import type { ToolSpec } from '../tools/tool.ts'
import { exampleOf } from './example.ts'
import { commonHeaders, errorResponses, errorSchemas, json, responsesOf } from './responses.ts'

const introduction = [
  'Graphs in FalkorDB over plain HTTP: the tools that AI clients reach by MCP at `/mcp`, with the same arguments, results, scopes and limits.',
  'Each call runs for the tenant that its credential names; graphs of others do not exist for it.',
  'Limits and defaults are those of the default settings; `GET /api/mcp/metadata` tells those of this server.',
  'Requests and results may hold typed values, such as `{"$int64":"9007199254740993"}` or `{"$date":"2026-11-20"}`, for what JSON cannot carry.'
].join('\n')

/** The document. @param specs contracts of all tools, under default settings */
export function openApiDocument (specs: readonly ToolSpec[]) {
  return {
    openapi: '3.1.0',
    info: { title: 'FalkorDB MCP gateway', version: gateway.version, summary: 'The tools of the gateway over HTTP', description: introduction, license: { name: 'MIT', identifier: 'MIT' } },
    servers: [{ url: exampleUrl }],
    tags: [
      { name: 'tools', description: 'Each tool takes its arguments as a JSON object.' },
      { name: 'shortcuts', description: 'Other ways to some of the tools.' }
    ],
    paths: {
      ...Object.fromEntries(specs.map(spec => [`/tools/${spec.name}`, { post: toolOperation(spec) }])),
      ...Object.fromEntries(shortcuts.map(shortcut => [shortcut.url, { [shortcut.method.toLowerCase()]: shortcutOperation(shortcut, specs) }])),
      '/tools': { get: contractsOperation(specs) }
    },
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'An access token of a trusted issuer, or an API key.' },
        apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key', description: 'An API key; never beside Authorization.' }
      },
      responses: errorResponses,
      schemas: {
        ...Object.fromEntries(specs.flatMap(({ name, input, output }) => [[`${name}.arguments`, input], [`${name}.result`, output]])),
        ...errorSchemas
      }
    }
  }
}

// OpenAPI 3.1: a scheme that is no OAuth 2 may list the roles that it takes.
const securityFor = (...roles: string[]) => [{ bearer: roles }, { apiKey: roles }]

const referTo = (schema: string) => ({ $ref: `#/components/schemas/${schema}` })

const resultOf = ({ name }: ToolSpec) => ({ description: 'The result.', headers: commonHeaders, content: json(referTo(`${name}.result`)) })

const needs = (scope: string) => `\n\nNeeds the scope \`${scope}\`.`

function toolOperation (spec: ToolSpec, operationId: string = spec.name, tag = 'tools') {
  return {
    operationId,
    summary: spec.title,
    description: spec.description + needs(spec.scope),
    tags: [tag],
    security: securityFor(spec.scope),
    requestBody: { required: (spec.input.required ?? []).length > 0, content: json(referTo(`${spec.name}.arguments`), exampleOf(spec)) },
    responses: responsesOf(resultOf(spec), { body: true, graph: true })
  }
}

function shortcutOperation ({ method, url, tool }: typeof shortcuts[number], specs: readonly ToolSpec[]) {
  const spec = specs.find(({ name }) => name === tool) as ToolSpec
  const operationId = url.slice('/api/mcp/'.length)
  if (method === 'POST') return toolOperation(spec, operationId, 'shortcuts')
  return {
    operationId,
    summary: spec.title,
    description: `As \`POST /tools/${tool}\`.${needs(spec.scope)}`,
    tags: ['shortcuts'],
    security: securityFor(spec.scope),
    parameters: parametersOf(spec.input),
    responses: responsesOf(resultOf(spec), { body: false, graph: true })
  }
}

/** An input schema as the parameters of a query string. */
function parametersOf ({ properties, required }: TObject) {
  const needed: readonly string[] = required ?? []
  return Object.entries(properties).map(([name, property]) => {
    const { description, ...schema } = property as { description?: string }
    return { name, in: 'query', required: needed.includes(name), ...(description !== undefined && { description }), schema }
  })
}

function contractsOperation (specs: readonly ToolSpec[]) {
  const [first] = specs
  const text = { type: 'string' }
  const contract = {
    type: 'object',
    properties: {
      name: text,
      title: text,
      description: text,
      scope: { enum: scopes },
      annotations: { type: 'object', description: 'Hints of MCP: title, readOnlyHint, destructiveHint, idempotentHint, openWorldHint.' },
      inputSchema: { type: 'object', description: 'JSON Schema of the arguments.' },
      outputSchema: { type: 'object', description: 'JSON Schema of the result.' }
    },
    required: Object.keys(contractOf(first as ToolSpec)),
    additionalProperties: false
  }
  const result = { type: 'object', properties: { tools: { type: 'array', items: contract } }, required: ['tools'], additionalProperties: false }
  return {
    operationId: 'tools',
    summary: 'List the tools',
    description: 'The contracts of all tools, as MCP\'s tools/list gives them, and the scope that each needs.',
    tags: ['shortcuts'],
    security: securityFor(),
    responses: responsesOf({ description: 'The tools.', headers: commonHeaders, content: json(result) }, { body: false, graph: false })
  }
}
