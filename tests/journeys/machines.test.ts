import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SignJWT } from 'jose'
import t from 'tap'
import { connect } from '../support/clients.ts'
import { openGateway, unique } from '../support/gateway.ts'
import { askToken, claimsOf, register, tokensOf, type Tokens } from '../support/sign-in.ts'
import { until } from '../support/until.ts'

t.setTimeout(180_000)

const gateway = openGateway()
const { send } = gateway

interface Machine { clientId: string, secret: string, said: string }

/** What `make client` hands out. */
async function makeClient (...words: string[]): Promise<Machine> {
  const said = await gateway.oauthCommand('client', ...words)
  const named = (name: string) => new RegExp(`^${name} +(\\S+)$`, 'm').exec(said)?.[1] ?? ''
  return { clientId: named('client_id'), secret: named('client_secret'), said }
}

const basic = ({ clientId, secret }: Pick<Machine, 'clientId' | 'secret'>) => ({ Authorization: `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}` })
const askBySecret = (machine: Pick<Machine, 'clientId' | 'secret'>, more: Record<string, string> = {}) => askToken(send, { grant_type: 'client_credentials', ...more }, basic(machine))
const bearer = ({ access_token: token }: Pick<Tokens, 'access_token'>) => ({ authorization: `Bearer ${token}` })
const statusOf = async (token: Pick<Tokens, 'access_token'>) => (await send({ path: '/api/mcp/graphs', headers: bearer(token) })).status
/** RFC 6749 section 5.2: the grant type is not the client's. */
const notAllowed = 'unauthorized_client'
const lineOf = async ({ clientId }: Machine) => (await gateway.oauthCommand('clients')).split('\n').find(line => line.startsWith(clientId))
/** What a command says that refuses. */
const refusal = (command: Promise<unknown>) => command.then(() => 'it was done', (error: { stderr: string }) => error.stderr)

t.test('a machine gets a token by its secret and calls tools in its own tenant, is listed with its last use, and is out within a second when it is revoked', async t => {
  const [tenant, name, graph] = [unique('acme'), unique('nightly'), unique('films')]
  const machine = await makeClient(`NAME=${name}`, `TENANT=${tenant}`, 'SCOPE=graph:read graph:write')
  t.match(machine.said, `${gateway.url}/token`, 'the command says where to ask')
  t.match(await lineOf(machine), new RegExp(`"${name}".*tenant "${tenant}".*not used yet`))

  const tokens = tokensOf(await askBySecret(machine))
  t.match(tokens, { token_type: 'Bearer', scope: 'graph:read graph:write' })
  t.notOk(tokens.refresh_token, 'RFC 6749 section 4.4.3: it has its secret')
  t.match(claimsOf(tokens.access_token), { iss: gateway.url, aud: gateway.mcpUrl, sub: machine.clientId, client_id: machine.clientId, tenant_id: tenant })
  for (const era of ['v1 SDK', 'v2 SDK, 2026-07-28'] as const) {
    const client = await connect(era, gateway.mcpUrl, bearer(tokens))
    const { data, isError } = await client.call('falkordb_query', { graphName: graph, query: 'MERGE (n:Job {name: "nightly"}) RETURN n.name AS name' })
    await client.close()
    t.match({ isError, data }, { isError: false, data: { tenant, data: [{ name: 'nightly' }] } }, era)
  }
  t.match(await lineOf(machine), /last used \d{4}-\d\d-\d\d/)

  const said = await gateway.oauthCommand('revoke-client', `CLIENT=${machine.clientId}`)
  await until('the refusal at the gateway', async () => await statusOf(tokens) === 401, 1)
  t.match(said, /gets no token any more/)
  t.match(await askBySecret(machine), { status: 401, json: { error: 'invalid_client' } })
  t.equal(await lineOf(machine), undefined, 'nor is it listed')
  t.match(await refusal(gateway.oauthCommand('revoke-client', `CLIENT=${machine.clientId}`)), /There is no client/)
})

