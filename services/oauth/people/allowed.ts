/** ALLOWED_USERS, ALLOWED_ORGANISATIONS and ALLOWED_DOMAINS: who may sign in at all, beside belonging to a tenant. */
import type { AllowLists } from '../config.ts'
import type { Person } from './person.ts'
import { comparable, namesOf, ruleFaults } from './rules.ts'

/** The allow-lists as a question about somebody: true for whoever fits one of the three, and for everybody where all are empty. */
export function allowedBy ({ users, organisations, domains }: AllowLists): (person: Person) => boolean {
  const [named, grouped, housed] = [users, organisations, domains].map(rules => new Set(rules.map(comparable))) as [Set<string>, Set<string>, Set<string>]
  const everybody = named.size + grouped.size + housed.size === 0
  return person => {
    if (everybody) return true
    const names = namesOf(person)
    return names.users.some(name => named.has(name)) || names.groups.some(group => grouped.has(group)) || (names.domain !== undefined && housed.has(names.domain))
  }
}

/** What is wrong with the lists, in words. */
export function allowListFaults ({ users, organisations, domains }: AllowLists): string[] {
  const faulty = (name: string, rules: readonly string[], fault: (rule: string) => string | undefined) =>
    rules.flatMap(rule => fault(rule) === undefined ? [] : [`${name} has ${JSON.stringify(rule)}, which ${fault(rule)}`])
  return [
    ...faulty('ALLOWED_USERS', users, ruleFaults.user),
    ...faulty('ALLOWED_ORGANISATIONS', organisations, ruleFaults.group),
    ...faulty('ALLOWED_DOMAINS', domains, ruleFaults.domain)
  ]
}
