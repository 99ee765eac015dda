/** The common work of everything that touches the database: one parameterised, indexed 1-hop query on 10,000 nodes and 30,000 edges. */
import { FalkorDB } from 'falkordb'

export const nodes = 10_000
const steps = [1, 101, 5_003]
export const edges = nodes * steps.length
/** Nodes that one query writes: far below the database's time limit, also on a busy machine. */
const batch = 2_000

export const tenant = 'bench'
export const graphName = 'people'
export const query = 'MATCH (:Person {id: $id})-[:KNOWS]->(friend:Person) RETURN friend.id AS id, friend.name AS name'

/** Ids of a person's friends: three different ones for every id, none of them the person. */
export const friendsOf = (id: number): number[] => steps.map(step => (id + step) % nodes)

/** The id that the n-th request asks for: all over the graph, in the same order for every subject. */
export const idOf = (n: number): number => (n * 7_919) % nodes

/** Texts that a right answer for this id holds, whatever is around them. Quotes are escaped where JSON travels in JSON: names end in a letter instead. */
export const expected = (id: number): string[] => friendsOf(id).map(nameOf)

const nameOf = (id: number) => `person ${id}z`

/**
 * Writes the graph under `key`, with its index, replacing what is there.
 * @returns the version of the FalkorDB module
 * @throws where the database does not hold all of it afterwards
 */
export async function loadGraph (url: string, key: string): Promise<string> {
  const database = await FalkorDB.connect({ url })
  try {
    const graph = database.selectGraph(key)
    if ((await database.list()).includes(key)) await graph.delete()
    await graph.query('CREATE INDEX FOR (p:Person) ON (p.id)')
    for (let from = 0; from < nodes; from += batch) {
      await graph.query(`UNWIND range(${from}, ${from + batch - 1}) AS id CREATE (:Person {id: id, name: 'person ' + id + 'z'})`)
    }
    for (let from = 0; from < nodes; from += batch) {
      await graph.query(`UNWIND range(${from}, ${from + batch - 1}) AS id UNWIND [${steps.join(', ')}] AS step
        MATCH (a:Person {id: id}), (b:Person {id: (id + step) % ${nodes}}) CREATE (a)-[:KNOWS]->(b)`)
    }
    const { data } = await graph.roQuery<{ edges: number, people: number }>('MATCH (a:Person)-[k:KNOWS]->(:Person) RETURN count(k) AS edges, count(DISTINCT a) AS people')
    const [counted] = data ?? []
    if (counted?.edges !== edges || counted.people !== nodes) throw new Error(`the graph was not written whole: ${JSON.stringify(counted)}`)
    return await moduleVersion(database)
  } finally {
    await database.close()
  }
}

/** `41603` → `4.16.3`. */
async function moduleVersion (database: FalkorDB): Promise<string> {
  const client = await database.connection
  const modules = await client.sendCommand(['MODULE', 'LIST']) as unknown as Array<Array<string | number>>
  const graph = modules.find(module => module.includes('graph')) ?? []
  const number = Number(graph[graph.indexOf('ver') + 1])
  return `${Math.floor(number / 10_000)}.${Math.floor(number / 100) % 100}.${number % 100}`
}
