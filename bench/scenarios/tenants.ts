/** What it costs to be one tenant of ten thousand: each with a graph, a user in the database and a caller of its own, in no order. */
import { createClient } from '@redis/client'
import { encodeTenant } from '@gateway/common/tenants.ts'
import { freePort } from '../../dev/free-port.ts'
import { startFalkordb } from '../../dev/programs/falkordb.ts'
import { startMcp } from '../children.ts'
import { callers, toolCall } from '../mcp-requests.ts'
import type { Bench, Result, Scenario, Subject } from '../rounds.ts'
import { atMost, type Target as Goal } from '../targets.ts'
import type { LoadRequest } from '../transports.ts'
import { expected, friendsOf, graphName, tenant } from '../work.ts'

const secret = 'signs only what this benchmark asks for'
const many = 10_000
const one = '1 tenant'
const all = `${many} tenants`
/** The only person of every graph; the friends are those of the common work. */
const person = 7
/** FalkorDB may take so much memory, in bytes: half a MiB for each graph and as much again. */
const databaseMemory = 10 * 2 ** 30

export const tenants: Scenario = {
  name: 'tenants',
  title: `mcp alone, TENANT_ACL=on: one graph of one tenant, and ${many} graphs of ${many} tenants`,
  concurrency: [16],
  goals,
  open: async ({ started, say, versions }: Bench): Promise<Subject[]> => {
    const falkordb = await startFalkordb({ port: await freePort(), say, memoryBytes: databaseMemory, args: { NODE_CREATION_BUFFER: 128 } })
    started.defer(falkordb.stop)
    say(`tenants: making ${many} graphs`)
    versions.graphs = String(await makeGraphs(falkordb.url))
    const service = await startMcp(started, secret, falkordb.url, 16)
    const subject = (name: string, count: number, tenantOf: (n: number) => string): Subject => {
      const identities = callers(secret, count, tenantOf)
      return {
        name,
        ...(name === one ? {} : { floor: one }),
        processes: [{ name: 'mcp', pid: service.pid }, { name: 'falkordb', pid: falkordb.pid, database: true }],
        target: { url: service.urls.mcp!, transport: 'http1' },
        requests: (requests: number): LoadRequest[] => {
          const headers = identities()
          // A step that shares no factor with the number of tenants: none comes again before all have had their turn.
          return Array.from({ length: requests }, (_, n) => ({ ...toolCall('2026-07-28', person, headers[(n * 7_919) % headers.length]!), expect: { status: 200, body: expected(person) } }))
        }
      }
    }
    return [subject(one, 100, () => tenantOf(0)), subject(all, many, tenantOf)]
  }
}

const tenantOf = (n: number) => `${tenant}-${n}`

function goals (results: readonly Result[]): Goal[] {
  const ratio = results.find(({ subject }) => subject === all)?.toFloor
  return ratio ? [atMost(`tenants, 1 to ${many}: CPU of a call`, ratio.cpu, 1.2, ' x')] : []
}

/** @returns how many there are */
async function makeGraphs (url: string): Promise<number> {
  const client = await createClient({ url }).connect()
  try {
    const create = `CREATE (p:Person {id: ${person}}) WITH p UNWIND [${friendsOf(person).join(', ')}] AS id CREATE (p)-[:KNOWS]->(:Person {id: id, name: 'person ' + id + 'z'})`
    for (let from = 0; from < many; from += 100) {
      await Promise.all(Array.from({ length: 100 }, (_, n) => client.sendCommand(['GRAPH.QUERY', `${encodeTenant(tenantOf(from + n))}_${graphName}`, create])))
    }
    return (await client.sendCommand(['GRAPH.LIST']) as unknown as string[]).length
  } finally {
    client.destroy()
  }
}
