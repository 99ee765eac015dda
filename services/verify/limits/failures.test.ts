import t from 'tap'
import { BlockList } from 'node:net'
import fc from 'fast-check'
import { addressRanges } from '@gateway/common/address-ranges.ts'
import { networkOf } from './network.ts'
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

t.test('any spelling of an IPv6 address is of the /64 that the system takes it for', async t => {
  const same = (one: string, other: string) => {
    const range = new BlockList()
    range.addSubnet(one, 64, 'ipv6')
    return range.check(other, 'ipv6')
  }
  const group = fc.oneof(fc.constantFrom(0, 1, 0xffff), fc.nat(0xffff))
  const groups = fc.array(group, { minLength: 8, maxLength: 8 }).filter(numbers => numbers.slice(0, 5).some(number => number !== 0))
  const plain = (numbers: number[]) => numbers.map(number => number.toString(16)).join(':')
  const spellings = (numbers: number[]) => [plain(numbers), plain(numbers).toUpperCase(), numbers.map(number => number.toString(16).padStart(4, '0')).join(':'), new URL(`http://[${plain(numbers)}]`).hostname.slice(1, -1), `${plain(numbers)}%eth0`]
  fc.assert(fc.property(groups, groups, (one, other) => {
    const network = networkOf(plain(one))
    for (const spelling of spellings(one)) if (networkOf(spelling) !== network) return false
    return same(plain(one), plain(other)) === (network === networkOf(plain(other)))
  }))
  fc.assert(fc.property(groups, fc.nat(0xffff), (numbers, last) => networkOf(plain(numbers)) === networkOf(plain([...numbers.slice(0, 7), last]))))
  t.equal(networkOf('2001:db8::7'), '2001:db8:0:0::/64')
  t.equal(networkOf('::1'), '0:0:0:0::/64')
  for (const spelling of ['::ffff:198.51.100.7', '::ffff:c633:6407', '0:0:0:0:0:FFFF:198.51.100.7']) t.equal(networkOf(spelling), '198.51.100.7', 'an IPv4 address in the form of IPv6 is that address')
  for (const other of ['198.51.100.7', 'no address', ':::', '']) t.equal(networkOf(other), other)
})
