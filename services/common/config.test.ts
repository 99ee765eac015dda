import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Type } from 'typebox'
import { ConfigurationError, loadConfig } from './config.ts'
import { checkCommon, commonSettings } from './settings.ts'

const schema = Type.Object({ ...commonSettings, MAX_ROWS: Type.Integer({ minimum: 1, default: 1000 }) })
const secret = '0123456789abcdef'.repeat(4)
const good = { PUBLIC_URL: 'https://graphs.example.com', GATEWAY_SECRET: secret }

const faultsOf = (env: NodeJS.ProcessEnv): readonly string[] => {
  try {
    loadConfig(schema, env, [checkCommon])
    return []
  } catch (error) {
    if (error instanceof ConfigurationError) return error.faults
    throw error
  }
}

t.test('defaults fill what is not set, and an empty variable is not set', async t => {
  const config = loadConfig(schema, { ...good, LOG_LEVEL: '', MAX_ROWS: '5', ENABLE_MULTI_TENANCY: 'false' }, [checkCommon])
  t.match(config, { LOG_LEVEL: 'info', MAX_ROWS: 5, ENABLE_MULTI_TENANCY: false, PUBLIC_URL: good.PUBLIC_URL })
})

t.test('30: every fault is told in one start', async t => {
  const faults = faultsOf({ PUBLIC_URL: 'graphs.example.com/', MAX_ROWS: 'many', LOG_LEVEL: 'loud' })
  for (const name of ['GATEWAY_SECRET', 'PUBLIC_URL', 'MAX_ROWS', 'LOG_LEVEL']) t.ok(faults.some(fault => fault.startsWith(name)), `${name} in ${faults.join(' | ')}`)
})

t.test('30: a weak secret is refused and never shown', async t => {
  for (const weak of ['changeme', 'a'.repeat(40), `${secret},short`]) {
    const faults = faultsOf({ ...good, GATEWAY_SECRET: weak })
    t.equal(faults.length, 1, faults.join())
    t.notOk(faults.join().includes(weak))
  }
  t.strictSame(faultsOf({ ...good, GATEWAY_SECRET: `${secret},${secret.toUpperCase()}` }), [])
})

t.test('a secret may come from a file', async t => {
  const dir = t.testdir({ secret: `${secret}\n`, empty: '' })
  const { GATEWAY_SECRET: _, ...rest } = good
  t.equal(loadConfig(schema, { ...rest, GATEWAY_SECRET_FILE: join(dir, 'secret') }).GATEWAY_SECRET, secret)
  t.match(faultsOf({ ...rest, GATEWAY_SECRET_FILE: join(dir, 'absent') })[0], /GATEWAY_SECRET_FILE: .* ENOENT|cannot be read/)
  t.match(faultsOf({ ...rest, GATEWAY_SECRET_FILE: join(dir, 'empty') })[0], /empty file/)
  t.match(faultsOf({ ...good, GATEWAY_SECRET_FILE: join(dir, 'secret') })[0], /both set/)
  writeFileSync(join(dir, 'url'), 'https://elsewhere.example.com')
  t.equal(loadConfig(schema, { ...good, PUBLIC_URL_FILE: join(dir, 'url') }).PUBLIC_URL, good.PUBLIC_URL, 'only secrets have a file twin')
})
