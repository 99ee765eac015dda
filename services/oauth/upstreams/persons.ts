/** How someone of an upstream is named here. */
import { createHash } from 'node:crypto'

/** `sub` of our tokens: at most 200 characters, whatever the upstream's own is like. */
export function personId (upstream: string, subject: string): string {
  const id = `${upstream}:${subject}`
  // Whoever is called as a digest would look gets one as well, and can stand for nobody else.
  return id.length <= 200 && !subject.startsWith('sha256-') ? id : `${upstream}:sha256-${createHash('sha256').update(subject).digest('base64url')}`
}

/** In lower case, but for letters beyond ASCII that would become one of ASCII, such as the Kelvin sign a k: whoever has it in their name would pass for somebody else. */
export function lowerCase (text: string): string {
  return text.replaceAll(/\p{ASCII}+|[^\p{ASCII}]/gu, part => /^\p{ASCII}/u.test(part) || !/\p{ASCII}/u.test(part.toLowerCase()) ? part.toLowerCase() : part)
}

/**
 * How rules may name someone: in lower case. Rules take an id in the same place, so a name that someone chose to look like another one's id
 * (`583231` at GitHub, a UUID at Keycloak) has an `@` before it.
 */
export function handleOf (upstream: string, name: string, subject: string): string {
  const looksLikeId = /^\d+$/.test(name) || (name.length === subject.length && name.length >= 16 && !name.includes('@'))
  return `${upstream}:${looksLikeId && name !== subject ? '@' : ''}${lowerCase(name)}`.slice(0, 300)
}

/** An address in lower case where it is one. */
export function emailOf (value: unknown): string | undefined {
  return typeof value === 'string' && value.length <= 254 && /^[^\s@,]+@[^\s@,]+$/.test(value) ? lowerCase(value) : undefined
}

/** Groups with their upstream, in lower case, each once. */
export function groupsOf (upstream: string, names: Iterable<string>): string[] {
  return [...new Set([...names].filter(name => name !== '').map(name => `${upstream}:${lowerCase(name)}`))]
}
