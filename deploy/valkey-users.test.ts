/** Valkey's users, as docker-compose.yml makes them, on a real server: each service does all its work as its own, and nothing of another's. */
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { openRevocations } from '@gateway/common/known-revocations.ts'
import { memberOf, nowSeconds, revocationsKey } from '@gateway/common/revocations.ts'
import { createObservability } from '@gateway/common/service.ts'
import { connectOnce, openState } from '@gateway/common/state.ts'
import { openReplica, openStream, post, testTools, toolCall } from '../services/mcp/legacy-sse/test-support.ts'
import { caller } from '../services/mcp/test-support.ts'
import { makeThere, listThere as listClients, removeThere } from '../services/oauth/commands/machine-clients.ts'
import { endThere, listThere as listGrants } from '../services/oauth/commands/people-grants.ts'
import { rotateThere } from '../services/oauth/keys/rotating.ts'
import { openOauth } from '../services/oauth/test-support.ts'
import { listThere as listRevocations, revokeThere } from '../services/verify/commands/revoking.ts'
import { open as openLimits, somebody, usual } from '../services/verify/limits/test-support.ts'
import { askToken, claimsOf, exchange, formsOf, refresh, register, signIn, tokensOf } from '../tests/support/sign-in.ts'
import { until } from '../tests/support/until.ts'
import { startValkey } from '../tests/support/valkey.ts'

t.setTimeout(120_000)

type User = 'oauth' | 'verify' | 'mcp'
const secret = () => randomBytes(32).toString('hex')
const passwords = { OAUTH_PASSWORD: secret(), VERIFY_PASSWORD: secret(), MCP_PASSWORD: secret() }

/** What the container's command gives Valkey to read. */
function configuration (t: Test): string {
  const { services: { valkey } } = parse(readFileSync(resolve(import.meta.dirname, '../docker-compose.yml'), 'utf8'), { merge: true }) as { services: { valkey: { command: [string, string, string], environment: object } } }
  for (const name of Object.keys(passwords)) t.hasProp(valkey.environment, name)
  const [shell, flag, script] = valkey.command
  const bin = t.testdir()
  writeFileSync(join(bin, 'valkey-server'), '#!/bin/sh\nexec cat\n', { mode: 0o755 })
  const run = spawnSync(shell, [flag, script.replaceAll('$$', '$')], { env: { PATH: `${bin}:${process.env.PATH}`, REDISCLI_AUTH: secret(), ...passwords }, encoding: 'utf8' })
  t.equal(run.status, 0, run.stderr)
  return run.stdout
}

/** A server with these users, and beside them one for the test. */
async function openValkey (t: Test) {
  const path = join(t.testdir(), 'users.acl')
  const users = configuration(t).split('\n').filter(line => line.startsWith('user '))
  t.equal(users.length, 3)
  writeFileSync(path, `${users.join('\n')}\n`)
  const { url } = await startValkey(t, { args: ['--aclfile', path] })
  const admin = await connectOnce(url)
  t.teardown(() => admin.destroy())
  return {
    admin,
    urlOf: (user: User) => url.replace('redis://', `redis://${user}:${passwords[`${user.toUpperCase() as Uppercase<User>}_PASSWORD`]}@`),
    /** What users were refused. */
    refusals: async () => (await admin.aclLog()).map(({ reason, object, username }) => `${username}: ${reason} ${object}`)
  }
}

async function linesOf (work: (print: (line: string) => void) => Promise<void>): Promise<string> {
  const lines: string[] = []
  await work(line => lines.push(line))
  return lines.join('\n')
}

