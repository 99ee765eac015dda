/** What the gateway offers beside its tools: resources, prompts and completions, all of them by way of the toolbox. */
import { fromJsonSchema, ProtocolError, ProtocolErrorCode, ResourceTemplate, type AuthInfo, type JsonSchemaType, type McpServer } from '@modelcontextprotocol/server'
import { createCompletions, type Completions } from './completions/completions.ts'
import { prompts } from './prompts/index.ts'
import { createPromptRenderer, type Prompt } from './prompts/prompt.ts'
import { told } from './protocol-error.ts'
import { callOf, scopeChallengeOf } from './request-context.ts'
import { createGraphSchemas, graphSchemaTemplate, schemaTool, type GraphSchemas } from './resources/graph-schemas.ts'
import type { Toolbox } from './toolbox.ts'
import { uncheckedHere } from './unchecked.ts'

/** Lists of a tenant's graphs in any form need what this tool needs. */
const listTool = 'falkordb_list_graphs'

/** The SDK asks resources, prompts and tools for their scopes, but not these two. */
const listing: readonly string[] = ['resources/list', 'completion/complete']

/** Makes the function that adds all offers to the server of one request. What a hidden tool would tell is not offered. */
export function createOffers (toolbox: Toolbox): (server: McpServer) => void {
  const shown = new Set(toolbox.specs.map(spec => spec.name))
  const schemas = shown.has(schemaTool) ? createGraphSchemas(toolbox) : undefined
  const offered = prompts.filter(prompt => prompt.tools.every(tool => shown.has(tool)))
  const addPrompts = offered.map(promptAdder)
  const completions = createCompletions(toolbox, offered)

  return server => {
    server.server.registerCapabilities({ completions: {}, ...(schemas && { resources: { listChanged: false } }), ...(offered.length > 0 && { prompts: { listChanged: false } }) })
    if (schemas !== undefined) addSchemas(server, schemas, toolbox)
    for (const add of addPrompts) add(server)
    addCompletions(server, completions)
    const ofTheSdk = server.resolveScopeChallenge
    server.resolveScopeChallenge = context => listing.includes(context.request.method) ? scopeChallengeOf(toolbox, listTool, {}, context.authInfo) : ofTheSdk(context)
  }
}

const graphSchemaContract = {
  title: 'Schema of a graph',
  description: 'Labels, relationships between them, properties with their types, indexes and constraints of one graph: what a query may ask for.',
  mimeType: 'text/plain'
}
const uriTemplate = new ResourceTemplate(graphSchemaTemplate, { list: undefined })

function addSchemas (server: McpServer, schemas: GraphSchemas, toolbox: Toolbox) {
  const scopeChallenge = ({ authInfo }: { authInfo?: AuthInfo }) => scopeChallengeOf(toolbox, schemaTool, {}, authInfo)
  server.registerResource('graph-schema', uriTemplate, { ...graphSchemaContract, scopeChallenge }, (uri, _variables, context) =>
    told(() => schemas.read(uri.href, callOf(context))))
  // In place of the SDK's own, which knows no cursor.
  server.server.setRequestHandler('resources/list', ({ params }, context) => told(() => schemas.list(params?.cursor, callOf(context))))
}

function promptAdder (prompt: Prompt): (server: McpServer) => void {
  const render = createPromptRenderer(prompt)
  const argsSchema = fromJsonSchema<unknown>(prompt.input as unknown as JsonSchemaType, uncheckedHere)
  const { name, title, description } = prompt
  return server => {
    server.registerPrompt(name, { title, description, argsSchema }, args =>
      told(async () => ({ description, messages: [{ role: 'user' as const, content: { type: 'text' as const, text: render(args) } }] })))
  }
}

function addCompletions (server: McpServer, completions: Completions) {
  server.server.setRequestHandler('completion/complete', ({ params }, context) => told(async () => {
    const { ref, argument } = params
    const found = ref.type === 'ref/prompt' ? completions.ofPrompt(ref.name, argument.name) : completions.ofTemplate(ref.uri, argument.name)
    if (found === undefined) throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'There is no such prompt or resource template.')
    return { completion: await found(argument.value, params.context?.arguments ?? {}, callOf(context)) }
  }))
}
