import { Type } from 'typebox'
import { argument, callTo, graphName, steps, type Prompt } from './prompt.ts'

const queries = {
  missing: 'MATCH (n) WHERE $label IN labels(n) RETURN count(n) AS nodes, count(n[$property]) AS present, count(DISTINCT n[$property]) AS different',
  types: 'MATCH (n) WHERE $label IN labels(n) AND n[$property] IS NOT NULL RETURN typeOf(n[$property]) AS type, count(*) AS nodes ORDER BY nodes DESC',
  repeated: 'MATCH (n) WHERE $label IN labels(n) AND n[$property] IS NOT NULL WITH n[$property] AS value, count(*) AS nodes WHERE nodes > 1 RETURN value, nodes ORDER BY nodes DESC LIMIT 10',
  alone: 'MATCH (n) WHERE NOT (n)--() RETURN labels(n) AS labels, count(*) AS nodes ORDER BY nodes DESC LIMIT 20'
}

/** Gaps, mixed types, repetitions and loose ends. */
export const checkDataQuality: Prompt = {
  name: 'check_data_quality',
  title: 'Check data quality',
  description: 'Looks for missing values, mixed types, repeated values and unconnected nodes in a graph, and says how to mend them.',
  tools: ['falkordb_schema', 'falkordb_read_query'],
  input: Type.Object({
    graphName,
    label: Type.Optional(argument('Look at nodes of this label only.')),
    property: Type.Optional(argument('Look at this property only.'))
  }, { additionalProperties: false }),
  completes: { graphName: 'graph', label: 'label', property: 'property' },
  text: ({ graphName, label, property }) => {
    const parameters = { label: label ?? 'Label', property: property ?? 'property' }
    const check = (query: string) => callTo('falkordb_read_query', { graphName, query, parameters })
    const open = [...(label === undefined ? ['each label that matters in place of "Label"'] : []), ...(property === undefined ? ['each property that matters in place of "property"'] : [])]
    const round = open.length === 0 ? '' : ` Do this and the next two with ${open.join(' and ')}.`
    return steps([`Check the quality of the data in the graph ${graphName}. Only read; change nothing.`], [
      `${callTo('falkordb_schema', { graphName })} to learn its labels and properties.`,
      `${check(queries.missing)} to see where values are missing, and whether they are meant to be unique.${round}`,
      `${check(queries.types)} to see values of mixed types.`,
      `${check(queries.repeated)} to see repeated values where they should be unique.`,
      `${callTo('falkordb_read_query', { graphName, query: queries.alone })} to see nodes that nothing is connected to.`,
      'Give me a table of the findings, the gravest first: what, how many, one example, and the query that would mend it. Run no such query before I agree.'
    ])
  }
}
