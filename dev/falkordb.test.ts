import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { until } from '../tests/support/until.ts'
import { freePort } from './free-port.ts'
import { startFalkordb, type FalkordbOptions } from './programs/falkordb.ts'
import { onPath } from './programs/run.ts'

const mebibyte = 2 ** 20
const runaway = 'UNWIND range(1,1000000000) AS x RETURN sum(x)'

/** A FalkorDB that ends with the test, and what it said. */
async function start (t: Test, options: Partial<FalkordbOptions> = {}) {
  const lines: string[] = []
  const falkordb = await startFalkordb({ port: await freePort(), say: line => lines.push(line), memoryBytes: 1024 * mebibyte, ...options })
  t.teardown(falkordb.stop)
  return { ...falkordb, lines, port: Number(new URL(falkordb.url).port) }
}

/** The reply to one command, as the server writes it; empty if the server ended meanwhile. */
async function send (port: number, command: string): Promise<string> {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8')
  let reply = ''
  socket.on('data', text => { reply += text }).on('error', () => {})
  // No half-closed socket: the server would drop the answer of a query that still runs.
  socket.write(`${command}\r\nQUIT\r\n`)
  await new Promise<void>(resolve => { socket.on('close', () => resolve()) })
  return reply
}

function isAlive (pid: number): boolean {
  try {
    // A process that ended and was not yet waited for by its new parent is a zombie: it holds nothing any more.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return false
    throw error
  }
}

t.test('it answers graph queries on 127.0.0.1, under its limits', async t => {
  const { port, pid } = await start(t, { args: { RESULTSET_SIZE: 11 } })
  t.match(await send(port, 'GRAPH.QUERY films "RETURN 6 * 7"'), /:42\r\n/)
  t.match(await send(port, 'CONFIG GET bind'), /\r\n127\.0\.0\.1\r\n/)
  for (const [name, value] of [['RESULTSET_SIZE', 11], ['TIMEOUT_DEFAULT', 10_000], ['TIMEOUT_MAX', 60_000], ['QUERY_MEM_CAPACITY', 256 * mebibyte]] as const) {
    t.match(await send(port, `GRAPH.CONFIG GET ${name}`), `:${value}\r\n`, name)
  }
  t.match(readFileSync(`/proc/${pid}/limits`, 'utf8'), new RegExp(`^Max address space +${1024 * mebibyte} `, 'm'))
})

t.test('a runaway query ends within the memory limit, and says why', async t => {
  const { port, lines, process: child } = await start(t)
  await send(port, 'GRAPH.QUERY g "RETURN 1"')
  const ended = once(child, 'close')
  t.equal(await send(port, `GRAPH.RO_QUERY g "${runaway}"`), '', 'it has no answer')
  await ended
  t.match(lines.at(-1), /^FalkorDB ended .*out of memory/i)
  await start(t, { port })
  t.match(await send(port, 'PING'), '+PONG', 'the next one starts on the same port')
})

t.test('stop leaves no process, no port and no file', async t => {
  const { pid, port, stop } = await start(t)
  const home = /\r\ndir\r\n\$\d+\r\n(\S+)/.exec(await send(port, 'CONFIG GET dir'))![1]!
  t.ok(existsSync(home))
  await stop()
  t.notOk(isAlive(pid))
  t.notOk(existsSync(home))
  const server = createServer().listen(port, '127.0.0.1')
  await once(server, 'listening')
  server.close()
  await stop()
})

t.test('stop ends a server that is busy with a query', async t => {
  const { pid, port, stop } = await start(t)
  const reply = send(port, 'GRAPH.QUERY g "UNWIND range(1,3000) AS x UNWIND range(1,3000) AS y UNWIND range(1,3000) AS z RETURN count(*)"')
  await until('the query to run', async () => (await send(port, 'GRAPH.INFO RunningQueries')).includes('RETURN count'))
  await stop()
  t.notOk(isAlive(pid))
  t.notMatch(await reply, /^\*/)
})

t.test('graphs stay where a folder is given', async t => {
  const dir = join(t.testdir({}), 'graphs')
  const first = await start(t, { dir })
  await send(first.port, 'GRAPH.QUERY films "CREATE (:Film {title: \'Metropolis\'})"')
  await first.stop()
  const second = await start(t, { dir })
  t.match(await send(second.port, 'GRAPH.RO_QUERY films "MATCH (f:Film) RETURN f.title"'), /Metropolis/)
})

t.test('a port that another program holds is an error that says so, and leaves nothing', async t => {
  const other = createServer(socket => socket.end('+PONG\r\n*0\r\n')).listen(0, '127.0.0.1')
  t.teardown(() => other.close())
  await once(other, 'listening')
  await t.rejects(start(t, { port: (other.address() as AddressInfo).port }), /FalkorDB ended at its start .*address already in use/i)
})

t.test('a setting that the module does not know is an error that shows its log', async t => {
  await t.rejects(start(t, { args: { NO_SUCH_SETTING: 1 } }), /FalkorDB ended at its start.*initialization failed/)
})

t.test('it ends when the process that started it is killed', { skip: await onPath('setpriv') ? false : 'setpriv (util-linux) is not installed' }, async t => {
  const script = `
    import { startFalkordb } from ${JSON.stringify(new URL('programs/falkordb.ts', import.meta.url).href)}
    import { freePort } from ${JSON.stringify(new URL('free-port.ts', import.meta.url).href)}
    const { pid } = await startFalkordb({ port: await freePort(), say () {}, memoryBytes: ${1024 * mebibyte} })
    console.log(pid)
    process.stdin.resume()`
  const parent = spawn(process.execPath, ['--input-type=module-typescript', '--eval', script], { env: { ...process.env, TMPDIR: t.testdir({}) }, stdio: ['pipe', 'pipe', 'inherit'] })
  const [line] = await once(parent.stdout, 'data')
  const pid = Number(String(line))
  t.ok(isAlive(pid))
  parent.kill('SIGKILL')
  await until('its end', async () => !isAlive(pid))
})

/** Asks until it is so; the test's own time limit ends a wait in vain. */
