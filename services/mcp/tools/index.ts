/** Every tool of the gateway, in the order in which clients list them. */
import { query } from './query/handler.ts'
import { readQuery } from './read-query/handler.ts'
import { listGraphs } from './list-graphs/handler.ts'
import { schema } from './schema/handler.ts'
import { search } from './search/handler.ts'
import { explain } from './explain/handler.ts'
import { profile } from './profile/handler.ts'
import { deleteGraph } from './delete-graph/handler.ts'
import { serverInfo } from './server-info/handler.ts'
import { health } from './health/handler.ts'
import type { Tool } from './tool.ts'

export const allTools: readonly Tool[] = [query, readQuery, listGraphs, schema, search, explain, profile, deleteGraph, serverInfo, health]
