import { BlockList } from 'node:net'
import fc from 'fast-check'
import t from 'tap'
import { networkOf } from './network.ts'

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
