import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { writeStackFile, type StackFile } from '../dev/stack/file.ts'
import { parseApiKeys } from '../services/verify/credentials/api-key-file.ts'
import { ApiKeys, readKeyRing } from '../services/verify/credentials/api-keys.ts'
import { apiKeysInStack, changeApiKeys, ensureApiKeyFile } from './api-key-file.ts'
import { commands } from './api-keys.ts'

/** The command in this process, as the one below is in its own. */
async function run (command: 'make' | 'list' | 'revoke', env: Record<string, string>) {
  let [stdout, stderr, code] = ['', '', 0]
  try {
    await commands[command]?.(env, { print: line => { stdout += `${line}\n` }, say: line => { stderr += `${line}\n` } })
  } catch (error) {
    stderr += `${(error as Error).message}\n`
    code = 1
  }
  return { stdout, stderr, code }
}

async function runProcess (command: string, env: Record<string, string>) {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'api-keys.ts'), command], { env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close') as Promise<[number]>])
  return { stdout, stderr, code }
}

/** Where a file may come to be. */
const fileIn = (t: Test) => join(t.testdir(), 'config/api-keys.json')
const keysOf = (path: string) => parseApiKeys(readFileSync(path, 'utf8'))
/** The gate's own judgement of a key. */
const judged = (path: string, key: string) => new ApiKeys({ single: undefined, file: { value: readKeyRing(readFileSync(path, 'utf8')), status: () => 'ok', onChange: () => {}, close: () => {} } }).recognise(key)

t.test('make api-key prints the key and nothing else, and the gate knows it by the file', async t => {
  const API_KEYS_FILE = fileIn(t)
  const { stdout, stderr, code } = await runProcess('make', { API_KEYS_FILE, TENANT: 'acme', NAME: 'ci', SCOPE: 'graph:read graph:write', DAYS: '30' })
  t.equal(code, 0)
  t.match(stdout, /^fgk_[0-9A-Za-z]{10}_[0-9A-Za-z]{38}\n$/)
  const key = stdout.trim()
  t.match(judged(API_KEYS_FILE, key), { tenants: ['acme'], clientId: 'ci', scopes: ['graph:read', 'graph:write'] })
  const [entry] = keysOf(API_KEYS_FILE)
  t.equal(Date.parse(String(entry?.expires)) - Date.parse(String(entry?.created)), 30 * 86_400_000)
  for (const secret of [key, key.slice(15)]) t.notMatch(readFileSync(API_KEYS_FILE, 'utf8') + stderr, secret, 'the key is nowhere but on standard output')
  t.match(stderr, /shown this once/)
  t.strictSame(readdirSync(dirname(API_KEYS_FILE)), ['api-keys.json'], 'nothing is left beside it')
})

t.test('a fault goes to standard error, in words, and nothing to standard output', async t => {
  t.strictSame(await runProcess('revoke', { API_KEYS_FILE: fileIn(t) }), { stdout: '', stderr: 'ID is not set: which key? make api-keys lists them. For example: make revoke-api-key ID=Ab3dE6gH9j\n', code: 1 })
})

t.test('without SCOPE and DAYS it reads, for 90 days; DAYS=never has no end', async t => {
  const API_KEYS_FILE = fileIn(t)
  await run('make', { API_KEYS_FILE, TENANT: 'acme', NAME: 'first' })
  await run('make', { API_KEYS_FILE, TENANT: 'acme', NAME: 'second', DAYS: 'never' })
  const [first, second] = keysOf(API_KEYS_FILE)
  t.strictSame(first?.scopes, ['graph:read'])
  t.equal(Date.parse(String(first?.expires)) - Date.parse(String(first?.created)), 90 * 86_400_000)
  t.equal(second?.expires, null)
})

