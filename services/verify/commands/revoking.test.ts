import t from 'tap'
import { wordsOf } from '@gateway/common/command.ts'
import { nowSeconds } from '@gateway/common/revocations.ts'
import { startValkey } from '../../../tests/support/valkey.ts'
import { listThere, requestOf, revokeThere, withoutToken, wordNames, type Words } from './revoking.ts'

const issuer = 'https://login.example'
const other = 'https://other.example'
const token = (claims: object) => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`

t.test('words become the record that they name', async t => {
  const rows: Array<[Words, object]> = [
    [{ JTI: 'j', ISSUER: issuer }, { kind: 'token', issuer, id: 'j' }],
    [{ JTI: 'k1', ISSUER: 'api-key' }, { kind: 'token', issuer: 'api-key', id: 'k1' }],
    [{ GRANT: 'g', ISSUER: other }, { kind: 'grant', issuer: other, id: 'g' }],
    [{ TOKEN: `Bearer ${token({ iss: issuer, jti: 'j', exp: 5 })}` }, { kind: 'token', issuer, id: 'j' }]
  ]
  for (const [words, record] of rows) t.strictSame(requestOf(words, [issuer, other]).revocation, record)
  const before = nowSeconds()
  const { revocation: subject } = requestOf({ USER: 'ada', ISSUER: '' }, [issuer])
  t.match(subject, { kind: 'subject', issuer, id: 'ada' }, 'the only issuer needs no name')
  t.ok(Number(subject.at) >= before)
  t.match(requestOf({ TENANT: 'acme=1' }, undefined).revocation, { kind: 'tenant', id: 'acme=1', issuer: undefined })
})

t.test('a token is taken apart before it goes anywhere', async t => {
  t.strictSame(withoutToken({ TOKEN: token({ iss: issuer, jti: 'j', sub: 'ada', exp: 1_900_000_000 }) }), { JTI: 'j', ISSUER: issuer, EXPIRES: '1900000000' })
  t.equal(requestOf({ TOKEN: token({ iss: issuer, jti: 'j', exp: 1_900_000_000 }) }, [issuer]).expiresAt, 1_900_000_000)
})

t.test('what cannot be done is said with what can', async t => {
  const rows: Array<[Words, readonly string[] | undefined, RegExp]> = [
    [{}, [issuer], /^Say whom: make revoke TENANT=/],
    [{ ISSUER: issuer }, [issuer], /^Say whom/],
    [{ TENANT: 'a', JTI: 'j' }, [issuer], /both set/],
    [{ TENANT: 'a', ISSUER: issuer }, [issuer], /leave ISSUER out/],
    [{ USER: 'ada' }, [issuer, other], /Name the issuer too.*There are https:\/\/login.example, https:\/\/other.example/],
    [{ USER: 'ada' }, undefined, /Name the issuer too/],
    [{ USER: 'ada', ISSUER: `${issuer}/` }, [issuer], /none that is trusted here/],
    [{ TOKEN: 'gwk_opaque' }, [issuer], /no JWT/],
    [{ TOKEN: token({ jti: 'j' }) }, [issuer], /no issuer/],
    [{ TOKEN: token({ iss: issuer, sub: "o'hara" }) }, [issuer], /no "jti".*USER='o'\\''hara' ISSUER='https:\/\/login.example'/],
    [{ TOKEN: token({ iss: issuer, jti: 'j' }), USER: 'ada' }, [issuer], /leave out USER/]
  ]
  for (const [words, issuers, lesson] of rows) t.throws(() => requestOf(words, issuers), lesson)
  t.throws(() => wordsOf(wordNames, ['TENNANT=acme']), /"TENNANT" is no word/)
  t.throws(() => wordsOf(wordNames, ['acme']), /is no word/)
  t.strictSame(wordsOf(wordNames, ['TENANT=a=b', 'ISSUER=']), { TENANT: 'a=b', ISSUER: '' })
})

t.test('it says what it did, and where it could not do it', async t => {
  const valkey = await startValkey(t)
  const place = { valkeyUrl: valkey.url, issuers: [issuer] }
  const list = async () => {
    const lines: string[] = []
    await listThere(place, line => lines.push(line))
    return lines
  }
  t.strictSame(await list(), ['0 in force'])
  t.match(await revokeThere({ USER: 'ada' }, place), /^Revoked: all of "ada" of "https:\/\/login.example" issued until \S+Z. It is remembered until \S+Z; no replica was listening/)
  t.match(await revokeThere({ JTI: 'old', EXPIRES: '1700000000' }, place), /^Nothing to revoke: token "old" .* has expired/)
  const [line = '', count] = await list()
  t.match(line, /^all of "ada" of .* issued until .*; until /)
  t.equal(count, '1 in force')
  await t.rejects(revokeThere({ JTI: 'x'.repeat(300) }, place), /This cannot be revoked: its id is no text of 1 to 256/)
  await t.rejects(revokeThere({ JTI: 'j', EXPIRES: 'soon' }, place), /EXPIRES must be/)
  await t.rejects(revokeThere({ TENANT: 'acme' }, { ...place, valkeyUrl: 'redis://:hidden@[' }), /^(?!.*hidden).*VALKEY_URL must be like/)

  const full = await startValkey(t, { args: ['--maxmemory', '1'] })
  await t.rejects(revokeThere({ TENANT: 'acme' }, { ...place, valkeyUrl: full.url }), { name: 'CommandError', message: /has not confirmed it.*run the command again/ })
})
