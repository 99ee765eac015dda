/** One call that asks to be let in, and what the checks have found out about it so far. */
import type { FastifyRequest } from 'fastify'
import type { Identity } from '@gateway/common/identity.ts'
import type { Scope } from '@gateway/common/scopes.ts'
import type { ApiKey } from './credentials/api-key.ts'
import type { IssuerKeys } from './issuers/keys.ts'
import type { TrustedIssuer } from './issuers/trusted.ts'

/** What the client sent, wherever the question comes from. */
export interface Attempt {
  readonly request: FastifyRequest
  /** Request target with its query string. */
  readonly uri: string
  /** Host with its port, where there is one. */
  readonly host: string | undefined
  readonly origin: string | undefined
  credential?: Credential
  /** Issuer of the credential for metrics: a configured one, `api-key`, or `none`. */
  issuer: string
  caller?: Caller
  identity?: Identity
}

export interface Credential {
  kind: 'bearer' | 'api-key'
  value: string
}

/** Whom a good credential stands for, before its tenant is judged. */
export interface Caller {
  userId: string
  clientId: string
  scopes: readonly Scope[]
  /** As the credential has it: anything, until tenantKnown has looked at it. */
  tenant: unknown
  /** Patterns of the tenants that the credential's issuer may name. */
  tenants: readonly string[]
  /** Seconds since 1970; undefined for an API key. */
  expiresAt: number | undefined
}

/** A JWT as @fastify/jwt decodes it. */
export interface Token {
  header: Record<string, unknown>
  payload: Record<string, unknown>
}

export interface Issuer {
  policy: TrustedIssuer
  keys: IssuerKeys
}

/** What the checks measure an attempt against. */
export interface Gate {
  /** Lower-case hosts under which the service answers. */
  hosts: ReadonlySet<string>
  origins: ReadonlySet<string>
  apiKey: ApiKey | undefined
  /** By the `iss` of their tokens. */
  issuers: ReadonlyMap<string, Issuer>
  multiTenancy: boolean
}
