/** Which URLs may be asked for keys: whoever can change that answer can forge every token. */
import { BlockList, isIP } from 'node:net'

const inside = new BlockList()
inside.addSubnet('127.0.0.0', 8)
inside.addSubnet('10.0.0.0', 8)
inside.addSubnet('172.16.0.0', 12)
inside.addSubnet('192.168.0.0', 16)
inside.addAddress('::1', 'ipv6')
inside.addSubnet('fc00::', 7, 'ipv6')

/** True for a loopback or private address, and for a name that only an internal network resolves. */
function isInside (hostname: string): boolean {
  const address = hostname.replace(/^\[(.*)\]$/, '$1')
  const family = isIP(address)
  if (family !== 0) return inside.check(address, family === 4 ? 'ipv4' : 'ipv6')
  return !hostname.includes('.') || /\.(?:localhost|internal|local|svc)$/.test(hostname)
}

/**
 * What is wrong with a URL of an issuer or its keys, in words; undefined where nothing is.
 * Plain http passes inside a machine or a private network only.
 */
export function addressFault (text: string): string | undefined {
  if (!URL.canParse(text)) return 'is no URL'
  const url = new URL(text)
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'must begin with https://'
  if (url.username !== '' || url.password !== '') return 'must not hold a user name or password'
  if (url.hash !== '') return 'must not have a fragment'
  if (url.protocol === 'http:' && !isInside(url.hostname)) return 'must begin with https:// (plain http is taken for loopback and private addresses only)'
  return undefined
}

/** True where keys travel in the clear over more than this machine. */
export function isExposed (text: string): boolean {
  const { protocol, hostname } = new URL(text)
  return protocol === 'http:' && !/^(?:127\.|\[::1\]$|localhost$|.*\.localhost$)/.test(hostname)
}

/** What is wrong with an address that the metadata of an issuer names, or undefined. One that is trusted over TLS leads to nobody in the clear. */
export function referredFault (issuer: string, text: string): string | undefined {
  return addressFault(text) ?? (issuer.startsWith('https:') && !/^https:/i.test(text) ? 'must begin with https://, as its issuer does' : undefined)
}
