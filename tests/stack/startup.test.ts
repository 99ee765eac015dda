import t from 'tap'
import { execFile } from 'node:child_process'
import { repository } from '../support/stack-file.ts'

/** Runs a program of the repository in an environment of its own. */
function run (file: string, env: Record<string, string>): Promise<{ code: number, said: string }> {
  return new Promise(resolve => {
    execFile(process.execPath, [file], { cwd: repository, env: { PATH: String(process.env.PATH), HOME: String(process.env.HOME), ...env }, timeout: 30_000 }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, said: stdout + stderr })
    })
  })
}

const good: Record<string, Record<string, string>> = {
  'services/verify/server.ts': { PUBLIC_URL: 'https://localhost', GATEWAY_SECRET: '0123456789abcdef0123456789abcdef', BEARER_ISSUER: 'https://login.example.com' },
  'services/oauth/server.ts': { PUBLIC_URL: 'https://localhost', GATEWAY_SECRET: '0123456789abcdef0123456789abcdef', VALKEY_URL: 'redis://127.0.0.1:1', LOCAL_SIGN_IN: 'true', LOCAL_SIGN_IN_TENANTS: 'acme' },
  'services/mcp/server.ts': { PUBLIC_URL: 'https://localhost', GATEWAY_SECRET: '0123456789abcdef0123456789abcdef', FALKORDB_URL: 'redis://127.0.0.1:1' }
}

for (const [file, settings] of Object.entries(good)) {
  t.test(`30: ${file} does not start without its secret, and names it`, async t => {
    const { GATEWAY_SECRET: _, ...without } = settings
    const { code, said } = await run(file, without)
    t.equal(code, 78)
    t.match(said, /GATEWAY_SECRET is not set/)
  })

  t.test(`30: ${file} does not start with a weak secret, and does not print it`, async t => {
    for (const weak of ['changeme', 'a'.repeat(64), 'abcabcabcabcabcabcabcabcabcabcabcabc']) {
      const { code, said } = await run(file, { ...settings, GATEWAY_SECRET: weak })
      t.equal(code, 78, weak)
      t.match(said, /GATEWAY_SECRET/)
      t.notMatch(said, weak)
    }
  })

  t.test(`30: ${file} tells every fault in one start`, async t => {
    const { code, said } = await run(file, { GATEWAY_SECRET: 'short', LOG_LEVEL: 'loud', METRICS_PORT: 'x' })
    t.equal(code, 78)
    for (const name of ['PUBLIC_URL', 'LOG_LEVEL', 'METRICS_PORT']) t.match(said, name)
  })
}
