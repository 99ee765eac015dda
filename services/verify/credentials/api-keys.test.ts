import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { ConfigurationError } from '@gateway/common/config.ts'
import { openService, startIssuer, trusting } from '../test-support.ts'
import { formatApiKeys, parseApiKeys, type ApiKeyEntry } from './api-key-file.ts'
import { apiKeyId, digestOf, makeApiKey } from './api-key-format.ts'

const day = 86_400_000
const at = (ms: number) => new Date(Date.now() + ms).toISOString()

function newKey (more: Partial<ApiKeyEntry> = {}): { key: string, id: string, entry: ApiKeyEntry } {
  const { id, key } = makeApiKey()
  const entry: ApiKeyEntry = { id, name: 'ci', digest: `sha256:${digestOf(key).toString('hex')}`, tenant: 'acme', scopes: ['graph:write'], created: at(-day), expires: at(day), ...more }
  return { key, id, entry }
}

/** The service with a key file that a test writes as `make api-key` does. */
function withFile (t: Test, keys: readonly ApiKeyEntry[], env: Record<string, string> = {}) {
  const path = join(t.testdir({ 'api-keys.json': formatApiKeys(keys) }), 'api-keys.json')
  const service = openService(t, { API_KEYS_FILE: path, ...env })
  const write = (text: string) => {
    writeFileSync(`${path}.new`, text)
    renameSync(`${path}.new`, path)
  }
  const ask = (key: string) => service.ask({ 'x-api-key': key })
  const becomes = async (key: string, status: number) => {
    for (const end = Date.now() + 10_000; (await ask(key)).statusCode !== status; await delay(50)) if (Date.now() > end) throw new Error(`waited 10 s for ${status}`)
  }
  return { ...service, send: service.ask, write, ask, becomes }
}

t.test('a key has the form fgk_<id>_<secret><checksum>, and the id can be read from it', async t => {
  fc.assert(fc.property(fc.nat(), () => {
    const { id, key } = makeApiKey()
    t.match(key, /^fgk_[0-9A-Za-z]{10}_[0-9A-Za-z]{38}$/)
    t.strictSame(apiKeyId(key), { id })
  }), { numRuns: 50 })
})

t.test('no character of a key can be changed, lost, added or swapped without its being seen', async t => {
  const { key } = makeApiKey()
  const alphabet = fc.constantFrom(...'0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-. ')
  const place = fc.nat({ max: key.length - 5 }).map(at => at + 4)
  fc.assert(fc.property(place, alphabet, (at, other) => {
    fc.pre(other !== key[at])
    return apiKeyId(key.slice(0, at) + other + key.slice(at + 1)) === 'damaged'
  }))
  fc.assert(fc.property(place, at => apiKeyId(key.slice(0, at) + key.slice(at + 1)) === 'damaged'))
  fc.assert(fc.property(place, alphabet, (at, more) => apiKeyId(key.slice(0, at) + more + key.slice(at)) === 'damaged'))
  fc.assert(fc.property(place, at => {
    fc.pre(at + 1 < key.length && key[at] !== key[at + 1])
    return apiKeyId(`${key.slice(0, at)}${key[at + 1]}${key[at]}${key.slice(at + 2)}`) === 'damaged'
  }))
  t.pass()
})

t.test('text without the prefix is no key', async t => {
  fc.assert(fc.property(fc.string(), text => text.startsWith('fgk_') || apiKeyId(text) === undefined))
  for (const text of ['', 'FGK_x', ' fgk_x', 'garbage', 'a.b.c']) t.equal(apiKeyId(text), undefined, text)
})

t.test('no two keys are alike, and each character of the alphabet is drawn as often as any other', async t => {
  const counts = new Map<string, number>()
  const keys = Array.from({ length: 2_000 }, () => makeApiKey())
  t.equal(new Set(keys.map(({ id }) => id)).size, keys.length)
  for (const { key } of keys) for (const character of key.slice(15, -6)) counts.set(character, (counts.get(character) ?? 0) + 1)
  t.equal(counts.size, 62)
  // 64,000 draws: 1,032 each, with a deviation of 32. The bias of a byte modulo 62 would be a quarter.
  for (const [character, count] of counts) t.ok(count > 820 && count < 1_250, `${character} ${count} times`)
})

t.test('a key of the file opens the door of its tenant with its scopes, in either header', async t => {
  const { key, id, entry } = newKey({ name: 'nightly import', tenant: 'a_b' })
  const service = withFile(t, [newKey().entry, entry])
  const expected = { 'x-tenant-id': 'a=5Fb', 'x-user-id': id, 'x-client-id': 'nightly%20import', 'x-auth-scopes': 'graph:read graph:write' }
  for (const headers of [{ 'x-api-key': key }, { authorization: `Bearer ${key}` }] as Array<Record<string, string>>) {
    const answer = await service.send(headers)
    t.equal(answer.statusCode, 200, Object.keys(headers).join())
    t.match(answer.headers, expected)
  }
  const { tenant, expires_at: expires } = (await service.open.inject({ url: '/verify', headers: { host: 'graphs.example.com', 'x-api-key': key } })).json()
  t.strictSame([tenant, expires], ['a_b', new Date(Math.floor(Date.parse(String(entry.expires)))).toISOString()])
  t.match((await service.metrics('auth_decisions_total{outcome="allowed"')).join(), 'issuer="api-key"')
})