t.test('a machine signs with a key of its own, whose private part nobody else ever has', async t => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const folder = t.testdir()
  const file = (name: string, content: unknown) => {
    writeFileSync(join(folder, name), JSON.stringify(content))
    return `JWKS_FILE=${join(folder, name)}`
  }
  const [tenant, words] = [unique('acme'), [`NAME=${unique('agent')}`, 'AUTH=private_key_jwt']]
  const own = { kid: 'own', alg: 'ES256', use: 'sig' }
  t.match(await refusal(makeClient(...words, `TENANT=${tenant}`, file('private.json', { keys: [{ ...privateKey.export({ format: 'jwk' }), ...own }] }))), /private or secret key/)

  const machine = await makeClient(...words, `TENANT=${tenant}`, 'SCOPE=graph:read', file('public.json', { keys: [{ ...publicKey.export({ format: 'jwk' }), ...own }] }))
  t.equal(machine.secret, '', 'no secret is made')
  const signed = (key = privateKey) => new SignJWT({ iss: machine.clientId, sub: machine.clientId, aud: gateway.url, jti: randomUUID() }).setProtectedHeader({ alg: 'ES256', kid: 'own' }).setExpirationTime('1 minute').sign(key)
  const ask = (assertion: string) => askToken(send, { grant_type: 'client_credentials', client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer', client_assertion: assertion })
  const assertion = await signed()
  const tokens = tokensOf(await ask(assertion))
  t.equal(claimsOf(tokens.access_token).tenant_id, tenant)
  t.equal(await statusOf(tokens), 200)
  for (const again of await Promise.all(Array.from({ length: 4 }, () => ask(assertion)))) t.match(again, { status: 401, json: { error: 'invalid_client' } }, 'whoever overheard it cannot use it again, at any replica')
  t.match(await ask(await signed(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)), { status: 401, json: { error: 'invalid_client' } }, 'another key')
  t.match(await askBySecret({ clientId: machine.clientId, secret: 'guess' }), { status: 401, json: { error: 'invalid_client' } }, 'no key at all')
  await gateway.oauthCommand('revoke-client', `CLIENT=${machine.clientId}`)
  await until('the refusal at the gateway', async () => await statusOf(tokens) === 401, 1)
  t.match(await ask(await signed()), { status: 401, json: { error: 'invalid_client' } })
})

t.test('a machine gets no more than it was made with: not by a wrong secret, another scope, tenant or resource', async t => {
  const [tenant, foreign, graph] = [unique('acme'), unique('globex'), unique('films')]
  const reader = await makeClient(`NAME=${unique('reader')}`, `TENANT=${tenant}`, 'SCOPE=graph:read')
  const neighbour = await makeClient(`NAME=${unique('neighbour')}`, `TENANT=${foreign}`, 'SCOPE=graph:write')
  for (const [what, machine] of Object.entries({ 'a wrong secret': { ...reader, secret: 'guess' }, 'that of another machine': { ...reader, secret: neighbour.secret }, 'nobody\'s name': { ...reader, clientId: 'machine-x' } })) {
    const answer = await askBySecret(machine)
    t.match(answer, { status: 401, json: { error: 'invalid_client' }, headers: { 'www-authenticate': /^Basic / } }, what)
    t.notMatch(answer.text, reader.secret)
  }
  t.match(await askToken(send, { grant_type: 'client_credentials', client_id: reader.clientId }), { status: 401, json: { error: 'invalid_client' } }, 'its name alone')
  for (const [what, more, error] of [
    ['a scope that it does not have', { scope: 'graph:read graph:write' }, 'invalid_scope'],
    ['a resource that is not ours', { resource: 'https://elsewhere.example/mcp' }, 'invalid_target'],
    ['the grant of people', { grant_type: 'refresh_token', refresh_token: 'x' }, notAllowed]
  ] as Array<[string, Record<string, string>, string | RegExp]>) t.match(await askBySecret(reader, more), { status: 400, json: { error } }, what)

  const tokens = tokensOf(await askBySecret(reader, { tenant_id: foreign, tenant: foreign }))
  t.equal(claimsOf(tokens.access_token).tenant_id, tenant, 'a tenant is none of the request\'s matters')
  const query = (token: Tokens, body: object, headers: Record<string, string> = {}) => send({ path: '/api/mcp/context', headers: { ...bearer(token), ...headers }, body })
  const other = tokensOf(await askBySecret(neighbour))
  t.equal((await query(other, { graphName: graph, query: 'CREATE (:Secret)' })).status, 200)
  t.match(await query(tokens, { graphName: graph, query: 'MATCH (n) RETURN n' }), { status: 404, json: { error: { type: 'NotFoundError' } } }, 'the neighbour\'s graph')
  const misled = await send({ path: '/api/mcp/graphs', headers: { ...bearer(tokens), 'X-Tenant-Id': foreign } })
  t.match({ status: misled.status, tenant: misled.json.tenant }, { status: 200, tenant })
  t.notMatch(misled.text, graph)
  const written = await query(tokens, { graphName: unique('films'), query: 'CREATE (:Film)' })
  t.match({ status: written.status, asked: written.headers['www-authenticate'] }, { status: 403, asked: /error="insufficient_scope"/ })
})

t.test('oauth 11: nobody becomes a machine by registering: neither at first, nor later, nor with a secret', async t => {
  const metadata = { client_name: 'Not a machine', redirect_uris: ['https://client.example/callback'] }
  for (const grants of [['client_credentials'], ['authorization_code', 'client_credentials']]) {
    t.match(await send({ path: '/register', body: { ...metadata, grant_types: grants } }), { status: 400, json: { error: 'invalid_client_metadata' } }, grants.join())
  }
  const client = await register(send, { token_endpoint_auth_method: 'client_secret_basic', gateway_machine: true, gateway_tenant: 'acme' }).catch(() => undefined) ??
    await register(send, { token_endpoint_auth_method: 'client_secret_basic' })
  t.notOk('gateway_tenant' in client)
  const machine = { clientId: client.client_id, secret: String(client.client_secret) }
  t.match(await askBySecret(machine, { scope: 'graph:read' }), { status: 400, json: { error: notAllowed } })
  const updated = await send({ method: 'PUT', path: `/register/${client.client_id}`, headers: { Authorization: `Bearer ${client.registration_access_token}` }, body: { ...metadata, client_id: client.client_id, grant_types: ['client_credentials'] } })
  t.match(updated, { status: 400, json: { error: 'invalid_client_metadata' } })
  t.match(await askBySecret(machine), { status: 400, json: { error: notAllowed } })
  t.notMatch(await gateway.oauthCommand('clients'), client.client_id, 'it is no machine of the operator\'s')
})

t.test('a machine that was made until a moment gets no token after it', async t => {
  const expires = new Date(Math.ceil(Date.now() / 1000) * 1000 + 15_000)
  const machine = await makeClient(`NAME=${unique('trial')}`, `TENANT=${unique('acme')}`, `EXPIRES=${expires.toISOString().replace('.000', '')}`)
  t.match(machine.said, /until \d{4}-\d\d-\d\d \d\d:\d\d UTC/)
  t.equal((await askBySecret(machine)).status, 200)
  await until('the end of the client', async () => (await askBySecret(machine)).status === 401)
  t.ok(Date.now() >= expires.getTime() - 1_000, 'not before')
  t.match(await askBySecret(machine), { json: { error: 'invalid_client' } })
})

t.test('the commands say what they lack, all of it, and do nothing then', async t => {
  const rows: Array<[words: string[], lesson: RegExp]> = [
    [[], /NAME is not set[^]*TENANT is not set[^]*make client NAME=/],
    [['NAME=x', 'TENANT=acme', 'SCOPE=graph:everything'], /SCOPE holds "graph:everything"; there are graph:read/],
    [['NAME=x', 'TENANT=acme', 'AUTH=private_key_jwt'], /needs JWKS_FILE/],
    [['NAME=x', 'TENANT=acme', 'EXPIRES=2020-01-01'], /EXPIRES is a day or a time to come/]
  ]
  for (const [words, lesson] of rows) {
    const said = await refusal(makeClient(...words))
    t.match(said, lesson)
    t.notMatch(said, / at .*\.ts/, 'no stack')
  }
  t.match(await refusal(gateway.oauthCommand('revoke-client')), /CLIENT is not set/)
})
