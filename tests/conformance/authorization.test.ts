/**
 * The official conformance suite against the built-in sign-in: every scenario that it has for authorization servers, at both revisions, by a
 * client that registered and by one that a metadata document describes. The suite prints an address and waits on a port for the code, as an
 * app on a person's machine does; the person is tests/support/sign-in.ts.
 *
 * What is not run: a client with a secret, which the suite would still send as a public one wherever the server takes those too; and the
 * suite's client scenarios (auth/metadata-default, auth/basic-cimd, auth/iss-supported …): each of them starts an authorization server and an
 * MCP server of the suite's own, with faults of its choice, and judges the client that it is given. None takes an address of ours. What clients
 * make of our metadata is shown by clients instead: tests/sign-in/clients.test.ts.
 */
import t from 'tap'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { freePort } from '../../dev/free-port.ts'
import { publishDocument } from '../support/client-documents.ts'
import { openGateway, unique } from '../support/gateway.ts'
import { createSend } from '../support/https.ts'
import { Browser, register } from '../support/sign-in.ts'
import { repository } from '../support/stack-file.ts'

interface Check { id: string, status: 'SUCCESS' | 'FAILURE' | 'WARNING' | 'SKIPPED' | 'INFO', errorMessage?: string }

const suite = join(repository, 'node_modules/@modelcontextprotocol/conformance/dist/index.js')
const gateway = openGateway()

/** How the suite's client comes to its id. */
const ways: Record<string, (redirect: string) => Promise<string>> = {
  'a client that registered': async redirect => (await register(gateway.send, { client_name: 'conformance', redirect_uris: [redirect] })).client_id,
  'a client with a metadata document': async redirect => publishDocument('conformance', redirect)
}

for (const revision of ['2025-11-25', '2026-07-28']) {
  const scenarios = await scenariosOf(revision)
  for (const [way, clientId] of Object.entries(ways)) {
    for (const resource of [gateway.mcpUrl, undefined]) {
      t.test(`${revision}: ${way}, ${resource === undefined ? 'which names no resource' : 'for this gateway as its resource'}`, { timeout: 60_000 }, async t => {
        const results = t.testdir()
        const port = await freePort()
        const { code, output } = await runSuite(port, [
          '--url', gateway.url, '--client-id', await clientId(`http://127.0.0.1:${port}/callback`), '--spec-version', revision, '-o', results, ...(resource === undefined ? [] : ['--resource', resource])
        ])
        const folders = readdirSync(results)
        for (const scenario of scenarios) {
          const folder = folders.find(name => name.startsWith(`authorization-server-${scenario}-`))
          const checks = folder === undefined ? [] : JSON.parse(readFileSync(join(results, folder, 'checks.json'), 'utf8')) as Check[]
          t.ok(checks.length > 0, `${scenario} was run`)
          // A warning and a check that was left out are none that passed.
          t.strictSame(checks.filter(({ status }) => status !== 'SUCCESS').map(({ id, status, errorMessage }) => `${id}: ${status} ${errorMessage}`), [], `${scenario}: ${checks.length} checks passed`)
        }
        t.equal(folders.length, scenarios.length, 'no scenario was run that is not listed here')
        t.equal(code, 0, 'the suite itself finds no fault', { suite: output })
      })
    }
  }
}

/** The names of what the suite has for authorization servers at a revision. */
async function scenariosOf (revision: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [suite, 'list', '--authorization', '--spec-version', revision])
  const names = [...stdout.matchAll(/^ {2}- (\S+)/gm)].map(([, name]) => name as string)
  if (!names.includes('authorization-code-grant')) throw new Error(`the suite lists no authorization-code-grant at ${revision}: ${stdout}`)
  return names
}

/** Runs the suite, and is the person whom it asks to open an address. */
async function runSuite (port: number, args: string[]): Promise<{ code: number, output: string }> {
  const child = spawn(process.execPath, [suite, 'authorization', '-p', String(port), ...args], { env: { ...process.env, NODE_EXTRA_CA_CERTS: gateway.caFile }, stdio: ['ignore', 'pipe', 'pipe'], timeout: 50_000 })
  const ended = once(child, 'close')
  let output = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => { output += text })
  for await (const line of createInterface({ input: child.stdout })) {
    output += `${line}\n`
    if (line.startsWith(`${gateway.url}/authorize?`)) await signInFor(line, port)
  }
  const [code] = await ended as [number | null]
  return { code: code ?? 1, output }
}

/** Signs in, allows, and brings the answer to the port where the suite waits. */
async function signInFor (link: string, port: number): Promise<void> {
  const browser = new Browser(gateway.send, gateway.url)
  const asked = await browser.press(await browser.open(link), 'upstream', 'local', { name: `${unique('conformance')}@both.example` })
  const { left } = await browser.press(asked, 'decision', 'allow', { tenant: 'acme' })
  if (left?.origin !== `http://127.0.0.1:${port}`) throw new Error(`the browser was sent to ${left?.href ?? 'no other place'}`)
  await createSend(left.origin)({ path: left.pathname + left.search })
}
