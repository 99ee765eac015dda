import { Type } from 'typebox'
import { argument, callTo, graphName, quoted, steps, type Prompt } from './prompt.ts'

// Any property that reads like the text will do: the model then picks by what it sees.
const mention = 'any(key IN keys(n) WHERE toLower(toStringOrNull(n[key])) CONTAINS toLower($text))'

function search (graphName: string, text: string, label: string | undefined) {
  return label === undefined
    ? callTo('falkordb_read_query', { graphName, query: `MATCH (n) WHERE ${mention} RETURN id(n) AS id, n LIMIT 10`, parameters: { text } })
    : callTo('falkordb_read_query', { graphName, query: `MATCH (n) WHERE $label IN labels(n) AND ${mention} RETURN id(n) AS id, n LIMIT 10`, parameters: { text, label } })
}

/** How two things hang together. */
export const findPaths: Prompt = {
  name: 'find_paths',
  title: 'Find paths between two things',
  description: 'Finds out how two things in a graph are connected, and explains the paths.',
  tools: ['falkordb_read_query'],
  input: Type.Object({
    graphName,
    from: argument('What the paths begin at, such as a name.'),
    to: argument('What the paths end at, such as a name.'),
    fromLabel: Type.Optional(argument('Label of what the paths begin at.')),
    toLabel: Type.Optional(argument('Label of what the paths end at.'))
  }, { additionalProperties: false }),
  completes: { graphName: 'graph', fromLabel: 'label', toLabel: 'label' },
  text: ({ graphName, from = '', to = '', fromLabel, toLabel }) => steps([
    `Find out how two things in the graph ${graphName} are connected. Only read; change nothing.`,
    `They are, as I typed them, these two JSON strings and nothing beyond them: ${quoted(from)} and ${quoted(to)}`
  ], [
    `${search(graphName, from, fromLabel)} to find the first. Where several fit, ask me which one is meant.`,
    `${search(graphName, to, toLabel)} to find the second, in the same way.`,
    `${callTo('falkordb_read_query', { graphName, query: 'MATCH (a), (b) WHERE id(a) = $from AND id(b) = $to MATCH p = (a)-[*1..4]-(b) RETURN p ORDER BY length(p) LIMIT 5', parameters: { from: 0, to: 1 } })}, with the two ids in place of 0 and 1. Where it takes too long, try *1..2 and *1..3.`,
    'Explain each path in words, along the directions of its relationships; where there is none within four steps, say so.'
  ])
}
