/** What was revoked, as services/oauth and the operator write it and verify reads it. */

/** For so long a revocation is remembered, in seconds: 400 days. A token that would outlive that is refused. */
export const revocationSeconds = 400 * 86_400
