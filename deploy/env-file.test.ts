import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import t from 'tap'
import { makeCertificates } from './certificates.ts'
import { certificateFaults, faultsIn, firstTenant, freshEnv, missingPasswords, readEnv, signsIn, withSignIn } from './env-file.ts'

t.test('a fresh .env starts as it is', async t => {
  t.strictSame(faultsIn(parseEnv(freshEnv())), [])
})

t.test('no two fresh secrets are equal', async t => {
  const secrets = [freshEnv(), freshEnv()].flatMap(text => Object.values(parseEnv(text)).filter(value => value?.length === 64))
  t.equal(secrets.length, 16)
  t.equal(new Set(secrets).size, 16)
})

t.test('30: missing and weak secrets are named, all at once', async t => {
  const faults = faultsIn({ ...parseEnv(freshEnv()), GATEWAY_SECRET: 'changeme', FALKORDB_PASSWORD: '', VALKEY_PASSWORD: 'weak' })
  for (const name of ['GATEWAY_SECRET', 'FALKORDB_PASSWORD', 'VALKEY_PASSWORD']) t.equal(faults.filter(fault => fault.startsWith(name)).length, 1, name)
  t.notMatch(faults.join(), 'changeme')
})

t.test('an .env of before there were users of Valkey starts as it is, and is told what it lacks', async t => {
  const { VALKEY_OAUTH_PASSWORD: _, VALKEY_MCP_PASSWORD: __, ...older } = parseEnv(freshEnv())
  t.strictSame(faultsIn(older), [])
  t.match(missingPasswords(older), /^\.env lacks VALKEY_OAUTH_PASSWORD, VALKEY_MCP_PASSWORD: add each [^\n]*openssl rand -hex 32[^\n]*$/)
  t.equal(missingPasswords({ ...older, VALKEY_URL: 'rediss://valkey.example' }), undefined, 'another Valkey has users of its own')
  t.equal(missingPasswords(parseEnv(freshEnv())), undefined)
})

t.test('a stack that nobody could call is refused; a key in the key file is enough', async t => {
  const { MCP_API_KEY: _, MCP_API_KEY_TENANT: __, ...fresh } = parseEnv(freshEnv())
  t.strictSame(faultsIn(fresh), [], 'people sign in')
  const dir = t.testdir()
  const env = { ...fresh, OAUTH_REPLICAS: '0', CONFIG_DIR: dir }
  chmodSync(dir, 0o755)
  t.match(faultsIn(env), [/^nobody could ever call/])
  const file = join(dir, 'api-keys.json')
  const key = { id: '0123456789', name: 'ci', digest: `sha256:${'0'.repeat(64)}`, tenant: 'acme', scopes: ['graph:read'], created: '2026-11-20T00:00:00Z', expires: null }
  const write = (...keys: object[]) => writeFileSync(file, JSON.stringify({ keys }), { mode: 0o644 })
  write()
  t.match(faultsIn(env), [/^nobody could ever call/], 'an empty one')
  write(key)
  t.strictSame(faultsIn(env), [])
  write({ ...key, revoked: '2026-11-20T00:00:00Z' })
  t.match(faultsIn(env), [/^nobody could ever call/], 'a revoked one')
  write({ ...key, scope: 'graph:read' })
  t.strictSame(faultsIn(env), ['API_KEYS_FILE: keys[0].scope is unknown here'])
})

