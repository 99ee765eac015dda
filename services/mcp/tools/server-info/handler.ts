import manifest from '../../package.json' with { type: 'json' }
import { defineTool } from '../tool.ts'
import { serverInfoSpec } from './spec.ts'

/** Name and version under which the gateway speaks of itself. */
export const gateway = { name: 'falkordb-mcp-gateway', version: manifest.version }

/** falkordb_server_info: versions and limits; no host names and no other tenant. */
export const serverInfo = defineTool({
  name: 'falkordb_server_info',
  spec: serverInfoSpec,
  async handle (_args, { caller, config, database }) {
    const { module, version, warnings } = await database.info(caller.tenantId)
    const limits = {
      maxRows: config.MAX_ROWS,
      maxResultBytes: config.MAX_RESULT_BYTES,
      maxBodyBytes: config.MAX_BODY_BYTES,
      queryTimeoutMs: config.QUERY_TIMEOUT_MS,
      queryTimeoutMaxMs: config.QUERY_TIMEOUT_MAX_MS,
      queryMemoryBytes: config.QUERY_MEMORY_BYTES,
      tenantConcurrency: config.TENANT_CONCURRENCY
    }
    return {
      structured: { success: true, gateway, falkordb: { version: module, server: version }, tenant: caller.tenantId, scopes: [...caller.scopes], limits, warnings },
      text: [
        `${gateway.name} ${gateway.version} with FalkorDB ${module} on server ${version}.`,
        `Your scopes: ${caller.scopes.join(' ')}.`,
        `Limits: ${Object.entries(limits).map(([name, value]) => `${name} ${value}`).join(', ')}.`,
        ...warnings.map(warning => `Warning: ${warning}`)
      ].join('\n')
    }
  }
})
