/** How rules name people: by verified e-mail address, by an upstream's name or identifier for them, by group, by domain. */
import type { Person } from './person.ts'

/** An upstream's id with what it calls somebody or a group: `github:octocat`, `keycloak:/engineers`. */
const upstreamName = /^[a-z][a-z0-9-]{0,30}:(?!\s)[^\p{Cc}*]{1,300}(?<!\s)$/u
const address = /^[^\s\p{Cc}*@"]+@[^\s\p{Cc}*@"]+$/u
const domainName = /^[^\s\p{Cc}*@:/.]+(?:\.[^\s\p{Cc}*@:/.]+)+$/u
/** What GitHub, Google and most OpenID providers number people by, and what somebody could choose as a name to pass for another. */
const identifier = /^[^:]*:(?:\d+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/

/**
 * A name as it is compared: NFC, in lower case. Undefined where a letter beyond ASCII would become one of ASCII, such as the Kelvin sign a k:
 * whoever has it in their name would pass for somebody else.
 */
export function comparable (name: string): string | undefined {
  for (const character of name.replaceAll(/\p{ASCII}+/gu, '')) if (/\p{ASCII}/u.test(folded(character))) return undefined
  return folded(name)
}

const folded = (text: string) => text.normalize('NFC').toLowerCase().normalize('NFC')

/** What is wrong with a rule for one person, a group or a domain, in words that quote nothing; undefined where nothing is. */
export const ruleFaults = {
  user: (rule: string) => isUser(comparable(rule)) ? undefined : 'is neither an e-mail address nor a name such as github:octocat, without *',
  group: (rule: string) => upstreamName.test(comparable(rule) ?? '') ? undefined : 'is no group or organisation such as github:acme-inc or keycloak:/engineers, without *',
  domain: (rule: string) => domainName.test(comparable(rule) ?? '') ? undefined : 'is no domain such as acme.com; subdomains are named each, without *'
} as const

const isUser = (rule: string | undefined) => rule !== undefined && (upstreamName.test(rule) || address.test(rule))

/**
 * What rules may call this person, comparable. Of their handle and groups, those alone that their own upstream could have given;
 * no handle that looks like an identifier: at GitHub one may be called by another's number.
 */
export function namesOf ({ id, upstream, handle, email, groups }: Person): { users: string[], groups: string[], domain: string | undefined } {
  const own = (names: readonly string[]) => names.map(comparable).filter(name => name?.startsWith(`${upstream}:`)) as string[]
  const mail = email === undefined ? undefined : comparable(email)
  const proven = mail !== undefined && address.test(mail) ? mail : undefined
  return {
    users: [...own([id]), ...own([handle]).filter(name => !identifier.test(name)), ...(proven === undefined ? [] : [proven])],
    groups: own(groups),
    domain: proven?.slice(proven.indexOf('@') + 1)
  }
}
