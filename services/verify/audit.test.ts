import { readFile, stat } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { forwarded, now, openService, startIssuer, trusting } from './test-support.ts'

const issuer = await startIssuer(t)
const audited = (lines: readonly string[]) => lines.map(line => JSON.parse(line) as Record<string, unknown>).filter(line => 'audit' in line)

t.test('the first use of a credential is told once, with who, where from and what for; later uses are not', async t => {
  const service = openService(t, trusting(issuer))
  const authorization = `Bearer ${issuer.token()}`
  const answer = await service.ask({ authorization }, '/mcp?session=secret')
  for (let n = 0; n < 3; n++) await service.ask({ authorization }, '/mcp?session=secret')
  const [line, ...others] = audited(service.lines)
  t.strictSame(others, [])
  t.match(line, {
    audit: 'first_use',
    level: 30,
    name: 'verify',
    requestId: answer.headers['x-request-id'],
    tenant: 'acme',
    issuer: issuer.url,
    subject: 'ada',
    client: 'laptop',
    method: 'POST',
    route: '/mcp',
    address: '198.51.100.7',
    time: /^\d{4}-\d\d-\d\dT/
  })
})

t.test('each refusal is told with its reason, and with as much of the caller as was known by then', async t => {
  const service = openService(t, trusting(issuer, { TENANTS_DENIED: 'blocked' }))
  const cases: Array<[Record<string, string>, string, object]> = [
    [{}, 'missing_token', { issuer: 'none', status: 401 }],
    [{ authorization: 'Bearer SENTINEL.SENTINEL.SENTINEL' }, 'token_malformed', { issuer: 'none', status: 401 }],
    [{ authorization: `Bearer ${issuer.token({ exp: now() - 9 })}` }, 'token_expired', { issuer: issuer.url, status: 401 }],
    [{ authorization: `Bearer ${issuer.token({ tenant_id: 'blocked' })}` }, 'tenant_blocked', { issuer: issuer.url, subject: 'ada', client: 'laptop', status: 403 }],
    [{ authorization: `Bearer ${issuer.token()}`, origin: 'https://evil.example' }, 'origin_not_allowed', { status: 403 }]
  ]
  for (const [headers, reason, more] of cases) {
    const before = service.lines.length
    const answer = await service.ask(headers)
    const lines = audited(service.lines.slice(before)).filter(line => line.audit === 'refused')
    t.equal(lines.length, 1, reason)
    t.match(lines[0], { reason, requestId: answer.headers['x-request-id'], method: 'POST', route: '/mcp', address: '198.51.100.7', ...more }, reason)
  }
  t.notMatch(service.lines.join(''), /SENTINEL|eyJ/, 'no token')
  t.notMatch(audited(service.lines).map(line => JSON.stringify(line)).join(), /undefined|null/, 'what nobody knows is left out')
})

t.test('an audited call makes no other line at the usual level', async t => {
  const service = openService(t, trusting(issuer, { LOG_LEVEL: 'info' }))
  const authorization = `Bearer ${issuer.token()}`
  await service.ask({ authorization })
  const before = service.lines.length
  await service.ask({ authorization })
  t.equal(service.lines.length, before, 'a call by a known token is Traefik\'s to log')
  await service.ask({})
  t.equal(service.lines.length, before + 1, 'a refusal is one line')
})

t.test('AUDIT_LOG_FILE takes the lines, whatever the log level is, and only its owner\'s group reads it', async t => {
  const file = `${t.testdir({})}/audit/gate.log`
  const service = openService(t, trusting(issuer, { AUDIT_LOG_FILE: file, LOG_LEVEL: 'fatal' }))
  const answer = await service.decision.inject({ url: '/decision', headers: forwarded('/mcp') })
  const read = () => readFile(file, 'utf8').catch(() => '')
  for (const deadline = Date.now() + 10_000; !(await read()).includes('\n') && Date.now() < deadline;) await delay(20)
  t.match(JSON.parse((await read()).trim()), { audit: 'refused', reason: 'missing_token', requestId: answer.headers['x-request-id'] })
  t.strictSame(audited(service.lines), [], 'they stand in one place')
  t.equal((await stat(file)).mode & 0o777, 0o640)
})
