/** Which credentials were revoked, in this replica's memory. */
import type { Caller } from './attempt.ts'

export interface Revocations {
  /** True where a record covers the credential: its token, its grant, its subject or its tenant. */
  covers: (caller: Caller, tenantId: string) => boolean
  /** False where nobody can say what was revoked, and REVOCATION_OUTAGE=refuse. */
  readonly trusted: boolean
  /** For /ready: `ok`, or what is wrong. */
  status: () => string
  close: () => Promise<void>
}

/** Where no VALKEY_URL is set nothing can be revoked. */
export const noRevocations: Revocations = { covers: () => false, trusted: true, status: () => 'ok', close: async () => {} }
