import t from 'tap'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { exchange, refresh, signIn, tokensOf } from '../../tests/support/sign-in.ts'
import { until } from '../../tests/support/until.ts'
import { openReplicas } from './test-replicas.ts'

t.test('TENANTS_FILE breaks while the service runs: the last good one goes on and /ready warns; mended, it counts', { timeout: 60_000 }, async t => {
  const path = join(t.testdir(), 'members.json')
  const write = async (members: unknown) => await writeFile(path, typeof members === 'string' ? members : JSON.stringify(members))
  const acme = { tenant: 'acme', domains: ['acme.example'] }
  await write({ tenants: [acme] })
  const { send, origin, replicas } = await openReplicas(t, { env: { TENANTS_FILE: path, LOCAL_SIGN_IN_TENANTS: '' } })
  const everyMembers = async (sign: RegExp) => (await Promise.all(replicas.map(({ send }) => send({ path: '/ready' })))).every(({ status, json }) => status === 200 && sign.test(json.checks.members))
  const done = await signIn(send, origin, { name: 'ada@acme.example' })
  let token = (await exchange(send, done)).refresh_token
  const goesOn = async (what: string) => {
    token = tokensOf(await refresh(send, done.client, token)).refresh_token
    t.pass(what)
  }

  for (const [what, content] of Object.entries({ 'half of a file': '{"tenants":[{"tenant":"ac', 'another form': { tenants: [{ tenant: 'acme', members: ['eve@evil.example'] }] }, 'an empty file': '' })) {
    await write(content)
    await until(`a warning of ${what}`, () => everyMembers(/^warning: /))
    await goesOn(`${what}: who is connected goes on`)
    t.ok((await signIn(send, origin, { name: 'grace@acme.example' })).code, `${what}: a member signs in`)
    await t.rejects(signIn(send, origin, { name: 'eve@evil.example' }), /belong to no tenant/, `${what}: nobody else does`)
    await write({ tenants: [acme] })
    await until('the warning to end', () => everyMembers(/^ok$/))
  }

  await write({ tenants: [acme, { tenant: 'globex', domains: ['globex.example'] }] })
  await until('the new tenant to count at each replica', async () => (await Promise.all(replicas.map(({ send }) => signIn(send, origin, { name: 'hedy@globex.example' }).then(() => true, () => false)))).every(Boolean))
  await goesOn('with another tenant beside it')
  await write({ tenants: [{ tenant: 'globex', domains: ['globex.example'] }] })
  let refused: string | undefined
  await until('who is in no tenant any more to be out', async () => {
    const answer = await refresh(send, done.client, token)
    if (answer.status === 200) token = answer.json.refresh_token
    else refused = answer.json.error
    return refused !== undefined
  })
  t.equal(refused, 'invalid_grant')
})
