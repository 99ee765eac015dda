/** Lets a route ask the gate, counts what it said, and tells the audit log. */
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { Counter, type Registry } from 'prom-client'
import { AuthenticationError, toGatewayError, type GatewayError } from '@gateway/common/errors.ts'
import { metric } from '@gateway/common/service.ts'
import type { Attempt, Gate } from './attempt.ts'
import type { Audit } from './audit.ts'
import { judge } from './checks/index.ts'
import type { Reason } from './refusals.ts'

/** An attempt that all checks have passed. */
export type Admitted = Attempt & Required<Pick<Attempt, 'caller' | 'identity'>>

/** What a route knows of the call that it asks about. */
export type Call = Pick<Attempt, 'method' | 'uri' | 'host' | 'origin' | 'address'>

declare module 'fastify' {
  interface FastifyInstance {
    /** Runs all checks on a call. Throws the error of the first rule that it breaks. */
    judge: (request: FastifyRequest, call: Call) => Promise<Admitted>
  }
}

/** The count of decisions, which a refusal before them belongs to as well. */
export const decisionsTotal = (registry: Registry) => metric(registry, 'auth_decisions_total', () => new Counter({
  name: 'auth_decisions_total', help: 'Decisions of the gate', labelNames: ['outcome', 'reason', 'issuer'], registers: [registry]
}))

/** Refusals that are no guess at a credential: whoever sends none, or an old one of its own, is asked to sign in. */
const innocent: ReadonlySet<string | undefined> = new Set<Reason>(['missing_token', 'token_expired', 'api_key_expired', 'credential_revoked'])

export const judging = fp<{ gate: Gate, audit: Audit, registry: Registry }>(async (app, { gate, audit, registry }) => {
  const decisions = decisionsTotal(registry)
  // Looking a label set up costs more than counting.
  const allowed = new Map([...gate.issuers.keys(), 'api-key'].map(issuer => [issuer, decisions.labels({ outcome: 'allowed', reason: 'ok', issuer })]))

  function refuse (attempt: Attempt, error: GatewayError) {
    decisions.inc({ outcome: error.status >= 500 ? 'unavailable' : 'refused', reason: error.reason ?? error.code, issuer: attempt.issuer })
    if (error instanceof AuthenticationError && !innocent.has(error.reason)) gate.limits.failed(attempt.address)
    attempt.request.tenantForErrors = attempt.identity?.tenantId
    audit.refused(attempt, error)
  }

  app.decorate('judge', async (request: FastifyRequest, { method, uri, host, origin, address }: Call) => {
    const attempt: Attempt = { request, method, uri, host, origin, address, requestedTenant: request.headers['x-requested-tenant'] as string | undefined, issuer: 'none', firstUse: false }
    try {
      await judge(attempt, gate)
    } catch (thrown) {
      const error = toGatewayError(thrown)
      refuse(attempt, error)
      throw error
    }
    allowed.get(attempt.issuer)?.inc()
    if (attempt.firstUse) audit.firstUse(attempt)
    return attempt as Admitted
  })
}, { name: 'judging', fastify: '5.x', dependencies: ['bearer'] })
