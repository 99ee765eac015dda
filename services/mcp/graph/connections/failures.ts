/** What FalkorDB says when it fails, in the gateway's errors. Its own words go into details.hint, never into a message: messages are logged, and its words quote queries. */
import { DatabaseError, NotFoundError, QueryError, RateLimitError, TimeoutError, type ErrorOptions, type GatewayError } from '@gateway/common/errors.ts'
import { ClientClosedError, ClientOfflineError, ErrorReply } from '@redis/client'
import { lineAndColumn } from '../refusal.ts'
import { NotSentError, ReplyTooLargeError } from './wire.ts'

export interface FailedCall {
  key: string
  query: string
  mode: 'read' | 'write'
  /** See BoundQuery. */
  originalOffset: (byteOffset: number) => number
}

/** A lost connection, or one that was not there, in the gateway's errors. */
export const unavailable = (cause?: unknown) => new DatabaseError('database_unavailable', 'FalkorDB does not answer; nothing was changed. Try again in a moment.', { cause })

/** @param cause what was thrown by the client for a command of this mode */
export function sendFailure (cause: unknown, call: FailedCall, mode: 'read' | 'write'): GatewayError {
  if (cause instanceof ErrorReply) return databaseFailure(cause.message, call)
  if (cause instanceof ReplyTooLargeError) return tooLarge(cause, mode)
  // These were never sent.
  const sent = !(cause instanceof NotSentError || cause instanceof ClientOfflineError || cause instanceof ClientClosedError)
  return mode === 'write' && sent ? outcomeUnknown(cause) : unavailable(cause)
}

/** A failure of what the gateway asks for itself. @param key of the graph that it is about */
export const ownFailure = (cause: unknown, key = '') => sendFailure(cause, { key, query: '', mode: 'read', originalOffset: () => 0 }, 'read')

/** FalkorDB answers when a query has ended: what it wrote is there. */
function tooLarge (cause: Error, mode: 'read' | 'write'): GatewayError {
  const details = { hint: 'Return single properties in place of whole nodes, use LIMIT, or aggregate: count(n), collect(n.name)[..100].' }
  return mode === 'read'
    ? new QueryError('result_too_large', 'The result is larger than the gateway takes from FalkorDB.', { details, cause })
    : new DatabaseError('result_too_large', 'The query was run and what it wrote is kept, but its result is larger than the gateway takes from FalkorDB: do not send it again.', { details, cause })
}

/** The caller has gone, so nobody reads this; 499 is what access logs know it by. */
export const cancelled = (cause?: unknown) => new TimeoutError('call_cancelled', 'The caller went away before the answer.', { status: 499, cause })

/** A write that was sent and never answered. */
export function outcomeUnknown (cause?: unknown): DatabaseError {
  return new DatabaseError('write_outcome_unknown', 'FalkorDB was lost while the query ran. It is not known whether the query has written: read before sending it again.', { cause })
}

interface Rule { when: RegExp, error: (said: string, call: FailedCall) => GatewayError }

const database = (code: string, message: string, options?: ErrorOptions) => () => new DatabaseError(code, message, options)
const query = (code: string, message: string, hint: string) => () => new QueryError(code, message, { details: { position: 0, hint } })

/** The first rule that fits decides; texts as of FalkorDB 4.16 (error_msgs.h) and Valkey 8. */
const rules: Rule[] = [
  { when: /^errMsg: /, error: syntaxError },
  { when: /^Query timed out/, error: (_, { mode }) => new TimeoutError('query_timeout', mode === 'write' ? 'The query took longer than it may and was ended; nothing of it was written.' : 'The query took longer than it may and was ended.', { details: { hint: 'Filter earlier, bound variable-length paths (*1..3), add an index, or raise timeoutMs.' } }) },
  { when: /mem consumption exceeded capacity/, error: query('query_memory_exceeded', 'The query wanted more memory than it may have and was ended.', 'Filter earlier, collect less at once, or use SKIP and LIMIT.') },
  { when: /^Max pending queries exceeded|^Write queue is full/, error: () => new RateLimitError('queue_full', 'FalkorDB has too many queries waiting; try again.') },
  { when: /to be executed only on read-only queries/, error: query('write_in_read_only', 'The query writes, and this is a read-only run.', 'Use falkordb_query with the scope graph:write, or remove CREATE, MERGE, SET, DELETE and REMOVE.') },
  { when: /Invalid graph operation on empty key/, error: () => new NotFoundError('graph_not_found', 'There is no such graph. falkordb_list_graphs names those that there are; a first write with falkordb_query creates one.') },
  { when: /^Missing parameters/, error: query('parameter_missing', 'The query names a parameter that was not given.', 'Give each $name of the query a value in "parameters".') },
  { when: /^WRONGTYPE /, error: database('not_a_graph', 'What lies under this name in FalkorDB is no graph.') },
  { when: /^OOM /, error: database('database_memory_full', 'FalkorDB has no memory left; nothing was written.') },
  { when: /^(?:LOADING|BUSY|MASTERDOWN|CLUSTERDOWN|READONLY|TRYAGAIN) /, error: database('database_unavailable', 'FalkorDB is not ready yet; nothing was run. Try again.') },
  { when: /^(?:NOAUTH|NOPERM|WRONGPASS|MISCONF|MOVED|ASK|EXECABORT|NOREPLICAS) /, error: database('database_refused', 'FalkorDB does not let the gateway do this; whoever runs it finds the cause in the log.') },
  { when: /^ERR (?!.*(?:no such index|query execution type))/, error: database('database_failed', 'FalkorDB failed; whoever runs the gateway finds the cause in the log.') }
]

/**
 * The error for a reply of FalkorDB that is an error.
 * @param said its text
 */
function databaseFailure (said: string, call: FailedCall): GatewayError {
  const rule = rules.find(({ when }) => when.test(said))
  const error = rule?.error(said, call) ?? new QueryError('query_failed', 'FalkorDB could not run the query.', { details: { position: 0, hint: publicWords(said, call) } })
  if (error instanceof DatabaseError) error.cause = new Error(publicWords(said, call))
  return error
}

/** `errMsg: Invalid input 'R': expected RETURN line: 2, column: 4, offset: 13 errCtx: … errCtxOffset: 3`, the offset in bytes of the query. */
function syntaxError (said: string, call: FailedCall): GatewayError {
  const { message = said, offset = '0' } = /^errMsg: (?<message>.*?) line: \d+, column: \d+, offset: (?<offset>\d+) errCtx: /s.exec(said)?.groups ?? {}
  const position = call.originalOffset(Number(offset))
  const { line, column } = lineAndColumn(call.query, position)
  return new QueryError('syntax_error', `The query has a syntax error at line ${line}, column ${column}.`, { details: { position, line, column, hint: publicWords(message, call) } })
}

/** Without the key, which names a tenant, and without the text of a search, which may be a parameter's value. */
function publicWords (said: string, { key }: FailedCall): string {
  return (key === '' ? said : said.replaceAll(key, '<graph>')).trim().replace(/^(RediSearch: .*?) (?:near|at offset) .*$/s, '$1').slice(0, 500)
}
