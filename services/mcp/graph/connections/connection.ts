/** A connection for queries. It runs as the tenant whose call it has, never as the administrator where tenants are users. */
import { ErrorReply } from '@redis/client'
import { DatabaseError } from '@gateway/common/errors.ts'
import { within } from '@gateway/common/within.ts'
import type { Raw } from '../values/values.ts'
import { unavailable } from './failures.ts'
import type { TenantUsers } from './tenant-users.ts'
import { Wire, type Address } from './wire.ts'

/** Sends one command; the reply's integers are strings. */
export type Send = (command: readonly string[]) => Promise<Raw>

/** How long FalkorDB may take to answer what needs no work, ms. */
const promptMs = 2_000

/** FalkorDB blocks a connection while its query runs, so each is for one command at a time. A lost one is replaced by another; what ran on it is never sent again. */
export class Connection {
  readonly #wire: Wire
  /** Whom FalkorDB has let in last; undefined: nobody, or the user of the URL. */
  #user: string | undefined
  #forgetRights = () => {}
  /** Its call has been given up by the caller; FalkorDB still owes an answer. */
  overdue = false

  private constructor (wire: Wire) { this.#wire = wire }

  /**
   * @param asUrlUser whether to come as the user that the URL names; else the first user is the one of become()
   * @throws where FalkorDB does not let it in within 2 s
   */
  static async open (address: Address, { maxReplyBytes, asUrlUser }: { maxReplyBytes: number, asUrlUser: boolean }): Promise<Connection> {
    const wire = await Wire.open(address, maxReplyBytes)
    const { username = 'default', password } = address
    try {
      if (asUrlUser && password !== undefined) await within(promptMs, 'FalkorDB', wire.send(['AUTH', username, password]))
    } catch (error) {
      wire.destroy()
      throw error
    }
    return new Connection(wire)
  }

  get usable (): boolean { return this.#wire.open }

  get user (): string | undefined { return this.#user }

  readonly send: Send = command => this.#wire.send(command)

  /**
   * Makes the tenant the one as whom the next command runs. It waits for FalkorDB's yes: a query sent behind a refused AUTH would run as
   * the user before.
   * @throws DatabaseError; the connection must not be used then
   */
  async become (tenant: string, users: TenantUsers): Promise<void> {
    const { name, password } = users.of(tenant)
    if (this.#user === name) return
    this.#user = undefined
    await users.make(tenant)
    const auth = () => within(promptMs, 'FalkorDB', this.send(['AUTH', name, password]))
    try {
      await auth().catch(async (error: unknown) => {
        if (!(error instanceof ErrorReply)) throw error
        // A restart of the database, or somebody in it, has taken the user away.
        users.forget(tenant)
        await users.make(tenant)
        await auth()
      })
    } catch (error) {
      if (error instanceof DatabaseError) throw error
      throw error instanceof ErrorReply ? new DatabaseError('database_refused', 'FalkorDB does not let this tenant in; whoever runs the gateway finds the cause in the log.', { cause: error }) : unavailable(error)
    }
    this.#user = name
    this.#forgetRights = () => users.forget(tenant)
  }

  /** FalkorDB did not let the user do something: its rights are set anew before the next call. */
  forgetUser () {
    this.#user = undefined
    this.#forgetRights()
  }

  /** Gives the socket up, with whatever runs on it. */
  destroy () { this.#wire.destroy() }
}
