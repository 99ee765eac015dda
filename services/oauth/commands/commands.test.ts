import { generateKeyPairSync } from 'node:crypto'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { connectOnce } from '@gateway/common/state.ts'
import { startValkey } from '../../../tests/support/valkey.ts'
import { gidOf, openStore } from '../state/store.ts'
import { connection, issuer, makeProvider, resource, serve } from '../state/test-support.ts'
import { jwksOf, listThere as listClients, makeThere, removeThere, wanted } from './machine-clients.ts'
import { endThere, listThere as listGrants } from './people-grants.ts'
import { placeHere } from './place.ts'

const valkey = await startValkey(t)
const place = { valkeyUrl: valkey.url, issuer }
const client = await connectOnce(valkey.url)
t.teardown(() => client.destroy())
t.beforeEach(async () => { await client.flushAll() })
const store = openStore(client, { issuer, clientUnusedSeconds: 34_560_000, accessTokenSeconds: 600, reuseGraceSeconds: 10, clientsMax: 10 })

async function linesOf (work: (print: (line: string) => void) => Promise<void>): Promise<string[]> {
  const lines: string[] = []
  await work(line => lines.push(line))
  return lines
}

t.test('make client prints what the machine needs, once; it works until make revoke-client', async t => {
  const lines = await linesOf(async print => await makeThere({ NAME: 'nightly', TENANT: 'acme', SCOPE: 'graph:read graph:write' }, place, print))
  t.match(lines[0], /^Client "nightly": tenant "acme", graph:read graph:write, never expires\..*shown this once/)
  const shown = (name: string) => lines.find(line => line.startsWith(name))?.split(/\s+/)[1] as string
  const origin = await serve(t, makeProvider(store))
  const ask = async () => (await fetch(`${origin}/token`, { method: 'POST', headers: { authorization: `Basic ${Buffer.from(`${shown('client_id')}:${shown('client_secret')}`).toString('base64')}` }, body: new URLSearchParams({ grant_type: 'client_credentials', resource, scope: 'graph:write' }) })).status
  t.equal(await ask(), 200)
  const [line = '', count] = await linesOf(async print => await listClients(place, print))
  t.match(line, new RegExp(`^${shown('client_id')}  "nightly"  tenant "acme"  graph:read graph:write  client_secret_basic  made .* not used yet$`))
  t.notMatch(line, shown('client_secret'))
  t.match(count, /^1 made here; 0 have registered/)
  t.match(await removeThere({ CLIENT: shown('client_id') }, place), /is removed/)
  t.equal(await ask(), 401)
  await t.rejects(removeThere({ CLIENT: shown('client_id') }, place), /There is no client/)
  await t.rejects(removeThere({}, place), /CLIENT is not set/)
})

t.test('what cannot be made is said with what can, all at once', async t => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwks = (key: object) => JSON.stringify({ keys: [key] })
  const good = { NAME: 'n', TENANT: 'acme' }
  t.throws(() => wanted({ SCOPE: 'graph:all', AUTH: 'basic', EXPIRES: 'soon' }), /NAME is not set[^]*TENANT is not set[^]*SCOPE holds "graph:all"[^]*AUTH is secret or[^]*EXPIRES is[^]*For example/)
  const rows: Array<[object, RegExp]> = [
    [{ AUTH: 'private_key_jwt' }, /needs JWKS_FILE/],
    [{ JWKS: '{}' }, /is for AUTH=private_key_jwt only/],
    [{ AUTH: 'private_key_jwt', JWKS: '{' }, /is no JSON/],
    [{ AUTH: 'private_key_jwt', JWKS: 'null' }, /holds no keys/],
    [{ AUTH: 'private_key_jwt', JWKS: jwks({ kty: 'EC' }) }, /no public key/],
    [{ AUTH: 'private_key_jwt', JWKS: jwks(privateKey.export({ format: 'jwk' })) }, /a private or secret key/],
    [{ AUTH: 'private_key_jwt', JWKS: jwks({ kty: 'oct', k: 'c2VjcmV0' }) }, /a private or secret key/],
    [{ EXPIRES: '2001-01-01' }, /a time to come/],
    [{ NAME: 'a\u001b[2J' }, /control character/],
    [{ TENANT: 'x'.repeat(129) }, /longer than 128 bytes/]
  ]
  for (const [words, lesson] of rows) t.throws(() => wanted({ ...good, ...words }), lesson)
  t.match(wanted({ ...good, AUTH: 'private_key_jwt', JWKS: jwks(publicKey.export({ format: 'jwk' })), EXPIRES: '2999-01-01' }), { scopes: ['graph:read'], jwks: { keys: [{ kty: 'EC' }] }, expiresAt: 32_472_144_000 })
  t.throws(() => jwksOf({ JWKS_FILE: '/nowhere' }, () => { throw new Error('ENOENT') }), /JWKS_FILE cannot be read/)
})

