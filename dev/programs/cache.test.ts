import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { cached, cacheFolder } from './cache.ts'

/** A name that no other test uses, with nothing left of it at the end. */
function entry (t: Test): string {
  const name = `test-${randomUUID()}`
  t.teardown(() => { for (const file of readdirSync(cacheFolder)) if (file.startsWith(name)) rmSync(join(cacheFolder, file), { recursive: true }) })
  return name
}

const isWhole = async (folder: string) => existsSync(join(folder, 'whole'))
const put = (folder: string) => writeFileSync(join(folder, 'whole'), 'whole')
const silent = () => {}

t.test('an entry that many want at once is made once', async t => {
  const name = entry(t)
  let made = 0
  const lines: string[] = []
  const folders = await Promise.all(Array.from({ length: 5 }, () => cached(name, line => lines.push(line), isWhole, async folder => {
    made++
    await new Promise(resolve => setImmediate(resolve))
    put(folder)
  })))
  t.strictSame([made, new Set(folders).size, lines.length], [1, 1, 4])
  t.equal(readFileSync(join(folders[0]!, 'whole'), 'utf8'), 'whole')
})

t.test('a failure leaves nothing, and the next one makes it', async t => {
  const name = entry(t)
  await t.rejects(cached(name, silent, isWhole, async () => { throw new Error('no network') }), /no network/)
  await t.rejects(cached(name, silent, isWhole, async () => {}), /does not run/)
  t.strictSame(readdirSync(cacheFolder).filter(file => file.startsWith(name)), [])
  await cached(name, silent, isWhole, async folder => put(folder))
})

t.test('an entry that is no longer sound is made anew', async t => {
  const name = entry(t)
  const folder = await cached(name, silent, isWhole, async folder => put(folder))
  rmSync(join(folder, 'whole'))
  await cached(name, silent, isWhole, async folder => put(folder))
  t.ok(await isWhole(folder))
})

t.test('a maker that is killed stops nobody, and its remains are removed', async t => {
  const name = entry(t)
  const script = `
    import { cached } from ${JSON.stringify(new URL('cache.ts', import.meta.url).href)}
    await cached(${JSON.stringify(name)}, () => {}, async () => false, async () => { console.log('making'); await new Promise(() => setInterval(() => {}, 1000)) })`
  const maker = spawn(process.execPath, ['--input-type=module-typescript', '--eval', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(maker.stdout, 'data')
  const waiting = new Promise<void>(resolve => {
    const made = cached(name, () => resolve(), isWhole, async folder => put(folder))
    t.teardown(() => made)
  })
  await waiting
  maker.kill('SIGKILL')
  const folder = await cached(name, silent, isWhole, async folder => put(folder))
  t.ok(await isWhole(folder))
  t.strictSame(readdirSync(cacheFolder).filter(file => file.startsWith(name)), [name])
})
