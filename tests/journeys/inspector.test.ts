import t from 'tap'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { openGateway } from '../support/gateway.ts'
import { repository } from '../support/stack-file.ts'

t.setTimeout(150_000)
const gateway = openGateway()
const ada = await gateway.person()
await ada.query('films', 'CREATE (:Film {title: $title})', { title: 'Alien' })

interface Run { code: number, stdout: string, stderr: string }

/** MCP Inspector's command line, as its README has it. */
function inspect (authorization: string, ...args: string[]): Promise<Run> {
  const command = [join(repository, 'node_modules/.bin/mcp-inspector'), '--cli', gateway.mcpUrl, '--transport', 'http', '--header', `Authorization: ${authorization}`, ...args]
  return new Promise(resolve => {
    execFile(process.execPath, command, { env: { ...process.env, HOME: home, NODE_EXTRA_CA_CERTS: gateway.caFile }, timeout: 60_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : 1, stdout, stderr })
    })
  })
}

// It keeps settings in its user's folder; this one ends with the test.
const home = t.testdir()

for (const era of ['legacy', 'modern']) {
  t.test(`MCP Inspector on the command line, era ${era}, lists and uses tools, resources and prompts`, async t => {
    const ask = async (method: string, ...args: string[]) => {
      const { code, stdout, stderr } = await inspect(ada.headers.authorization, '--protocol-era', era, '--method', method, ...args)
      t.equal(code, 0, `${method} ends well`, { stderr })
      return JSON.parse(stdout)
    }
    const { tools } = await ask('tools/list')
    t.ok(tools.some(({ name }: { name: string }) => name === 'falkordb_query'), 'tools/list')
    const { resources } = await ask('resources/list')
    t.match(resources, [{ uri: 'graph://films/schema', name: 'films' }], 'resources/list')
    const { prompts } = await ask('prompts/list')
    t.ok(prompts.some(({ name }: { name: string }) => name === 'explore_graph'), 'prompts/list')
    const answer = await ask('tools/call', '--tool-name', 'falkordb_read_query', '--tool-arg', 'graphName=films', '--tool-arg', 'query=MATCH (f:Film) RETURN f.title AS title')
    t.strictSame(answer.structuredContent.data, [{ title: 'Alien' }], 'tools/call')
  })
}

t.test('MCP Inspector ends with its code for "not authorized" where the token is bad, and prints no data', async t => {
  const { code, stdout } = await inspect('Bearer not-a-token', '--protocol-era', 'legacy', '--method', 'tools/list')
  t.equal(code, 3)
  t.notMatch(stdout, /falkordb_/)
})
