/** How FalkorDB's workers are shared. */
import t from 'tap'
import { sharePlaces } from './places.ts'

const rows: Array<[promise: string, threadCount: number | undefined, tenantConcurrency: number, replicas: number, places: number, placesPerTenant: number, waiting: number, warning?: RegExp]> = [
  ['one replica has all workers', 16, 4, 1, 16, 4, 16],
  ['replicas share workers and tenants', 16, 4, 2, 8, 2, 16],
  ['a tenant has at least one place in each replica', 16, 4, 8, 2, 1, 16],
  ['a part of a place is a place', 16, 4, 3, 5, 2, 16],
  ['many may wait where many may run', 64, 8, 1, 64, 8, 32],
  ['16 workers are assumed where FalkorDB does not tell', undefined, 4, 2, 8, 2, 16],
  ['there is a place for others where FalkorDB does not tell', undefined, 16, 1, 17, 16, 64],
  ['one worker stays free of the greedy', 8, 8, 1, 8, 7, 28, /TENANT_CONCURRENCY is 8, but FalkorDB's THREAD_COUNT is 8: a tenant may run 7/],
  ['one worker stays free in all replicas together', 8, 16, 2, 4, 3, 16, /a tenant may run 6/],
  ['a single worker cannot be shared, and that is said', 1, 4, 1, 2, 1, 16, /can hold all of its workers. Raise THREAD_COUNT above 1\./],
  ['more replicas than workers: said as well', 4, 4, 8, 2, 1, 16, /on 8 replicas can hold all of its workers. Raise THREAD_COUNT above 8\./]
]

for (const [promise, threadCount, tenantConcurrency, replicas, places, placesPerTenant, waitingPerTenant, warning] of rows) {
  t.test(`23: ${promise}`, async t => {
    const shared = sharePlaces({ threadCount, tenantConcurrency, replicas })
    t.strictSame(shared.places, { places, placesPerTenant, waitingPerTenant })
    t.match(shared.warnings, warning === undefined ? [] : [warning])
    t.equal(shared.warnings.length, warning === undefined ? 0 : 1)
  })
}
