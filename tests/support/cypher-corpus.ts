/** tests/fixtures/cypher-corpus.txt: queries as people and models write them, and what each is given as parameters. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { tokens } from '../../services/mcp/graph/lexer.ts'
import { repository } from './stack-file.ts'

export interface CorpusQuery { writes: boolean, query: string, parameters: Record<string, unknown> }

/** By the name that stands in the query; one that is not here is the text 'x'. */
const values: Record<string, unknown> = {
  id: 1,
  a: 1,
  b: 2,
  n: 10,
  k: 5,
  skip: 0,
  limit: 10,
  lat: 52.5,
  lon: 13.4,
  min: 0,
  max: 100,
  year: 2020,
  quantity: 1,
  value: 1,
  threshold: 0.5,
  since: 0,
  before: 0,
  from: 0,
  to: 9,
  now: 1_700_000_000,
  ids: Array.from({ length: 1_000 }, (_, id) => id),
  roles: ['Neo'],
  skills: ['x'],
  pantry: ['x'],
  vector: [0.5, 0.25],
  map: { x: 1, y: { z: 2 } },
  rows: [{ id: 1, name: 'x' }],
  users: [{ id: 1, name: 'x', age: 3 }],
  pairs: [{ from: 1, to: 2, since: 3 }],
  triples: [{ subject: 's', predicate: 'p', object: 'o' }],
  chunks: [{ id: 1, text: 'x', embedding: [0.5, 0.25] }],
  to_date: '2026-12-31',
  at: '2026-11-20T12:34:56',
  label: 'Document',
  key: 'name'
}

/** What is long because of its data, with lists such as programs paste into a query. */
const pasted = [
  `read MATCH (n:Person) WHERE n.id IN [${Array.from({ length: 1_000 }, (_, id) => id).join(', ')}] RETURN n`,
  `read MATCH (n:Person) WHERE n.name IN [${Array.from({ length: 600 }, (_, id) => `'name ${id}'`).join(',')}] RETURN count(n)`,
  `write UNWIND [${Array.from({ length: 200 }, (_, id) => `{id: ${id}, name: 'n ${id}', tags: ['a', 'b']}`).join(', ')}] AS row MERGE (n:Pasted {id: row.id}) SET n += row`,
  `write CREATE ${Array.from({ length: 200 }, (_, id) => `(p${id}:Pasted {id: ${id}})`).join(', ')}`,
  `write ${Array.from({ length: 60 }, (_, id) => `MERGE (p${id}:Merged {id: ${id}})`).join('\n')}`,
  `read RETURN ${Array.from({ length: 60 }, (_, id) => `sum(CASE WHEN ${id} > 30 THEN 1 ELSE 0 END) AS s${id}`).join(', ')}`,
  `read ${Array.from({ length: 30 }, (_, id) => `MATCH (n:L${id}) RETURN '${id}' AS label, count(n) AS n`).join(' UNION ALL ')}`,
  `read MATCH (n:Person) ${Array.from({ length: 12 }, (_, id) => `OPTIONAL MATCH (n)-[:R${id}]->(m${id})`).join(' ')} RETURN n, ${Array.from({ length: 12 }, (_, id) => `collect(DISTINCT m${id}.name) AS c${id}`).join(', ')} LIMIT 3`,
  `read MATCH (n:Person) WHERE ${Array.from({ length: 80 }, (_, id) => `n.p${id} = ${id}`).join(' OR ')} RETURN n`,
  `write MATCH (n:Person {id: 1}) SET ${Array.from({ length: 80 }, (_, id) => `n.p${id} = ${id}`).join(', ')}`
]

export function cypherCorpus (): CorpusQuery[] {
  const text = readFileSync(join(repository, 'tests/fixtures/cypher-corpus.txt'), 'utf8').replace(/^#.*\n/, '')
  return [...text.split(/\n\n+/).map(entry => entry.trim()).filter(entry => entry !== ''), ...pasted].map(entry => {
    const [, kind, query] = /^(read|write) (.*)$/s.exec(entry) ?? []
    if (query === undefined) throw new Error(`neither read nor write: ${entry}`)
    return { writes: kind === 'write', query, parameters: parametersOf(query) }
  })
}

function parametersOf (query: string): Record<string, unknown> {
  const found = tokens(query)
  const names = found.filter((_, index) => found[index - 1]?.text === '$').map(({ start, end }) => query.slice(start, end).replaceAll('`', ''))
  return Object.fromEntries(names.map(name => [name, values[name] ?? 'x']))
}
