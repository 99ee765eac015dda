/** What can go wrong at an upstream: in words for the person, and as a cause that a log may hold. */
import { AuthorizationResponseError, ClientError, ResponseBodyError, WWWAuthenticateChallengeError } from 'openid-client'
import { SignInError } from './upstream.ts'

/** An upstream answered with something else than it should; its message holds nothing of the answer. */
export class AnswerError extends Error {
  override readonly name = 'AnswerError'
  readonly status: number | undefined
  constructor (message: string, status?: number) {
    super(message)
    this.status = status
  }
}

/** At a token endpoint: the code or refresh token is not, or no longer, good (RFC 6749 section 5.2; GitHub has a code of its own). */
const spent = new Set(['invalid_grant', 'bad_verification_code'])

/** This gateway is set up wrongly there. */
const misfits = new Set(['invalid_client', 'unauthorized_client', 'incorrect_client_credentials', 'redirect_uri_mismatch', 'application_suspended', 'invalid_request', 'invalid_scope', 'unsupported_response_type', 'unsupported_grant_type'])

/** True where the upstream says that what was remembered of someone counts no longer. */
export const isSpent = (thrown: unknown): boolean => thrown instanceof ResponseBodyError && spent.has(thrown.error)

/** Any failure of a sign-in as what the person is told. */
export function signInError (label: string, thrown: unknown): SignInError {
  if (thrown instanceof SignInError) return thrown
  const cause = tellable(thrown)
  const upstream = sentenceStart(label)
  if (thrown instanceof AuthorizationResponseError) {
    if (thrown.error === 'access_denied') return new SignInError('denied', `${upstream} did not sign you in: you, or whoever looks after your account there, said no.`, { cause })
    if (misfits.has(thrown.error)) return misfit(upstream, cause)
    return new SignInError('failed', `${upstream} could not sign you in at the moment. Start again in a minute.`, { cause })
  }
  if (isSpent(thrown)) return new SignInError('refused', 'This sign-in is too old, or it was finished already. Start again.', { cause })
  if (thrown instanceof ResponseBodyError && misfits.has(thrown.error)) return misfit(upstream, cause)
  // 401 at the token endpoint: the client's own credentials were meant.
  if (thrown instanceof WWWAuthenticateChallengeError && thrown.status === 401) return misfit(upstream, cause)
  if (isUntrue(thrown)) return new SignInError('refused', `The answer of ${label} does not belong to this sign-in, or cannot be trusted. Start again; if it happens again, tell your administrator.`, { cause })
  return unreachable(label, thrown)
}

/** For an upstream that is away, or whose metadata are not those of its issuer. */
export function unreachable (label: string, thrown: unknown): SignInError {
  return new SignInError('failed', `${sentenceStart(label)} cannot be asked at the moment. Start again in a minute.`, { cause: tellable(thrown) })
}

const misfit = (upstream: string, cause: Error) => new SignInError('failed', `${upstream} does not accept this gateway. Your administrator has to look at its settings there.`, { cause })

const sentenceStart = (label: string) => label.charAt(0).toUpperCase() + label.slice(1)

/** An answer came, and one of the checks of OpenID Connect refused it. */
function isUntrue (thrown: unknown): boolean {
  const untrue = ['OAUTH_INVALID_RESPONSE', 'OAUTH_JWT_CLAIM_COMPARISON_FAILED', 'OAUTH_JWT_TIMESTAMP_CHECK_FAILED', 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED', 'OAUTH_KEY_SELECTION_FAILED', 'OAUTH_UNSUPPORTED_OPERATION']
  return thrown instanceof ClientError && untrue.includes(thrown.code ?? '')
}

/**
 * The same failure without what came with it: errors of openid-client hold responses, claims, codes and tokens, and what a peer wrote may hold anything.
 * Left are the library's own words, standard codes, and statuses.
 */
export function tellable (thrown: unknown): Error {
  if (thrown instanceof AnswerError || thrown instanceof SignInError) return thrown
  const facts = [wordsOf(thrown), ...codesOf(thrown)]
  const error = new Error(facts.filter(fact => fact !== '').join(', '))
  error.name = 'UpstreamError'
  return error
}

function wordsOf (thrown: unknown): string {
  if (!(thrown instanceof Error)) return 'something that is no error'
  // ClientError says it generally; what oauth4webapi threw under it has the check's own words. All are constants there.
  const inner = thrown instanceof ClientError && thrown.cause instanceof Error && 'code' in thrown.cause && isCode(thrown.cause.code) ? thrown.cause : thrown
  // Not so Node's: a header's fault quotes its value, a JSON parser's the text.
  const isOurs = inner instanceof ClientError || isCode((inner as { code?: unknown }).code) || inner.message === 'fetch failed'
  return isOurs ? inner.message.slice(0, 200) : inner.name
}

const isCode = (code: unknown): code is string => typeof code === 'string' && /^OAUTH_[A-Z_]+$/.test(code)

function codesOf (thrown: unknown): string[] {
  const facts: string[] = []
  if (thrown instanceof AuthorizationResponseError || thrown instanceof ResponseBodyError) facts.push(named(thrown.error))
  const { status, cause } = (thrown ?? {}) as { status?: unknown, cause?: unknown }
  const ofResponse = status ?? (cause as { status?: unknown } | undefined)?.status
  if (typeof ofResponse === 'number') facts.push(`status ${ofResponse}`)
  // undici's: ECONNREFUSED, ENOTFOUND, UND_ERR_RES_EXCEEDED_MAX_SIZE, a certificate's fault.
  for (let error = cause, depth = 0; error instanceof Error && depth < 3; error = error.cause, depth++) {
    const { code } = error as { code?: unknown }
    if (typeof code === 'string' && /^[A-Z][A-Z_]{2,60}$/.test(code) && !isCode(code)) facts.push(code)
  }
  return facts
}

/** An error code as standards write them; a peer's own text is not repeated. */
const named = (error: string | null) => error !== null && /^[a-z_]{3,40}$/.test(error) ? error : 'an error code that is none'
