import t from 'tap'
import { openGateway } from '../support/gateway.ts'
import { queryThroughMcpRemote } from '../support/mcp-remote.ts'

const gateway = openGateway()
const ada = await gateway.person()

for (const protocol of ['legacy', 'auto']) {
  t.test(`mcp-remote --protocol ${protocol}, as a desktop client starts it, calls a tool through TLS with the development CA`, async t => {
    const { answer, said } = await queryThroughMcpRemote({ url: gateway.mcpUrl, caFile: gateway.caFile, person: ada, args: ['--protocol', protocol], configDir: t.testdir() },
      { graphName: 'remote', query: 'CREATE (n:From {client: "mcp-remote"}) RETURN n.client AS client' })
    t.strictSame(answer.data.data, [{ client: 'mcp-remote' }], said)
  })
}
