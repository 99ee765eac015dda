import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { decodeJwt } from 'jose'
import t, { type Test } from 'tap'
import { buildIssuer } from './issuer/app.ts'
import { openKeys } from './issuer/keys.ts'
import { writeStackFile, type StackFile } from './stack/file.ts'

async function folder (t: Test): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'token-'))
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  return dir
}

/** A folder that names a running issuer as make dev does. */
async function stackFolder (t: Test, pid = process.pid): Promise<string> {
  const dir = await folder(t)
  const app = buildIssuer({ issuer: 'http://issuer.example', audience: 'https://localhost/mcp', keys: await openKeys(), mintSecret: 'secret' })
  t.teardown(() => app.close())
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  await writeStackFile(dir, { ready: true, pid, mint: { url, secret: 'secret' } } as StackFile)
  return dir
}

async function token (env: Record<string, string>) {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'token.ts')], { env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close') as Promise<[number]>])
  return { stdout, stderr, code }
}

t.test('it prints one token and nothing else, with the claims that were asked for', async t => {
  const DEV_DIR = await stackFolder(t)
  const { stdout, stderr, code } = await token({ DEV_DIR, TENANT: 'globex', USER: 'ada', SCOPE: 'graph:read', TTL: '120' })
  t.strictSame([code, stderr], [0, ''])
  t.match(stdout, /^[\w-]+\.[\w-]+\.[\w-]+\n$/)
  const claims = decodeJwt(stdout)
  t.match(claims, { tenant_id: 'globex', sub: 'ada', scope: 'graph:read', aud: 'https://localhost/mcp' })
  t.equal(Number(claims.exp) - Number(claims.iat), 120)
})

t.test('without settings it is the caller of the first query', async t => {
  const { stdout } = await token({ DEV_DIR: await stackFolder(t) })
  t.match(decodeJwt(stdout), { tenant_id: 'acme', sub: 'demo', scope: 'graph:read graph:write' })
})

t.test('a fault goes to standard error, in words, and nothing to standard output', async t => {
  const gone = spawn(process.execPath, ['-e', ''])
  await once(gone, 'exit')
  const faults: Array<[what: string, env: Record<string, string>, words: RegExp]> = [
    ['no stack', { DEV_DIR: await folder(t) }, /^No stack is ready in .*make dev\n$/],
    ['a stack that was killed', { DEV_DIR: await stackFolder(t, gone.pid) }, /no longer runs.*make dev\n$/],
    ...['0', '-5', '1.5', 'an hour', '99999999'].map((TTL): [string, Record<string, string>, RegExp] => [`TTL=${TTL}`, { TTL }, /^TTL is .*whole seconds.*\n$/])
  ]
  for (const [what, env, words] of faults) {
    const { stdout, stderr, code } = await token(env)
    t.strictSame([code, stdout], [1, ''], what)
    t.match(stderr, words, what)
  }
})
