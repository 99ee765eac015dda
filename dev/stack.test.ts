/** make dev itself: two stacks side by side, deaths of parts, and every way in which a stack may end. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { until } from '../tests/support/until.ts'
import { family, listening, stillListening, stillRunning } from '../tests/support/processes.ts'
import { mintToken } from './issuer/client.ts'
import { call, toolCall } from './stack/call.ts'
import { readStackFile, type StackFile } from './stack/file.ts'
import { startStack } from './stack/start.ts'

interface Started {
  dir: string
  child: ChildProcess
  /** All that it has printed. */
  said: () => string
  stack: () => Promise<StackFile>
}

const root = await mkdtemp(join(tmpdir(), 'stack-'))
const children: ChildProcess[] = []
t.after(async () => {
  for (const child of children) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
  await rm(root, { recursive: true, force: true })
})

/** Starts `make dev`'s own program in a folder of its own, and returns when its stack is ready. */
async function start (name: string): Promise<Started> {
  const dir = join(root, name)
  const child = run({ DEV_DIR: dir, PORT: '0', MCP_REPLICAS: '1' })
  let said = ''
  for (const stream of [child.stdout!, child.stderr!]) stream.setEncoding('utf8').on('data', (chunk: string) => { said += chunk })
  await until(`${name} is ready`, () => {
    if (child.exitCode !== null) throw new Error(`${name} ended: ${said}`)
    return existsSync(join(dir, 'stack.json')) && said.includes('Ctrl-C stops')
  }, 90)
  return { dir, child, said: () => said, stack: () => readStackFile(dir) }
}

