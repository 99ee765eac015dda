/** The graphs that the examples of the tools' descriptions speak of, and so those of /openapi.json. */
import type { Person } from './gateway.ts'

const graphs: Record<string, readonly string[]> = {
  movies: [
    'CREATE (:Actor {name: "Ada"})-[:ACTED_IN]->(:Movie {title: "Alien", plot: "In space no one can hear you scream."})',
    'CALL db.idx.fulltext.createNodeIndex("Movie", "title", "plot")'
  ],
  'old-movies': ['CREATE (:Movie {title: "Metropolis"})']
}

/** Makes those that a tenant lacks. */
export async function makeExampleGraphs (one: Person): Promise<void> {
  const { data } = await one.call('falkordb_list_graphs')
  for (const [graphName, queries] of Object.entries(graphs)) {
    if (data.graphs.includes(graphName)) continue
    for (const query of queries) {
      const { isError, text } = await one.query(graphName, query)
      if (isError) throw new Error(text)
    }
  }
}
