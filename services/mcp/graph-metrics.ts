import { Gauge, Histogram, type Registry } from 'prom-client'
import { metric } from '@gateway/common/service.ts'
import type { GraphDatabase } from './graph/database.ts'

/** The same database, its queries timed as `graph_query_duration_seconds{mode}` and its state shown as `falkordb_up`. */
export function measureDatabase (database: GraphDatabase, registry: Registry): GraphDatabase {
  const duration = metric(registry, 'graph_query_duration_seconds', () => new Histogram({
    name: 'graph_query_duration_seconds', help: 'Time of a query, waiting for its turn included', labelNames: ['mode'], buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60], registers: [registry]
  }))
  metric(registry, 'falkordb_up', () => new Gauge({
    name: 'falkordb_up', help: '1 where FalkorDB is connected', registers: [registry], collect () { this.set(database.up ? 1 : 0) }
  }))
  const timed = async <T>(mode: string, work: () => Promise<T>) => {
    const end = duration.startTimer({ mode })
    try {
      return await work()
    } finally {
      end()
    }
  }
  return {
    query: call => timed(call.mode, () => database.query(call)),
    explain: call => timed('explain', () => database.explain(call)),
    profile: call => timed('profile', () => database.profile(call)),
    remove: target => timed('delete', () => database.remove(target)),
    writes: call => database.writes(call),
    keys: (...args) => database.keys(...args),
    ping: tenant => database.ping(tenant),
    info: tenant => database.info(tenant),
    get up () { return database.up },
    close: () => database.close()
  }
}
