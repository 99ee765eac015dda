/** The development sign-in: whatever name is typed is believed. config.ts refuses it where anybody else could reach it. */
import type { Vouched } from '../upstreams/upstream.ts'

/** Someone of that name; undefined where it is none. An address such as ada@example.com counts as a verified one. */
export function localPerson (typed: string): Vouched | undefined {
  const name = typed.trim().normalize('NFC')
  if (!/^[\p{L}\p{N}][\p{L}\p{N}.@+-]{0,63}$/u.test(name)) return undefined
  const handle = `local:${name.toLowerCase()}`
  return { person: { id: handle, upstream: 'local', name, handle, email: name.includes('@') ? name.toLowerCase() : undefined, groups: [] } }
}
