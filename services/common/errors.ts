/**
 * Every error that a caller can meet: its type, code, HTTP status and public text in one place.
 * The private `cause` goes to the log only; nothing of it reaches an answer.
 */

export type ErrorType =
  | 'AuthenticationError' | 'TenantError' | 'ForbiddenError' | 'NotFoundError' | 'ScopeError' | 'ValidationError'
  | 'QueryError' | 'RateLimitError' | 'DatabaseError' | 'UnavailableError' | 'TimeoutError' | 'InternalError'

export interface ErrorOptions {
  /** Facts that help the caller mend the request; sent to the caller. */
  details?: Record<string, unknown>
  /** What really happened; written to the log, never sent. */
  cause?: unknown
  /** Overrides the type's usual HTTP status, e.g. 413 on a ValidationError. */
  status?: number
  /** Whole seconds for the Retry-After header. */
  retryAfter?: number
  /** Finer than `code`, for the log and metrics; never sent. */
  reason?: string
}

/** The one error class of the gateway. `message` is public: it says what to do next, and names nobody else's data. */
export class GatewayError extends Error {
  readonly type: ErrorType
  readonly code: string
  readonly status: number
  readonly details: Record<string, unknown> | undefined
  readonly retryAfter: number | undefined
  readonly reason: string | undefined

  constructor (type: ErrorType, status: number, code: string, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = type
    this.type = type
    this.code = code
    this.status = options.status ?? status
    this.details = options.details
    this.retryAfter = options.retryAfter
    this.reason = options.reason
  }
}

/** OAuth error codes of RFC 6750 section 3.1 that come with a 401. */
export type AuthenticationCode = 'missing_token' | 'invalid_token' | 'invalid_request'

/** 401: no credential, or one that is bad, expired, foreign or revoked. */
export class AuthenticationError extends GatewayError {
  declare readonly code: AuthenticationCode
  constructor (code: AuthenticationCode, message: string, options?: ErrorOptions) {
    super('AuthenticationError', 401, code, message, options)
  }
}

/** 403: the caller is known, its tenant is missing, not allowed for its issuer, or blocked. */
export class TenantError extends GatewayError {
  constructor (code: string, message: string, options?: ErrorOptions) { super('TenantError', 403, code, message, options) }
}

/** 403 whatever the caller's scopes: a Host or Origin outside the allow-list (MCP transport specification, DNS rebinding), or a tenant that has all that its quota grants. */
export class ForbiddenError extends GatewayError {
  constructor (code: string, message: string, options?: ErrorOptions) { super('ForbiddenError', 403, code, message, options) }
}

/** 404: no such graph for this tenant, or no such route. */
export class NotFoundError extends GatewayError {
  constructor (code: string, message: string, options?: ErrorOptions) { super('NotFoundError', 404, code, message, options) }
}

/** 403 `insufficient_scope`: names every scope that the call needs, so that a client can step up (RFC 6750 section 3.1). */
export class ScopeError extends GatewayError {
  readonly required: readonly string[]
  constructor (required: readonly string[], message: string, options?: ErrorOptions) {
    super('ScopeError', 403, 'insufficient_scope', message, { ...options, details: { required, ...options?.details } })
    this.required = required
  }
}

/** 400 (405 method, 413 size, 415 type): the arguments or the request itself. */
export class ValidationError extends GatewayError {
  constructor (code: string, message: string, options?: ErrorOptions) { super('ValidationError', 400, code, message, options) }
}

/** 400: the Cypher is refused by the guard or by FalkorDB; `details` may hold `position` (0-based offset) and `hint`. */
export class QueryError extends GatewayError {
  constructor (code: string, message: string, options?: ErrorOptions) { super('QueryError', 400, code, message, options) }
}

/** 429 with Retry-After: a limit or a full queue. */
export class RateLimitError extends GatewayError {
  constructor (code: string, message: string, options?: ErrorOptions) { super('RateLimitError', 429, code, message, { retryAfter: 1, ...options }) }
}

