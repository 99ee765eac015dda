import t from 'tap'
import { open, somebody, usual, windowStart } from './test-support.ts'

const [ada, bob] = [somebody(), somebody({ userId: 'bob' })]

t.test('a subject may call so often in ten seconds, is told when to come back, and then may again', async t => {
  const limits = open(t, { subjectRequestsPerSecond: 2 })
  t.equal(await limits.calls(20), 20, 'ten seconds\' worth at once')
  for (const [ms, retryAfter] of [[0, 10], [1, 10], [3_500, 7], [9_000, 1], [9_999, 1]] as const) {
    limits.clock.ms = windowStart + ms
    t.strictSame(await limits.take(ada, usual), { limit: 'subject', retryAfter }, `${ms} ms into the window`)
    limits.clock.ms += retryAfter * 1000
    t.equal(await limits.peek(ada, usual), undefined, 'who waits as long as told is let in')
    limits.clock.ms = windowStart + ms
    await limits.calls(30)
  }
})

t.test('16: each subject has a limit of its own, and one only, whatever tenant it chooses', async t => {
  const limits = open(t, { subjectRequestsPerSecond: 1 })
  t.equal(await limits.calls(15, ada), 10)
  t.equal(await limits.calls(15, bob), 10, 'another user')
  t.equal(await limits.calls(15, somebody({ issuer: 'https://other.example' })), 10, 'a user of the same name at another issuer')
  t.equal(await limits.calls(15, somebody({ tenantId: 'other' })), 0, 'the same user in another tenant')
  t.equal(await limits.calls(15, somebody({ clientId: 'phone' })), 0, 'the same user with another program')
  t.equal(await limits.calls(15, somebody({ issuer: 'https://a', userId: 'bc' })), 10)
  t.equal(await limits.calls(15, somebody({ issuer: 'https://ab', userId: 'c' })), 10, 'no two names run together')
})

t.test('all subjects of a tenant share its limit, and no other tenant feels it', async t => {
  const limits = open(t, { tenantRequestsPerSecond: 1 })
  t.equal(await limits.calls(6, ada), 6)
  t.equal(await limits.calls(6, bob), 4)
  t.strictSame(await limits.take(bob, usual), { limit: 'tenant', retryAfter: 10 })
  t.equal(await limits.calls(6, somebody({ tenantId: 'other' })), 6)
})

t.test('calls that are refused use nothing up: neither the tenant\'s limit nor the subject\'s', async t => {
  const limits = open(t, { tenantRequestsPerSecond: 2, subjectRequestsPerSecond: 1 })
  t.equal(await limits.calls(100, ada), 10, 'one subject, far beyond its limit')
  t.equal(await limits.calls(5, bob), 5, 'leaves the rest of the tenant\'s limit to others')
  t.equal(await limits.calls(100, somebody({ userId: 'eve' })), 5, 'which are the tenant\'s last')
  t.match(await limits.take(bob, usual), { limit: 'tenant' })
  t.equal(await limits.calls(10, somebody({ userId: 'bob', tenantId: 'other' })), 5, 'refused by one tenant, a subject keeps its calls for another')
})

t.test('a tenant\'s own limits go before the usual ones, in both directions; 0 is none', async t => {
  const limits = open(t, { tenantRequestsPerSecond: 2, subjectRequestsPerSecond: 1 })
  const more = { ...usual, requestsPerSecond: 4, subjectRequestsPerSecond: 3 }
  t.equal(await limits.calls(100, somebody({ tenantId: 'big', userId: 'a' }), more), 30)
  t.equal(await limits.calls(100, somebody({ tenantId: 'big', userId: 'b' }), more), 10, 'the whole tenant')
  t.equal(await limits.calls(100, somebody({ tenantId: 'small', userId: 'c' }), { ...usual, requestsPerSecond: 1, subjectRequestsPerSecond: 5 }), 10)
  const none = { ...usual, requestsPerSecond: 0, subjectRequestsPerSecond: 0 }
  t.equal(await limits.calls(1_000, somebody({ tenantId: 'free', userId: 'd' }), none), 1_000)
  t.equal(await limits.peek(somebody({ tenantId: 'free', userId: 'd' }), none), undefined)
})

t.test('a look ahead says what the next call would meet, and counts nothing', async t => {
  const limits = open(t, { tenantRequestsPerSecond: 2, subjectRequestsPerSecond: 1 })
  for (let look = 0; look < 50; look++) t.equal(await limits.peek(ada, usual), undefined)
  t.equal(await limits.calls(15, ada), 10)
  t.strictSame(await limits.peek(ada, usual), { limit: 'subject', retryAfter: 10 })
  t.equal(await limits.calls(15, bob), 10)
  t.strictSame(await limits.peek(somebody({ userId: 'eve' }), usual), { limit: 'tenant', retryAfter: 10 })
})

t.test('a call that is decided while a window ends takes nothing from the next one', async t => {
  const limits = open(t, { tenantRequestsPerSecond: 1, subjectRequestsPerSecond: 5 })
  limits.clock.ms = windowStart + 9_999
  const late = limits.take(ada, usual)
  limits.clock.ms++
  const withoutOwn = { ...usual, subjectRequestsPerSecond: 0 }
  const next = Promise.all(Array.from({ length: 10 }, () => limits.take(bob, withoutOwn)))
  t.equal(await late, undefined)
  t.strictSame(new Set(await next), new Set([undefined]))
  t.equal(await limits.calls(5, bob, withoutOwn), 0, 'the new window remembers what was counted in it')
})

t.test('memory is bounded: beyond 50,000 subjects within ten seconds further ones are not counted, their tenant still is, and the log says so once', async t => {
  const limits = open(t, { tenantRequestsPerSecond: 6_000, subjectRequestsPerSecond: 1 })
  t.equal(await limits.calls(15, ada), 10)
  for (let subject = 1; subject < 50_000; subject++) await limits.take(somebody({ userId: `u${subject}` }), usual)
  t.equal(limits.lines.length, 0)
  t.equal(await limits.calls(15, somebody({ userId: 'late' })), 15)
  t.equal(await limits.calls(15, ada), 0, 'who is counted is still held')
  t.equal(await limits.calls(20_000, somebody({ userId: 'later' })), 60_000 - 50_000 - 9 - 15, 'the tenant\'s limit')
  t.equal(limits.lines.length, 1)
  t.match(limits.lines[0], 'not limited')
  limits.clock.ms += 10_000
  t.equal(await limits.calls(15, somebody({ userId: 'late' })), 10, 'the next window has room')
})
