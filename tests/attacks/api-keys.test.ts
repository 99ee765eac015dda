/** Guesses at API keys, through the real Traefik: none gets in, whatever of a real key it knows, and the real key goes on working. */
import t from 'tap'
import { makeApiKey } from '../../services/verify/credentials/api-key-format.ts'
import { refusal, type Reason } from '../../services/verify/refusals.ts'
import { apiKeys } from '../support/api-keys.ts'
import { openGateway, unique } from '../support/gateway.ts'
import type { Answer, Request } from '../support/https.ts'
import { until } from '../support/until.ts'

t.setTimeout(120_000)

const gateway = openGateway()
const tenant = unique('acme')
const send = (request: Pick<Request, 'headers'> & Partial<Request>) => gateway.send({ path: '/tools/falkordb_health', body: {}, ...request })
const asKey = (key: string) => send({ headers: { 'X-API-Key': key } })
const asBearer = (key: string) => send({ headers: { authorization: `Bearer ${key}` } })
const becomes = (key: string, status: number) => until(`${status} for the key`, async () => (await asKey(key)).status === status)
const idOf = (key: string) => key.split('_')[1] as string

const [good, other, revoked] = await Promise.all(['good', 'other', 'revoked'].map(async name => {
  const key = await apiKeys('make', { TENANT: tenant, NAME: `attack-${name}`, SCOPE: 'graph:read' })
  await becomes(key, 200)
  return key
})) as [string, string, string]
await apiKeys('revoke', { ID: idOf(revoked) })
await becomes(revoked, 401)
t.teardown(() => Promise.all([good, other].map(key => apiKeys('revoke', { ID: idOf(key) }))))

const id = idOf(good)
/** Another secret under the same id, with a checksum that fits. */
const forged = makeApiKey(id).key
const [body, checksum] = [good.slice(0, -6), good.slice(-6)]
const secret = body.slice(body.lastIndexOf('_') + 1)
const single = process.env.MCP_API_KEY ?? ''
const swapped = (text: string) => text.replace(/[a-z]/gi, letter => letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase())
const nextOf = (text: string) => `${text.slice(0, -1)}${text.endsWith('0') ? '1' : '0'}`

