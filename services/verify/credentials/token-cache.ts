/**
 * Tokens that were judged before: good ones with their caller, so that a signature is verified once, and a few bad ones with the reason.
 * Both are found by a digest, so that memory holds no token. Revocation, the tenant and the limits are asked at every call, whatever is here.
 */
import { hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { Counter, type Registry } from 'prom-client'
import { metric } from '@gateway/common/service.ts'
import type { Caller, Issuer } from '../attempt.ts'
import type { SigningKey } from '../issuers/algorithms.ts'
import type { Reason } from '../refusals.ts'

/** A token whose signature was good, or of which its issuer said that it is active. */
export interface KnownToken {
  caller: Caller
  issuer: Issuer
  /** The key that verified it; undefined for an opaque token. */
  key: SigningKey | undefined
  /** Seconds since 1970 up to which this is known: `exp`, or sooner for an opaque token. */
  until: number
}

export interface TokenCacheOptions {
  /** Good tokens at most; 0 keeps none of either kind. */
  entries: number
  /** Memory of the good tokens at most, roughly. */
  bytes: number
  registry: Registry
}

/** Reasons that the same text will meet again: a second look would cost the same and find the same. */
const lasting: ReadonlySet<string> = new Set<Reason>(['token_malformed', 'token_expired', 'signature_bad'])
/** Bad tokens that are remembered; their own list, so that a flood of them pushes out no good one. */
const refusedEntries = 2_000
/** An issuer may give a `kid` another key: then a bad signature may become good. */
const refusedMs = 60_000
/** Of an entry beside its texts: objects, the list's own bookkeeping, and the identity headers that are kept with it. */
const entryBytes = 1_500

export class TokenCache {
  readonly #known: LRUCache<string, KnownToken> | undefined
  readonly #refused: LRUCache<string, Reason> | undefined
  readonly #hits: Counter.Internal
  readonly #refusedHits: Counter.Internal
  readonly #misses: Counter.Internal

  constructor ({ entries, bytes, registry }: TokenCacheOptions) {
    if (entries > 0) {
      this.#known = new LRUCache({ max: entries, maxSize: bytes, sizeCalculation: sizeOf })
      this.#refused = new LRUCache({ max: refusedEntries, ttl: refusedMs, ttlResolution: 1_000 })
    }
    const lookups = metric(registry, 'token_cache_lookups_total', () => new Counter({
      name: 'token_cache_lookups_total', help: 'Tokens looked for among those judged before', labelNames: ['result'], registers: [registry]
    }))
    this.#hits = lookups.labels('hit')
    this.#refusedHits = lookups.labels('refused')
    this.#misses = lookups.labels('miss')
  }

  /** The caller of a token that is good still: it has not expired, and its issuer still publishes the key that verified it. */
  find (digest: string): KnownToken | undefined {
    const known = this.#known?.get(digest)
    if (known !== undefined) {
      if (Date.now() / 1000 < known.until && (known.key === undefined || known.issuer.keys.holds(known.key))) {
        this.#hits.inc()
        return known
      }
      this.#known?.delete(digest)
    }
    return undefined
  }

  /** Why this token was refused a moment ago, where that cannot have changed. Counts a miss where nothing is known. */
  reasonAgainst (digest: string): Reason | undefined {
    const reason = this.#refused?.get(digest)
    if (reason === undefined) this.#misses.inc()
    else this.#refusedHits.inc()
    return reason
  }

  /** @returns true where the token was not remembered yet, and is now */
  keep (digest: string, token: KnownToken): boolean {
    if (this.#known === undefined || this.#known.has(digest)) return false
    this.#known.set(digest, token)
    return true
  }

  /** Remembers a refusal where another look would find the same. */
  keepRefused (digest: string, reason: string | undefined): void {
    if (reason !== undefined && lasting.has(reason)) this.#refused?.set(digest, reason as Reason)
  }
}

/** The name under which a token is kept: SHA-256, 43 characters. */
export const digestOf = (token: string): string => hash('sha256', token, 'base64url')

function sizeOf ({ caller }: KnownToken): number {
  let characters = caller.userId.length + caller.clientId.length + (caller.tokenId?.length ?? 0) + (caller.grantId?.length ?? 0)
  for (const tenant of caller.tenants) characters += tenant.length
  // The texts stand in the caller, the identity and its headers.
  return entryBytes + characters * 6
}
