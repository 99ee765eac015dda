import { execFileSync } from 'node:child_process'
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { until } from '../../tests/support/until.ts'
import { ConfigurationError } from './config.ts'
import { createObservability } from './service.ts'
import { watchFile, watchFiles, type WatchedFile } from './watched-file.ts'

/** Reads `good: …`; whatever else is broken. */
function parse (text: string): { said: string } {
  if (!text.startsWith('good:')) throw new ConfigurationError(['line 1 does not begin with "good:"'])
  return { said: text.slice(5).trim() }
}

function watched (t: Test, content = 'good: first') {
  const dir = t.testdir({ file: content })
  const lines: string[] = []
  const { logger } = createObservability('test', 'info', { write: line => lines.push(line) })
  const file = watchFile({ name: 'THE_FILE', path: join(dir, 'file'), parse, logger, intervalMs: 5 })
  t.teardown(() => file.close())
  const replace = (content: string) => {
    writeFileSync(join(dir, 'new'), content)
    renameSync(join(dir, 'new'), join(dir, 'file'))
  }
  return { dir, path: join(dir, 'file'), file, lines, replace, faults: () => lines.filter(line => line.includes('"level":50')) }
}

const says = (file: WatchedFile<{ said: string }>, said: string) => until(said, () => file.value.said === said)

t.test('a file is read at once, and again after it was replaced, written in place, or swapped by its symlink', async t => {
  const { dir, path, file, replace } = watched(t)
  t.equal(file.value.said, 'first')
  const heard: string[] = []
  file.onChange(({ said }) => heard.push(said))
  replace('good: renamed over it')
  await says(file, 'renamed over it')
  writeFileSync(path, 'good: written in place')
  await says(file, 'written in place')

  // As Kubernetes mounts a ConfigMap: the file is a link through a folder that is a link, and that one is swapped.
  for (const version of ['one', 'two']) {
    mkdirSync(join(dir, version))
    writeFileSync(join(dir, version, 'file'), `good: version ${version}`)
  }
  symlinkSync('one', join(dir, '..data'))
  symlinkSync('..data/file', join(dir, 'link'))
  renameSync(join(dir, 'link'), path)
  await says(file, 'version one')
  symlinkSync('two', join(dir, '..next'))
  renameSync(join(dir, '..next'), join(dir, '..data'))
  await says(file, 'version two')
  t.strictSame(heard, ['renamed over it', 'written in place', 'version one', 'version two'])
  t.equal(file.status(), 'ok')
})

t.test('the value stays the same object while the file stays as it is', async t => {
  const { file, replace } = watched(t)
  const first = file.value
  await delay(30)
  t.equal(file.value, first)
  replace('good: first')
  await until('another reading', () => file.value !== first)
})

t.test('a broken file leaves the last good value, is told once in the log and in the status, never with its content', async t => {
  const { file, replace, faults } = watched(t)
  replace('SENTINEL of something else')
  await until('the fault', () => file.status() !== 'ok')
  t.match(file.status(), /^warning: THE_FILE \/.*file is broken since 20\d\d-.*Z \(line 1 does not begin with "good:"\), the last good one goes on$/)
  t.equal(file.value.said, 'first')
  await delay(50)
  t.equal(faults().length, 1, 'many looks, one line')
  t.match(faults()[0], 'line 1 does not begin')
  t.notMatch(faults().join() + file.status(), 'SENTINEL')

  replace('still SENTINEL, and other')
  await until('the second fault', () => faults().length === 2)
  replace('good: mended')
  await says(file, 'mended')
  t.equal(file.status(), 'ok')
})

t.test('a file that goes away leaves the last good value, and is read when it is back', async t => {
  const { path, file } = watched(t)
  rmSync(path)
  await until('the fault', () => file.status() !== 'ok')
  t.match(file.status(), /cannot be read \(ENOENT\)/)
  t.equal(file.value.said, 'first')
  writeFileSync(path, 'good: back')
  await says(file, 'back')
  t.equal(file.status(), 'ok')
})

