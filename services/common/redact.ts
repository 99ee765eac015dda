/** Keeps secrets out of log lines, by the names under which they travel. */

/** Header and member names, in lower case, whose values never reach a log line, wherever they stand. */
const secretNames = new Set(['authorization', 'x-api-key', 'cookie', 'x-identity-assertion', 'token', 'password', 'secret', 'parameters', 'query'])

/** Deeper than this nothing is logged on purpose; what lies there is left out. */
const maxDepth = 5

/**
 * The same object where it holds no secret, else a copy without. pino's own `redact` with wildcards costs fifty times as much, at every line.
 * Errors are left to their serializer.
 */
export function withoutSecrets (members: Record<string, unknown>, depth = 1): Record<string, unknown> {
  let clean = members
  for (const name in members) {
    const value = members[name]
    const kept = secretNames.has(name.toLowerCase()) ? '[redacted]' : withoutSecretsInside(value, depth)
    if (kept === value) continue
    if (clean === members) clean = { ...members }
    clean[name] = kept
  }
  return clean
}

function withoutSecretsInside (value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Error) return value
  if (depth >= maxDepth) return '[too deep]'
  if (!Array.isArray(value)) return withoutSecrets(value as Record<string, unknown>, depth + 1)
  const items = value.map(item => withoutSecretsInside(item, depth + 1))
  return items.some((item, index) => item !== value[index]) ? items : value
}

/** Causes behind causes that are still told. */
const maxCauses = 4

/**
 * An error as a log line holds it: what happened and where in this code, without a stack (contract, "Errors").
 * `at` is the innermost place in the services, e.g. `services/mcp/graph/client.ts:120`.
 */
export function describeError (error: unknown, depth = 1): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: String(error) }
  const { code } = error as { code?: unknown }
  const at = /services\/\S+?:\d+/.exec(error.stack?.slice(error.stack.indexOf('\n')) ?? '')?.[0]
  return {
    type: error.name,
    message: error.message,
    ...(code !== undefined && { code }),
    ...(at !== undefined && { at }),
    ...(error.cause !== undefined && depth < maxCauses && { cause: describeError(error.cause, depth + 1) })
  }
}