t.test('sign-in does all its work as the user oauth', async t => {
  const { urlOf, refusals } = await openValkey(t)
  const most = '100'
  const { send, origin, client, config, keys, health } = await openOauth(t, {
    valkeyUrl: urlOf('oauth'),
    env: { REFRESH_REUSE_GRACE_S: '0', REGISTRATIONS_PER_HOUR: most, SIGN_INS_PER_MINUTE: most, TOKENS_PER_MINUTE: most, CLIENT_TOKENS_PER_MINUTE: most, ACCOUNT_SIGN_INS_PER_HOUR: most }
  })
  const registered = await register(send)
  const registration = { path: new URL(registered.registration_client_uri!).pathname, headers: { Authorization: `Bearer ${registered.registration_access_token}` } }
  t.equal((await send(registration)).status, 200)
  const done = await signIn(send, origin, { tenant: 'acme', client: registered })
  const first = await exchange(send, done)
  const second = tokensOf(await refresh(send, registered, first.refresh_token))
  t.match((await send({ method: 'POST', path: '/introspect', headers: { 'Content-Type': 'application/x-www-form-urlencoded' }, body: new URLSearchParams({ client_id: registered.client_id, token: second.access_token }).toString() })).json, { active: true })
  t.equal((await refresh(send, registered, first.refresh_token)).json.error, 'invalid_grant')
  const again = await askToken(send, { grant_type: 'authorization_code', client_id: registered.client_id, code: done.code, redirect_uri: done.redirectUri, code_verifier: done.verifier })
  t.equal(again.json.error, 'invalid_grant')

  const tokens = await exchange(send, await signIn(send, origin, { tenant: 'acme', client: registered, browser: done.browser }))
  const account = await done.browser.open('/account')
  const { fields } = formsOf(account.text).find(({ action }) => action === '/account/disconnect')!
  t.equal((await done.browser.submit('/account/disconnect', { ...fields, gid: String(claimsOf(tokens.access_token).gid) })).status, 200)
  t.match(await client.zRange(revocationsKey, 0, -1), [/"kind":"grant"/, /"kind":"grant"/])
  const { fields: leaving, action } = formsOf((await done.browser.open('/account')).text).find(({ action }) => action.includes('sign-out'))!
  t.equal((await done.browser.submit(action, leaving)).status, 200)
  t.equal((await send({ method: 'DELETE', ...registration })).status, 204)

  const place = { valkeyUrl: urlOf('oauth'), issuer: config.issuer }
  const made = await linesOf(async print => await makeThere({ NAME: 'nightly', TENANT: 'acme', SCOPE: 'graph:read' }, place, print))
  const shown = (name: string) => new RegExp(`^${name}\\s+(\\S+)`, 'm').exec(made)?.[1] ?? ''
  const machine = await askToken(send, { grant_type: 'client_credentials', resource: `${origin}/mcp`, scope: 'graph:read' }, { Authorization: `Basic ${Buffer.from(`${shown('client_id')}:${shown('client_secret')}`).toString('base64')}` })
  t.equal(machine.status, 200, machine.text)
  t.match(await linesOf(async print => await listClients(place, print)), '"nightly"')
  t.match(await removeThere({ CLIENT: shown('client_id') }, place), /is removed/)
  const theirs = claimsOf((await exchange(send, await signIn(send, origin, { tenant: 'acme', name: 'grace' }))).access_token)
  t.match(await linesOf(async print => await listGrants({ TENANT: 'acme' }, place, print)), String(theirs.gid))
  t.match(await endThere({ GRANT: String(theirs.gid) }, place), /^Ended/)
  const rotated = await rotateThere({}, { file: '', valkeyUrl: urlOf('oauth'), secrets: config.secrets, algorithm: config.ACCESS_TOKEN_ALG, accessTokenSeconds: config.ACCESS_TOKEN_TTL_S, cookieSeconds: config.SESSION_TTL_S })
  t.match(rotated, /stays published until/)
  await until('the next key', () => keys.jwks.keys.length === 2)
  t.match(await health.ready(), { ready: true })
  t.strictSame(await refusals(), [])
})

t.test('verify knows and restores revocations, and evens out limits, as the user verify; so do the commands in its container', async t => {
  const { admin, urlOf, refusals } = await openValkey(t)
  const { logger, registry } = createObservability('verify', 'silent')
  const state = openState(urlOf('verify'), logger)
  const revocations = openRevocations(state, { outage: 'refuse', logger, registry, rereadMs: 50 })
  t.teardown(async () => { await Promise.all([revocations.close(), state.close()]) })
  await until('the first reading', () => revocations.status() === 'ok')

  const issuer = 'https://login.example'
  const place = { valkeyUrl: urlOf('verify'), issuers: [issuer] }
  t.match(await revokeThere({ JTI: 'j-1' }, place), /^Revoked/)
  const ada = { issuer, userId: 'ada', tokenId: 'j-1', grantId: undefined, issuedAt: nowSeconds() }
  await until('it to hold', () => revocations.covers(ada, 'acme'))
  t.match(await linesOf(async print => await listRevocations(place, print)), /1 in force/)
  await admin.del(revocationsKey)
  await until('it to be written back', async () => (await admin.zRange(revocationsKey, 0, -1)).includes(memberOf({ kind: 'token', issuer, id: 'j-1' })))

  const replicas = [1, 2].map(() => openLimits(t, { state, subjectRequestsPerSecond: 10 })) as [ReturnType<typeof openLimits>, ReturnType<typeof openLimits>]
  t.equal(await replicas[0].calls(100), 100)
  await replicas[1].calls(1)
  await until('the other to hear of them', async () => await replicas[1].peek(somebody(), usual) !== undefined)
  t.strictSame(await refusals(), [])
})

