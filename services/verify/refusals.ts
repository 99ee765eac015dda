/**
 * Every reason for which a caller is turned away, with its public words: they name the rule and the remedy, never a value.
 * The reason is a label of `auth_decisions_total` and a member of the log line.
 */
import { AuthenticationError, ForbiddenError, RateLimitError, TenantError, UnavailableError, ValidationError, type ErrorOptions, type GatewayError } from '@gateway/common/errors.ts'

type Make = (options: ErrorOptions) => GatewayError

const badRequest = (message: string): Make => options => new ValidationError('invalid_request', message, options)
const badToken = (message: string): Make => options => new AuthenticationError('invalid_token', message, options)

const makers = {
  credential_in_query: badRequest('A credential must not stand in the URL, where logs and histories keep it. Send it as "Authorization: Bearer <token>", and replace the one that was sent.'),
  several_credentials: badRequest('Send one credential once: either "Authorization: Bearer <token>" or "X-API-Key: <key>".'),
  host_not_allowed: options => new ForbiddenError('host_not_allowed', 'This service does not answer under the host name of the request; use its public URL.', options),
  origin_not_allowed: options => new ForbiddenError('origin_not_allowed', 'Pages of this origin may not call this service; its operator can add the origin to ALLOWED_ORIGINS.', options),

  missing_token: options => new AuthenticationError('missing_token', 'Send an access token as "Authorization: Bearer <token>". The header WWW-Authenticate of this answer says where to get one.', options),
  api_key_unknown: badToken('The API key is not valid here.'),
  token_malformed: badToken('The bearer token is no well-formed JWT; send the access token exactly as it was issued.'),
  token_too_large: badToken('The token is larger than 8 KiB; ask its issuer for one with fewer claims.'),
  critical_extension: badToken('The token demands an extension ("crit") that is not supported here.'),
  issuer_unknown: badToken('The token comes from an issuer that is not trusted here; get one from an authorization server that the resource metadata names.'),
  algorithm_refused: badToken('The signature algorithm of the token is not allowed for its issuer.'),
  type_refused: badToken('The token is of a wrong type ("typ"); send an access token.'),
  token_bound: badToken('The token is bound to a key of its client ("cnf"), whose proof is not asked for here; get a bearer token.'),
  audience_foreign: badToken('The token is for another audience; ask its issuer for one for this resource.'),
  expiry_missing: badToken('The token has no valid expiry ("exp").'),
  expiry_too_far: badToken('The token would live longer than a revocation is remembered; ask its issuer for one that expires within a year.'),
  token_expired: badToken('The token has expired; get a new one.'),
  token_not_yet_valid: badToken('The token is not valid yet ("nbf" or "iat" lies in the future).'),
  subject_missing: badToken('The token names no usable subject.'),
  key_unknown: badToken('The key that the token names is not among the keys of its issuer; get a new token.'),
  signature_bad: badToken('The signature of the token is not valid.'),
  claim_missing: badToken('The token lacks a claim, or the value of it, that is required of its issuer here.'),
  token_inactive: badToken('The authorization server does not know the token as an active one; get a new token.'),
  api_key_malformed: badToken('The API key is damaged: its checksum does not fit. Copy it whole, exactly as it was issued.'),
  api_key_expired: badToken('The API key has expired; ask the operator for a new one.'),
  credential_revoked: badToken('The credential has been revoked; sign in again.'),

  tenant_missing: options => new TenantError('tenant_missing', 'The token does not name one tenant; its issuer must put your tenant into the token.', options),
  groups_omitted: options => new TenantError('tenant_missing', 'The token leaves your groups out, because they are too many for it; its issuer must limit them to those of this application, or name your tenant in a claim or a role.', options),
  tenant_unchosen: options => new TenantError('tenant_unchosen', 'The credential is good for several tenants; name one of them in the header X-Requested-Tenant.', options),
  tenant_not_granted: options => new TenantError('tenant_not_granted', 'The credential is not good for the tenant that X-Requested-Tenant names; leave the header out, or name one of its own.', options),
  tenant_blocked: options => new TenantError('tenant_blocked', 'This tenant is blocked; ask the operator of this service.', options),
  tenant_unregistered: options => new TenantError('tenant_unregistered', 'This tenant is not registered here; ask the operator of this service.', options),
  tenant_not_allowed: options => new TenantError('tenant_not_allowed', 'The issuer of the token may not speak for the tenant that it names.', options),

  tenant_limited: options => new RateLimitError('tenant_limited', 'The calls of this tenant are beyond its limit; wait as long as Retry-After says.', options),
  subject_limited: options => new RateLimitError('subject_limited', 'Your calls are beyond the limit of one person or program; wait as long as Retry-After says.', options),
  address_limited: options => new RateLimitError('address_limited', 'Too many credentials from this address were refused; wait as long as Retry-After says, and send a good one.', options),

  queue_full: options => new RateLimitError('queue_full', 'Too many queries run at once; wait as long as Retry-After says, and try again.', options),
  too_many_requests: options => new RateLimitError('too_many_requests', 'Too many requests at once; wait as long as Retry-After says, then send fewer at a time.', options),

  signatures_waiting: options => new UnavailableError('busy', 'Too many new tokens are being verified at the moment; try again.', options),
  revocations_unknown: options => new UnavailableError('revocations_unknown', 'It cannot be said at the moment which credentials have been revoked; try again.', options),
  introspection_unavailable: options => new UnavailableError('issuer_unavailable', 'The issuer of the token cannot be asked at the moment; try again.', options),
  issuer_unavailable: options => new UnavailableError('issuer_unavailable', 'The keys of the issuer of the token cannot be had at the moment; try again.', options)
} satisfies Record<string, Make>

export type Reason = keyof typeof makers

/** The error of a reason, to be thrown. `cause` goes to the log only. */
export function refusal (reason: Reason, options: Pick<ErrorOptions, 'cause' | 'retryAfter' | 'details'> = {}): GatewayError {
  return makers[reason]({ ...options, reason })
}
