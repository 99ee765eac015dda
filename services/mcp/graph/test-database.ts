/** A FalkorDB of its own for a test file, and short ways to ask it. */
import { createClient } from '@redis/client'
import { GatewayError } from '@gateway/common/errors.ts'
import { freePort } from '../../../dev/free-port.ts'
import { startFalkordb, type FalkordbOptions } from '../../../dev/programs/falkordb.ts'
import { connectGraphDatabase, type GraphDatabaseOptions } from './client.ts'
import type { GraphCall, GraphResult } from './database.ts'

/** What is torn down comes first: a test's `t`. */
export interface Teardown { teardown: (end: () => unknown) => void }

export const limits = { maxRows: 1_000, timeoutDefaultMs: 2_000, timeoutMaxMs: 10_000, queryMemoryBytes: 64 * 2 ** 20, tenantConcurrency: 4, tenantAcl: { secrets: ['a-secret-for-tests-0123456789abcdef'], multiTenancy: true } }

export async function openFalkordb (t: Teardown, options: Partial<FalkordbOptions> = {}) {
  const server = await startFalkordb({ port: await freePort(), say: () => {}, memoryBytes: 1_500 * 2 ** 20, ...options })
  t.teardown(() => server.stop())
  return server
}

export async function openDatabase (t: Teardown, url: string, options: Partial<GraphDatabaseOptions> = {}) {
  const database = await connectGraphDatabase({ url, ...limits, ...options })
  t.teardown(() => database.close())
  return database
}

/** An operator's own connection. */
export async function openAdmin (t: Teardown, url: string) {
  const admin = await createClient({ url }).on('error', () => {}).connect()
  t.teardown(() => { admin.destroy() })
  return (...command: string[]) => admin.sendCommand(command)
}

type Query = Partial<GraphCall> & { query: string }

/** A tenant's way to one graph. */
export function asker (database: { query: (call: GraphCall) => Promise<GraphResult> }, tenant: string, graph = 'g') {
  const ask = (mode: GraphCall['mode']) => (query: string, parameters?: unknown, rest: Partial<Query> = {}) =>
    database.query({ key: `${tenant}_${graph}`, query, parameters, mode, timeoutMs: 5_000, maxRows: 1_000, tenant, ...rest })
  return { read: ask('read'), write: ask('write') }
}

/** The code of the error that a call ends with, or `ok`. */
export const codeOf = (promise: Promise<unknown>): Promise<string> => promise.then(() => 'ok', error => error instanceof GatewayError ? error.code : `not a GatewayError: ${error}`)
