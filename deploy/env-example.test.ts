import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseEnv } from 'node:util'
import t from 'tap'
import { allSettings, envExample } from './env-example.ts'

const file = resolve(import.meta.dirname, '../.env.example')

t.test('.env.example is what the schemas say: node deploy/env-example.ts > .env.example', async t => {
  t.equal(readFileSync(file, 'utf8'), envExample())
})

t.test('each setting is there once, with a line on what it does', async t => {
  const lines = envExample().split('\n')
  for (const [name, { description }] of allSettings) {
    const at = lines.flatMap((line, index) => line.startsWith(`${name}=`) || line.startsWith(`#${name}=`) ? [index] : [])
    t.equal(at.length, 1, name)
    t.equal(lines[(at[0] ?? 0) - 1], `# ${description}`, `${name} is described`)
    t.ok(description)
  }
})

t.test('as it stands it sets nothing but the secrets to fill in', async t => {
  const set = parseEnv(envExample())
  t.strictSame(Object.keys(set).sort(), ['FALKORDB_PASSWORD', 'GATEWAY_SECRET', 'VALKEY_PASSWORD'])
  t.ok(Object.values(set).every(value => value === ''))
})

t.test('its defaults and examples can be taken as they stand', async t => {
  const uncommented = parseEnv(envExample().replace(/^#(?=[A-Z])/gm, ''))
  for (const [name, setting] of allSettings) {
    const shown = setting.example ?? setting.default
    if (shown !== undefined) t.equal(uncommented[name], String(shown), name)
  }
})