t.test('the files of CONFIG_DIR are those that verify will find, and must be readable for it', async t => {
  const dir = t.testdir({ 'tenants.json': '{ "tenants": { "acme": {} } }' })
  const env = { ...parseEnv(freshEnv()), CONFIG_DIR: dir, TENANT_REGISTRY_FILE: '/config/tenants.json' }
  chmodSync(dir, 0o755)
  chmodSync(join(dir, 'tenants.json'), 0o600)
  t.match(faultsIn(env), [/^TENANT_REGISTRY_FILE: .*tenants\.json cannot be read in verify's container, by user 10002: chmod 755 .*; chmod 644/])
  chmodSync(join(dir, 'tenants.json'), 0o644)
  t.strictSame(faultsIn(env), [])
  chmodSync(dir, 0o700)
  t.match(faultsIn(env), [/cannot be read in verify's container/])
  chmodSync(dir, 0o755)
  t.match(faultsIn({ ...env, TENANT_REGISTRY_FILE: '/config/none.json' }), [/^TENANT_REGISTRY_FILE: .*none\.json cannot be read \(ENOENT\)/])
  for (const path of ['/etc/keys.json', './config/keys.json', '/config/../keys.json']) t.match(faultsIn({ ...env, API_KEYS_FILE: path }), [/^API_KEYS_FILE is .* below \/config, which is CONFIG_DIR/], path)
  t.match(faultsIn({ ...env, CONFIG_DIR: 'config' }), [/^CONFIG_DIR must match/], 'which compose would take for a volume')
})

t.test('a fault of two services is told once', async t => {
  const faults = faultsIn({ ...parseEnv(freshEnv()), LOG_LEVEL: 'loud' })
  t.equal(faults.filter(fault => fault.startsWith('LOG_LEVEL')).length, new Set(faults).size)
})

t.test('a secret may lie in a file, which the services must be able to read', async t => {
  const { GATEWAY_SECRET: value, ...env } = parseEnv(freshEnv())
  const file = join(t.testdir(), 'gateway-secret')
  writeFileSync(file, `${value}\n`)
  chmodSync(file, 0o600)
  t.match(faultsIn({ ...env, GATEWAY_SECRET_FILE: file }), [/^GATEWAY_SECRET_FILE: .* cannot be read in the containers, by users 10002 and 10004 and 10005: chmod 644/])
  chmodSync(file, 0o644)
  t.strictSame(faultsIn({ ...env, GATEWAY_SECRET_FILE: file }), [])
  t.match(faultsIn({ ...env, GATEWAY_SECRET: value, GATEWAY_SECRET_FILE: file }), ['GATEWAY_SECRET and GATEWAY_SECRET_FILE are both set; keep one'])
  t.match(faultsIn({ ...env, GATEWAY_SECRET_FILE: `${file}-none` }), [/cannot be read \(ENOENT\)/])
})

t.test('a FalkorDB elsewhere needs the file that gives mcp a way to it', async t => {
  const env = { ...parseEnv(freshEnv()), FALKORDB_URL: 'rediss://user:secret@db.example' }
  t.match(faultsIn(env), [/COMPOSE_FILE=docker-compose\.yml:deploy\/external-falkordb\.yml/])
  t.strictSame(faultsIn({ ...env, COMPOSE_FILE: 'docker-compose.yml:deploy/external-falkordb.yml' }), [])
})

t.test('the environment is above the file, as compose has it', async t => {
  const path = join(t.testdir(), '.env')
  writeFileSync(path, 'DOMAIN=file.example\nMCP_REPLICAS=3\n')
  t.match(readEnv(path, { DOMAIN: 'shell.example' }), { DOMAIN: 'shell.example', MCP_REPLICAS: '3' })
})

t.test('TLS_MODE=files: a pair that Traefik could not serve is refused', async t => {
  const dir = t.testdir()
  const { edge, verify } = await makeCertificates({ dir, domain: 'graphs.example.com' })
  const faults = (env: NodeJS.ProcessEnv) => certificateFaults({ TLS_MODE: 'files', DOMAIN: 'graphs.example.com', TLS_CERT_FILE: edge.cert, TLS_KEY_FILE: edge.key, ...env })

  chmodSync(edge.key, 0o600)
  t.match(faults({}), [/^Traefik cannot read .*chmod 640/], 'a key that only its owner reads')
  chmodSync(edge.key, 0o644)
  t.strictSame(faults({}), [], 'a pair that fits')
  t.strictSame(faults({ TLS_KEY_FILE: '' }), ['TLS_MODE=files needs TLS_CERT_FILE and TLS_KEY_FILE'])
  t.ok(faults({ TLS_KEY_FILE: verify.key }).includes('TLS_KEY_FILE is not the key of TLS_CERT_FILE'))
  t.ok(faults({ DOMAIN: 'other.example.com' }).includes('TLS_CERT_FILE is not for other.example.com'))
  t.match(faults({ TLS_CERT_FILE: join(dir, 'none.pem') }), [/cannot be used: ENOENT/])
  t.strictSame(faults({ TLS_MODE: 'own', TLS_KEY_FILE: '' }), [], 'another mode does not look at them')
})

t.test('a fresh .env lets people sign in, from this machine alone', async t => {
  const fresh = parseEnv(freshEnv())
  t.ok(signsIn(fresh))
  t.match(fresh, { BIND_ADDRESS: '127.0.0.1', LOCAL_SIGN_IN: 'true', LOCAL_SIGN_IN_TENANTS: firstTenant })
  for (const BIND_ADDRESS of ['', '0.0.0.0', '192.168.1.2']) t.match(faultsIn({ ...fresh, BIND_ADDRESS }), [/^LOCAL_SIGN_IN is on and the ports are published beyond this machine/], BIND_ADDRESS)
  t.match(faultsIn({ ...fresh, DOMAIN: 'graphs.example.com' }), [/^LOCAL_SIGN_IN is on, but PUBLIC_URL is no address of this machine/])
})

t.test('where another issuer is configured, the built-in sign-in is not started unless it is asked for', async t => {
  const { LOCAL_SIGN_IN: _, ...env } = parseEnv(freshEnv())
  t.match(faultsIn(env), [/^nobody could sign in/])
  for (const issuers of [{ BEARER_ISSUER: 'https://login.example.com' }, { BEARER_ISSUERS: '[{"issuer":"https://login.example.com"}]' }]) {
    const other: NodeJS.ProcessEnv = { ...env, ...issuers }
    t.equal(withSignIn(other).OAUTH_REPLICAS, '0')
    t.strictSame(faultsIn(other), [])
    t.match(faultsIn({ ...other, OAUTH_REPLICAS: '1', LOCAL_SIGN_IN: 'true' }), [/enants is not set|TENANTS is not set/], 'beside each other, it must say which tenants it may name')
  }
  t.equal(withSignIn(env), env)
})

t.test('the members of tenants are read by oauth, from CONFIG_DIR; its key file lies in a volume of the stack', async t => {
  const dir = t.testdir({ 'members.json': '{ "tenants": [] }' })
  chmodSync(dir, 0o755)
  const file = join(dir, 'members.json')
  const env = { ...parseEnv(freshEnv()), CONFIG_DIR: dir, TENANTS_FILE: '/config/members.json', SIGNING_KEYS_FILE: '/keys/oauth.json' }
  chmodSync(file, 0o600)
  t.match(faultsIn(env), [/^TENANTS_FILE: .*members\.json cannot be read in oauth's container, by user 10005: chmod 755/])
  chmodSync(file, 0o644)
  t.strictSame(faultsIn(env), [])
  t.match(faultsIn({ ...env, TENANTS_FILE: '/etc/members.json' }), [/^TENANTS_FILE is .* below \/config/])
  t.match(faultsIn({ ...env, SIGNING_KEYS_FILE: '/config/oauth.json' }), [/^SIGNING_KEYS_FILE is .* in \/keys/])
  t.strictSame(faultsIn({ ...env, OAUTH_REPLICAS: '0', TENANTS_FILE: '/etc/members.json', SIGNING_KEYS_FILE: 'x' }), [], 'off, nobody asks')
})
