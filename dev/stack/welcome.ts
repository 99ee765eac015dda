/** What make dev prints when the stack is ready: everything that the first query needs, to be pasted as it stands. */
import { resolve } from 'node:path'
import { toolCall } from './call.ts'
import type { StackFile } from './file.ts'

/** Who the printed token is for. */
export const firstCaller = { tenant: 'acme', user: 'demo', scope: 'graph:read graph:write' }
/** Seconds that the printed token lives: a working day, because it goes into client configurations. */
export const firstTokenTtl = 12 * 3_600

/** The lines for a person at a terminal. @param again the command that prints a new token of this stack */
export function welcome (stack: StackFile, token: string, again = 'make token'): string {
  const { mcpUrl, url, ca, issuer, logs } = stack
  const caPath = resolve(ca)
  return `
Ready: ${mcpUrl}
${stack.services.oauth.length > 0 ? signingIn(stack, caPath) : ''}
Token of user ${firstCaller.user} in tenant ${firstCaller.tenant}, for ${firstTokenTtl / 3_600} hours, for scripts:

${token}

Another one: ${again} TENANT=globex USER=ada SCOPE="graph:read" TTL=3600
Its issuer, ${issuer}, is a stand-in for an identity provider of your own; never trust it outside this machine.

A first query with it, to paste into another terminal:

${firstQuery(mcpUrl, caPath, token)}

Clients that do not sign in, by that token. Claude Code (the variable lets it trust this stack's certificate):

  export NODE_EXTRA_CA_CERTS=${quoted(caPath)}
  claude mcp add --transport http falkordb ${mcpUrl} --header "Authorization: Bearer ${token}"

Claude Desktop, in claude_desktop_config.json:

${indented(claudeDesktop(mcpUrl, caPath, token))}

VS Code, in .vscode/mcp.json:

${indented(vsCode(mcpUrl, caPath, token))}

Health: ${url}/health   Logs: ${logs}   Faults: make doctor
Ctrl-C stops all of it.
`
}

/** How to connect without a token: the client opens a browser, where somebody signs in. */
function signingIn ({ mcpUrl, url, localTenants }: StackFile, ca: string): string {
  const who = localTenants === undefined ? '' : `\nAny name will do there; it belongs to ${localTenants.length === 1 ? 'the tenant' : 'the tenants'} ${localTenants.join(' and ')}.`
  return `
Connect, and sign in in the browser that opens.${who}

Claude Code (the variable lets it trust this stack's certificate):

  export NODE_EXTRA_CA_CERTS=${quoted(ca)}
  claude mcp add --transport http falkordb ${mcpUrl}

Claude Desktop, in claude_desktop_config.json; VS Code, in .vscode/mcp.json, under "servers":

${indented({ mcpServers: { falkordb: remote(mcpUrl, ca) } })}

Who is connected, and an end to it: ${url}/account
`
}

/** A shell command that writes two people into the graph \`demo\` and reads them back. */
function firstQuery (mcpUrl: string, ca: string, token: string): string {
  const { headers, body } = toolCall('falkordb_query', {
    graphName: 'demo',
    query: 'MERGE (a:Person {name: $a}) MERGE (b:Person {name: $b}) MERGE (a)-[:KNOWS]->(b) RETURN a.name AS person, b.name AS knows',
    parameters: { a: 'Ada', b: 'Grace' }
  })
  const lines = Object.entries({ authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers }).map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`)
  return [`curl -sS --cacert ${quoted(ca)} ${mcpUrl}`, ...lines, `-d ${quoted(JSON.stringify(body))}`].join(' \\\n  ')
}

/** mcp-remote as the bridge: it takes the authority from its environment, whatever the client around it does. Without a token it signs in. */
function remote (mcpUrl: string, ca: string, authorization?: string, env: Record<string, string> = {}) {
  return {
    command: 'npx',
    args: ['-y', 'mcp-remote', mcpUrl, ...authorization === undefined ? [] : ['--header', `Authorization:${authorization}`]],
    env: { NODE_EXTRA_CA_CERTS: ca, ...env }
  }
}

/** The token by a variable: Claude Desktop on Windows splits an argument at its space. */
function claudeDesktop (mcpUrl: string, ca: string, token: string) {
  // eslint-disable-next-line no-template-curly-in-string
  return { mcpServers: { falkordb: remote(mcpUrl, ca, '${AUTH_HEADER}', { AUTH_HEADER: `Bearer ${token}` }) } }
}

/** The token itself: VS Code would take `${…}` for a variable of its own. */
function vsCode (mcpUrl: string, ca: string, token: string) {
  return { servers: { falkordb: { type: 'stdio', ...remote(mcpUrl, ca, `Bearer ${token}`) } } }
}

const indented = (value: object) => JSON.stringify(value, undefined, 2).replace(/^/gm, '  ')
const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`