t.test('make grants lists those of a person, a tenant or a client, and make end-grant ends one', async t => {
  await store.grants.remember('a', connection({ clientName: 'A\u001b[2J' }), 600)
  await store.grants.remember('b', connection({ tenant: 'globex' }), 600)
  await store.grants.remember('c', connection({ accountId: 'github:1', clientId: 'https://claude.ai/client.json', verified: true }), 600)
  const gids = async (words: object) => (await linesOf(async print => await listGrants(words, place, print))).slice(0, -1).map(line => line.split(' ')[0]).sort()
  const those = (...ids: string[]) => ids.map(gidOf).sort()
  t.strictSame(await gids({}), those('a', 'b', 'c'))
  t.strictSame(await gids({ SUBJECT: 'github:583231' }), those('a', 'b'))
  t.strictSame(await gids({ TENANT: 'acme' }), those('a', 'c'))
  t.strictSame(await gids({ CLIENT: 'editor', TENANT: 'globex' }), those('b'))
  t.strictSame(await gids({ SUBJECT: 'github:1', CLIENT: 'editor' }), [])
  const lines = await linesOf(async print => await listGrants({ SUBJECT: 'github:583231', TENANT: 'acme' }, place, print))
  t.match(lines[0], /"github:583231" {2}tenant "acme" {2}"A\\u001b\[2J" \("editor", unverified, leads to "127.0.0.1"\) {2}graph:read {2}since /)
  t.equal(lines[1], '1 grant')
  t.match(await endThere({ GRANT: gidOf('a') }, place), /^Ended: .*refused within a second/)
  await t.rejects(endThere({ GRANT: gidOf('a') }, place), /There is no grant/)
  t.strictSame(await gids({}), those('b', 'c'))
  t.match(await removeThere({ CLIENT: 'https://claude.ai/client.json' }, place), /is removed/)
  t.strictSame(await gids({}), those('b'), 'a client without a record of its own loses its grants')
})

t.test('each command runs by its words in the environment of the service', async t => {
  const run = async (command: string, ...words: string[]) => await promisify(execFile)(process.execPath, [join(import.meta.dirname, `${command}.ts`), ...words], { env: { PATH: process.env.PATH, VALKEY_URL: valkey.url, PUBLIC_URL: issuer } })
    .then(({ stdout }) => stdout, ({ stderr, code }: { stderr: string, code: number }) => `${code} ${stderr}`)
  await store.grants.remember('a', connection(), 600)
  const [made, grants] = await Promise.all([run('client', 'NAME=nightly', 'TENANT=acme'), run('grants', 'TENANT=acme')])
  const id = /^client_id +(\S+)$/m.exec(made)?.[1] as string
  t.match(grants, gidOf('a'))
  t.match(await run('clients'), id)
  t.match(await run('revoke-client', `CLIENT=${id}`), /is removed/)
  t.match(await run('end-grant', `GRANT=${gidOf('a')}`), /^Ended/)
  t.match(await run('client', 'NAMME=x'), /^1 "NAMME" is no word/)
})

t.test('where nothing can be done, it is said why', async t => {
  t.throws(() => placeHere({}), /VALKEY_URL is not set/)
  t.throws(() => placeHere({ VALKEY_URL: valkey.url }), /PUBLIC_URL is not set/)
  t.strictSame(placeHere({ VALKEY_URL: valkey.url, PUBLIC_URL: issuer }), place)
  await t.rejects(listClients({ ...place, valkeyUrl: 'redis://:hidden@[' }, () => {}), /^(?!.*hidden).*VALKEY_URL must be like/)
  const full = await startValkey(t, { args: ['--maxmemory', '1'] })
  await t.rejects(makeThere({ NAME: 'n', TENANT: 'acme' }, { ...place, valkeyUrl: full.url }, () => {}), { name: 'CommandError', message: /has not confirmed it/ })
})
