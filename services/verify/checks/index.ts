/** The rules of the gate, in the order in which they are asked. One rule is one file; those of a JWT are in token/. */
import type { Attempt, Gate } from '../attempt.ts'
import { credentialGood } from '../credentials/index.ts'
import { hostAllowed } from './host-allowed.ts'
import { noCredentialInQuery } from './no-credential-in-query.ts'
import { notRevoked } from './not-revoked.ts'
import { oneCredential } from './one-credential.ts'
import { originAllowed } from './origin-allowed.ts'
import { tenantKnown } from './tenant-known.ts'
import { withinLimits } from './within-limits.ts'

/** Throws the error of its rule, or adds to the attempt what it found. */
export type Check = (attempt: Attempt, gate: Gate) => void | Promise<void>

const checks: readonly Check[] = [noCredentialInQuery, hostAllowed, originAllowed, oneCredential, credentialGood, tenantKnown, notRevoked, withinLimits]

/** Runs all checks; afterwards the attempt has its identity. */
export async function judge (attempt: Attempt, gate: Gate): Promise<void> {
  for (const check of checks) {
    const pending = check(attempt, gate)
    // Most rules have nothing to wait for, and a wait costs as much as such a rule.
    if (pending !== undefined) await pending
  }
}
