import t, { type Test } from 'tap'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import type { StackFile } from '../../dev/stack/file.ts'
import { startDevStack, type DevStack } from '../support/dev-stack.ts'
import { createSend } from '../support/https.ts'
import { family, listening, stillListening, stillRunning } from '../support/processes.ts'
import { repository } from '../support/stack-file.ts'
import { until } from '../support/until.ts'

t.setTimeout(290_000)

const exec = promisify(execFile)
/** `make dev` on a free port. A test that fails midway stops it too. */
async function start (t: Test): Promise<DevStack> {
  const stack = await startDevStack({ PORT: '0', MCP_REPLICAS: '1' }, 'dev/stack.ts')
  t.teardown(() => stack.stop())
  return stack
}
const fileOf = (stack: DevStack) => JSON.parse(readFileSync(stack.path, 'utf8')) as StackFile
const token = async (stack: DevStack, env: Record<string, string>) =>
  (await exec('make', ['token'], { cwd: repository, env: { ...process.env, DEV_DIR: dirname(stack.path), ...env } })).stdout
const ask = async (stack: DevStack, bearer: string, path: string, body?: unknown) => {
  const { url, ca } = fileOf(stack)
  return await createSend(url, ca)({ path, headers: { authorization: `Bearer ${bearer.trim()}` }, ...(body !== undefined && { body }) })
}

t.test('make dev: two stacks side by side, the pasted first query answers, a second tenant sees nothing of it, Ctrl-C leaves nothing', { timeout: 120_000 }, async t => {
  const [one, other] = await Promise.all([start(t), start(t)])
  t.not(fileOf(one).url, fileOf(other).url)

  const printed = one.output()
  t.match(printed, fileOf(one).mcpUrl)
  t.match(printed, 'NODE_EXTRA_CA_CERTS')
  t.match(printed, `claude mcp add --transport http falkordb ${fileOf(one).mcpUrl}\n`, 'no token is pasted to connect')
  t.match(printed, 'the tenants acme and globex')
  await until('the first query to be printed', async () => /curl [^]*?-d '.*'/.test(one.output()), 10)
  const [paste = ''] = /curl [^]*?-d '.*'/.exec(one.output()) ?? []
  const { stdout } = await exec('sh', ['-c', paste])
  const { result } = JSON.parse(stdout)
  t.strictSame(result.structuredContent.data, [{ person: 'Ada', knows: 'Grace' }])

  const acme = await token(one, {})
  t.match(acme, /^[\w-]+\.[\w-]+\.[\w-]+\n$/, 'make token prints one token and nothing else')
  t.strictSame((await ask(one, acme, '/api/mcp/graphs')).json.graphs, ['demo'])
  const globex = await token(one, { TENANT: 'globex' })
  t.strictSame((await ask(one, globex, '/api/mcp/graphs')).json.graphs, [], 'another tenant')
  t.equal((await ask(one, globex, '/tools/falkordb_read_query', { graphName: 'demo', query: 'MATCH (n) RETURN n' })).status, 404)
  t.equal((await ask(other, acme, '/api/mcp/graphs')).status, 401, 'a token of one stack is foreign to the other')

  const doctor = await exec(process.execPath, ['dev/doctor.ts'], { cwd: repository, env: { ...process.env, DEV_DIR: dirname(one.path) } })
    .then(({ stdout }) => stdout, (error: { stdout: string }) => error.stdout)
  const [, found = ''] = doctor.split('The dev stack in')
  t.match(found, 'falkordb')
  t.match(found, 'oauth-1')
  t.match(found, `people can sign in: the documents of ${fileOf(one).url} are answered`)
  t.notMatch(found, 'FAULT', '30: the doctor finds no fault in a healthy stack')

  t.strictSame(await Promise.all([one.stop(), other.stop()]), [[], []], 'nothing is left')
})

t.test('the death of a part that cannot be started again stops all of it', { timeout: 60_000 }, async t => {
  const stack = await start(t)
  const members = await family(stack.pid)
  const ports = await listening(members)
  process.kill(fileOf(stack).services.verify.pid as number, 'SIGKILL')
  await until('the stack to end', async () => (await stillRunning(members)).length === 0, 30)
  t.strictSame(await stillListening(ports), [])
  t.match(stack.output(), /verify/)
  t.strictSame(await stack.stop(), [])
})

t.test('a stack whose own process is killed takes its parts along', { timeout: 60_000 }, async t => {
  const stack = await start(t)
  const members = await family(stack.pid)
  const ports = await listening(members)
  t.ok(members.length >= 6, `${members.length} processes`)
  process.kill(stack.pid, 'SIGKILL')
  await until('every part to end', async () => (await stillRunning(members)).length === 0, 30)
  t.strictSame(await stillListening(ports), [])
  await stack.stop()
})

t.test('a second stack in the same folder, and a taken port, are refused with a word of advice', { timeout: 60_000 }, async t => {
  const stack = await start(t)
  const { port } = new URL(fileOf(stack).url)
  const again = (env: Record<string, string>) => exec(process.execPath, ['dev/stack.ts'], { cwd: repository, env: { ...process.env, ...env } })
    .then(() => 'it started', (error: { stderr: string }) => error.stderr)
  t.match(await again({ DEV_DIR: dirname(stack.path), PORT: '0' }), /already runs in .*DEV_DIR/)
  t.match(await again({ DEV_DIR: t.testdir(), PORT: port }), new RegExp(`Port ${port} .*in use.*PORT=`, 's'))
  t.strictSame(await stack.stop(), [])
})
