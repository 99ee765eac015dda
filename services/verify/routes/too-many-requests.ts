/**
 * The words of a 429. Traefik asks for them whatever part refused, the flood guard before us, our own decision or the tool service behind:
 * its `errors` middleware drops what was said, body and Retry-After. So the reason is looked for once more, without counting a call and
 * without verifying a signature.
 */
import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import type { Registry } from 'prom-client'
import { clientAddress } from '@gateway/common/client-address.ts'
import { createIdentityReader, identityHeaders, requestIdHeader } from '@gateway/common/identity.ts'
import { GatewayError } from '@gateway/common/errors.ts'
import { pathOf } from '@gateway/common/service.ts'
import type { Attempt, Caller, Gate } from '../attempt.ts'
import { oneCredential } from '../checks/one-credential.ts'
import { tenantKnown } from '../checks/tenant-known.ts'
import { maxCredentialLength } from '../credentials/shape.ts'
import { digestOf } from '../credentials/token-cache.ts'
import { decisionsTotal } from '../judging.ts'
import { refusal } from '../refusals.ts'

export interface TooManyRequestsOptions {
  gate: Gate
  secrets: readonly string[]
  registry: Registry
}

/** On the decision's port: no public route leads here, so nobody can ask for it but by being refused. */
export const tooManyRequestsRoute: FastifyPluginAsync<TooManyRequestsOptions> = async (app, { gate, secrets, registry }) => {
  const wasAdmitted = admittedBy(secrets)
  const decisions = decisionsTotal(registry)
  app.get('/too-many-requests', { config: { audited: true } }, async (request, reply) => {
    request.pathForErrors = pathAsked(request)
    const admitted = wasAdmitted(request)
    if (admitted !== undefined) {
      request.tenantForErrors = admitted
      // The id under which the tool service has logged it.
      request.id = (request.headers[requestIdHeader] as string | undefined) ?? request.id
      reply.header(requestIdHeader, request.id)
      throw refusal('queue_full')
    }
    const error = await limitMet(request, gate)
    if (error !== undefined) throw error
    // What the decision refused it has counted; who comes as far as this, the flood guard has sent away.
    decisions.inc({ outcome: 'refused', reason: 'too_many_requests', issuer: 'none' })
    throw refusal('too_many_requests')
  })
}

/** The tenant of a call that the decision let in: Traefik has its assertion still, and has removed what a client sent under that name. */
function admittedBy (secrets: readonly string[]): (request: FastifyRequest) => string | undefined {
  const read = createIdentityReader(secrets)
  return ({ headers }) => {
    if (headers[identityHeaders.assertion] === undefined) return undefined
    try {
      return read(headers).tenantId
    } catch (error) {
      if (error instanceof GatewayError) return undefined
      throw error
    }
  }
}

/** The limit that the decision would meet again for this caller or this address; undefined where there is none. */
async function limitMet (request: FastifyRequest, gate: Gate): Promise<GatewayError | undefined> {
  const address = addressOf(request)
  const attempt: Attempt = {
    request,
    method: 'GET',
    uri: '/',
    host: undefined,
    origin: undefined,
    address: address ?? '',
    issuer: 'none',
    firstUse: false,
    requestedTenant: request.headers['x-requested-tenant'] as string | undefined
  }
  try {
    await oneCredential(attempt, gate)
    attempt.caller = knownCaller(attempt, gate)
    if (attempt.caller !== undefined) {
      await tenantKnown(attempt, gate)
      request.tenantForErrors = attempt.identity?.tenantId
    }
  } catch (error) {
    // It would have been refused for another reason, in time.
    if (!(error instanceof GatewayError)) throw error
    return undefined
  }
  if (attempt.identity !== undefined && attempt.rule !== undefined) {
    const exceeded = await gate.limits.peek(attempt.identity, attempt.rule)
    return exceeded && refusal(`${exceeded.limit}_limited`, { retryAfter: exceeded.retryAfter })
  }
  const retryAfter = address === undefined ? undefined : gate.limits.blocked(address)
  return retryAfter === undefined ? undefined : refusal('address_limited', { retryAfter })
}

/** Whom the credential is known to stand for; nothing is verified. */
function knownCaller ({ credential }: Attempt, { apiKeys, tokens }: Gate): Caller | undefined {
  const value = credential?.value ?? ''
  if (value.length > maxCredentialLength) return undefined
  const found = apiKeys.recognise(value) ?? tokens.find(digestOf(value))?.caller
  return typeof found === 'string' ? undefined : found
}

/** Traefik adds no X-Forwarded-For to its question: it is there where a trusted proxy sent it; X-Real-Ip is the peer's where none did. */
function addressOf (request: FastifyRequest): string | undefined {
  return request.headers['x-forwarded-for'] === undefined ? request.headers['x-real-ip'] as string | undefined : clientAddress(request)
}

/** The path of the refused call, from Traefik's `url=https://host/path?query`; never its query string. */
function pathAsked ({ query }: FastifyRequest): string {
  const { url } = query as { url?: unknown }
  return typeof url === 'string' ? pathOf(/^https?:\/\/[^/]*(\/.*)$/.exec(url)?.[1] ?? '/') : '/'
}
