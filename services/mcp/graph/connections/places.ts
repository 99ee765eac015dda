/** How many queries a replica may run at once, so that no tenant can hold all of FalkorDB's workers. */
import type { FairQueueOptions } from './fair-queue.ts'

export interface Resources {
  /** FalkorDB's THREAD_COUNT: queries that it runs at once; undefined where it does not tell. */
  threadCount: number | undefined
  /** TENANT_CONCURRENCY, over all replicas together. */
  tenantConcurrency: number
  /** Replicas of the tool service. */
  replicas: number
}

/** Queries of all replicas at once where FalkorDB does not tell how many it can run. */
const assumedThreads = 16
const leastWaiting = 16
/** Calls of one tenant that may wait, by calls that may run. */
const waitingPerPlace = 4

/** This replica's part, and what an operator should know of it. */
export function sharePlaces ({ threadCount, tenantConcurrency, replicas }: Resources): { places: FairQueueOptions, warnings: string[] } {
  const wanted = Math.max(1, Math.ceil(tenantConcurrency / replicas))
  const most = threadCount === undefined ? Infinity : Math.max(1, Math.floor((threadCount - 1) / replicas))
  const placesPerTenant = Math.min(wanted, most)
  const places = Math.max(placesPerTenant + 1, Math.floor((threadCount ?? assumedThreads) / replicas))
  return { places: { places, placesPerTenant, waitingPerTenant: Math.max(leastWaiting, waitingPerPlace * placesPerTenant) }, warnings: [...warn()] }

  function * warn () {
    if (threadCount === undefined) return
    if (placesPerTenant * replicas >= threadCount) yield `FalkorDB's THREAD_COUNT is ${threadCount}: one tenant's queries on ${replicas} ${replicas === 1 ? 'replica' : 'replicas'} can hold all of its workers. Raise THREAD_COUNT above ${replicas * placesPerTenant}.`
    else if (placesPerTenant < wanted) yield `TENANT_CONCURRENCY is ${tenantConcurrency}, but FalkorDB's THREAD_COUNT is ${threadCount}: a tenant may run ${placesPerTenant * replicas} queries at once, so that others find a worker. Raise THREAD_COUNT or lower TENANT_CONCURRENCY.`
  }
}
