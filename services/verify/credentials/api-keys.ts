/** API keys: the one of MCP_API_KEY, and those of API_KEYS_FILE. */
import { hash, timingSafeEqual } from 'node:crypto'
import type { Scope } from '@gateway/common/scopes.ts'
import type { Caller } from '../attempt.ts'

export interface ApiKeyOptions {
  key: string
  tenant: string
  scopes: readonly Scope[]
}

export interface ApiKeysOptions {
  /** MCP_API_KEY. */
  single: ApiKeyOptions | undefined
}

export class ApiKeys {
  readonly #digest: Buffer | undefined
  readonly #caller: Caller | undefined

  constructor ({ single }: ApiKeysOptions) {
    if (single === undefined) return
    this.#digest = digestOf(single.key)
    this.#caller = {
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

  /** False where no key is configured at all. */
  get any (): boolean { return this.#caller !== undefined }

  /** The caller that the key stands for; undefined for another text. */
  recognise (text: string): Caller | undefined {
    return this.#digest !== undefined && timingSafeEqual(digestOf(text), this.#digest) ? this.#caller : undefined
  }
}

const digestOf = (text: string): Buffer => hash('sha256', text, 'buffer')