t.test('a folder, a named pipe, too many bytes and bytes that are no text in its place are faults, and hold nobody up', async t => {
  const { path, file } = watched(t)
  const { logger } = createObservability('test', 'silent')
  const become = async (words: RegExp, make: () => void) => {
    rmSync(path, { recursive: true, force: true })
    make()
    await until(String(words), () => words.test(file.status()))
    t.equal(file.value.said, 'first')
    t.throws(() => watchFile({ name: 'THE_FILE', path, parse, logger }), { name: 'ConfigurationError', message: words }, 'nor does a process start with it')
  }
  await become(/is no file/, () => mkdirSync(path))
  await become(/is no file/, () => execFileSync('mkfifo', [path]))
  await become(/is larger than 16777216 bytes/, () => writeFileSync(path, Buffer.alloc(16_777_217, 'good:')))
  await become(/is no UTF-8 text/, () => writeFileSync(path, Buffer.from([0x67, 0xff, 0xfe])))
})

t.test('a missing or broken file stops the start, with its faults', async t => {
  const { logger } = createObservability('test', 'silent')
  const open = (path: string) => watchFile({ name: 'THE_FILE', path, parse, logger })
  const dir = t.testdir({ broken: 'SENTINEL' })
  t.throws(() => open(join(dir, 'none')), { name: 'ConfigurationError', faults: [/none cannot be read \(ENOENT\)$/] })
  t.throws(() => open(join(dir, 'broken')), { name: 'ConfigurationError', faults: ['line 1 does not begin with "good:"'] })
})

t.test('an error that was not made for readers is named by its class alone, for it may quote the content', async t => {
  const dir = t.testdir({ file: '{}' })
  const lines: string[] = []
  const { logger } = createObservability('test', 'info', { write: line => lines.push(line) })
  const file = watchFile({ name: 'THE_FILE', path: join(dir, 'file'), parse: text => JSON.parse(text) as object, logger, intervalMs: 5 })
  t.teardown(() => file.close())
  writeFileSync(join(dir, 'file'), 'SENTINEL')
  await until('the fault', () => file.status() !== 'ok')
  t.match(file.status(), '(SyntaxError)')
  t.notMatch(lines.join() + file.status(), 'SENTINEL')
})

t.test('two files make one value: replaced one after the other they are never taken half', async t => {
  const dir = t.testdir({ cert: 'a', key: 'a' })
  const { logger } = createObservability('test', 'silent')
  const fits = (cert: string, key: string) => {
    if (cert !== key) throw new ConfigurationError(['the key is not of the certificate'])
    return cert
  }
  const seen: string[] = []
  const pair = watchFiles({ name: 'CERT and KEY', paths: [join(dir, 'cert'), join(dir, 'key')], parse: fits, logger, intervalMs: 5 })
  t.teardown(() => pair.close())
  pair.onChange(value => seen.push(value))
  writeFileSync(join(dir, 'cert'), 'b')
  await until('the fault', () => pair.status() !== 'ok')
  t.equal(pair.value, 'a')
  writeFileSync(join(dir, 'key'), 'b')
  await until('the new pair', () => pair.value === 'b')
  t.strictSame([seen, pair.status()], [['b'], 'ok'])
})

t.test('a listener that fails is told of and holds up no other', async t => {
  const { file, replace, lines } = watched(t)
  const heard: string[] = []
  file.onChange(() => { throw new Error('cannot use it') })
  file.onChange(({ said }) => heard.push(said))
  replace('good: second')
  await until('the other listener', () => heard.length === 1)
  t.match(lines.join(), 'cannot use it')
})

t.test('after close nothing is read', async t => {
  const { file, replace } = watched(t)
  file.close()
  replace('good: too late')
  await delay(40)
  t.equal(file.value.said, 'first')
})
