/**
 * The audit log: one line for each refusal, and one when this replica meets a credential for the first time. docs/audit-log.md
 * describes the fields. No token and no query is ever in it.
 */
import { pino, stdTimeFunctions, type Logger } from 'pino'
import { pathOf } from '@gateway/common/service.ts'
import type { GatewayError } from '@gateway/common/errors.ts'
import { networkOf } from '@gateway/common/network.ts'
import type { Attempt } from './attempt.ts'
import { Repeats } from './limits/repeats.ts'

export interface Audit {
  refused: (attempt: Attempt, error: GatewayError) => void
  firstUse: (attempt: Attempt) => void
  /** Writes what is still to be written. */
  close: () => Promise<void>
}

/** @param file AUDIT_LOG_FILE; empty: the lines go where the service's own log goes */
export function openAudit (file: string, logger: Logger): Audit {
  const destination = file === '' ? undefined : pino.destination({ dest: file, append: true, mkdir: true, mode: 0o640, sync: false })
  // Whatever LOG_LEVEL says: who wants no audit log sends it elsewhere.
  const lines = destination === undefined
    ? logger.child({}, { level: 'info' })
    : pino({ base: { name: 'verify' }, timestamp: stdTimeFunctions.isoTime }, destination)
  const repeats = new Repeats((facts, times) => lines.info({ audit: 'refused_again', ...facts, times }, 'refused again'))
  return {
    refused: (attempt, error) => {
      const rule = { reason: error.reason ?? error.code, status: error.status }
      // Who is beyond a limit may go on calling: a line for each call would be a flood of its own.
      if (error.status === 429 && !repeats.isFirst(rule, whoIsHeld(attempt))) return
      lines.info({ audit: 'refused', ...factsOf(attempt), ...rule }, 'refused')
    },
    firstUse: attempt => lines.info({ audit: 'first_use', ...factsOf(attempt) }, 'first use of a credential'),
    close: async () => {
      repeats.flush()
      if (destination === undefined) return
      await new Promise<void>((resolve, reject) => lines.flush(error => error ? reject(error) : resolve()))
      destination.end()
    }
  }
}

/** What is known of the attempt by now; a member that nobody knows is left out. */
function factsOf ({ request, method, uri, address, issuer, caller, identity }: Attempt) {
  return {
    requestId: request.id,
    tenant: identity?.tenantId,
    issuer,
    subject: caller?.userId,
    client: caller?.clientId,
    method,
    route: pathOf(uri),
    address
  }
}

/** Who is held by a limit: a subject, or the address of who has not shown to be one. */
function whoIsHeld ({ address, issuer, caller, identity }: Attempt): object {
  return caller === undefined ? { address: networkOf(address) } : { tenant: identity?.tenantId, issuer, subject: caller.userId }
}
