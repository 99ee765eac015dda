/** Graphs as MCP resources: `graph://{graphName}/schema`. They are read by the tools, so arguments, scopes, counting and errors have one way. */
import { ResourceNotFoundError, type ListResourcesResult, type ReadResourceResult } from '@modelcontextprotocol/server'
import { GatewayError } from '@gateway/common/errors.ts'
import type { Call, Toolbox } from '../toolbox.ts'

export const graphSchemaTemplate = 'graph://{graphName}/schema'
/** The tool that reads what the resource shows. */
export const schemaTool = 'falkordb_schema'

const listTool = 'falkordb_list_graphs'
/** Graphs of one page; each is some 250 bytes. */
const pageSize = 100
const mimeType = 'text/plain'

export interface GraphSchemas {
  /** One page of the caller's own graphs. @throws GatewayError */
  list: (cursor: string | undefined, call: Call) => Promise<ListResourcesResult>
  /** @throws GatewayError, ResourceNotFoundError */
  read: (uri: string, call: Call) => Promise<ReadResourceResult>
}

/** The URI of a graph's schema. Whatever has a meaning in a URI, and every other script, is percent-encoded. */
export const schemaUri = (graphName: string) => graphSchemaTemplate.replace('{graphName}', () => encodeURIComponent(graphName))

/** The graph that a URI names; undefined where it is no URI of a graph's schema. */
export function graphOfUri (uri: string): string | undefined {
  const encoded = /^graph:\/\/([^/?#]+)\/schema$/.exec(uri)?.[1]
  if (encoded === undefined) return undefined
  try {
    return decodeURIComponent(encoded)
  } catch {
    // A percent sign that begins no UTF-8.
    return undefined
  }
}

/** Makes the resources of a process. Where `falkordb_list_graphs` is hidden, the list is empty and a known name can be read. */
export function createGraphSchemas (toolbox: Toolbox): GraphSchemas {
  const listSpec = toolbox.specs.find(({ name }) => name === listTool)
  const most = (listSpec?.input.properties.limit as { maximum?: number } | undefined)?.maximum ?? pageSize

  return {
    async list (cursor, call) {
      if (listSpec === undefined) return { resources: [] }
      const { structured } = await toolbox.run(listTool, { limit: Math.min(pageSize, most), ...(cursor !== undefined && { cursor }) }, call)
      const { graphs, nextCursor } = structured as { graphs: string[], nextCursor?: string }
      const resources = graphs.map(name => ({
        uri: schemaUri(name), name, title: `Schema of ${name}`, description: `Labels, relationships, properties and indexes of the graph ${name}.`, mimeType
      }))
      return { resources, ...(nextCursor !== undefined && { nextCursor }) }
    },

    async read (uri, call) {
      const graphName = graphOfUri(uri)
      if (graphName === undefined) throw notFound(uri)
      try {
        const { text } = await toolbox.run(schemaTool, { graphName }, call)
        return { contents: [{ uri, mimeType, text }] }
      } catch (error) {
        if (error instanceof GatewayError && missing.includes(error.code)) throw notFound(uri)
        throw error
      }
    }
  }
}

/** A name that no graph can have is as good as one that none has. */
const missing = ['graph_not_found', 'invalid_graph_name']

// SEP-2164: -32602 with the URI alone as data.
const notFound = (uri: string) => new ResourceNotFoundError(uri, 'There is no such graph; resources/list names those that you can read.')