t.test('the streams of /sse live, are kept, found and ended as the user mcp', async t => {
  const { admin, urlOf, refusals } = await openValkey(t)
  const { held, tools } = testTools()
  const options = { tools, bounds: { tickMs: 50 } }
  const [one, other] = [await openReplica(t, urlOf('mcp'), options), await openReplica(t, urlOf('mcp'), options)]
  const ada = caller('acme')
  const stream = await openStream(t, one, ada)
  t.equal((await post(other, stream.endpoint, ada, toolCall(1, 'hold'))).status, 202)
  await until('the call', () => held.length === 1)
  const [record = ''] = await admin.keys('gateway:sse:session:*')
  await admin.pExpire(record, 30_000)
  await until('it to be kept, and the replica that owes the answer to be asked for', async () => await admin.pTTL(record) > 31_000 && /^cmdstat_pubsub\|numsub:/m.test(await admin.info('commandstats')))
  held[0]!.release()
  t.match(await stream.answer(1), { result: { structuredContent: { tenant: 'acme' } } })
  stream.close()
  await until('nothing to be left', async () => (await admin.keys('gateway:sse:*')).length === 0)
  t.strictSame(await refusals(), [])
})

t.test('a service that was broken into can do nothing in Valkey that is not its own', async t => {
  const { admin, urlOf } = await openValkey(t)
  const record = memberOf({ kind: 'tenant', id: 'acme', at: nowSeconds() })
  await admin.set('oauth:account:local:ada', '{}')
  await admin.zAdd(revocationsKey, { score: nowSeconds() + 60, value: record })
  const ofSignIn = [
    ['GET', 'oauth:account:local:ada'],
    ['SET', 'oauth:session:x', '{}'],
    ['DEL', 'oauth:account:local:ada'],
    ['COPY', 'oauth:account:local:ada', 'gateway:sse:session:x'],
    ['COPY', 'oauth:account:local:ada', 'gateway:limits:x'],
    ['PUBLISH', 'oauth:keys', ''],
    ['SUBSCRIBE', 'oauth:keys'],
    ['PSUBSCRIBE', '*'],
    ['EVAL', "return redis.call('SET', KEYS[1], '{}')", '1', 'oauth:session:x'],
    ['EVAL', "return redis.call('SET', 'oauth:session:x', '{}')", '0'],
    ['EVAL', "return redis.call('PUBLISH', 'oauth:keys', '')", '0']
  ]
  const ofRevocations = [
    ['ZADD', revocationsKey, '1', 'x'],
    ['ZREM', revocationsKey, record],
    ['DEL', revocationsKey],
    ['RENAME', revocationsKey, 'gateway:sse:x'],
    ['PUBLISH', 'gateway:revocations', 'x'],
    ['EVAL', `return redis.call('DEL', '${revocationsKey}')`, '0']
  ]
  const ofStreams = [['SET', 'gateway:sse:session:x', ''], ['PUBLISH', 'gateway:sse:ended', 'x']]
  const ofTheServer = [
    ['FLUSHALL'], ['FLUSHDB'], ['SWAPDB', '0', '1'], ['SELECT', '1'], ['KEYS', '*'], ['SCAN', '0'], ['RANDOMKEY'], ['CONFIG', 'GET', 'requirepass'], ['ACL', 'LIST'],
    ['ACL', 'SETUSER', 'mcp', 'allkeys'], ['CLIENT', 'LIST'], ['CLIENT', 'KILL', 'TYPE', 'normal'], ['MONITOR'], ['SHUTDOWN'], ['REPLICAOF', '192.0.2.1', '6379'],
    ['SCRIPT', 'FLUSH'], ['FUNCTION', 'FLUSH'], ['MIGRATE', '192.0.2.1', '6379', 'x', '0', '1'], ['SAVE'], ['MODULE', 'LIST'], ['EVAL', "return redis.call('KEYS', '*')", '0']
  ]
  const rows: Record<User, string[][]> = {
    mcp: [...ofSignIn, ...ofRevocations, ['SET', 'gateway:limits:x', ''], ['INFO'], ...ofTheServer],
    verify: [...ofSignIn, ...ofStreams, ['INFO'], ...ofTheServer],
    oauth: [...ofStreams, ['SET', 'gateway:limits:x', ''], ...ofTheServer]
  }
  for (const [user, commands] of Object.entries(rows) as Array<[User, string[][]]>) {
    const client = await connectOnce(urlOf(user))
    t.teardown(() => client.destroy())
    for (const command of commands) await t.rejects(client.sendCommand(command), /NOPERM|ACL failure/, `${user}: ${command.join(' ')}`)
  }
  t.strictSame((await admin.keys('*')).sort(), [revocationsKey, 'oauth:account:local:ada'])
  t.strictSame(await admin.zRange(revocationsKey, 0, -1), [record])
})
