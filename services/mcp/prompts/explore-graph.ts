import { Type } from 'typebox'
import { callTo, graphName, steps, type Prompt } from './prompt.ts'

/** From an unknown graph to what it is about. */
export const exploreGraph: Prompt = {
  name: 'explore_graph',
  title: 'Explore a graph',
  description: 'Finds out what a graph holds and which questions it can answer.',
  tools: ['falkordb_schema', 'falkordb_read_query'],
  input: Type.Object({ graphName }, { additionalProperties: false }),
  completes: { graphName: 'graph' },
  text: ({ graphName }) => steps([
    `Explore the graph ${graphName} and tell me what it is about. Only read; change nothing.`
  ], [
    `${callTo('falkordb_schema', { graphName })} to learn its labels, relationships, properties and indexes.`,
    `${callTo('falkordb_read_query', { graphName, query: 'MATCH (n) UNWIND labels(n) AS label RETURN label, count(*) AS nodes ORDER BY nodes DESC LIMIT 20' })} to see what there is most of.`,
    `${callTo('falkordb_read_query', { graphName, query: 'MATCH (a)-[r]->(b) WITH a, r, b LIMIT 25 RETURN a, type(r) AS type, b' })} to see examples of what is related to what.`,
    'Look closer, with LIMIT, at whatever remains unclear.',
    'Tell me in a few sentences what the graph is about, then three questions that it can answer, each with its query.'
  ])
}
