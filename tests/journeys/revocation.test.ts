import t from 'tap'
import { openGateway, unique, type Person } from '../support/gateway.ts'
import { claimsOf } from '../support/tokens.ts'
import { until } from '../support/until.ts'

t.setTimeout(120_000)

const gateway = openGateway()
const ISSUER = `ISSUER=${gateway.issuer}`
const ask = (person: Person) => person.send({ path: '/api/mcp/graphs' })
const works = async (person: Person) => (await ask(person)).status === 200

/** The promise of a second, on a machine that does other work too: asked from the moment at which the command says that it is done. */
const refusedSoon = (person: Person) => until('the refusal', async () => (await ask(person)).status === 401, 1)

t.test('a token that was accepted a moment ago is refused within a second, and only that one', async t => {
  const tenant = unique('acme')
  const [stolen, other] = await Promise.all([gateway.person({ tenant, claims: { jti: unique('jti') } }), gateway.person({ tenant, claims: { jti: unique('jti') } })])
  t.ok(await works(stolen))
  t.ok(await works(other))
  const said = await gateway.revoke(`TOKEN=${stolen.token}`)
  t.match(said, /Revoked: token ".*It is remembered until \d{4}-/)
  t.notMatch(said, stolen.token.split('.')[2], 'no token is printed')
  await refusedSoon(stolen)

  const answer = await ask(stolen)
  t.match(answer.json, { error: 'invalid_token', error_description: /revoked; sign in again/ })
  t.match(answer.headers['www-authenticate'], /error="invalid_token"/)
  for (const path of ['/mcp', '/tools/falkordb_health', '/verify']) t.equal((await stolen.send({ path, ...(path !== '/verify' && { body: {} }) })).status, 401, path)
  t.ok(await works(other))
  t.match(await gateway.revocations(), String(claimsOf(stolen.token).jti), 'it is listed')
})

t.test('a revoked grant ends all of its tokens', async t => {
  const gid = unique('grant')
  const [access, refreshed, other] = await Promise.all([{ gid }, { gid }, { gid: unique('grant') }].map(claims => gateway.person({ claims })))
  t.ok(await works(access!))
  await gateway.revoke(`GRANT=${gid}`, ISSUER)
  await refusedSoon(access!)
  t.notOk(await works(refreshed!), 'also one that was never used')
  t.ok(await works(other!))
})

t.test('a revoked person is out until a new sign-in; others of the tenant go on', async t => {
  const tenant = unique('acme')
  const user = unique('ada')
  const [ada, bob] = await Promise.all([gateway.person({ tenant, user }), gateway.person({ tenant, user: unique('bob') })])
  t.ok(await works(ada))
  await gateway.revoke(`USER=${user}`, ISSUER)
  await refusedSoon(ada)
  t.ok(await works(bob))
  // Times of issue are whole seconds: one of the same second is covered.
  await until('a token of a later second', async () => await works(await gateway.person({ tenant, user })), 5)
  t.notOk(await works(ada), 'the old one stays out')
})

t.test('a revoked tenant is out, whoever of it calls; another tenant goes on', async t => {
  const tenant = unique('globex')
  const [ada, bob, other] = await Promise.all([gateway.person({ tenant, user: 'ada' }), gateway.person({ tenant, user: 'bob' }), gateway.person()])
  t.ok(await works(ada))
  await gateway.revoke(`TENANT=${tenant}`)
  await refusedSoon(ada)
  t.notOk(await works(bob))
  t.ok(await works(other))
})

t.test('make revoke says what it lacks, and does nothing then', async t => {
  const rows: Array<[string[], RegExp]> = [
    [[], /Say whom: make revoke TENANT=/],
    [['TENANT=a', 'USER=b'], /both set/],
    [['USER=ada', 'ISSUER=https://typo.example/'], /ISSUER is none that is trusted here/],
    [['TOKEN=not-a-jwt'], /TOKEN is no JWT/],
    [[`TOKEN=${await gateway.mint({ jti: undefined, sub: 'ada' })}`], /has no "jti".*USER='ada' ISSUER=/]
  ]
  for (const [words, lesson] of rows) {
    const said = await gateway.revoke(...words).then(() => 'it was done', (error: { stderr: string }) => error.stderr)
    t.match(said, lesson)
    t.notMatch(said, / at .*\.ts/, 'no stack')
  }
})

t.test('readiness and metrics tell of the store', async t => {
  const [text] = await gateway.metrics('verify')
  t.match(text, /^state_up 1$/m)
  t.match(text, /^revocations_known [1-9]/m)
  t.match(text, /auth_decisions_total\{outcome="refused",reason="credential_revoked"/)
})
