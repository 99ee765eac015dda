/** The token parser under random tokens: no fault of the service, and nobody gets in whom the rules do not let in. */
import fc from 'fast-check'
import t from 'tap'
import { makeKey, openService, signature, startIssuer, trusting, resource, now, type TestKey } from '../../services/verify/test-support.ts'
import { edits, inputOf, jsonText, recombined, textChange } from './mutations.ts'
import { fuzz, patience } from './runs.ts'

t.setTimeout(patience)

const keys = [makeKey('rsa', 'RS256'), makeKey('ec', 'ES256'), makeKey('ed', 'EdDSA')]
const issuer = await startIssuer(t, keys)
const stranger = makeKey('rsa', 'RS256')
// The log is read by nobody here, and grows with each call.
const service = openService(t, trusting(issuer, { ADDRESS_FAILURES_PER_SECOND: '0', SUBJECT_REQUESTS_PER_SECOND: '0', TENANT_REQUESTS_PER_SECOND: '0', LOG_LEVEL: 'fatal' }), { cooldownMs: 10_000 })
await service.gate.issuers.get(issuer.url)?.keys.refresh()

const header = (key: TestKey) => ({ alg: key.algorithm, kid: key.kid, typ: 'at+jwt' })
const claims = (changes: object = {}) => ({ ...issuer.claims(), exp: now() + 86_400, ...changes })
const signed = (key: TestKey, head: object | string, body: object | string) => {
  const input = inputOf(head, body)
  return `${input}.${signature(input, key)}`
}
const good = keys.flatMap(key => ['acme', 'bob'].map(tenant => signed(key, header(key), claims({ tenant_id: tenant }))))

/** What no node can send in a header, and what it trims, is no token of another spelling. */
const sendable = (token: string) => token.replace(/[^\t\x20-\x7e\x80-\xff]/g, '').trim()

async function ask (token: string) {
  const answer = await service.bearer(sendable(token))
  service.lines.length = 0
  if (![200, 400, 401, 403].includes(answer.statusCode)) throw new Error(`${answer.statusCode}: ${answer.body}`)
  if (answer.statusCode !== 200 && answer.headers['x-tenant-id'] !== undefined) throw new Error('a refusal with an identity')
  return answer
}

t.test('a good token gets in, whichever key has signed', async t => {
  for (const token of good) t.equal((await ask(token)).statusCode, 200)
})

t.test('a changed token gets in only where the change has made it whole again', async t => {
  const changed = fc.tuple(fc.constantFrom(...good), fc.array(textChange, { minLength: 1, maxLength: 3 })).map(([token, changes]) => changes.reduce((text, change) => change(text), token))
  await fuzz(t, 'changed tokens', fc.oneof(changed, recombined(good), fc.string({ unit: 'binary-ascii', maxLength: 200 })), 2_500, async token => {
    const { statusCode } = await ask(token)
    if (statusCode === 200 && !good.includes(sendable(token))) throw new Error('a forged token was accepted')
  }, 1 / 3)
})

t.test('a token by a stranger\'s key never gets in, whatever it says', async t => {
  const members = fc.tuple(edits(['alg', 'kid', 'typ', 'crit', 'jwk', 'jku', 'x5u', 'x5c', 'b64', 'zip', 'cty']), edits(['iss', 'aud', 'sub', 'exp', 'nbf', 'iat', 'tenant_id', 'scope', 'cnf', 'jti', 'client_id']))
  await fuzz(t, 'tokens by a stranger', fc.tuple(members, fc.constantFrom(...keys)), 1_000, async ([[head, body], key]) => {
    const token = signed(stranger, { ...header(key), ...head }, { ...claims(), ...body })
    if ((await ask(token)).statusCode === 200) throw new Error('a forged token was accepted')
  }, 1 / 3)
})

t.test('a token that its issuer has signed gets in only as the rules allow, and as what it says', async t => {
  const any = fc.tuple(fc.constantFrom(...keys), edits(['alg', 'kid', 'typ', 'crit', 'b64']), edits(['iss', 'aud', 'sub', 'exp', 'nbf', 'iat', 'tenant_id', 'scope', 'cnf']))
  const objects = any.map(([key, head, body]) => signed(key, { ...header(key), ...head }, { ...claims(), ...body }))
  const texts = fc.tuple(fc.constantFrom(...keys), fc.boolean()).chain(([key, inHeader]) =>
    jsonText(inHeader ? header(key) : claims()).map(text => inHeader ? signed(key, text, claims()) : signed(key, header(key), text)))
  await fuzz(t, 'tokens by the issuer', fc.oneof(objects, texts), 1_500, async token => {
    const answer = await ask(token)
    if (answer.statusCode !== 200) return
    const [head, body] = token.split('.').slice(0, 2).map(part => JSON.parse(Buffer.from(part, 'base64url').toString()))
    const faults = [
      keys.every(({ kid, algorithm }) => kid !== head.kid || algorithm !== head.alg) && 'the key is not one for the algorithm',
      Object.hasOwn(head, 'crit') && 'it has a critical extension',
      body.iss !== issuer.url && 'the issuer is another one',
      ![body.aud].flat().includes(resource) && 'the audience is another one',
      !(typeof body.exp === 'number' && body.exp > now() - 1) && 'it has expired',
      typeof body.sub !== 'string' && 'it has no subject',
      (body.cnf ?? undefined) !== undefined && 'it is bound',
      decoded(answer.headers['x-tenant-id']) !== [body.tenant_id].flat().find(tenant => typeof tenant === 'string' && tenant !== '') && 'the tenant is another one'
    ].filter(fault => fault !== false)
    if (faults.length > 0) throw new Error(faults.join(', '))
  }, 1 / 3)
})

/** The tenant in the header, whose odd bytes are written as =XX. */
const decoded = (value: unknown) => Buffer.from(String(value).replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))), 'latin1').toString()
