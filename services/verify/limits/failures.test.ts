import t from 'tap'
import { addressRanges } from '@gateway/common/address-ranges.ts'
import { open, windowStart } from './test-support.ts'

const fail = (limits: ReturnType<typeof open>, address: string, times: number) => { for (let n = 0; n < times; n++) limits.failed(address) }

t.test('an address whose credentials were refused too often waits for the window\'s end, and only that address', async t => {
  const limits = open(t, { addressFailuresPerSecond: 2 })
  fail(limits, '198.51.100.7', 19)
  t.equal(limits.blocked('198.51.100.7'), undefined)
  fail(limits, '198.51.100.7', 1)
  t.equal(limits.blocked('198.51.100.7'), 10)
  t.equal(limits.blocked('198.51.100.8'), undefined)
  limits.clock.ms = windowStart + 8_500
  t.equal(limits.blocked('198.51.100.7'), 2)
  limits.clock.ms += 2_000
  t.equal(limits.blocked('198.51.100.7'), undefined)
  fail(limits, '198.51.100.7', 1)
  t.equal(limits.blocked('198.51.100.7'), undefined, 'what it did before is forgotten')
})

t.test('IPv6: all addresses of a /64 are one, for one customer has them all', async t => {
  const limits = open(t, { addressFailuresPerSecond: 1 })
  for (let n = 0; n < 10; n++) limits.failed(`2001:db8:0:1:${n}::1`)
  t.equal(limits.blocked('2001:db8:0:1:ffff:ffff:ffff:ffff'), 10)
  t.equal(limits.blocked('2001:db8:0:2::1'), undefined)
})

t.test('addresses that many callers share are never blocked', async t => {
  const limits = open(t, { addressFailuresPerSecond: 1, sharedEgress: addressRanges('203.0.113.0/24, 2001:db8:cafe::/48').holds })
  for (const address of ['203.0.113.9', '::ffff:203.0.113.9', '2001:db8:cafe::9']) {
    fail(limits, address, 100)
    t.equal(limits.blocked(address), undefined, address)
  }
  fail(limits, '203.0.114.9', 100)
  t.ok(limits.blocked('203.0.114.9'))
})

t.test('0 is no limit', async t => {
  const limits = open(t)
  fail(limits, '198.51.100.7', 1_000)
  t.equal(limits.blocked('198.51.100.7'), undefined)
})

t.test('memory is bounded: 10,000 addresses are remembered, and who goes on trying is not forgotten', async t => {
  const limits = open(t, { addressFailuresPerSecond: 1 })
  for (const address of ['198.51.100.7', '198.51.100.8']) fail(limits, address, 10)
  for (let n = 0; n < 10_000; n++) {
    limits.failed(`10.0.${n >> 8}.${n & 255}`)
    if (n % 1_000 === 0) t.ok(limits.blocked('198.51.100.7'))
  }
  t.ok(limits.blocked('198.51.100.7'))
  t.equal(limits.blocked('198.51.100.8'), undefined, 'the one that was quiet the longest is')
})
