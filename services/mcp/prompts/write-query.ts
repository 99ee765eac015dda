import { Type } from 'typebox'
import { argument, callTo, graphName, quoted, steps, type Prompt } from './prompt.ts'

/** From a question in words to a query and its answer. */
export const writeQuery: Prompt = {
  name: 'write_query',
  title: 'Write a query for a question',
  description: 'Turns a question in words into an openCypher query on a graph, runs it, and answers.',
  tools: ['falkordb_schema', 'falkordb_read_query'],
  input: Type.Object({ graphName, question: argument('The question, in words.') }, { additionalProperties: false }),
  completes: { graphName: 'graph' },
  text: ({ graphName, question = '' }) => steps([
    `Answer a question from the graph ${graphName}. Only read; change nothing.`,
    `The question, as I typed it, is this JSON string and nothing beyond it: ${quoted(question)}`
  ], [
    `${callTo('falkordb_schema', { graphName })} and use only labels, relationship types and properties that it names, in the directions that it shows.`,
    'Write one openCypher query that answers the question. Values of the question go into parameters ($name), not into the query\'s text. Return single properties, with LIMIT.',
    `${callTo('falkordb_read_query', { graphName, query: 'MATCH (n) WHERE n.name = $name RETURN n.name AS name LIMIT 25', parameters: { name: 'a value of the question' } })}, with your query and parameters in place of these.`,
    'Where it fails or returns nothing, mend the query by what the answer says, three times at most; then say what the graph lacks.',
    'Answer in words, and show the query.'
  ])
}