/** 502: FalkorDB is away or failed. A write whose outcome nobody knows has the code `write_outcome_unknown`. */
export class DatabaseError extends GatewayError {
  constructor (code: string, message: string, options?: ErrorOptions) { super('DatabaseError', 502, code, message, options) }
}

/** After so many seconds a caller of what is unavailable may come back. */
export const unavailableSeconds = 5

/** 503 with Retry-After: an issuer's keys cannot be had, or the service is starting or stopping. */
export class UnavailableError extends GatewayError {
  constructor (code: string, message: string, options?: ErrorOptions) { super('UnavailableError', 503, code, message, { retryAfter: unavailableSeconds, ...options }) }
}

/** 504: over the time that the call or the server allows. */
export class TimeoutError extends GatewayError {
  constructor (code: string, message: string, options?: ErrorOptions) { super('TimeoutError', 504, code, message, options) }
}

/** What Fastify itself refuses, by its own code, in this gateway's words. */
const fastifyErrors: Record<string, [status: number, code: string, message: string]> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [415, 'unsupported_media_type', 'Send the body as application/json.'],
  FST_ERR_CTP_BODY_TOO_LARGE: [413, 'body_too_large', 'The body is larger than MAX_BODY_BYTES allows.'],
  FST_ERR_CTP_INVALID_JSON_BODY: [400, 'invalid_json', 'The body is not valid JSON.'],
  FST_ERR_CTP_EMPTY_JSON_BODY: [400, 'invalid_json', 'The body is empty; send a JSON object.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [400, 'invalid_content_length', 'The body does not have the length that Content-Length names.'],
  FST_ERR_BAD_URL: [404, 'route_not_found', 'There is nothing at this path.'],
  FST_ERR_VALIDATION: [400, 'invalid_arguments', 'The request does not fit its schema.']
}

interface FastifyLikeError { code?: string, statusCode?: number, message?: string, validation?: Array<{ instancePath: string, message?: string }> }

/**
 * Any thrown value as a GatewayError. Fastify's refusals keep their meaning; whatever is unknown becomes a 500 that says nothing,
 * with the original as `cause` for the log.
 */
export function toGatewayError (thrown: unknown): GatewayError {
  if (thrown instanceof GatewayError) return thrown
  const error = (thrown ?? {}) as FastifyLikeError
  const known = error.code === undefined ? undefined : fastifyErrors[error.code]
  if (known !== undefined) {
    const [status, code, message] = known
    const faults = error.validation?.map(fault => `${fault.instancePath || 'body'} ${fault.message ?? 'is invalid'}`)
    const options = { status, cause: thrown, ...(faults && { details: { faults } }) }
    const text = faults ? `${message} ${faults.join('; ')}.` : message
    return status === 404 ? new NotFoundError(code, text, options) : new ValidationError(code, text, options)
  }
  if (typeof error.statusCode === 'number' && error.statusCode >= 400 && error.statusCode < 500) {
    return new ValidationError('invalid_request', 'The request could not be read.', { status: error.statusCode, cause: thrown })
  }
  return new GatewayError('InternalError', 500, 'internal_error', 'Something failed inside the gateway; the request id finds it in the log.', { cause: thrown })
}

export interface ErrorContext {
  path: string
  /** The caller's own tenant, where it is known. */
  tenant?: string | undefined
  requestId: string
}

/** The JSON body of every error but a 401, as the contract's section "Errors" has it. `path` never holds a query string. */
export function errorBody (error: GatewayError, context: ErrorContext) {
  return {
    error: { type: error.type, code: error.code, message: error.message, ...(error.details && { details: error.details }) },
    timestamp: new Date().toISOString(),
    path: context.path,
    tenant: context.tenant ?? null,
    requestId: context.requestId
  }
}

/** The JSON body of a 401 (RFC 6750 names no body; clients read the members of RFC 6749 section 5.2). */
export function oauthErrorBody (error: AuthenticationError) {
  return { error: error.code === 'missing_token' ? 'invalid_token' : error.code, error_description: error.message }
}
