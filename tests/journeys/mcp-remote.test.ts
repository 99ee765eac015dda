import t from 'tap'
import { createRequire } from 'node:module'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { getDefaultEnvironment, StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { answerOf } from '../support/clients.ts'
import { openGateway } from '../support/gateway.ts'

const gateway = openGateway()
const ada = await gateway.person()
// mcp-remote puts the variable's value there itself; a space in an argument does not survive every desktop client.
const reference = ['Authorization:$', '{AUTH_HEADER}'].join('')
const { resolve } = createRequire(import.meta.url)

for (const protocol of ['legacy', 'auto']) {
  t.test(`mcp-remote --protocol ${protocol}, as a desktop client starts it, calls a tool through TLS with the development CA`, async t => {
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: [resolve('mcp-remote/dist/proxy.js'), gateway.mcpUrl, '--header', reference, '--protocol', protocol],
      env: { ...getDefaultEnvironment(), NODE_EXTRA_CA_CERTS: gateway.caFile, AUTH_HEADER: ada.headers.authorization, MCP_REMOTE_CONFIG_DIR: t.testdir() },
      stderr: 'pipe'
    })
    let said = ''
    transport.stderr?.on('data', chunk => { said += String(chunk) })
    const client = new Client({ name: 'desktop', version: '1.0.0' })
    t.teardown(() => client.close())
    await client.connect(transport).catch((error: Error) => { throw new Error(`${error.message}\n${said}`) })
    const answer = answerOf(await client.callTool({ name: 'falkordb_query', arguments: { graphName: 'remote', query: 'CREATE (n:From {client: "mcp-remote"}) RETURN n.client AS client' } }))
    t.strictSame(answer.data.data, [{ client: 'mcp-remote' }], said)
  })
}
