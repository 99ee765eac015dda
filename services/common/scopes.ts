/** The gateway's scopes and their hierarchy: graph:admin ⊃ graph:write ⊃ graph:read. */

export const scopes = ['graph:read', 'graph:write', 'graph:admin'] as const
export type Scope = typeof scopes[number]

/** True for one of the gateway's own scope names. */
export function isScope (value: unknown): value is Scope {
  return (scopes as readonly unknown[]).includes(value)
}

/** The given scopes and all that they include, in the order read, write, admin. */
export function expandScopes (granted: Iterable<Scope>): Scope[] {
  let highest = -1
  for (const scope of granted) highest = Math.max(highest, scopes.indexOf(scope))
  return scopes.slice(0, highest + 1)
}

/**
 * Scopes of a credential in the gateway's own names. `mapping` translates an issuer's other names
 * (e.g. `{ read: 'graph:read' }`); names that nobody knows grant nothing.
 */
export function grantedScopes (claimed: Iterable<string>, mapping: Readonly<Record<string, Scope>>): Scope[] {
  const granted = new Set<Scope>()
  for (const name of claimed) {
    const scope = Object.hasOwn(mapping, name) ? mapping[name] : isScope(name) ? name : undefined
    if (scope !== undefined) granted.add(scope)
  }
  return expandScopes(granted)
}

/** The names in a setting, which blanks or commas part. */
export const scopeNames = (value: string): string[] => value.split(/[\s,]+/).filter(name => name !== '')

/** What is wrong with the scopes of a setting, in words. @param setting its name */
export function scopeFaults (setting: string, value: string): string[] {
  const names = scopeNames(value)
  if (names.length === 0) return [`${setting} holds no scope`]
  return names.filter(name => !isScope(name)).map(name => `${setting} holds ${JSON.stringify(name)}; there are ${scopes.join(', ')}`)
}
