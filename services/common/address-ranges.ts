/** Addresses and CIDR ranges as settings name them. */
import { BlockList, isIP } from 'node:net'
import { list } from './config.ts'

/**
 * Reads a comma-separated list of addresses and CIDR ranges.
 * @returns what holds an address of any of them, and the parts that are neither
 */
export function addressRanges (text: string): { holds: (address: string) => boolean, faulty: string[] } {
  const ranges = new BlockList()
  const faulty: string[] = []
  const parts = list(text)
  for (const range of parts) {
    const [host = '', prefix] = range.split('/')
    const family = isIP(host)
    try {
      if (family === 0 || range.split('/').length > 2 || prefix === '') throw new TypeError('no address')
      ranges.addSubnet(host, prefix === undefined ? (family === 4 ? 32 : 128) : Number(prefix), family === 4 ? 'ipv4' : 'ipv6')
    } catch {
      faulty.push(range)
    }
  }
  return {
    holds: address => parts.length > 0 && isIP(address) !== 0 && ranges.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6'),
    faulty
  }
}

/** What is wrong with the ranges of a setting, in words. @param name of the setting */
export function rangeFaults (name: string, ranges: string): string[] {
  return addressRanges(ranges).faulty.map(range => `${name} has ${JSON.stringify(range)}, which is no address or CIDR range`)
}
