/**
 * Names of tenants and graphs, and the one injective way from a pair of them to a FalkorDB key.
 * The rule is the contract's section "Tenants and graphs".
 */

/** Longest tenant id in UTF-8 bytes. */
const maxTenantBytes = 128
/** Longest graph name in Unicode code points. */
export const maxGraphNameLength = 128
/** The tenant that everybody has when ENABLE_MULTI_TENANCY=false. */
export const soleTenant = 'default'

const graphNamePattern = /^[\p{L}\p{M}\p{N}_.:-]+$/u

/** Bytes that stand for themselves in an encoded tenant: A-Z a-z 0-9 . - */
const literal = new Array<string | undefined>(256)
for (let byte = 0; byte < 256; byte++) {
  const char = String.fromCharCode(byte)
  literal[byte] = /[A-Za-z0-9.-]/.test(char) ? char : `=${byte.toString(16).toUpperCase().padStart(2, '0')}`
}
const plainTenant = /^[A-Za-z0-9.-]+$/

/** True for a tenant id of 1 to 128 UTF-8 bytes without lone surrogates. */
export function isTenantId (value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.isWellFormed() && Buffer.byteLength(value) <= maxTenantBytes
}

/** `a_b` → `a=5Fb`. Injective, and its result never holds `_`. */
export function encodeTenant (tenantId: string): string {
  if (plainTenant.test(tenantId)) return tenantId
  let encoded = ''
  for (const byte of Buffer.from(tenantId)) encoded += literal[byte]
  return encoded
}

/** The graph name in NFC, or undefined where it is not 1 to 128 code points of letters, marks, numbers and `_.:-`. */
export function normalizeGraphName (name: string): string | undefined {
  // A code point is at most two UTF-16 units: bound the work before looking closer.
  if (name.length === 0 || name.length > maxGraphNameLength * 8) return undefined
  const normal = name.normalize('NFC')
  return graphNamePattern.test(normal) && Array.from(normal).length <= maxGraphNameLength ? normal : undefined
}

/** What every key of a tenant begins with: the encoded tenant and the first `_`. */
export function tenantPrefix (tenantId: string): string {
  return `${encodeTenant(tenantId)}_`
}

/**
 * True where `tenantId` fits one of the patterns. A pattern is a name, or a text in which each `*` stands for any characters;
 * `*` alone allows every tenant.
 */
export function tenantAllowed (tenantId: string, patterns: readonly string[]): boolean {
  return patterns.some(pattern => fits(tenantId, pattern))
}

function fits (name: string, pattern: string): boolean {
  const [head = '', ...rest] = pattern.split('*')
  if (rest.length === 0) return name === pattern
  if (!name.startsWith(head)) return false
  const tail = rest.pop() ?? ''
  let at = head.length
  for (const middle of rest) {
    const found = name.indexOf(middle, at)
    if (found < 0) return false
    at = found + middle.length
  }
  return name.length - tail.length >= at && name.endsWith(tail)
}
