/** Attacks in tables: each row says what it sends, what must be answered, and whether the tool service may see it. */
import type { Test } from 'tap'
import { unique, type Gateway, type Person } from './gateway.ts'
import { exchange, type Exchange } from './raw.ts'
import { until } from './until.ts'

/** A request as it came to the tool service; tests/fixtures/mcp-with-test-tools.ts writes it down. */
export interface Arrival {
  method: string
  /** Names in lower case, with all of their values. */
  headers: Record<string, string[]>
}

/** What a row may put into its bytes. */
export interface Scene {
  /** The public host with its port. */
  host: string
  /** The line, with its end, that makes the request known to the tool service's log. */
  mark: string
  /** The same without a header: for a path's query. */
  marker: string
  /** The line, with its end, of a good credential. */
  auth: string
}

export interface Row {
  /** What is tried, as the object of "an enemy sends". */
  name: string
  bytes: (scene: Scene) => string
  /** The answers in turn; more or fewer are a fault. `ended` is a connection that closes without an answer. A list in place of one: each of them is safe. */
  status: Array<number | number[]> | 'ended'
  /** How many requests of this row the tool service sees, each as the caller's own. None where absent. */
  reaches?: number
  /** What else must hold; throws or asserts. */
  check?: (t: Test, exchange: Exchange, arrivals: Arrival[]) => unknown
}

/**
 * Waits until each replica has written down a request that was sent now, so that all before it are there as well.
 * @returns all marked requests until now, by marker
 */
export async function readArrivals (gateway: Gateway, person: Person): Promise<Map<string, Arrival[]>> {
  const sentinel = unique('sentinel')
  let found = new Map<string, Arrival[]>()
  await until('each replica to write a sentinel down', async () => {
    for (let times = 0; times < gateway.replicas(); times++) await person.send({ path: '/api/mcp/metadata', headers: { 'X-Attack-Marker': sentinel } })
    const replicas = new Set<string>()
    found = new Map()
    for (const line of (await gateway.logs('mcp')).split('\n')) {
      if (!line.includes('"marked request arrived"')) continue
      const { marker, replica, method, headers } = JSON.parse(line) as Arrival & { marker: string, replica: string }
      if (marker === sentinel) replicas.add(replica)
      found.set(marker, [...found.get(marker) ?? [], { method, headers }])
    }
    return replicas.size >= gateway.replicas()
  })
  return found
}

const credentials = ['authorization', 'x-api-key', 'cookie', 'proxy-authorization']

/** A request that arrived is its caller's own, once in each identity header, and without a credential. */
export function isOwn (t: Test, { headers }: Arrival, person: Person, scopes: string, name: string) {
  t.match({ tenant: headers['x-tenant-id'], user: headers['x-user-id'], scopes: headers['x-auth-scopes'] }, { tenant: [person.tenant], user: ['ada'], scopes: [scopes] }, `${name}: arrived as its own caller`)
  t.equal(headers['x-request-id']?.length, 1, `${name}: one request id`)
  for (const credential of credentials) t.equal(headers[credential], undefined, `${name}: no ${credential} arrives`)
}

/** Sends each row over a connection of its own, then asks the tool service what it saw of each. */
export async function runTable (t: Test, gateway: Gateway, person: Person, rows: readonly Row[]) {
  const ran: Array<{ row: Row, marker: string, found: Exchange }> = []
  for (const row of rows) {
    const marker = unique('attack')
    const found = await exchange(gateway, row.bytes({ host: new URL(gateway.url).host, marker, mark: `X-Attack-Marker: ${marker}\r\n`, auth: `Authorization: ${person.headers.authorization}\r\n` }))
    ran.push({ row, marker, found })
    const statuses = found.answers.map(answer => answer.status)
    const expected = row.status === 'ended' ? [] : row.status
    t.ok(statuses.length === expected.length && expected.every((status, at) => [status].flat().includes(statuses[at] as number)), `${row.name}: ${JSON.stringify(expected)}`, { found: statuses, rest: found.rest.slice(0, 200) })
    t.ok(found.closed, `${row.name}: the connection ends`)
    t.equal(found.rest, '', `${row.name}: nothing but answers`)
  }
  const arrivals = await readArrivals(gateway, person)
  for (const { row, marker, found } of ran) {
    const arrived = arrivals.get(marker) ?? []
    t.equal(arrived.length, row.reaches ?? 0, `${row.name}: what the tool service saw of it`)
    for (const arrival of arrived) isOwn(t, arrival, person, 'graph:read', row.name)
    await row.check?.(t, found, arrived)
  }
}
