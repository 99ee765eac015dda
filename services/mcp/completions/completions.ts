/** What an argument may be completed to: the caller's own graphs, and labels and property names of one of them. */
import { GatewayError, NotFoundError } from '@gateway/common/errors.ts'
import type { Completable, Prompt } from '../prompts/prompt.ts'
import { graphSchemaTemplate, schemaTool } from '../resources/graph-schemas.ts'
import type { Call, Toolbox } from '../toolbox.ts'

/** As CompleteResult has it. */
export type Completion = {
  values: string[]
  /** How many there are altogether; absent where that was not counted. */
  total?: number
  hasMore: boolean
}

/** @param others arguments that are known already. @throws GatewayError */
export type Completer = (typed: string, others: Readonly<Record<string, string>>, call: Call) => Promise<Completion>

export interface Completions {
  /** The completer of a prompt's argument; undefined where there is no such prompt. */
  ofPrompt: (name: string, argument: string) => Completer | undefined
  /** The completer of a variable of a resource template; undefined where there is no such template. */
  ofTemplate: (uri: string, variable: string) => Completer | undefined
}

/** Most values of one answer (CompleteResult, "must not exceed 100 items"). */
const maxValues = 100
/** Pages of the tenant's graphs that are looked through. */
const maxPages = 5
const none: Completion = { values: [], total: 0, hasMore: false }
const nothing: Completer = async () => none

/** Names by prefix, whatever the case. FalkorDB compares, so that both sides are lowered by the same rules. */
const namesQuery = (procedure: string, name: string) =>
  `CALL ${procedure}() YIELD ${name} WITH ${name} AS name WHERE toLower(name) STARTS WITH toLower($typed) RETURN name ORDER BY name`
const queries = { label: namesQuery('db.labels', 'label'), property: namesQuery('db.propertyKeys', 'propertyKey') }

const listTool = 'falkordb_list_graphs'
const readTool = 'falkordb_read_query'

/** Makes the completions of a process. Where the tool behind them is hidden, there are none. */
export function createCompletions (toolbox: Toolbox, prompts: readonly Prompt[]): Completions {
  const shown = new Set(toolbox.specs.map(({ name }) => name))

  const graphs: Completer = async (typed, _others, call) => {
    const start = typed.normalize('NFC').toLowerCase()
    const found: string[] = []
    let cursor: string | undefined
    for (let page = 0; page < maxPages; page++) {
      const { structured } = await toolbox.run(listTool, cursor === undefined ? {} : { cursor }, call)
      const { graphs, nextCursor } = structured as { graphs: string[], nextCursor?: string }
      found.push(...graphs.filter(name => name.toLowerCase().startsWith(start)))
      cursor = nextCursor
      if (cursor === undefined) break
    }
    return completion(found, cursor !== undefined)
  }

  const namesOf = (query: string): Completer => async (typed, { graphName }, call) => {
    if (graphName === undefined || graphName === '') return none
    try {
      const { structured } = await toolbox.run(readTool, { graphName, query, parameters: { typed } }, call)
      const { data, truncated } = structured as { data: Array<{ name: string }>, truncated: boolean }
      return completion(data.map(({ name }) => name), truncated)
    } catch (error) {
      if (error instanceof NotFoundError || (error instanceof GatewayError && error.code === 'invalid_graph_name')) return none
      throw error
    }
  }

  const completers: Record<Completable, Completer> = {
    graph: shown.has(listTool) ? graphs : nothing,
    label: shown.has(readTool) ? namesOf(queries.label) : nothing,
    property: shown.has(readTool) ? namesOf(queries.property) : nothing
  }
  const byPrompt = new Map(prompts.map(prompt => [prompt.name, new Map(Object.entries(prompt.completes))]))

  return {
    ofPrompt (name, argument) {
      const completes = byPrompt.get(name)
      if (completes === undefined) return undefined
      const what = completes.get(argument)
      return what === undefined ? nothing : completers[what]
    },
    ofTemplate (uri, variable) {
      if (uri !== graphSchemaTemplate || !shown.has(schemaTool)) return undefined
      return variable === 'graphName' ? completers.graph : nothing
    }
  }
}

/** @param more there are names that were not looked at */
function completion (names: readonly string[], more: boolean): Completion {
  return { values: names.slice(0, maxValues), ...(!more && { total: names.length }), hasMore: more || names.length > maxValues }
}
