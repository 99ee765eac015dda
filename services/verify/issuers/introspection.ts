/**
 * Token introspection at one issuer (RFC 7662): what an opaque token is worth. The issuer is asked once per token at a time, by few
 * connections, within a few seconds; while it fails nobody waits for it, and no token counts as bad because of that.
 */
import CircuitBreaker from 'opossum'
import { LRUCache } from 'lru-cache'
import type { Logger } from 'pino'
import { Counter, type Registry } from 'prom-client'
import { Agent, request } from 'undici'
import { GatewayError } from '@gateway/common/errors.ts'
import { metric } from '@gateway/common/service.ts'
import { digestOf, type KnownToken } from '../credentials/token-cache.ts'
import { refusal, type Reason } from '../refusals.ts'
import type { FindAddress } from './key-set.ts'
import type { IntrospectionPolicy, TrustedIssuer } from './trusted.ts'

/** What the issuer says of an active token (RFC 7662 section 2.2). */
export type IntrospectedClaims = Record<string, unknown>

export interface IntrospectionOptions {
  issuer: TrustedIssuer & { introspection: IntrospectionPolicy }
  findAddress: FindAddress
  logger: Logger
  registry: Registry
  /** For one question, in milliseconds: connecting, waiting and reading together. */
  timeoutMs?: number
  /** Questions at a time; beyond them a caller is told to come again. */
  maxInFlight?: number
  /** How long nobody is asked after the circuit has opened, in milliseconds; longer than `timeoutMs`, so that the trial is alone. */
  resetMs?: number
}

export interface Introspection {
  /** For how long an answer counts at most. */
  readonly cacheSeconds: number
  /**
   * What the token is worth. Callers with the same token share one question; a refusal is remembered for some seconds.
   * @param judge makes the caller of an active token's claims, or throws why it is none
   * @throws GatewayError `token_inactive`, `introspection_unavailable`, or what `judge` throws
   */
  ask: (token: string, judge: (claims: IntrospectedClaims) => KnownToken) => Promise<KnownToken>
  /** Asks the metadata anew where the endpoint is. Never throws: what went wrong is logged, and a known endpoint goes on. */
  refresh: () => Promise<void>
  /** For /ready: `ok`, or what is wrong. */
  status: () => string
  close: () => Promise<void>
}

/** Largest answer in bytes. */
const maxBytes = 64 * 1024
const connections = 8
/** A client that hammers with a token that is no good is asked about once in this time, in milliseconds. */
const refusedMs = 10_000
const refusedEntries = 2_000
/** Questions within 10 s before the circuit may open, and the share of failures, in percent, beyond which it does. */
const circuit = { volumeThreshold: 5, errorThresholdPercentage: 50, rollingCountTimeout: 10_000 }

/** Why a question has failed; the text never holds a token or a secret. */
class IntrospectionFailure extends Error {
  /** The issuer has an objection to this question, which says nothing of the next one. */
  readonly ofThisTokenOnly: boolean
  constructor (message: string, { ofThisTokenOnly = false, cause }: { ofThisTokenOnly?: boolean, cause?: unknown } = {}) {
    super(message, { cause })
    this.name = 'IntrospectionFailure'
    this.ofThisTokenOnly = ofThisTokenOnly
  }
}

/** Opens the way to the issuer; asks nothing yet. */
export function openIntrospection (options: IntrospectionOptions): Introspection {
  return new IntrospectionAtIssuer(options)
}

class IntrospectionAtIssuer implements Introspection {
  readonly cacheSeconds: number
  readonly #issuer: IntrospectionOptions['issuer']
  readonly #findAddress: FindAddress
  readonly #logger: Logger
  readonly #timeoutMs: number
  readonly #maxInFlight: number
  readonly #authorization: string
  readonly #agent: Agent
  readonly #breaker: CircuitBreaker<[token: string], IntrospectedClaims | undefined>
  readonly #pending = new Map<string, Promise<KnownToken>>()
  readonly #refused = new LRUCache<string, Reason>({ max: refusedEntries, ttl: refusedMs })
  readonly #count: (outcome: 'active' | 'inactive' | 'failed' | 'circuit_open' | 'too_many') => void
  #endpoint: string | undefined
  #discovering: Promise<string> | undefined
  #openUntil = 0

