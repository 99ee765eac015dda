/** One call that asks to be let in, and what the checks have found out about it so far. */
import type { FastifyRequest } from 'fastify'
import type { Identity } from '@gateway/common/identity.ts'
import type { Scope } from '@gateway/common/scopes.ts'
import type { ApiKeys } from './credentials/api-keys.ts'
import type { Lane } from './credentials/lane.ts'
import type { TokenCache } from './credentials/token-cache.ts'
import type { Introspection } from './issuers/introspection.ts'
import type { IssuerKeys } from './issuers/keys.ts'
import type { TrustedIssuer } from './issuers/trusted.ts'
import type { Limits } from './limits/limits.ts'
import type { Revocations } from '@gateway/common/known-revocations.ts'
import type { TenantRule, Tenants } from './tenants/tenants.ts'

/** What the client sent, wherever the question comes from. */
export interface Attempt {
  readonly request: FastifyRequest
  readonly method: string
  /** Request target with its query string. */
  readonly uri: string
  /** Host with its port, where there is one. */
  readonly host: string | undefined
  readonly origin: string | undefined
  /** The client's own address, as Traefik saw it. */
  readonly address: string
  /** X-Requested-Tenant: which of its tenants the caller wants. */
  readonly requestedTenant: string | undefined
  credential?: Credential
  /** Issuer of the credential for metrics: a configured one, `api-key`, or `none`. */
  issuer: string
  caller?: Caller
  /** This replica has seen the credential for the first time, or has forgotten it. */
  firstUse: boolean
  /** What the registry says of the tenant. */
  rule?: TenantRule
  identity?: Identity
}

export interface Credential {
  kind: 'bearer' | 'api-key'
  value: string
}

/** Whom a good credential stands for, before its tenant is judged. One object serves all calls with the same credential. */
export interface Caller {
  /** Issuer that names the subject: a configured one, or `api-key`. Subjects are unique only together with it. */
  readonly issuer: string
  readonly userId: string
  readonly clientId: string
  /** Expanded by the hierarchy. */
  readonly scopes: readonly Scope[]
  /** Tenants that the credential grants and its issuer may name. */
  readonly tenants: readonly string[]
  /** The credential names tenants, but none that its issuer may name. */
  readonly foreignTenantsOnly: boolean
  /** Seconds since 1970; undefined where it does not expire. */
  readonly expiresAt: number | undefined
  /** Seconds since 1970; 0 where the credential does not say, so that every revocation of its subject covers it. */
  readonly issuedAt: number
  /** `jti` of a token, id of an API key. */
  readonly tokenId: string | undefined
  /** `gid` of a token: the grant that it came from. */
  readonly grantId: string | undefined
  /** What tenantKnown found for the tenant that was asked for last. */
  last?: { requestedTenant: string | undefined, rule: TenantRule, identity: Identity }
}

/** A JWT as @fastify/jwt decodes it. */
export interface Token {
  header: Record<string, unknown>
  payload: Record<string, unknown>
}

export interface Issuer {
  policy: TrustedIssuer
  keys: IssuerKeys
  /** Where the issuer is asked about opaque tokens. */
  introspection: Introspection | undefined
}

/** What the checks measure an attempt against. */
export interface Gate {
  /** Lower-case hosts under which the service answers. */
  hosts: ReadonlySet<string>
  origins: ReadonlySet<string>
  apiKeys: ApiKeys
  /** By the `iss` of their tokens. */
  issuers: ReadonlyMap<string, Issuer>
  tokens: TokenCache
  /** Where signatures are verified. */
  lane: Lane
  tenants: Tenants
  revocations: Revocations
  limits: Limits
  multiTenancy: boolean
}
