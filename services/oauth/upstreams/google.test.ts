import t, { type Test } from 'tap'
import { startGoogle, workspaceMember } from '../../../tests/support/upstreams/google.ts'
import type { Misbehaviour } from '../../../tests/support/upstreams/openid.ts'
import { askAgain, callbackOf, failure, opened, signIn, visit } from './test-support.ts'

async function start (t: Test, env: Record<string, string> = {}) {
  const google = await startGoogle()
  t.teardown(() => google.close())
  google.callbacks.push(callbackOf('google'))
  return { google, ...opened('google', { GOOGLE_ISSUER: google.issuer, GOOGLE_CLIENT_ID: google.clientId, GOOGLE_CLIENT_SECRET: google.clientSecret, GOOGLE_HOSTED_DOMAINS: 'example.com', ...env }) }
}

t.test('a member of a Workspace domain is their number at Google, with address and domain', async t => {
  const { upstream } = await start(t)
  const { person } = await signIn(upstream)
  t.strictSame(person, {
    id: 'google:110169484474386276334',
    upstream: 'google',
    name: 'ada@example.com',
    handle: 'google:ada@example.com',
    email: 'ada@example.com',
    groups: ['google:example.com']
  })
})

const strangers: Record<string, Record<string, unknown>> = {
  'a private account, which has no domain,': { hd: undefined, email: 'ada@gmail.com' },
  'an account of another company': { hd: 'evil.example', email: 'ada@evil.example' },
  'an account of another company with an address of ours': { hd: 'evil.example', email: 'ada@example.com' },
  'a private account with an address of ours': { hd: undefined, email: 'ada@example.com' },
  'an account of a subdomain': { hd: 'trial.example.com' },
  'a domain that is no text': { hd: ['example.com'] },
  'an address that nobody verified': { email_verified: false },
  'an address of which Google does not say that it is verified': { email_verified: undefined },
  'a verification that is a text': { email_verified: 'true' },
  'an account without an address': { email: undefined }
}
for (const [who, claims] of Object.entries(strangers)) {
  t.test(`${who} is refused, whatever it was asked for`, async t => {
    const { google, upstream } = await start(t)
    google.person = workspaceMember(claims)
    const error = await failure(signIn(upstream))
    t.equal(error.code, 'refused')
    t.notMatch(error.message, /example/, 'the page names no domain')
  })
}

t.test('of two companies both may sign in, each in its own group', async t => {
  const { google, upstream } = await start(t, { GOOGLE_HOSTED_DOMAINS: 'Example.com, globex.example' })
  t.strictSame((await signIn(upstream)).person.groups, ['google:example.com'])
  google.person = { ...workspaceMember({ hd: 'globex.example', email: 'bob@globex.example' }), sub: '2' }
  t.strictSame((await signIn(upstream)).person.groups, ['google:globex.example'])
})

t.test('every sign-in leaves something to ask Google by, not the first alone', async t => {
  const { upstream } = await start(t)
  const first = await signIn(upstream)
  const second = await signIn(upstream)
  for (const { memory } of [first, second]) t.match(await askAgain(upstream, memory), { person: { id: 'google:110169484474386276334' } })
})

t.test('asked again, Google still vouches, or does not', async t => {
  const { google, upstream } = await start(t)
  const { memory } = await signIn(upstream)
  const answer = await askAgain(upstream, memory)
  t.match(answer, { person: { email: 'ada@example.com', groups: ['google:example.com'] }, memory }, 'the same token goes on')

  const person = workspaceMember({ hd: 'evil.example' })
  google.changeTo(person)
  t.equal(await askAgain(upstream, memory), 'gone', 'moved to another company')
  google.changeTo(workspaceMember())
  t.match(await askAgain(upstream, memory), { person: {} })
  google.withdraw(person.sub)
  t.equal(await askAgain(upstream, memory), 'gone', 'the account was closed')
})

t.test('another account\'s answer at a refresh counts for nobody', async t => {
  const { google, upstream } = await start(t)
  const { memory } = await signIn(upstream)
  google.misbehaviour = 'another subject'
  t.equal(await askAgain(upstream, memory), 'gone')
})

const untrue: Misbehaviour[] = ['wrong nonce', 'wrong audience', 'wrong issuer', 'expired', 'foreign key', 'unsigned', 'no ID token', 'wrong state']
for (const misbehaviour of untrue) {
  t.test(`an answer with "${misbehaviour}" is refused`, async t => {
    const { google, upstream } = await start(t)
    google.misbehaviour = misbehaviour
    const error = await failure(signIn(upstream))
    t.equal(error.code, 'refused')
    t.match(error.message, /does not belong to this sign-in, or cannot be trusted/)
  })
}

t.test('a Google that cannot be asked takes nobody\'s access, and gives none', async t => {
  const { google, upstream } = await start(t)
  const { memory } = await signIn(upstream)
  google.trouble.set('/token', 'error')
  t.equal((await failure(signIn(upstream))).code, 'failed')
  await t.rejects(askAgain(upstream, memory), { message: /status 500/ })
  google.trouble.clear()
  google.misbehaviour = 'no ID token'
  await t.rejects(askAgain(upstream, memory), { message: /no ID token/ }, 'no answer is no leave-taking')
})

t.test('the person is sent to Google with state, nonce and PKCE, and back to our callback', async t => {
  const { upstream } = await start(t)
  const { url, kept } = await upstream.begin(callbackOf('google'))
  t.equal(url.searchParams.get('nonce'), kept.nonce)
  t.equal(url.searchParams.get('state'), kept.state)
  t.equal(url.searchParams.get('code_challenge_method'), 'S256')
  t.equal(url.searchParams.get('hd'), 'example.com')
  t.equal((await visit(url)).pathname, '/callback/google')
})