  constructor ({ issuer, findAddress, logger, registry, timeoutMs = 4_000, maxInFlight = 64, resetMs = 5_000 }: IntrospectionOptions) {
    this.cacheSeconds = issuer.introspection.cacheSeconds
    this.#issuer = issuer
    this.#findAddress = findAddress
    this.#logger = logger
    this.#timeoutMs = timeoutMs
    this.#maxInFlight = maxInFlight
    this.#endpoint = issuer.introspection.endpoint
    this.#authorization = basic(issuer.introspection)
    this.#agent = new Agent({ connections, maxResponseSize: maxBytes, keepAliveTimeout: 10_000, connect: { timeout: timeoutMs } })
    // The time is limited here, so that the request ends with it; the number too, since a full house says nothing of the issuer.
    this.#breaker = new CircuitBreaker(token => this.#question(token), {
      ...circuit, timeout: false, resetTimeout: resetMs, rollingPercentilesEnabled: false, enableSnapshots: false, errorFilter: error => error instanceof IntrospectionFailure && error.ofThisTokenOnly
    })
    this.#breaker.on('open', () => {
      this.#openUntil = performance.now() + resetMs
      logger.warn({ issuer: issuer.issuer }, 'the issuer fails to introspect tokens; it is left alone for some seconds')
    })
    this.#breaker.on('close', () => logger.info({ issuer: issuer.issuer }, 'the issuer introspects tokens again'))
    const questions = metric(registry, 'introspections_total', () => new Counter({
      name: 'introspections_total', help: 'Questions about opaque tokens, by issuer and outcome', labelNames: ['issuer', 'outcome'], registers: [registry]
    }))
    this.#count = outcome => questions.inc({ issuer: issuer.issuer, outcome })
  }

  ask (token: string, judge: (claims: IntrospectedClaims) => KnownToken): Promise<KnownToken> {
    const digest = digestOf(token)
    const asked = this.#pending.get(digest)
    if (asked !== undefined) return asked
    const reason = this.#refused.get(digest)
    if (reason !== undefined) return Promise.reject(refusal(reason))
    if (this.#pending.size >= this.#maxInFlight) {
      this.#count('too_many')
      return Promise.reject(refusal('introspection_unavailable', { retryAfter: 1, cause: new IntrospectionFailure('too many questions at a time') }))
    }
    const answer = this.#answer(token, digest, judge).finally(() => this.#pending.delete(digest))
    this.#pending.set(digest, answer)
    return answer
  }

  async #answer (token: string, digest: string, judge: (claims: IntrospectedClaims) => KnownToken): Promise<KnownToken> {
    let claims: IntrospectedClaims | undefined
    try {
      claims = await this.#breaker.fire(token)
    } catch (cause) {
      this.#count(cause instanceof IntrospectionFailure ? 'failed' : 'circuit_open')
      throw refusal('introspection_unavailable', { cause, retryAfter: this.#retryAfter() })
    }
    this.#count(claims === undefined ? 'inactive' : 'active')
    try {
      if (claims === undefined) throw refusal('token_inactive')
      return judge(claims)
    } catch (error) {
      if (error instanceof GatewayError && error.reason !== undefined) this.#refused.set(digest, error.reason as Reason)
      throw error
    }
  }

  async refresh (): Promise<void> {
    if (this.#issuer.introspection.endpoint !== undefined) return
    try {
      this.#endpoint = await this.#discover()
    } catch (error) {
      this.#logger.warn({ issuer: this.#issuer.issuer, cause: (error as Error).message }, 'the introspection endpoint of the issuer cannot be found')
    }
  }

  status (): string {
    if (this.#endpoint === undefined) return 'warning: its introspection endpoint has not been found yet'
    return this.#breaker.opened ? 'warning: the issuer cannot be asked about opaque tokens; those that are known go on for their time' : 'ok'
  }

  async close (): Promise<void> {
    this.#breaker.shutdown()
    await this.#agent.destroy()
  }

  #retryAfter (): number {
    return this.#breaker.opened ? Math.max(1, Math.ceil((this.#openUntil - performance.now()) / 1000)) : 1
  }

  #discover (): Promise<string> {
    this.#discovering ??= this.#findAddress(this.#issuer, 'introspection_endpoint').then(found => {
      if (found === undefined) throw new IntrospectionFailure(`the metadata of ${this.#issuer.issuer} names no introspection_endpoint; set "endpoint"`)
      return found
    }).finally(() => { this.#discovering = undefined })
    return this.#discovering
  }

  /** @returns undefined where the token is not active */
  async #question (token: string): Promise<IntrospectedClaims | undefined> {
    try {
      this.#endpoint ??= await this.#discover()
      // Redirects are not followed: the token and our secret are for the configured address alone.
      const { statusCode, body } = await request(this.#endpoint, {
        dispatcher: this.#agent,
        method: 'POST',
        signal: AbortSignal.timeout(this.#timeoutMs),
        headers: { accept: 'application/json', authorization: this.#authorization, 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ token, token_type_hint: 'access_token' }).toString()
      })
      const text = await body.text()
      if (statusCode !== 200) throw new IntrospectionFailure(`introspection was answered with ${statusCode}${statusCode === 401 ? ': are client_id and client_secret right?' : ''}`, { ofThisTokenOnly: statusCode === 400 })
      return claimsIn(text)
    } catch (error) {
      // The words of an error of the transport are about the transport; those of a JSON parser would quote the answer.
      throw error instanceof IntrospectionFailure ? error : new IntrospectionFailure('the issuer cannot be asked', { cause: error })
    }
  }
}

function claimsIn (text: string): IntrospectedClaims | undefined {
  let answer: unknown
  try {
    answer = JSON.parse(text)
  } catch {
    throw new IntrospectionFailure('the answer is no JSON')
  }
  // RFC 7662 section 2.2: a boolean. Anything else is no introspection endpoint, and no reason to call a token bad.
  const { active } = (answer ?? {}) as IntrospectedClaims
  if (typeof active !== 'boolean') throw new IntrospectionFailure('the answer does not say whether the token is active')
  return active ? answer as IntrospectedClaims : undefined
}

/** client_secret_basic: both parts are form-urlencoded first (RFC 6749 section 2.3.1). */
function basic ({ clientId, clientSecret }: IntrospectionPolicy): string {
  const encoded = (part: string) => new URLSearchParams([['', part]]).toString().slice(1)
  return `Basic ${Buffer.from(`${encoded(clientId)}:${encoded(clientSecret)}`).toString('base64')}`
}