t.test('one key is one caller for all its calls, and a changed file makes another', async t => {
  const { key, entry } = newKey()
  const { gate, write, becomes } = withFile(t, [entry])
  const first = gate.apiKeys.recognise(key)
  t.equal(gate.apiKeys.recognise(key), first)
  t.match(first, { issuer: 'api-key', tokenId: entry.id, issuedAt: Math.floor(Date.parse(entry.created) / 1000), expiresAt: Date.parse(String(entry.expires)) / 1000 })
  const other = newKey()
  write(formatApiKeys([entry, other.entry]))
  await becomes(other.key, 200)
  t.not(gate.apiKeys.recognise(key), first)
})

t.test('the audit log tells of the first use of a key, by its id and name', async t => {
  const { key, id, entry } = newKey()
  const { ask, lines } = withFile(t, [entry])
  for (let call = 0; call < 3; call++) await ask(key)
  const told = lines.filter(line => line.includes('"audit":"first_use"'))
  t.equal(told.length, 1)
  t.match(JSON.parse(String(told[0])), { issuer: 'api-key', subject: id, client: 'ci', tenant: 'acme' })
})

t.test('a key that is unknown, revoked, expired, damaged or made up is 401, and the answer says what to do', async t => {
  const good = newKey()
  const revoked = newKey({ revoked: at(-1_000) })
  const expired = newKey({ expires: at(-1_000) })
  const unknown = newKey()
  const service = withFile(t, [good.entry, revoked.entry, expired.entry])
  const rows: Array<[what: string, key: string, reason: string, words: RegExp]> = [
    ['unknown', unknown.key, 'api_key_unknown', /not valid here/],
    ['revoked', revoked.key, 'api_key_unknown', /not valid here/],
    ['a whole key that a thief of ids made', makeApiKey(good.id).key, 'api_key_unknown', /not valid here/],
    ['expired', expired.key, 'api_key_expired', /expired; ask the operator/],
    ['cut short', good.key.slice(0, -1), 'api_key_malformed', /checksum/],
    ['with one letter more', `${good.key}x`, 'api_key_malformed', /checksum/],
    ['in capitals, but for its prefix', `fgk_${good.key.slice(4).toUpperCase()}`, 'api_key_malformed', /checksum/],
    ['the prefix alone', 'fgk_', 'api_key_malformed', /checksum/],
    ['its id alone', good.id, 'api_key_unknown', /not valid here/],
    ['its digest', good.entry.digest, 'api_key_unknown', /not valid here/]
  ]
  for (const [what, key, reason, words] of rows) {
    for (const headers of [{ 'x-api-key': key }, { authorization: `Bearer ${key}` }] as Array<Record<string, string>>) {
      const answer = await service.send(headers)
      t.equal(answer.statusCode, 401, what)
      t.match(answer.json(), { error: 'invalid_token', error_description: words }, what)
      t.equal(answer.headers['x-tenant-id'], undefined)
    }
    t.match(await service.metrics(`auth_decisions_total{outcome="refused",reason="${reason}"`), [/ [1-9]/], `${what} is counted as ${reason}`)
  }
  t.equal((await service.ask(good.key)).statusCode, 200)
  for (const { key } of [good, revoked, expired, unknown]) t.notOk(service.lines.some(line => line.includes(key.slice(15, -6))), '10: no log line holds the secret')
})

t.test('keys work and stop working without a restart; a broken file keeps the last good one, and says so', async t => {
  const [first, second] = [newKey(), newKey()]
  const { ask, write, becomes, health, lines } = withFile(t, [first.entry])
  t.equal((await ask(second.key)).statusCode, 401)
  write(formatApiKeys([first.entry, second.entry]))
  await becomes(second.key, 200)

  write('{ "keys": [ SENTINEL')
  for (const end = Date.now() + 10_000; (await health.ready()).checks.apiKeys === 'ok';) {
    if (Date.now() > end) throw new Error('waited 10 s for the warning')
    await delay(50)
  }
  const { ready, checks } = await health.ready()
  t.equal(ready, true)
  t.match(checks.apiKeys, /^warning: API_KEYS_FILE .*api-keys\.json is broken since 20.* \(the text is no JSON.*\), the last good one goes on$/)
  t.equal((await ask(first.key)).statusCode, 200, 'a good key goes on')
  t.equal(lines.filter(line => line.includes('"level":50')).length, 1)
  t.notMatch(lines.join(), 'SENTINEL')

  write(formatApiKeys([{ ...first.entry, revoked: at(0) }, second.entry]))
  await becomes(first.key, 401)
  t.equal((await ask(second.key)).statusCode, 200)
  t.equal((await health.ready()).checks.apiKeys, 'ok')
})

