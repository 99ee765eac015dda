import { execFileSync, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mock } from 'node:test'
import { connect, createServer } from 'node:tls'
import t, { type Test } from 'tap'
import { makeCertificates } from './certificates.ts'

const day = 24 * 60 * 60 * 1000
const hasOpenssl = (() => { try { return Boolean(execFileSync('openssl', ['version'])) } catch { return false } })()

/** A folder for certificates, and what is said while they are made there. */
function folder (t: Test) {
  const dir = mkdtempSync(join(tmpdir(), 'certificates-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  const lines: string[] = []
  const make = (domain?: string) => { lines.length = 0; return makeCertificates({ dir, domain, say: line => lines.push(line) }) }
  const content = (name: string) => readFileSync(join(dir, name), 'utf8')
  return { dir, lines, make, content }
}

/** Whether a client that trusts this authority alone accepts the certificate for the name. */
async function isAccepted (files: { cert: string, key: string }, ca: string, servername: string): Promise<boolean> {
  const server = createServer({ cert: readFileSync(files.cert), key: readFileSync(files.key) }).listen(0, '127.0.0.1')
  server.on('tlsClientError', () => {})
  await once(server, 'listening')
  // `host` is what the certificate is checked against; the connection itself goes to this machine.
  const socket = connect({ port: (server.address() as AddressInfo).port, host: servername, lookup: (_, __, done) => done(null, [{ address: '127.0.0.1', family: 4 }]), ca: readFileSync(ca) })
  try {
    await once(socket, 'secureConnect')
    return socket.authorized
  } catch (error) {
    if (!/ALTNAME|SIGNATURE|LEAF|SELF_SIGNED|LOCAL_ISSUER/.test((error as NodeJS.ErrnoException).code ?? '')) throw error
    return false
  } finally {
    socket.destroy()
    server.close()
  }
}

t.test('a client that trusts ca.pem reaches each part by its names and by no other', async t => {
  const { make } = folder(t)
  const { ca, verify, edge } = await make('graphs.example.com')
  for (const [files, name, accepted] of [
    [edge, 'localhost', true], [edge, '127.0.0.1', true], [edge, 'graphs.example.com', true],
    [edge, 'example.com', false], [edge, 'verify', false],
    [verify, 'localhost', true], [verify, '127.0.0.1', true], [verify, 'verify', true], [verify, 'graphs.example.com', false]
  ] as const) t.equal(await isAccepted(files, ca, name), accepted, `${files.cert}: ${name}`)
  const other = await folder(t).make()
  t.equal(await isAccepted(edge, other.ca, 'localhost'), false, 'another stack trusts it not')
})

t.test('openssl verifies the chains by its strict rules', { skip: hasOpenssl ? false : 'openssl is not installed' }, async t => {
  const { make } = folder(t)
  const { ca, verify, edge } = await make()
  const output = execFileSync('openssl', ['verify', '-x509_strict', '-purpose', 'sslserver', '-CAfile', ca, verify.cert, edge.cert], { encoding: 'utf8' })
  t.equal(output.match(/: OK$/gm)?.length, 2)
  t.match(execFileSync('openssl', ['x509', '-in', edge.cert, '-noout', '-checkip', '::1'], { encoding: 'utf8' }), /does match/)
})

t.test('openssl takes Traefik\'s for a client\'s and for no server\'s', { skip: hasOpenssl ? false : 'openssl is not installed' }, async t => {
  const { make } = folder(t)
  const { ca, traefik } = await make()
  const verified = (purpose: string) => spawnSync('openssl', ['verify', '-x509_strict', '-purpose', purpose, '-CAfile', ca, traefik.cert]).status === 0
  t.equal(verified('sslclient'), true)
  t.equal(verified('sslserver'), false)
})

t.test('run as a program it tells Traefik when all is in place, and only then', async t => {
  const dir = t.testdir()
  const run = () => execFileSync(process.execPath, [join(import.meta.dirname, 'certificates.ts'), dir], { encoding: 'utf8' })
  run()
  const told = statSync(join(dir, 'traefik/renewed')).mtimeMs
  t.ok(statSync(join(dir, 'edge.pem')).mtimeMs <= told)
  t.ok(statSync(join(dir, 'traefik/dynamic')).isDirectory(), 'where compose mounts the routes')
  run()
  t.equal(statSync(join(dir, 'traefik/renewed')).mtimeMs, told, 'nothing was made')
})

t.test('private keys can be read by their owner alone, or by a group where one is named', async t => {
  const { dir, make } = folder(t)
  const modes = () => ['ca', 'verify', 'traefik', 'edge'].map(name => (statSync(join(dir, `${name}.key`)).mode & 0o777).toString(8))
  await make()
  t.strictSame(modes(), ['600', '600', '600', '600'])
  await makeCertificates({ dir, groups: { verify: process.getgid!() } })
  t.strictSame(modes(), ['600', '640', '600', '600'])
  await makeCertificates({ dir, groups: { traefik: process.getgid!() } })
  t.strictSame(modes(), ['600', '600', '640', '640'])
})

t.test('what is whole and fits is kept', async t => {
  const { lines, make, content } = folder(t)
  await make('a.example')
  t.equal(lines.length, 4)
  const before = ['ca.pem', 'verify.pem', 'traefik.pem', 'edge.pem'].map(content)
  await make('a.example')
  t.strictSame(lines, [])
  t.strictSame(['ca.pem', 'verify.pem', 'traefik.pem', 'edge.pem'].map(content), before)
})

t.test('a new domain renews the public certificate only', async t => {
  const { lines, make, content } = folder(t)
  await make('a.example')
  const before = ['ca.pem', 'verify.pem'].map(content)
  const { ca, edge } = await make('b.example')
  t.match(lines, ['making edge.pem for localhost, 127.0.0.1, ::1, b.example: the old one lacks b.example'])
  t.strictSame(['ca.pem', 'verify.pem'].map(content), before)
  t.equal(await isAccepted(edge, ca, 'b.example'), true)
})

t.test('certificates are renewed 30 days before their end, under the same authority', async t => {
  for (const [daysAgo, renewed] of [[790, 0], [800, 3]] as const) {
    const { lines, make, content } = folder(t)
    mock.timers.enable({ apis: ['Date'], now: Date.now() - daysAgo * day })
    await make().finally(() => mock.timers.reset())
    const authority = content('ca.pem')
    const { verify, traefik, edge } = await make()
    t.equal(lines.filter(line => /^making (verify|traefik|edge)\.pem .*: the old one ends \d{4}-\d\d-\d\d$/.test(line)).length, renewed)
    t.equal(lines.length, renewed)
    t.equal(content('ca.pem'), authority)
    for (const { expires } of [verify, traefik, edge]) t.ok(expires.getTime() > Date.now() + 30 * day)
  }
})

t.test('a broken file is never used again', async t => {
  const text = (name: string, change: (content: string) => string) => (dir: string) => writeFileSync(join(dir, name), change(readFileSync(join(dir, name), 'utf8')))
  const foreign = await folder(t).make()
  for (const [damage, harm, said] of [
    ['a cut certificate', text('verify.pem', content => content.slice(0, 200)), [/verify\.pem.*cannot be read/]],
    ['an empty key', text('edge.key', () => ''), [/edge\.pem.*cannot be read/]],
    ['the key of another certificate', (dir: string) => writeFileSync(join(dir, 'edge.key'), readFileSync(join(dir, 'verify.key'))), [/edge\.pem.*do not belong together/]],
    ['no key', (dir: string) => rmSync(join(dir, 'verify.key')), [/verify\.pem.*verify\.key is missing/]],
    ['a certificate of another authority', (dir: string) => { for (const end of ['pem', 'key']) writeFileSync(join(dir, `edge.${end}`), readFileSync(foreign.edge.cert.replace(/pem$/, end))) }, [/edge\.pem.*of another authority/]],
    ['a server\'s certificate in place of the client\'s', (dir: string) => { for (const end of ['pem', 'key']) writeFileSync(join(dir, `traefik.${end}`), readFileSync(join(dir, `edge.${end}`))) }, [/traefik\.pem.*for another purpose/]],
    ['a lost key of the authority', (dir: string) => rmSync(join(dir, 'ca.key')), [/authority.*ca\.key is missing/, /verify\.pem.*of another authority/, /traefik\.pem.*of another authority/, /edge\.pem.*of another authority/]],
    ['a server certificate in place of the authority', (dir: string) => { for (const end of ['pem', 'key']) writeFileSync(join(dir, `ca.${end}`), readFileSync(join(dir, `edge.${end}`))) }, [/authority.*it is no authority/, /verify\.pem.*of another authority/, /traefik\.pem.*of another authority/, /edge\.pem.*of another authority/]]
  ] as const) {
    await t.test(damage, async t => {
      const { dir, lines, make } = folder(t)
      await make()
      harm(dir)
      const { ca, verify, edge } = await make()
      t.equal(lines.length, said.length)
      for (const [index, expected] of said.entries()) t.match(lines[index], expected)
      t.equal(await isAccepted(verify, ca, 'verify'), true)
      t.equal(await isAccepted(edge, ca, 'localhost'), true)
    })
  }
})

t.test('a domain that is no host name is refused before anything is written', async t => {
  const { dir, make } = folder(t)
  for (const domain of ['https://a.example', 'a b', '-a.example', 'a..b', 'a.example:443', '*']) await t.rejects(make(domain), /is no host name/)
  t.throws(() => statSync(join(dir, 'ca.pem')), { code: 'ENOENT' })
})