t.test('wrong settings are named all at once, with an example, and nothing is made', async t => {
  const API_KEYS_FILE = fileIn(t)
  const rows: Array<[env: Record<string, string>, words: RegExp[]]> = [
    [{}, [/TENANT is not set/, /NAME is not set/]],
    [{ TENANT: 'x'.repeat(129), NAME: 'y'.repeat(129) }, [/TENANT is longer than 128 bytes/, /NAME is longer than 128 characters/]],
    [{ TENANT: 'acme', NAME: 'two\nlines' }, [/NAME holds a control character/]],
    [{ TENANT: 'acme', NAME: 'ci', SCOPE: 'graph:read write' }, [/SCOPE holds "write"; there are graph:read, graph:write, graph:admin/]],
    [{ TENANT: 'acme', NAME: 'ci', SCOPE: ' ' }, [/SCOPE holds no scope/]],
    ...['0', '-1', '1.5', '3651', 'a month', '1e3'].map((DAYS): [Record<string, string>, RegExp[]] => [{ TENANT: 'acme', NAME: 'ci', DAYS }, [/DAYS is the key's life in whole days, from 1 to 3650, or never/]])
  ]
  for (const [env, words] of rows) {
    const { stdout, stderr, code } = await run('make', { API_KEYS_FILE, ...env })
    t.strictSame([code, stdout], [1, ''], JSON.stringify(env).slice(0, 60))
    for (const word of words) t.match(stderr, word)
    t.match(stderr, 'For example: make api-key TENANT=')
  }
  t.notOk(existsSync(API_KEYS_FILE))
})

t.test('make api-keys lists what each key is and whether it is good, and never its digest; make revoke-api-key ends one', async t => {
  const API_KEYS_FILE = fileIn(t)
  t.match((await run('list', { API_KEYS_FILE })), { code: 0, stdout: '', stderr: /There is no key in/ })
  const [ci, nightly] = [await run('make', { API_KEYS_FILE, TENANT: 'acme', NAME: 'ci' }), await run('make', { API_KEYS_FILE, TENANT: 'north\u001b[31msea', NAME: 'nightly', SCOPE: 'graph:admin', DAYS: 'never' })].map(({ stdout }) => stdout.trim()) as [string, string]
  const id = ci.split('_')[1] as string

  const wrong = await run('revoke', { API_KEYS_FILE, ID: 'nobody' })
  t.match(wrong, { code: 1, stderr: /holds no key "nobody"; make api-keys lists them/ })
  t.match(await run('revoke', { API_KEYS_FILE }), { code: 1, stderr: /ID is not set/ })
  const whole = await run('revoke', { API_KEYS_FILE, ID: ci })
  t.match(whole, { code: 1, stderr: /belongs in no command line/ })
  t.notMatch(whole.stderr, ci)
  t.not(judged(API_KEYS_FILE, ci), 'api_key_unknown')

  t.match(await run('revoke', { API_KEYS_FILE, ID: id }), { code: 0, stdout: '', stderr: /is revoked/ })
  t.equal(judged(API_KEYS_FILE, ci), 'api_key_unknown')
  t.match(judged(API_KEYS_FILE, nightly), { clientId: 'nightly' }, 'the other one goes on')
  const [{ revoked } = {}] = keysOf(API_KEYS_FILE)
  t.match(await run('revoke', { API_KEYS_FILE, ID: id }), { code: 0, stderr: new RegExp(`was revoked before, at ${revoked}`) })
  t.equal(keysOf(API_KEYS_FILE)[0]?.revoked, revoked)

  const { stdout } = await run('list', { API_KEYS_FILE })
  const [, first, second] = stdout.split('\n')
  t.match(first, new RegExp(`^${id} +revoked +acme +graph:read +20.* ci$`))
  t.match(second, /good +"north\\u001b\[31msea" +graph:admin +20.* never +nightly$/, 'no character that a terminal would obey')
  for (const secret of [ci.slice(15), nightly.slice(15), ...keysOf(API_KEYS_FILE).map(({ digest }) => digest.slice(7))]) t.notMatch(stdout, secret)
})

t.test('a broken file is left as it is, and its faults are named', async t => {
  const API_KEYS_FILE = join(t.testdir({ 'api-keys.json': '{ "keys": [{}] }' }), 'api-keys.json')
  for (const command of ['make', 'list', 'revoke'] as const) {
    const { stdout, stderr, code } = await run(command, { API_KEYS_FILE, TENANT: 'acme', NAME: 'ci', ID: 'x' })
    t.strictSame([code, stdout], [1, ''], command)
    t.match(stderr, /is left as it is.*\n(.*\n)*.*keys\[0\]\.id is missing/)
  }
  t.equal(readFileSync(API_KEYS_FILE, 'utf8'), '{ "keys": [{}] }')
  t.strictSame(readdirSync(dirname(API_KEYS_FILE)), ['api-keys.json'])
})

t.test('writers at the same time lose no key, and a reader never sees half a file', async t => {
  const API_KEYS_FILE = fileIn(t)
  ensureApiKeyFile(API_KEYS_FILE, false)
  const writers = Promise.all(Array.from({ length: 4 }, (_, n) => runProcess('make', { API_KEYS_FILE, TENANT: 'acme', NAME: `writer ${n}` })))
  const done = writers.then(() => true)
  while (!await Promise.race([done, new Promise<false>(resolve => setTimeout(() => resolve(false), 1))])) keysOf(API_KEYS_FILE)
  const made = await writers
  t.equal(keysOf(API_KEYS_FILE).length, 4)
  for (const { stdout } of made) t.match(judged(API_KEYS_FILE, stdout.trim()), { tenants: ['acme'] })
})

t.test('what a killed writer left is named, with what to do; the keys are untouched', async t => {
  const path = fileIn(t)
  ensureApiKeyFile(path, false)
  writeFileSync(`${path}.new`, '')
  await t.rejects(changeApiKeys(path, keys => keys, 100), { name: 'ApiKeyFileError', message: /If none runs, remove .*api-keys\.json\.new/ })
  t.strictSame(keysOf(path), [])
})

t.test('the file keeps its mode, and a fresh one is readable for whoever must read it', async t => {
  const [own, shared] = [fileIn(t), join(t.testdirName, 'shared/api-keys.json')]
  ensureApiKeyFile(own, false)
  ensureApiKeyFile(shared, true)
  const mode = (path: string) => (statSync(path).mode & 0o777).toString(8)
  t.strictSame([mode(own), mode(dirname(own))], ['600', '700'])
  t.strictSame([mode(shared), mode(dirname(shared))], process.getuid?.() === 0 ? ['640', '750'] : ['644', '755'])
  if (process.getuid?.() === 0) t.strictSame([statSync(shared).gid, statSync(dirname(shared)).gid], [10002, 10002], 'verify\'s own group')
  for (const path of [own, shared]) {
    const { gid } = statSync(path)
    chmodSync(path, 0o644)
    await run('make', { API_KEYS_FILE: path, TENANT: 'acme', NAME: 'ci' })
    t.strictSame([mode(path), statSync(path).gid], ['644', gid])
  }
  const before = readFileSync(own, 'utf8')
  ensureApiKeyFile(own, false)
  t.equal(readFileSync(own, 'utf8'), before, 'a file that is there stays')
})

t.test('DEV_DIR names a running stack, whose file it is', async t => {
  const DEV_DIR = t.testdir()
  const env = { DEV_DIR, TENANT: 'acme', NAME: 'ci' }
  t.match(await run('make', env), { code: 1, stdout: '', stderr: /^No stack is ready in .*make dev\n$/ })
  await writeStackFile(DEV_DIR, { ready: true, pid: process.pid } as StackFile)
  const { stdout } = await run('make', env)
  t.match(judged(apiKeysInStack(DEV_DIR), stdout.trim()), { tenants: ['acme'] })
})
