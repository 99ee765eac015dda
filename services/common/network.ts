/** What counts as one address. */
import { isIPv6 } from 'node:net'

/**
 * The /64 of an IPv6 address, for its holder has all of it (RFC 6177 section 2); any other text stays as it is. An IPv4 address in
 * the form of IPv6 (RFC 4291 section 2.5.5.2) is that IPv4 address.
 */
export function networkOf (address: string): string {
  if (!address.includes(':') || !isIPv6(address)) return address
  const groups = groupsOf(address.replace(/%.*$/, ''))
  if (groups.slice(0, 5).every(group => group === 0) && groups[5] === 0xffff) return groups.slice(6).map(group => `${group >> 8}.${group & 255}`).join('.')
  return `${groups.slice(0, 4).map(group => group.toString(16)).join(':')}::/64`
}

/** The eight numbers of an address (RFC 4291 section 2.2). */
function groupsOf (address: string): number[] {
  const [before, after] = address.split('::').map(part => part === '' ? [] : part.split(':').flatMap(numbersOf)) as [number[], number[]?]
  return after === undefined ? before : [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after]
}

/** One group, or the two of a dotted IPv4 address. */
function numbersOf (part: string): number[] {
  if (!part.includes('.')) return [parseInt(part, 16)]
  const [a, b, c, d] = part.split('.').map(Number) as [number, number, number, number]
  return [a << 8 | b, c << 8 | d]
}
