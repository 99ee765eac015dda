/** From a tenant and a graph's name to the key that holds it in FalkorDB, and back (contract, "Tenants and graphs"). */
import { ValidationError } from '@gateway/common/errors.ts'
import { maxGraphNameLength, normalizeGraphName, tenantPrefix } from '@gateway/common/tenants.ts'

/**
 * The key of a tenant's graph. No two pairs of tenant and name (in NFC) share one.
 * @param multiTenancy false: keys have no prefix and everybody shares every graph
 * @returns the name in NFC, and the key
 * @throws ValidationError invalid_graph_name
 */
export function graphKey (tenantId: string, graphName: string, multiTenancy: boolean): { graphName: string, key: string } {
  const name = typeof graphName === 'string' ? normalizeGraphName(graphName) : undefined
  if (name === undefined) throw new ValidationError('invalid_graph_name', `A graph name has 1 to ${maxGraphNameLength} letters, digits, and the signs _ . : - such as "memories" or "films-2026".`)
  return { graphName: name, key: prefix(tenantId, multiTenancy) + name }
}

/** The name of the graph that a key holds, undefined where the key is not this tenant's or no gateway made it. */
export function graphNameOf (tenantId: string, key: string, multiTenancy: boolean): string | undefined {
  const start = prefix(tenantId, multiTenancy)
  if (!key.startsWith(start)) return undefined
  const name = key.slice(start.length)
  return normalizeGraphName(name) === name ? name : undefined
}

const prefix = (tenantId: string, multiTenancy: boolean) => multiTenancy ? tenantPrefix(tenantId) : ''
