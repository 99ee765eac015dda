/**
 * Writes docs/tools.md: each tool with what a model is told of it, and a real call with its real answer, run against a FalkorDB of its own.
 * `node dev/tools-page.ts > docs/tools.md`; a test compares the page with a new run.
 */
import '@gateway/common/node-version.ts'
import { createIdentityWriter } from '@gateway/common/identity.ts'
import { createObservability } from '@gateway/common/service.ts'
import { expandScopes } from '@gateway/common/scopes.ts'
import { buildApp, databaseHealth } from '../services/mcp/app.ts'
import { loadMcpConfig } from '../services/mcp/config.ts'
import { openDatabases } from '../services/mcp/graph/servers.ts'
import { allTools } from '../services/mcp/tools/index.ts'
import { freePort } from './free-port.ts'
import { startFalkordb } from './programs/falkordb.ts'

interface Example { tool: string, say?: string, args: Record<string, unknown> }

/** In the order of a first conversation; what one writes the next one reads. */
const examples: Example[] = [
  { tool: 'falkordb_query', say: 'A write creates the graph.', args: { graphName: 'films', query: 'MERGE (a:Actor {name: $name, born: $born}) MERGE (f:Film {title: $title}) MERGE (a)-[:ACTED_IN {role: $role}]->(f) RETURN a, f.title AS film', parameters: { name: 'Sigourney Weaver', born: { $date: '1949-10-08' }, title: 'Alien', role: 'Ripley' } } },
  { tool: 'falkordb_query', say: 'Many rows at once come as a parameter.', args: { graphName: 'films', query: 'UNWIND $rows AS row MERGE (a:Actor {name: row.name}) MERGE (f:Film {title: row.title}) MERGE (a)-[:ACTED_IN {role: row.role}]->(f)', parameters: { rows: [{ name: 'Harrison Ford', title: 'Blade Runner', role: 'Deckard' }, { name: 'Rutger Hauer', title: 'Blade Runner', role: 'Batty' }] } } },
  { tool: 'falkordb_query', say: 'Indexes are made by queries as well.', args: { graphName: 'films', query: "CALL db.idx.fulltext.createNodeIndex('Film', 'title')" } },
  { tool: 'falkordb_list_graphs', args: {} },
  { tool: 'falkordb_schema', args: { graphName: 'films' } },
  { tool: 'falkordb_read_query', args: { graphName: 'films', query: 'MATCH (a:Actor)-[r:ACTED_IN]->(f:Film {title: $title}) RETURN a.name AS actor, r.role AS role ORDER BY actor', parameters: { title: 'Blade Runner' } } },
  { tool: 'falkordb_read_query', say: 'Of a longer result the first rows come, and a cursor for the next ones.', args: { graphName: 'films', query: 'MATCH (a:Actor) RETURN a.name AS name ORDER BY name', limit: 2 } },
  { tool: 'falkordb_read_query', say: 'An error says where it is and how to go on.', args: { graphName: 'films', query: 'MATCH (a:Actor) RETRUN a' } },
  { tool: 'falkordb_search', args: { graphName: 'films', text: 'blade', label: 'Film' } },
  { tool: 'falkordb_explain', args: { graphName: 'films', query: "MATCH (a:Actor {name: 'Rutger Hauer'}) RETURN a" } },
  { tool: 'falkordb_profile', args: { graphName: 'films', query: "MATCH (a:Actor {name: 'Rutger Hauer'}) RETURN a.name" } },
  { tool: 'falkordb_server_info', args: {} },
  { tool: 'falkordb_health', args: {} },
  { tool: 'falkordb_delete_graph', say: 'Without `confirm` nothing is deleted. A client of 2026-07-28 that can ask its user is made to ask, whatever `confirm` says.', args: { graphName: 'films' } },
  { tool: 'falkordb_delete_graph', args: { graphName: 'films', confirm: 'films' } }
]

/** @returns the page, with times and random marks replaced by fixed ones */
export async function toolsPage (): Promise<string> {
  const secret = 'a secret for one page of the documentation'
  await using started = new AsyncDisposableStack()
  const falkordb = await startFalkordb({ port: await freePort(), say: () => {} })
  started.defer(falkordb.stop)
  const config = loadMcpConfig({ PUBLIC_URL: 'https://graphs.example.com', GATEWAY_SECRET: secret, FALKORDB_URL: falkordb.url, LOG_LEVEL: 'silent' })
  const observability = createObservability('mcp', config.LOG_LEVEL)
  const database = await openDatabases(config, observability.logger)
  started.defer(() => database.close())
  const app = buildApp({ config, database, observability, health: databaseHealth(database) })
  started.defer(() => app.close())
  const write = createIdentityWriter([secret])

  async function call ({ tool, args }: Example): Promise<string> {
    const headers = write({ tenantId: 'acme', userId: 'ada', clientId: 'docs', scopes: expandScopes(['graph:admin']), issuer: 'https://id.example.com' })
    const payload = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: tool, arguments: args } }
    const reply = await app.inject({ method: 'POST', url: '/mcp', headers: { accept: 'application/json, text/event-stream', 'content-type': 'application/json', ...headers }, payload })
    const { result } = reply.json() as { result: { content: [{ text: string }], structuredContent?: unknown } }
    const structured = result.structuredContent === undefined ? '' : `\n\nThe same as \`structuredContent\`:\n\n\`\`\`json\n${JSON.stringify(result.structuredContent)}\n\`\`\``
    return settled(`\`\`\`text\n${result.content[0].text}\n\`\`\`${structured}`)
  }

  const specs = allTools.map(tool => tool.spec(config))
  const answers = new Map<Example, string>()
  for (const example of examples) answers.set(example, await call(example))
  const sections = specs.map(({ name, title, description, scope, input }) => [
    `## ${name}`,
    `${title}. Scope: \`${scope}\`. Arguments: ${Object.keys(input.properties).map(argument => `\`${argument}${input.required?.includes(argument) ? '' : '?'}\``).join(', ') || 'none'}.`,
    `> ${description}`,
    ...examples.filter(({ tool }) => tool === name).flatMap(example => [
      ...(example.say === undefined ? [] : [example.say]),
      `\`\`\`json\n${JSON.stringify(example.args)}\n\`\`\``,
      answers.get(example)!
    ])
  ].join('\n\n'))
  return `${[head, ...sections].join('\n\n')}\n`
}

const head = `# The tools

What a model is told of each tool, and a real call with its answer: made by \`node dev/tools-page.ts > docs/tools.md\` from a run against FalkorDB, as the caller \`ada\` of the tenant \`acme\`
with the scope \`graph:admin\`. Times and the random marks around data are replaced by fixed ones. Every tool is there over REST as well: \`POST /tools/{name}\` with the arguments as its body
([docs/rest.md](rest.md)).`

/** What differs from run to run, replaced by something of the same form. */
function settled (text: string): string {
  return text
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9')
    .replaceAll(/v1\.[\w-]{40,}\.[\w-]{40,}/g, 'v1.WzE3OTUy…')
    .replaceAll(/(?<=\b(?:executionTimeMs|latencyMs|ms|time)"?:? ?)\d+(?:\.\d+)?|\b\d+\.\d+(?= ?ms\b)/g, '0.5')
}

if (import.meta.main) process.stdout.write(await toolsPage())
