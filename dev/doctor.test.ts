import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { freshEnv } from '../deploy/env-file.ts'
import { examineMachine } from './doctor/machine.ts'
import { examineSettings } from './doctor/settings.ts'
import { examineStack } from './doctor/stack.ts'
import { writeStackFile, type StackFile } from './stack/file.ts'

async function folder (t: Test): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'doctor-'))
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  return dir
}

async function envFile (t: Test, content: string, mode = 0o600): Promise<string> {
  const path = join(await folder(t), '.env')
  await writeFile(path, content, { mode })
  return path
}

const faultsOf = (findings: Awaited<ReturnType<typeof examineSettings>>) => findings.filter(({ level }) => level === 'fault')

t.test('30: the doctor finds no fault in the .env that make up makes', async t => {
  t.strictSame(faultsOf(await examineSettings(await envFile(t, freshEnv()), {})), [])
})

t.test('30: the doctor names each fault of .env in one run, and how to mend it', async t => {
  // A label beyond 63 characters: the resolver refuses it by itself, and no test asks a name server.
  const host = `${'a'.repeat(64)}.invalid`
  const env = freshEnv()
    .replace(/^GATEWAY_SECRET=.*$/m, 'GATEWAY_SECRET=secret')
    .replace(/^FALKORDB_PASSWORD=.*$/m, 'FALKORDB_PASSWORD=')
    .concat(`DOMAIN=${host}\nMAX_ROWS=many\n`)
  const faults = faultsOf(await examineSettings(await envFile(t, env, 0o644), {}))
  for (const words of [/^GATEWAY_SECRET has 6 characters/, /^FALKORDB_PASSWORD is not set/, /^MAX_ROWS must be integer/, /others of this machine may read it/, /^a{64}\.invalid has no address/]) {
    t.equal(faults.filter(({ what }) => words.test(what)).length, 1, String(words))
  }
  t.ok(faults.every(({ mend }) => mend))
})

t.test('30: no secret stands in what the doctor prints', async t => {
  const findings = await examineSettings(await envFile(t, freshEnv().replace(/^GATEWAY_SECRET=.*$/m, 'GATEWAY_SECRET=sentinel-7f3a')), {})
  t.ok(faultsOf(findings).length > 0)
  t.notMatch(JSON.stringify(findings), /sentinel-7f3a/)
})

t.test('30: with a fault the doctor ends with 1 and says which', async t => {
  const path = await envFile(t, freshEnv().replace(/^GATEWAY_SECRET=.*$/m, 'GATEWAY_SECRET=short'))
  const child = spawn(process.execPath, [join(import.meta.dirname, 'doctor.ts')], { cwd: join(path, '..'), env: { PATH: process.env.PATH, HOME: process.env.HOME }, stdio: ['ignore', 'pipe', 'inherit'] })
  const [stdout, [code]] = await Promise.all([text(child.stdout), once(child, 'close') as Promise<[number]>])
  t.equal(code, 1)
  t.match(stdout, /FAULT {2}GATEWAY_SECRET has 5 characters[^]*→/)
  t.match(stdout, /no stack is ready in \.dev/)
})

t.test('a stack that was killed, and a part that is gone, are faults', async t => {
  const gone = spawn(process.execPath, ['-e', ''])
  await once(gone, 'exit')
  const dir = await folder(t)
  const part = { pid: gone.pid, url: 'http://127.0.0.1:1', metrics: 'http://127.0.0.1:1' }
  const stack = { ready: true, mcpUrl: 'https://127.0.0.1:1/mcp', ca: join(dir, 'ca.pem'), mint: { url: 'http://127.0.0.1:1', secret: '' }, logs: dir, services: { traefik: part, verify: part, mcp: [part, part], oauth: [part], issuer: part, falkordb: part, valkey: part } }
  await writeStackFile(dir, { ...stack, pid: gone.pid } as unknown as StackFile)
  t.match(await examineStack(dir), [{ level: 'fault', what: /no longer runs/ }])
  await writeStackFile(dir, { ...stack, pid: process.pid } as unknown as StackFile)
  const findings = await examineStack(dir)
  for (const name of ['traefik', 'verify', 'mcp-1', 'mcp-2', 'oauth-1', 'issuer', 'falkordb']) t.ok(findings.some(({ level, what }) => level === 'fault' && what.startsWith(`${name} is gone`)), name)
  t.ok(findings.some(({ level, what }) => level === 'fault' && what.startsWith('people cannot sign in')))
})

t.test('the machine is examined without installing anything: Docker is no fault, a wrong TRAEFIK_BIN is', async t => {
  const TRAEFIK_BIN = process.env.TRAEFIK_BIN
  process.env.TRAEFIK_BIN = '/nowhere/traefik'
  t.teardown(() => { if (TRAEFIK_BIN === undefined) delete process.env.TRAEFIK_BIN; else process.env.TRAEFIK_BIN = TRAEFIK_BIN })
  const findings = await examineMachine(process.env)
  t.match(findings.find(({ what }) => what.includes('/nowhere/traefik')), { level: 'fault' })
  t.match(findings.find(({ what }) => /docker/i.test(what)), { level: /ok|note/ })
})
