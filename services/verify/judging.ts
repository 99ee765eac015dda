/** Lets a route ask the gate, and counts what it said. */
import fp from 'fastify-plugin'
import { Counter, type Registry } from 'prom-client'
import { toGatewayError } from '@gateway/common/errors.ts'
import { metric } from '@gateway/common/service.ts'
import type { Attempt, Gate } from './attempt.ts'
import { judge } from './checks/index.ts'

/** An attempt that all checks have passed. */
export type Admitted = Attempt & Required<Pick<Attempt, 'caller' | 'identity'>>

/** What a route knows of the call that it asks about. */
export type Call = Pick<Attempt, 'uri' | 'host' | 'origin'>

declare module 'fastify' {
  interface FastifyInstance {
    /** Runs all checks on a call. Throws the error of the first rule that it breaks. */
    judge: (request: FastifyRequest, call: Call) => Promise<Admitted>
  }
}

export const judging = fp<{ gate: Gate, registry: Registry }>(async (app, { gate, registry }) => {
  const decisions = metric(registry, 'auth_decisions_total', () => new Counter({
    name: 'auth_decisions_total', help: 'Decisions of the gate', labelNames: ['outcome', 'reason', 'issuer'], registers: [registry]
  }))
  app.decorate('judge', async (request, call) => {
    const attempt: Attempt = { request, ...call, issuer: 'none' }
    try {
      await judge(attempt, gate)
    } catch (thrown) {
      const error = toGatewayError(thrown)
      decisions.inc({ outcome: error.status >= 500 ? 'unavailable' : 'refused', reason: error.reason ?? error.code, issuer: attempt.issuer })
      request.tenantForErrors = attempt.identity?.tenantId
      throw error
    }
    decisions.inc({ outcome: 'allowed', reason: 'ok', issuer: attempt.issuer })
    return attempt as Admitted
  })
}, { name: 'judging', fastify: '5.x', dependencies: ['bearer'] })
