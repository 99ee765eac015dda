import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { until } from '../tests/support/until.ts'
import { startProcess } from './process.ts'
import { isAlive } from './stack/file.ts'

const running = new AbortController().signal

async function folder (t: Test): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'process-'))
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  return dir
}

/** Options for a Node process that runs this script; it answers as soon as its log holds "up". */
function script (dir: string, text: string) {
  const log = join(dir, 'part.log')
  return { command: [process.execPath, '-e', text] as const, env: { PATH: process.env.PATH }, log, isReady: async () => (await readFile(log, 'utf8')).includes('up') }
}

const stay = 'console.log("up"); setInterval(() => {}, 1000)'

t.test('a process writes both outputs to its log and ends by SIGTERM', async t => {
  const dir = await folder(t)
  const part = await startProcess(script(dir, `console.error("a warning"); process.on("SIGTERM", () => { console.log("ended well"); process.exit(0) }); ${stay}`), running)
  await part.stop()
  t.match(await readFile(join(dir, 'part.log'), 'utf8'), /a warning\nup\nended well/)
  t.notOk(isAlive(Number(part.pid)))
  t.match(await part.ended, 'ended with exit code 0')
})

t.test('a process that ignores SIGTERM is killed after its grace', async t => {
  const part = await startProcess({ ...script(await folder(t), `process.on("SIGTERM", () => {}); ${stay}`), graceMs: 50 }, running)
  await part.stop()
  t.match(await part.ended, 'ended by SIGKILL')
})

t.test('a process that ends at its start is an error that shows its last words', async t => {
  await t.rejects(startProcess(script(await folder(t), 'console.error("PORT is not set"); process.exit(78)'), running), /exit code 78[^]*PORT is not set/)
})

t.test('a program that does not exist is an error', async t => {
  await t.rejects(startProcess({ ...script(await folder(t), ''), command: ['/nowhere/program'] }, running), /\/nowhere\/program|could not be started/)
})

t.test('a process that does not answer in time is an error and is gone', async t => {
  const dir = await folder(t)
  await t.rejects(startProcess({ ...script(dir, 'console.log(process.pid); setInterval(() => {}, 1000)'), startMs: 500 }, running), /does not answer within 0.5 s/)
  t.notOk(isAlive(Number((await readFile(join(dir, 'part.log'), 'utf8')).trim())))
})

t.test('a stop while it starts leaves nothing', async t => {
  const dir = await folder(t)
  const controller = new AbortController()
  const starting = startProcess(script(dir, 'console.log(process.pid); setInterval(() => {}, 1000)'), controller.signal)
  starting.catch(() => {})
  const pid = async () => Number((await readFile(join(dir, 'part.log'), 'utf8').catch(() => '')).trim())
  await until('it has a pid', async () => await pid() > 0)
  controller.abort(new Error('enough'))
  await t.rejects(starting, { message: 'enough' })
  t.notOk(isAlive(await pid()))
})

t.test('no orphan: a process dies with the one that started it, even by SIGKILL', async t => {
  const dir = await folder(t)
  const parent = join(dir, 'parent.ts')
  const options = script(dir, stay)
  await writeFile(parent, `
    import { startProcess } from ${JSON.stringify(join(import.meta.dirname, 'process.ts'))}
    const part = await startProcess({ command: ${JSON.stringify(options.command)}, env: process.env, log: ${JSON.stringify(options.log)}, isReady: async () => true }, new AbortController().signal)
    console.log(part.pid)
    setInterval(() => {}, 1000)
  `)
  const child = spawn(process.execPath, [parent], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [chunk] = await once(child.stdout.setEncoding('utf8'), 'data') as [string]
  const pid = Number(chunk)
  t.ok(isAlive(pid))
  child.kill('SIGKILL')
  await once(child, 'exit')
  await until('the orphan is gone', () => !isAlive(pid))
})
