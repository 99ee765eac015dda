import t from 'tap'
import { ConfigurationError } from '@gateway/common/config.ts'
import { loadComposeSettings, publicUrl } from './settings.ts'

const good = { FALKORDB_PASSWORD: 'q7Zr2Lw9Xb4Nc6Vd8Mf1Gh3J', VALKEY_PASSWORD: 'a5Ks0Pt2Yu4Ie6Ro8Wq1Er3T' }
const third = 'z9Xc1Vb3Nm5Qw7Er2Ty4Ui6O'

const faults = (env: NodeJS.ProcessEnv): readonly string[] => {
  try {
    loadComposeSettings({ ...good, ...env })
    return []
  } catch (error) {
    if (error instanceof ConfigurationError) return error.faults
    throw error
  }
}

t.test('two passwords are enough', async t => {
  t.match(loadComposeSettings(good), { DOMAIN: 'localhost', HTTPS_PORT: 443, TLS_MODE: 'own', MCP_REPLICAS: 2 })
})

t.test('what cannot work is refused, each with the words that mend it', async t => {
  const rows: ReadonlyArray<[says: string, env: NodeJS.ProcessEnv, fault: RegExp]> = [
    ['no password', { FALKORDB_PASSWORD: '' }, /^FALKORDB_PASSWORD is not set/],
    ['a short password', { VALKEY_PASSWORD: 'short' }, /^VALKEY_PASSWORD must match/],
    ['a password that Redis would split', { FALKORDB_PASSWORD: 'twelve words and --save no' }, /^FALKORDB_PASSWORD must match/],
    ['a password of one letter', { FALKORDB_PASSWORD: 'a'.repeat(32) }, /^FALKORDB_PASSWORD repeats/],
    ['one password for both', { VALKEY_PASSWORD: good.FALKORDB_PASSWORD }, /are the same/],
    ['a user of Valkey with the password of all', { VALKEY_MCP_PASSWORD: good.VALKEY_PASSWORD }, /^VALKEY_PASSWORD and VALKEY_MCP_PASSWORD are the same/],
    ['one password for two users of Valkey', { VALKEY_OAUTH_PASSWORD: third, VALKEY_MCP_PASSWORD: third }, /^VALKEY_OAUTH_PASSWORD and VALKEY_MCP_PASSWORD are the same/],
    ['a short password of a user', { VALKEY_VERIFY_PASSWORD: 'short' }, /^VALKEY_VERIFY_PASSWORD must match/],
    ['a password of a user that would give it more', { VALKEY_MCP_PASSWORD: 'a5Ks0Pt2Yu4Ie6Ro8Wq1 allkeys' }, /^VALKEY_MCP_PASSWORD must match/],
    ['a user\'s password of one letter', { VALKEY_MCP_PASSWORD: 'a'.repeat(32) }, /^VALKEY_MCP_PASSWORD repeats/],
    ['a URL as domain', { DOMAIN: 'https://graphs.example.com' }, /^DOMAIN is a host name/],
    ['a name as bind address', { BIND_ADDRESS: 'localhost' }, /^BIND_ADDRESS is no IP address/],
    ['an unknown TLS mode', { TLS_MODE: 'letsencrypt' }, /^TLS_MODE/],
    ['ACME for localhost', { TLS_MODE: 'acme' }, /^TLS_MODE=acme needs in DOMAIN/],
    ['ACME for an address', { TLS_MODE: 'acme', DOMAIN: '192.0.2.1' }, /^TLS_MODE=acme needs in DOMAIN/],
    ['TLS before Traefik by nobody in particular', { TLS_MODE: 'upstream' }, /needs TRUSTED_PROXIES/],
    ['a proxy that is no address', { TRUSTED_PROXIES: '10.0.0.0/8, balancer' }, /"balancer", which is no address/],
    ['a range too long', { TRUSTED_PROXIES: '10.0.0.0/33' }, /"10\.0\.0\.0\/33", which is no address/],
    ['everybody as proxy', { TRUSTED_PROXIES: '0.0.0.0/0' }, /everybody could say who they are/],
    ['another port without its URL', { HTTPS_PORT: '9443' }, /set PUBLIC_URL to what clients type, e\.g\. https:\/\/localhost:9443/],
    ['a public URL without TLS', { PUBLIC_URL: 'http://graphs.example.com' }, /^PUBLIC_URL is http:/],
    ['data that leave queries no memory', { FALKORDB_MEMORY: '1g', FALKORDB_MAXMEMORY: '1000mb' }, /leaves less than a fifth/],
    ['no replica', { MCP_REPLICAS: '0' }, /^MCP_REPLICAS must be >= 1/]
  ]
  for (const [says, env, fault] of rows) {
    const found = faults(env)
    t.ok(found.some(text => fault.test(text)), says, { found })
    t.notMatch(found.join('\n'), env.FALKORDB_PASSWORD || 'none', `${says}: no secret is shown`)
  }
})

t.test('all faults are told at once', async t => {
  t.ok(faults({ DOMAIN: '/', BIND_ADDRESS: 'x', TLS_MODE: 'upstream' }).length >= 3)
})

t.test('the usual ways in are accepted', async t => {
  const rows: NodeJS.ProcessEnv[] = [
    { TLS_MODE: 'acme', DOMAIN: 'graphs.example.com', ACME_EMAIL: 'platform@example.com' },
    { TLS_MODE: 'upstream', DOMAIN: 'graphs.example.com', HTTPS_PORT: '8080', TRUSTED_PROXIES: '10.0.0.0/8, fd00::/8, 192.0.2.7' },
    { HTTPS_PORT: '9443', PUBLIC_URL: 'https://localhost:9443', BIND_ADDRESS: '127.0.0.1' },
    { VALKEY_OAUTH_PASSWORD: third },
    { FALKORDB_MEMORY: '64g', FALKORDB_MAXMEMORY: '48gb', FALKORDB_THREADS: '32' }
  ]
  for (const env of rows) t.strictSame(faults(env), [])
})

t.test('5: the public URL is PUBLIC_URL, else that of DOMAIN, else localhost', async t => {
  t.equal(publicUrl({ PUBLIC_URL: 'https://a.example', DOMAIN: 'b.example' }), 'https://a.example')
  t.equal(publicUrl({ PUBLIC_URL: '', DOMAIN: 'b.example' }), 'https://b.example')
  t.equal(publicUrl({}), 'https://localhost')
})