const guesses: Array<[what: string, key: string, reason: Reason]> = [
  ['the id of a real key with a secret of the enemy\'s own', forged, 'api_key_unknown'],
  ['an id that nobody has', makeApiKey().key, 'api_key_unknown'],
  ['the id and secret of two real keys', `${body.slice(0, 15)}${other.slice(15)}`, 'api_key_malformed'],
  ['a secret that differs in its last character', `${nextOf(body)}${checksum}`, 'api_key_malformed'],
  ['a checksum that differs in its last character', `${body}${nextOf(checksum)}`, 'api_key_malformed'],
  ['no checksum', body, 'api_key_malformed'],
  ['a character short', good.slice(0, -1), 'api_key_malformed'],
  ['a character long', `${good}0`, 'api_key_malformed'],
  ['the prefix and id alone', `fgk_${id}`, 'api_key_malformed'],
  ['the prefix and id with an empty secret', `fgk_${id}_`, 'api_key_malformed'],
  ['the prefix alone', 'fgk_', 'api_key_malformed'],
  ['the id alone', id, 'api_key_unknown'],
  ['the secret alone', secret, 'api_key_unknown'],
  ['the other case', `fgk_${swapped(good.slice(4))}`, 'api_key_malformed'],
  ['the other case, the prefix too', swapped(good), 'api_key_unknown'],
  ['another prefix', `sk_${good.slice(4)}`, 'api_key_unknown'],
  ['the prefix twice', `fgk_${good}`, 'api_key_malformed'],
  ['the key twice', `${good}${good}`, 'api_key_malformed'],
  ['the key in quotes', `"${good}"`, 'api_key_unknown'],
  ['a space within', `${good.slice(0, 20)} ${good.slice(20)}`, 'api_key_malformed'],
  ['a percent sign for a character', `fgk%5F${good.slice(4)}`, 'api_key_unknown'],
  ['a letter that looks the same', Buffer.from(`fgk_${id.slice(0, -1)}а${good.slice(14)}`).toString('latin1'), 'api_key_malformed'],
  ['SQL for an id', 'fgk_\'OR\'1\'=\'1_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'api_key_malformed'],
  ['a path for an id', `fgk_../../../..${good.slice(14)}`, 'api_key_malformed'],
  ['a pattern for an id', `fgk_*${good.slice(14)}`, 'api_key_malformed'],
  ['the name of a member that every object has', `fgk_constructor${good.slice(14)}`, 'api_key_malformed'],
  ['__proto__', '__proto__', 'api_key_unknown'],
  ['the digest that is kept', 'sha256:0000000000000000000000000000000000000000000000000000000000000000', 'api_key_unknown'],
  ['a revoked key', revoked, 'api_key_unknown'],
  ['8 KiB', `fgk_${'A'.repeat(8_188)}`, 'api_key_malformed'],
  ['8 KiB and one character', `fgk_${'A'.repeat(8_189)}`, 'token_too_large'],
  ...(single === ''
    ? []
    : [
      ['MCP_API_KEY, a character short', single.slice(0, -1), 'api_key_unknown'],
      ['MCP_API_KEY, a character long', `${single}0`, 'api_key_unknown'],
      ['MCP_API_KEY in the other case', swapped(single), 'api_key_unknown'],
      ['MCP_API_KEY with a prefix', `fgk_${single}`, 'api_key_malformed']
    ] satisfies typeof guesses)
]

const refused = new Set<string>()
/** In one of these words: an id that nobody has is not told from a wrong secret. */
function isRefused (what: string, reason: Reason, answer: Answer, key: string) {
  const { status, message } = refusal(reason)
  t.equal(answer.status, status, `${what}: ${answer.text.slice(0, 200)}`)
  if (status === 401) {
    t.match(answer.json, { error: 'invalid_token', error_description: message }, what)
    t.match(answer.headers['www-authenticate'], /^Bearer .*error="invalid_token"/, what)
  }
  if (key.length > 12) t.notOk(`${JSON.stringify(answer.headers)}${answer.text}`.includes(key), `${what}: it is not sent back`)
  t.equal(answer.headers['x-tenant-id'], undefined, what)
  refused.add(String(answer.headers['x-request-id']))
}

t.test('no guess at a key gets in, in either header', async t => {
  for (const [what, key, reason] of guesses) {
    isRefused(what, reason, await asKey(key), key)
    isRefused(`${what}, as Bearer`, reason, await asBearer(key), key)
    t.pass(what)
  }
})

t.test('a real key counts once, in one header', async t => {
  const rows: Array<[string, Reason, Request['headers']]> = [
    ['both headers', 'several_credentials', { 'X-API-Key': good, authorization: `Bearer ${good}` }],
    ['a guess beside it', 'several_credentials', { 'X-API-Key': good, authorization: `Bearer ${forged}` }],
    ['it beside a guess', 'several_credentials', { 'X-API-Key': forged, authorization: `Bearer ${good}` }],
    ['the header twice', 'several_credentials', ['X-API-Key', good, 'X-API-Key', good]],
    ['the header twice, one of them empty', 'several_credentials', ['X-API-Key', '', 'x-api-key', good]],
    ['two in one header', 'api_key_unknown', { 'X-API-Key': `${good},${good}` }],
    ['two in one Authorization', 'several_credentials', { authorization: `Bearer ${good}, ${good}` }]
  ]
  for (const [what, reason, headers] of rows) {
    const answer = await send({ headers: headers as string[] })
    const { status } = refusal(reason)
    // Of a key and a copy of it the first words alone differ: both are 400 or 401, and neither is let in.
    t.ok(answer.status === status || (what === 'two in one header' && [400, 401].includes(answer.status)), `${what} is ${answer.status}`)
    refused.add(String(answer.headers['x-request-id']))
  }
  for (const headers of [{ authorization: `Basic ${Buffer.from(`${good}:`).toString('base64')}` }, { authorization: good }, { 'X-Api-Token': good }, { 'Api-Key': good }, { Cookie: `api_key=${good}` }, { 'X-API_Key': good }] as Array<Record<string, string>>) {
    const answer = await send({ headers })
    t.ok([400, 401].includes(answer.status), `${Object.keys(headers)[0]} is ${answer.status}`)
    refused.add(String(answer.headers['x-request-id']))
  }
  t.equal((await gateway.send({ path: `/tools/falkordb_health?api_key=${good}`, body: {} })).status, 400, 'the query string')
  t.equal((await asKey(good)).status, 200)
  t.equal((await asBearer(good)).status, 200)
  t.equal((await send({ headers: { 'X-API-Key': ` ${good} ` } })).status, 200, 'spaces around a header\'s value are not part of it (RFC 9110 section 5.5)')
})

t.test('29: the tool service has seen none of the guesses, and no log holds a key or a guess at one', async t => {
  // A caller who is new: of one who is known not each call is logged.
  const last = String((await (await gateway.person()).send({ path: '/tools/falkordb_health', body: {} })).headers['x-request-id'])
  for (const part of ['traefik', 'verify', 'mcp'] as const) await until(`request ${last} in the log of ${part}`, async () => (await gateway.logs(part)).includes(last), 15)
  const seen = await gateway.logs('mcp')
  t.strictSame([...refused].filter(id => seen.includes(id)), [])
  const secrets = [good, other, revoked, forged].map(key => key.slice(16, -6))
  for (const part of ['traefik', 'verify', 'mcp', 'falkordb'] as const) {
    const log = await gateway.logs(part)
    t.strictSame(secrets.filter(secret => log.includes(secret)), [], part)
  }
})
