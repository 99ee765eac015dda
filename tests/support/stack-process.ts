/** One stack with the test-only tools, or those of TEST_MCP_ENTRY, as a process of its own: PORT 0, DEV_DIR and settings from the environment. Ends by SIGINT or SIGTERM. */
import { join } from 'node:path'
import { startStack } from '../../dev/stack/start.ts'
import { repository } from './stack-file.ts'

const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort())

const say = (line: string) => process.stdout.write(`${line}\n`)
const stack = await startStack({
  dir: process.env.DEV_DIR as string,
  port: 0,
  mcpReplicas: 2,
  mcpEntry: join(repository, process.env.TEST_MCP_ENTRY ?? 'tests/fixtures/mcp-with-test-tools.ts'),
  signal: stopping.signal,
  say
})
const reason = await stack.over
if (reason !== undefined) {
  say(reason)
  process.exitCode = 1
}
