/**
 * The tenants as users of the database: FalkorDB itself keeps each one's queries to that tenant's keys (ACL), so that a mistake in the gateway's
 * naming of keys is not enough to reach another's. https://valkey.io/topics/acl/
 */
import { createHash, createHmac } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { DatabaseError } from '@gateway/common/errors.ts'
import { deriveKeys } from '@gateway/common/secrets.ts'
import { encodeTenant, tenantPrefix } from '@gateway/common/tenants.ts'
import { ownFailure } from './failures.ts'
import type { Send } from './connection.ts'

export interface TenantUserOptions {
  /** GATEWAY_SECRET, newest first: a user has a password of each, so that replicas may change one after the other. */
  secrets: readonly string[]
  /** false: everybody is one user, who can touch every key but run nothing else than the others. */
  multiTenancy: boolean
}

export interface TenantUser { name: string, password: string }

interface Entry { readonly user: TenantUser, made?: Promise<void> | undefined }

/** What a tenant's queries may be; nothing administrative. Other rights: another version in userPrefix. */
const allowedCommands = ['graph.query', 'graph.ro_query', 'graph.explain', 'graph.profile', 'graph.delete'] as const
const userPrefix = 'gateway-v1'
/** Switched off and without any right: made to see whether users can be made. */
const trialUser = 'gateway-trial'
/** Tenants whose users are remembered as made. */
const remembered = 20_000

export class TenantUsers {
  readonly #options: TenantUserOptions
  readonly #keys: Buffer[]
  readonly #send: Send
  readonly #users = new LRUCache<string, Entry>({ max: remembered })
  #refused = false

  /** @param send as the administrator, who never runs a caller's query */
  constructor (options: TenantUserOptions, send: Send) {
    this.#options = options
    this.#keys = deriveKeys(options.secrets, 'tenant-user')
    this.#send = send
  }

  /** What an operator should know. */
  get warnings (): string[] {
    return this.#refused ? ['TENANT_ACL=on, but FalkorDB does not let the gateway\'s user make users: allow it ACL SETUSER, or set TENANT_ACL=off. Until then every query is refused.'] : []
  }

  of (tenant: string): TenantUser { return this.#entry(tenant).user }

  /**
   * Makes the tenant's user, or sets its rights and passwords anew: once in the life of this process, and again after forget().
   * @throws DatabaseError database_refused, database_unavailable
   */
  async make (tenant: string): Promise<void> {
    const entry = this.#entry(tenant)
    entry.made ??= this.#setUser(entry.user.name, ['on', ...this.#passwords(tenant).map(hashed), 'resetchannels', '-@all', ...allowedCommands.map(command => `+${command}`), this.#keyPattern(tenant)])
    try {
      await entry.made
    } catch (error) {
      entry.made = undefined
      throw error
    }
  }

  /** The database may have lost the user or changed it. */
  forget (tenant: string) { this.#entry(tenant).made = undefined }

  /** Sees whether users can be made. @throws DatabaseError database_unavailable */
  async check (): Promise<void> {
    await this.#setUser(trialUser, ['off']).catch((error: DatabaseError) => { if (error.code !== 'database_refused') throw error })
  }

  #entry (tenant: string): Entry {
    const known = this.#users.get(tenant)
    if (known !== undefined) return known
    const name = this.#options.multiTenancy ? `${userPrefix}:${encodeTenant(tenant)}` : userPrefix
    const entry: Entry = { user: { name, password: this.#passwords(tenant)[0]! } }
    this.#users.set(tenant, entry)
    return entry
  }

  #passwords (tenant: string): string[] {
    const whose = this.#options.multiTenancy ? `tenant ${tenant}` : 'everybody'
    return this.#keys.map(key => createHmac('sha256', key).update(whose).digest('hex'))
  }

  #keyPattern (tenant: string): string { return this.#options.multiTenancy ? `~${literally(tenantPrefix(tenant))}*` : '~*' }

  async #setUser (name: string, rules: string[]) {
    try {
      await this.#send(['ACL', 'SETUSER', name, 'reset', ...rules])
      this.#refused = false
    } catch (error) {
      const failure = ownFailure(error)
      if (failure.code === 'database_unavailable') throw failure
      this.#refused = true
      throw new DatabaseError('database_refused', 'FalkorDB does not let the gateway make this tenant\'s user; whoever runs it finds the cause in /ready and the log.', { cause: error })
    }
  }
}

/** A password as ACL SETUSER takes it without seeing it: neither MONITOR nor a slow log can show it. */
const hashed = (password: string) => `#${createHash('sha256').update(password).digest('hex')}`

/** A text that a glob pattern of the database takes as it is. */
export const literally = (text: string) => text.replace(/[*?[\]\\^]/g, '\\$&')