t.test('beside MCP_API_KEY and an issuer each credential keeps its own meaning', async t => {
  const issuer = await startIssuer(t)
  const { key, entry } = newKey()
  const single = 'a-single-key-0123456789abcdefghij'
  const service = withFile(t, [entry], trusting(issuer, { MCP_API_KEY: single, MCP_API_KEY_TENANT: 'ops' }))
  t.match((await service.ask(key)).headers, { 'x-tenant-id': 'acme' })
  t.match((await service.ask(single)).headers, { 'x-tenant-id': 'ops' })
  t.equal((await service.bearer(issuer.token())).statusCode, 200)
})

t.test('a gate whose only key file is empty is ready for nobody, until it holds a key', async t => {
  const issuer = await startIssuer(t)
  issuer.answer = (_request, response) => response.writeHead(500).end()
  const { key, entry } = newKey()
  const service = withFile(t, [], trusting(issuer))
  t.equal((await service.health.ready()).ready, false, 'who could only refuse is not ready')
  service.write(formatApiKeys([entry]))
  await service.becomes(key, 200)
  t.equal((await service.health.ready()).ready, true)
})

const good = newKey().entry
const twice = { ...good, name: 'the same id' }
for (const [what, text, faults] of [
  ['no JSON', '{', ['the text is no JSON (line 1 column 2)']],
  ['no text', '', ['the text is no JSON']],
  ['a list', '[]', ['the whole must be object']],
  ['no list of keys', '{}', ['keys is missing']],
  ['an unknown member', { keys: [good], version: 1 }, ['version is unknown here']],
  ['a key in plain text, where its digest belongs', { keys: [{ ...good, digest: 'SENTINEL' }] }, ['keys[0].digest must match pattern "^sha256:[0-9a-f]{64}$"']],
  ['a key with an unknown member', { keys: [good, { ...newKey().entry, scope: 'graph:read' }] }, ['keys[1].scope is unknown here']],
  ['no tenant', { keys: [{ ...good, tenant: undefined }] }, ['keys[0].tenant is missing']],
  ['a tenant without letters', { keys: [{ ...good, tenant: '' }] }, ['keys[0].tenant is no tenant: it has 1 to 128 bytes']],
  ['an unknown scope', { keys: [{ ...good, scopes: ['graph:read', 'SENTINEL'] }] }, ['keys[0].scopes[1] must be one of graph:read, graph:write, graph:admin']],
  ['no scope', { keys: [{ ...good, scopes: [] }] }, ['keys[0].scopes must not have fewer than 1 items']],
  ['an id twice', { keys: [good, newKey().entry, twice] }, ['keys[2].id is that of keys[0] as well']],
  ['an expiry that is no time', { keys: [{ ...good, expires: 'SENTINEL' }] }, [/^keys\[0\]\.expires must match pattern/]],
  ['no expiry written down', { keys: [{ ...good, expires: undefined }] }, ['keys[0].expires is missing']],
  ['a day that is in no calendar', { keys: [{ ...good, expires: '2027-02-30T00:00:00Z' }] }, ['keys[0].expires is no day of the calendar']],
  ['a name with a line break', { keys: [{ ...good, name: 'SENTINEL\n' }] }, [/^keys\[0\]\.name holds a control character/]],
  ['several faults', { keys: [{ ...good, tenant: '', name: '\0' }] }, [/name/, /tenant/]]
] as Array<[string, unknown, Array<string | RegExp>]>) {
  t.test(`a key file with ${what} is refused, at its place and without a quotation`, async t => {
    const read = () => parseApiKeys(typeof text === 'string' ? text : JSON.stringify(text))
    t.throws(read, { name: 'ConfigurationError', faults: faults as [] })
    try { read() } catch (error) {
      t.notMatch((error as ConfigurationError).message, 'SENTINEL')
      t.equal((error as ConfigurationError).faults.length, faults.length)
    }
  })
}

t.test('what is written is what is read', async t => {
  const keys = [good, newKey({ expires: null, revoked: at(0) }).entry]
  t.strictSame(parseApiKeys(formatApiKeys(keys)), keys)
})

t.test('a missing or broken key file stops the start, among the other faults', async t => {
  const path = join(t.testdir({ broken: '{}' }), 'broken')
  const start = (file: string) => openService(t, { API_KEYS_FILE: file, ALLOWED_ORIGINS: 'app.example' })
  t.throws(() => start(`${path}-none`), { name: 'ConfigurationError', faults: [/^ALLOWED_ORIGINS/, /^API_KEYS_FILE: .*broken-none cannot be read \(ENOENT\)/] })
  t.throws(() => start(path), { name: 'ConfigurationError', faults: [/^ALLOWED_ORIGINS/, 'API_KEYS_FILE: keys is missing'] })
  t.equal(readFileSync(path, 'utf8'), '{}')
})
