/** Which IP addresses are somebody's on the public internet (IANA special-purpose address registries, RFC 6890). */
import ipaddr from 'ipaddr.js'

/** All that IANA has given out for unicast; beyond it lie NAT64 for local use, IPv4-compatible addresses and what may come. */
const globalUnicast = ipaddr.IPv6.parseCIDR('2000::/3')

/**
 * True for an address in global unicast space that is set aside for nothing else: no loopback, private, link-local, shared, multicast,
 * documentation or benchmarking one, and none that carries an IPv4 address within (mapped, NAT64, 6to4, Teredo). False for what is no address.
 */
export function isPublicAddress (address: string): boolean {
  if (!ipaddr.isValid(address)) return false
  const parsed = ipaddr.parse(address)
  if (parsed.range() !== 'unicast') return false
  return parsed.kind() === 'ipv4' || (parsed as ipaddr.IPv6).match(globalUnicast)
}
