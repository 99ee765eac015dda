import { ValidationError } from '@gateway/common/errors.ts'
import { normalizeGraphName } from '@gateway/common/tenants.ts'
import { graphKey } from '../../graph/name.ts'
import { forgetSchema } from '../../graph/schema/schema.ts'
import { visible } from '../../text.ts'
import { defineTool, Question, type CallContext, type ToolAnswer } from '../tool.ts'
import { checkState, writeState } from './confirmation.ts'
import { deleteGraphSpec } from './spec.ts'

interface Graph { tenant: string, key: string, graphName: string, nodes: number, edges: number }

/** falkordb_delete_graph: never without a person's word, by a form where the client has one, else by the name given twice. */
export const deleteGraph = defineTool({
  name: 'falkordb_delete_graph',
  asks: true,
  spec: deleteGraphSpec,

  async handle (args, context) {
    const { graphName, key } = graphKey(context.caller.tenantId, args.graphName, context.config.ENABLE_MULTI_TENANCY)
    if (context.dialogue?.reply !== undefined) checkState(context.signers.questions, context.dialogue.reply.state, context.caller, key)
    const graph = await find({ tenant: context.caller.tenantId, key, graphName }, context)
    return context.dialogue === undefined ? await byArgument(graph, args.confirm, context) : await byForm(graph, context.dialogue.reply, context)
  }
})

/** The argument `confirm` plays no part here: a model could give it without asking anybody. */
async function byForm (graph: Graph, reply: NonNullable<CallContext['dialogue']>['reply'], context: CallContext): Promise<ToolAnswer | Question> {
  const { graphName, key } = graph
  switch (reply?.action) {
    case undefined: return new Question(
      `Delete the graph "${graphName}" of the tenant "${visible(graph.tenant)}", with ${contents(graph)}? This cannot be undone.`,
      { confirm: { title: 'Name of the graph', description: `To delete it, type its name: ${graphName}` } },
      writeState(context.signers.questions, context.caller, key)
    )
    case 'decline':
    case 'cancel': return answer(graph, false, `Nothing was deleted: the person did not agree. The graph ${graphName} is as it was.`)
    case 'accept': {
      if (isName(reply.content.confirm, graphName)) return await remove(graph, context)
      throw new ValidationError('confirmation_mismatch', `The name that was typed is not "${graphName}"; nothing was deleted.`)
    }
  }
}

async function byArgument (graph: Graph, confirm: string | undefined, context: CallContext): Promise<ToolAnswer> {
  if (isName(confirm, graph.graphName)) return await remove(graph, context)
  throw new ValidationError('confirmation_needed', `This would delete the graph "${graph.graphName}" with ${contents(graph)}, for good; nothing was deleted yet. Ask the person, and call again with "confirm": ${JSON.stringify(graph.graphName)}.`)
}

const isName = (typed: unknown, graphName: string) => typeof typed === 'string' && normalizeGraphName(typed.trim()) === graphName

/** Counted anew in the call that deletes: the answer says what is gone. @throws NotFoundError */
async function find (graph: Pick<Graph, 'tenant' | 'key' | 'graphName'>, { config, database, signal }: CallContext): Promise<Graph> {
  const count = async (query: string) => {
    const { rows } = await database.query({ tenant: graph.tenant, key: graph.key, query, parameters: undefined, mode: 'read', timeoutMs: config.QUERY_TIMEOUT_MS, maxRows: 1, signal })
    return Number(rows[0]?.[0])
  }
  return { ...graph, nodes: await count('MATCH (n) RETURN count(n)'), edges: await count('MATCH ()-[e]->() RETURN count(e)') }
}

async function remove (graph: Graph, { database }: CallContext): Promise<ToolAnswer> {
  const target = { tenant: graph.tenant, key: graph.key }
  try {
    await database.remove(target)
  } finally {
    // Also where the outcome is not known: what is cached may be of a graph that is gone.
    forgetSchema(database, target)
  }
  return answer(graph, true, `The graph ${graph.graphName} was deleted with ${contents(graph)}.`)
}

const contents = ({ nodes, edges }: Graph) => `${nodes} ${nodes === 1 ? 'node' : 'nodes'} and ${edges} ${edges === 1 ? 'relationship' : 'relationships'}`

function answer ({ tenant, key, graphName, nodes, edges }: Graph, deleted: boolean, text: string): ToolAnswer {
  return { structured: { success: true, deleted, nodes, edges, tenant, graphName, resolvedGraphName: key }, text }
}
