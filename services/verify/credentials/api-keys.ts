/** API keys: the one of MCP_API_KEY, and those of API_KEYS_FILE. */
import { randomBytes, timingSafeEqual } from 'node:crypto'
import { expandScopes, type Scope } from '@gateway/common/scopes.ts'
import type { WatchedFile } from '@gateway/common/watched-file.ts'
import type { Caller } from '../attempt.ts'
import type { Reason } from '../refusals.ts'
import { parseApiKeys, type ApiKeyEntry } from './api-key-file.ts'
import { apiKeyId, digestOf } from './api-key-format.ts'

export interface ApiKeyOptions {
  key: string
  tenant: string
  scopes: readonly Scope[]
}

export interface ApiKeysOptions {
  /** MCP_API_KEY. */
  single: ApiKeyOptions | undefined
  /** API_KEYS_FILE; closed with this. */
  file?: WatchedFile<KeyRing> | undefined
}

interface Key {
  readonly digest: Buffer
  /** The same object for each call with the key, as long as the file stays as it is. */
  readonly caller: Caller
}

/** The keys of a file by their ids, without those that were revoked. */
export type KeyRing = ReadonlyMap<string, Key>

/**
 * The keys that a file's text holds.
 * @throws ConfigurationError with the place of each fault
 */
export function readKeyRing (text: string): KeyRing {
  return new Map(parseApiKeys(text).filter(({ revoked }) => revoked === undefined).map(entry => [entry.id, keyOf(entry)]))
}

function keyOf ({ id, name, digest, tenant, scopes, created, expires }: ApiKeyEntry): Key {
  return {
    digest: Buffer.from(digest.slice('sha256:'.length), 'hex'),
    caller: {
      issuer: 'api-key',
      userId: id,
      clientId: name,
      scopes: expandScopes(scopes),
      tenants: [tenant],
      foreignTenantsOnly: false,
      expiresAt: expires === null ? undefined : Date.parse(expires) / 1000,
      issuedAt: Math.floor(Date.parse(created) / 1000),
      tokenId: id,
      grantId: undefined
    }
  }
}

export class ApiKeys {
  readonly #single: Key | undefined
  readonly #file: WatchedFile<KeyRing> | undefined
  /** Compared with where no key has the id, so that an unknown id costs what a known one does. */
  readonly #nobody = randomBytes(32)

  constructor ({ single, file }: ApiKeysOptions) {
    this.#file = file
    if (single === undefined) return
    this.#single = {
      digest: digestOf(single.key),
      caller: {
        issuer: 'api-key',
        userId: 'api-key',
        clientId: 'api-key',
        scopes: single.scopes,
        tenants: [single.tenant],
        foreignTenantsOnly: false,
        expiresAt: undefined,
        issuedAt: 0,
        tokenId: undefined,
        grantId: undefined
      }
    }
  }

  /** False where no key is configured at all. */
  get any (): boolean { return this.#single !== undefined || this.#file !== undefined }

  /** Whether there is a key that could let somebody in now. */
  get letsIn (): boolean { return this.#single !== undefined || (this.#file?.value.size ?? 0) > 0 }

  /** For /ready: `ok`, or what is wrong with the file. */
  status (): string { return this.#file?.status() ?? 'ok' }

  /** Reads the file no more. */
  close (): void { this.#file?.close() }

  /** The caller that the key stands for, or why it is no good; undefined for a text that is no key of ours. */
  recognise (text: string): Caller | Reason | undefined {
    const digest = digestOf(text)
    if (this.#single !== undefined && timingSafeEqual(digest, this.#single.digest)) return this.#single.caller
    const read = apiKeyId(text)
    if (read === undefined) return undefined
    if (read === 'damaged') return 'api_key_malformed'
    const key = this.#file?.value.get(read.id)
    if (!timingSafeEqual(digest, key?.digest ?? this.#nobody) || key === undefined) return 'api_key_unknown'
    const { expiresAt } = key.caller
    return expiresAt !== undefined && Date.now() / 1000 >= expiresAt ? 'api_key_expired' : key.caller
  }
}