function run (env: Record<string, string>): ChildProcess {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'stack.ts')], { env: { ...process.env, NODE_OPTIONS: '', FALKORDB_URL: '', ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  children.push(child)
  return child
}

/** One falkordb_query through the public door. */
async function query (stack: StackFile, tenant: string, cypher: string) {
  const token = await mintToken(stack.mint, { claims: { sub: 'ada', tenant_id: tenant, scope: 'graph:read graph:write' } })
  return await queryAs(stack, token, cypher)
}

async function queryAs (stack: StackFile, token: string, cypher: string) {
  const { headers, body } = toolCall('falkordb_query', { graphName: 'films', query: cypher })
  const answer = await call(stack.mcpUrl, { method: 'POST', ca: readFileSync(stack.ca), headers: { ...headers, authorization: `Bearer ${token}` }, body })
  return { status: answer.status, data: answer.status === 200 ? JSON.parse(answer.text).result?.structuredContent?.data : undefined }
}

/** Everything that a stack runs, and the ports on which it listens. */
async function holdings (pid: number) {
  const members = await family(pid)
  return { members, ports: await listening(members) }
}

async function nothingIsLeft ({ members, ports }: Awaited<ReturnType<typeof holdings>>) {
  await until('every process is gone', async () => (await stillRunning(members)).length === 0)
  await until('every port is closed', async () => (await stillListening(ports)).length === 0)
}

// Two whole stacks on a busy machine.
t.setTimeout(180_000)

const [one, two] = await Promise.all([start('one'), start('two')])

t.test('two stacks run side by side and do not know each other', async t => {
  const [a, b] = [await one.stack(), await two.stack()]
  t.strictSame((await query(a, 'acme', 'CREATE (f:Film {name: "Alien"}) RETURN f.name AS name')).data, [{ name: 'Alien' }])
  const token = await mintToken(a.mint, { claims: { sub: 'ada', tenant_id: 'acme', scope: 'graph:read' } })
  t.equal((await queryAs(b, token, 'RETURN 1')).status, 401, 'a token of the one is foreign to the other')
  t.strictSame((await query(b, 'acme', 'CREATE (:Film) RETURN 1 AS one')).data, [{ one: 1 }])
  t.strictSame((await query(b, 'acme', 'MATCH (f:Film {name: "Alien"}) RETURN f')).data, [])
})

t.test('nothing listens beyond 127.0.0.1', async t => {
  const { ports } = await holdings(Number(one.child.pid))
  t.ok(ports.length >= 9, `${ports.length} ports`)
  t.strictSame(ports.filter(({ address }) => address !== '127.0.0.1'), [])
})

t.test('a second stack in the same folder, or on a busy port, is refused in words', async t => {
  const { url } = await one.stack()
  const refusals: Array<[env: Record<string, string>, words: RegExp]> = [
    [{ DEV_DIR: one.dir, PORT: '0' }, /^A stack already runs in .*make dev PORT=\d+ DEV_DIR=/],
    [{ DEV_DIR: join(root, 'three'), PORT: new URL(url).port }, /^Port \d+ of 127\.0\.0\.1 is in use.*make dev PORT=/],
    [{ DEV_DIR: join(root, 'four'), PORT: 'https' }, /^PORT must be a number/],
    [{ DEV_DIR: join(root, 'five'), PORT: '0', MCP_REPLICAS: '0' }, /^MCP_REPLICAS must be a number/],
    [{ DEV_DIR: join(root, 'six'), PORT: '0', OAUTH_REPLICAS: '17' }, /^OAUTH_REPLICAS must be a number/]
  ]
  await Promise.all(refusals.map(async ([env, words]) => {
    const child = run(env)
    const [said, [code]] = await Promise.all([text(child.stderr!), once(child, 'close') as Promise<[number]>])
    t.equal(code, 1)
    t.match(said, words)
  }))
  t.equal((await query(await one.stack(), 'acme', 'RETURN 1 AS one')).status, 200, 'the first stack runs on')
})

t.test('12: a replica that is killed is started again at the same address', async t => {
  const before = (await one.stack()).services.mcp[0]
  process.kill(Number(before?.pid), 'SIGKILL')
  await until('stack.json names the new one', async () => {
    const { pid } = (await one.stack()).services.mcp[0] ?? {}
    return pid !== undefined && pid !== before?.pid
  })
  const stack = await one.stack()
  t.equal(stack.services.mcp[0]?.url, before?.url)
  await until('it answers', async () => (await query(stack, 'acme', 'RETURN 1 AS one')).status === 200)
  t.ok(one.said().includes('mcp-1 ended by SIGKILL: starting it again'), one.said().slice(-500))
})

t.test('a built-in sign-in that is killed is started again at the same address, with the same keys', async t => {
  const before = await one.stack()
  const keys = async () => {
    const { status, text } = await call(`${before.url}/.well-known/jwks.json`, { ca: readFileSync(before.ca) })
    return status === 200 ? text : undefined
  }
  const first = await keys()
  t.ok(first)
  const { pid, url } = before.services.oauth[0] ?? {}
  process.kill(Number(pid), 'SIGKILL')
  await until('stack.json names the new one', async () => ![undefined, pid].includes((await one.stack()).services.oauth[0]?.pid))
  t.equal((await one.stack()).services.oauth[0]?.url, url)
  let again: string | undefined
  await until('it answers', async () => (again = await keys()) !== undefined)
  t.equal(again, first)
})

t.test('a FalkorDB that is killed is started again with its graphs', async t => {
  const before = (await one.stack()).services.falkordb
  process.kill(Number(before.pid), 'SIGKILL')
  await until('stack.json names the new one', async () => {
    const { pid } = (await one.stack()).services.falkordb
    return pid !== undefined && pid !== before.pid
  })
  let films: unknown
  await until('the film is found', async () => {
    films = (await query(await one.stack(), 'acme', 'MATCH (f:Film) RETURN f.name AS name')).data
    return films !== undefined
  })
  t.strictSame(films, [{ name: 'Alien' }])
})

t.test('Ctrl-C stops everything, in order, and leaves no process, no port and no stack.json', async t => {
  const held = await holdings(Number(one.child.pid))
  one.child.kill('SIGINT')
  const [code] = await once(one.child, 'exit')
  t.equal(code, 0)
  await nothingIsLeft(held)
  t.notOk(existsSync(join(one.dir, 'stack.json')))
  t.ok(one.said().endsWith('nothing is left running.\n'), one.said().slice(-500))
})

t.test('a stack whose own process is killed takes every part with it', async t => {
  const held = await holdings(Number(two.child.pid))
  t.ok(held.members.length >= 6, held.members.map(({ command }) => command).join('\n'))
  two.child.kill('SIGKILL')
  await once(two.child, 'exit')
  await nothingIsLeft(held)
})

t.test('the death of any other part stops everything and says why; what a killed stack left behind is no obstacle', async t => {
  t.ok(existsSync(join(two.dir, 'stack.json')))
  const lines: string[] = []
  const stack = await startStack({ dir: two.dir, port: 0, mcpReplicas: 1, say: line => lines.push(line), settings: {} })
  t.teardown(() => stack.stop())
  const pids = [stack.file.services.traefik, stack.file.services.issuer, stack.file.services.falkordb, stack.file.services.valkey, ...stack.file.services.mcp, ...stack.file.services.oauth].map(({ pid }) => Number(pid))
  const members = (await Promise.all(pids.map(family))).flat()
  const ports = await listening(members)
  process.kill(Number(stack.file.services.verify.pid), 'SIGKILL')
  t.match(await stack.over, /^verify ended by SIGKILL/)
  await nothingIsLeft({ members, ports })
  t.notOk(existsSync(join(two.dir, 'stack.json')))
})
