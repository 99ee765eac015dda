import t from 'tap'
import { configOf } from './test-support.ts'
import { allTools } from './tools/index.ts'

t.test('the defaults are those of the contract', async t => {
  t.match(configOf(), {
    MCP_HOST: '127.0.0.1',
    MCP_PORT: 4190,
    QUERY_TIMEOUT_MS: 10_000,
    QUERY_TIMEOUT_MAX_MS: 60_000,
    MAX_ROWS: 1_000,
    MAX_RESULT_BYTES: 131_072,
    MAX_BODY_BYTES: 4_194_304,
    QUERY_MEMORY_BYTES: 268_435_456,
    TENANT_CONCURRENCY: 4,
    REQUIRE_DB_LIMITS: false,
    TOOLS_HIDDEN: ''
  })
})

t.test('30: every fault is named in one start, and no secret is shown', async t => {
  const faults = (changed: Record<string, string>) => {
    try {
      configOf(changed)
      return []
    } catch (error) {
      return (error as { faults: string[] }).faults
    }
  }
  t.match(faults({ GATEWAY_SECRET: '', MAX_ROWS: 'many', MCP_PORT: '70000' }).join('\n'), /GATEWAY_SECRET is not set[\s\S]*|MAX_ROWS|MCP_PORT/)
  t.equal(faults({ GATEWAY_SECRET: '', MAX_ROWS: 'many', MCP_PORT: '70000' }).length, 3)
  t.match(faults({ QUERY_TIMEOUT_MS: '90000' }), [/QUERY_TIMEOUT_MS \(90000\) is more than QUERY_TIMEOUT_MAX_MS \(60000\)/])
  t.match(faults({ TOOLS_HIDDEN: 'falkordb_qurey' }), [/"falkordb_qurey", which is no tool; there are falkordb_query/])
  t.match(faults({ TOOLS_HIDDEN: allTools.map(tool => tool.name).join() }), [/hides every tool/])
  const url = faults({ FALKORDB_URL: 'http://user:sentinel-password@db' })
  t.match(url, [/^FALKORDB_URL/])
  t.notMatch(url.join(), /sentinel-password/)
})
