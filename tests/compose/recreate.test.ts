import t from 'tap'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { compose } from '../support/control-compose.ts'
import { openGateway } from '../support/gateway.ts'
import { readStack, repository } from '../support/stack-file.ts'

t.setTimeout(290_000)

const gateway = openGateway()
const exec = promisify(execFile)

t.test('30: recreating every container keeps a node', { timeout: 240_000 }, async t => {
  const ada = await gateway.person()
  await ada.query('kept', 'CREATE (:Kept {text: "still here"})')
  // appendfsync everysec: what was answered a second ago is on disk.
  await new Promise(resolve => setTimeout(resolve, 1_500))
  const ids = async () => (await compose('ps', '-q', 'traefik', 'verify', 'oauth', 'mcp', 'falkordb')).trim().split('\n').sort()
  const before = await ids()
  await compose('up', '-d', '--force-recreate', '--no-deps', '--wait', 'falkordb', 'mcp', 'oauth', 'verify', 'traefik')
  const after = await ids()
  t.equal(after.length, before.length)
  t.notOk(after.some(id => before.includes(id)), 'every container is another one')

  const again = await gateway.person({ tenant: ada.tenant })
  t.strictSame((await again.query('kept', 'MATCH (k:Kept) RETURN k.text AS text')).data.data, [{ text: 'still here' }])
})

t.test('30: a missing or weak secret stops the start, and is named', async t => {
  const { compose: stack } = readStack()
  const start = (service: string, env: Record<string, string>) => exec('docker', ['compose', '--env-file', '/dev/null', '-p', `${stack?.project}-bad`, ...(stack?.files ?? []).flatMap(file => ['-f', file]), 'run', '--rm', '--no-deps', '-T', ...Object.entries(env).flatMap(([name, value]) => ['-e', `${name}=${value}`]), service], {
    cwd: repository, env: { ...process.env, ...stack?.env, ...env }
  }).then(() => ({ code: 0, said: '' }), (error: { code: number, stderr: string, stdout: string }) => ({ code: error.code, said: error.stderr + error.stdout }))
  t.teardown(() => compose('-p', `${stack?.project}-bad`, 'down', '--volumes', '--remove-orphans', '--rmi', 'local'))

  for (const name of ['GATEWAY_SECRET', 'FALKORDB_PASSWORD', 'VALKEY_PASSWORD']) {
    const { code, said } = await start('verify', { [name]: '' })
    t.not(code, 0, `${name} is missing`)
    t.match(said, new RegExp(`${name}.*is not set`))
  }
  for (const service of ['verify', 'mcp', 'oauth']) {
    const { code, said } = await start(service, { GATEWAY_SECRET: 'short' })
    t.equal(code, 78, `${service} with a weak secret`)
    t.match(said, /GATEWAY_SECRET has 5 characters/)
  }
})

t.test('only Traefik publishes ports, and the inner networks lead nowhere', async t => {
  const rows = (await compose('ps', '--format', '{{.Service}} {{.Ports}}')).trim().split('\n')
  for (const row of rows) {
    const [service, ...ports] = row.split(' ')
    if (service === 'traefik' || service === 'issuer') t.match(ports.join(' '), /127\.0\.0\.1:\d+->/)
    else t.notMatch(ports.join(' '), '->', `${service} publishes nothing`)
  }
  const reach = (host: string, port: number) => `require('net').connect({ host: '${host}', port: ${port}, timeout: 3000 }).on('connect', () => process.exit(0)).on('timeout', () => process.exit(1)).on('error', () => process.exit(1))`
  await t.rejects(compose('exec', '-T', 'mcp', 'node', '-e', reach('verify', 4180)), 'mcp does not reach verify')
  await t.rejects(compose('exec', '-T', 'mcp', 'node', '-e', reach('192.0.2.1', 443)), 'mcp has no way out')
  await t.rejects(compose('exec', '-T', 'oauth', 'node', '-e', reach('mcp', 4190)), 'oauth does not reach mcp')
  await t.rejects(compose('exec', '-T', 'oauth', 'node', '-e', reach('falkordb', 6379)), 'nor FalkorDB')
  await t.rejects(compose('exec', '-T', 'verify', 'node', '-e', reach('falkordb', 6379)), 'verify does not reach FalkorDB')
  await compose('exec', '-T', 'mcp', 'node', '-e', reach('falkordb', 6379))
  t.pass('mcp does')
})
