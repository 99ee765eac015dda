/** What every operation may answer beside its result, as OpenAPI components. The statuses are those of common/errors.ts. */
import { Type } from 'typebox'
import { oauthErrorBody, AuthenticationError, type ErrorType } from '@gateway/common/errors.ts'

/** The body of every error but a 401 (contract, section "Errors"). */
const error = Type.Object({
  error: Type.Object({
    type: Type.String({ description: 'Kind of the error.' }),
    code: Type.String({ description: 'The very error, for programs.' }),
    message: Type.String({ description: 'What is wrong and what to do, for people and models.' }),
    details: Type.Optional(Type.Object({}, { additionalProperties: true, description: 'Facts that help to mend the request, e.g. position (0-based offset in the query) and hint, or the scopes that are required.' }))
  }, { additionalProperties: false }),
  timestamp: Type.String({ format: 'date-time' }),
  path: Type.String({ description: 'Path of the request, without its query string.' }),
  tenant: Type.Union([Type.String(), Type.Null()], { description: 'The caller\'s tenant, where it is known.' }),
  requestId: Type.String({ description: 'The same as the header X-Request-Id; it finds the request in the log.' })
}, { additionalProperties: false })

/** The body of a 401 (RFC 6749 section 5.2). */
const authenticationError = Type.Object({
  error: Type.Union([Type.Literal('invalid_token'), Type.Literal('invalid_request')]),
  error_description: Type.String()
}, { additionalProperties: false })

export const errorSchemas = { Error: error, AuthenticationError: authenticationError }

const text = (description: string, schema: object = {}) => ({ description, required: true, schema: { type: 'string', ...schema } })

/** Headers of every answer. */
export const commonHeaders = {
  'X-Request-Id': text('Names the request in the log and in the body of an error.'),
  'Cache-Control': text('No answer may be kept: it is one caller\'s.', { const: 'no-store' })
}
const challenge = text('Where to sign in and for which scopes (RFC 6750 section 3, RFC 9728 section 5.1).')
const retryAfter = { description: 'Seconds to wait (RFC 9110 section 10.2.3).', required: true, schema: { type: 'integer', minimum: 0 } }

interface Refusal {
  description: string
  types: readonly ErrorType[]
  /** An example's code and message. */
  example: readonly [code: string, message: string, details?: object]
  headers?: object
}

const refusals: Record<number, Refusal> = {
  400: {
    description: 'The arguments, the request or the Cypher query are wrong; the message says where and what to do.',
    types: ['ValidationError', 'QueryError'],
    example: ['invalid_arguments', 'Argument "graphName" is missing. falkordb_query takes graphName, query, parameters?, limit?, timeoutMs?.', { faults: ['Argument "graphName" is missing'] }]
  },
  403: {
    description: 'A scope is lacking (WWW-Authenticate then names all that the call needs), the tenant is missing or not served, the Origin or Host is not allowed, or a quota is used up.',
    types: ['ScopeError', 'TenantError', 'ForbiddenError'],
    example: ['insufficient_scope', 'This call needs the scope graph:write.', { required: ['graph:read', 'graph:write'] }],
    headers: { 'WWW-Authenticate': { ...challenge, required: false } }
  },
  404: { description: 'No such graph of this tenant, or the tool is hidden on this server.', types: ['NotFoundError'], example: ['graph_not_found', 'There is no graph of this name.'] },
  413: { description: 'The body is larger than MAX_BODY_BYTES allows.', types: ['ValidationError'], example: ['body_too_large', 'The body is larger than MAX_BODY_BYTES allows.'] },
  415: { description: 'The body is not sent as application/json.', types: ['ValidationError'], example: ['unsupported_media_type', 'Send the body as application/json.'] },
  429: { description: 'Over a limit, or too many queries of the tenant wait already.', types: ['RateLimitError'], example: ['too_many_requests', 'Too many requests; come back later.'], headers: { 'Retry-After': retryAfter } },
  500: { description: 'Something failed inside the gateway.', types: ['InternalError', 'DatabaseError'], example: ['internal_error', 'Something failed inside the gateway; the request id finds it in the log.'] },
  502: { description: 'FalkorDB is away or failed. After write_outcome_unknown nobody knows whether the write happened; it is never repeated.', types: ['DatabaseError'], example: ['database_away', 'The graph database does not answer.'] },
  503: { description: 'An issuer\'s keys cannot be had, or the service is starting or stopping.', types: ['UnavailableError'], example: ['keys_unavailable', 'The keys of the token\'s issuer cannot be had at the moment.'], headers: { 'Retry-After': retryAfter } },
  504: { description: 'Over the time of the call; a write was rolled back.', types: ['TimeoutError'], example: ['query_timeout', 'The query took longer than its time.'] }
}

const componentOf = (status: number) => `Error${status}`

/** `components.responses`. */
export const errorResponses = {
  [componentOf(431)]: {
    description: 'The URL and the headers together are longer than the door reads.',
    content: { 'text/plain': { schema: { type: 'string' } }, ...json({ $ref: '#/components/schemas/Error' }) }
  },
  [componentOf(401)]: {
    description: 'No credential, or one that is bad, expired, foreign or revoked.',
    headers: { ...commonHeaders, 'WWW-Authenticate': challenge },
    content: json({ $ref: '#/components/schemas/AuthenticationError' }, oauthErrorBody(new AuthenticationError('invalid_token', 'The token has expired.')))
  },
  ...Object.fromEntries(Object.entries(refusals).map(([status, { description, types, example: [code, message, details], headers }]) => [componentOf(Number(status)), {
    description,
    headers: { ...commonHeaders, ...headers },
    content: json({ allOf: [{ $ref: '#/components/schemas/Error' }, { properties: { error: { properties: { type: { enum: types } } } } }] }, {
      error: { type: types[0], code, message, ...(details && { details }) },
      timestamp: '2026-11-20T12:00:00.000Z',
      path: '/tools/falkordb_query',
      tenant: 'acme',
      requestId: '0b5f3a52-6f0e-4b5f-9d7e-0a4c2d9f5b11'
    })
  }]))
}

/** A response's or request's `content`. */
export function json (schema: object, example?: unknown) {
  return { 'application/json': { schema, ...(example !== undefined && { example }) } }
}

/** `responses` of an operation: its result and every refusal that it may meet. */
export function responsesOf (result: object, { body, graph }: { body: boolean, graph: boolean }) {
  const statuses = [400, 401, 403, ...(graph ? [404] : []), ...(body ? [413, 415] : []), 429, 431, 500, 502, 503, 504]
  return { 200: result, ...Object.fromEntries(statuses.map(status => [status, { $ref: `#/components/responses/${componentOf(status)}` }])) }
}
