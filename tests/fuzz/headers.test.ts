/** The header parser under random headers: no fault of the service, and nobody gets in without a credential that is good and alone. */
import fc from 'fast-check'
import t from 'tap'
import { forwarded, openService, startIssuer, trusting } from '../../services/verify/test-support.ts'
import { textChange } from './mutations.ts'
import { fuzz, patience } from './runs.ts'

t.setTimeout(patience)

const key = 'a-key-for-the-fuzz-0123456789abcdef-0123456789'
const issuer = await startIssuer(t)
const service = openService(t, trusting(issuer, { MCP_API_KEY: key, MCP_API_KEY_TENANT: 'acme', ADDRESS_FAILURES_PER_SECOND: '0', SUBJECT_REQUESTS_PER_SECOND: '0', TENANT_REQUESTS_PER_SECOND: '0', LOG_LEVEL: 'fatal' }))
const token = issuer.token({ exp: Math.floor(Date.now() / 1000) + 86_400, tenant_id: 'acme' })

/** Only what a header can carry (RFC 9110 section 5.5). */
const value = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.constantFrom('', ' ', ',', 'null', '__proto__', '%', '%00', '%E0%A4%A', '/mcp?token=x', '/mcp?%74oken=x', '?', '//', 'http://[', 'https://evil.example', 'a'.repeat(9_000), '::1', '127.0.0.1, 10.0.0.1', 'GET /', 'bob', '*'),
  fc.constantFrom(`Bearer ${token}`, `bearer  ${token}`, `Bearer ${token}, Bearer x`, `Basic ${token}`, key, `Bearer ${key}`, token).chain(text => fc.oneof(fc.constant(text), textChange.map(change => change(text))))
).map(text => text.replace(/[^\t\x20-\x7e\x80-\xff]/g, ''))
const name = fc.oneof(
  fc.constantFrom('authorization', 'x-api-key', 'host', 'origin', 'cookie', 'x-forwarded-host', 'x-forwarded-uri', 'x-forwarded-method', 'x-forwarded-for', 'x-forwarded-proto', 'x-requested-tenant', 'x-tenant-id', 'x-user-id', 'x-auth-scopes', 'x-identity-assertion', 'x-request-id', 'content-type', 'accept', 'traceparent', 'forwarded', 'via', 'expect'),
  fc.stringMatching(/^[!#$%&'*+.^_`|~0-9a-z-]{1,20}$/)
)
const fields = fc.array(fc.tuple(name, value), { maxLength: 8 })

t.test('random headers are answered in order, and let in nobody who has no good credential', async t => {
  await fuzz(t, 'headers', fc.tuple(fields, fc.boolean(), fc.constantFrom('GET', 'POST', 'HEAD', 'OPTIONS', 'DELETE'), fc.boolean()), 3_000, async ([pairs, usual, method, decision]) => {
    const headers: Record<string, string | string[]> = usual ? { ...forwarded('/mcp') } : {}
    for (const [name, value] of pairs) headers[name] = Object.hasOwn(headers, name) ? [headers[name] as string | string[], value].flat() : value
    const answer = decision
      ? await service.decision.inject({ method, url: '/decision', headers })
      : await service.open.inject({ method, url: '/verify', headers })
    service.lines.length = 0
    if (answer.statusCode >= 500) throw new Error(`${answer.statusCode}: ${answer.body}`)
    if (answer.statusCode !== 200) {
      if (answer.headers['x-identity-assertion'] !== undefined) throw new Error('a refusal with an identity')
      return
    }
    const credentials = pairs.filter(([name]) => name === 'authorization' || name === 'x-api-key').map(([, value]) => value.trim()).filter(value => value !== '')
    if (credentials.length !== 1 || !(/^bearer +/i.test(credentials[0] as string) ? [token, key] : [key]).includes((credentials[0] as string).replace(/^bearer +/i, ''))) throw new Error(`let in by ${JSON.stringify(pairs)}`)
    if (decision && answer.headers['x-tenant-id'] !== 'acme') throw new Error(`let in as ${String(answer.headers['x-tenant-id'])}`)
  })
})

t.test('the service goes on', async t => {
  t.equal((await service.bearer(token)).statusCode, 200)
  t.equal((await service.ask({ 'x-api-key': key })).statusCode, 200)
})
