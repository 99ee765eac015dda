/** The administrator's connection for what may take its time: the control connection would look as if FalkorDB were away meanwhile. */
import { Connection, type Send } from './connection.ts'
import { ownFailure, unavailable } from './failures.ts'

/** Commands run one after the other; the connection is opened when it is needed. */
export class Background {
  readonly #open: () => Promise<Connection>
  #connection: Connection | undefined
  #last: Promise<unknown> = Promise.resolve()
  #closed = false

  /** @param open a connection as the administrator */
  constructor (open: () => Promise<Connection>) { this.#open = open }

  /** @throws GatewayError */
  readonly ask: Send = command => {
    const asked = this.#last.then(() => this.#send(command))
    this.#last = asked.catch(() => {})
    return asked
  }

  close () {
    this.#closed = true
    this.#connection?.destroy()
  }

  async #send (command: readonly string[]) {
    try {
      if (this.#connection?.usable !== true) this.#connection = await this.#open()
      if (this.#closed) {
        this.#connection.destroy()
        throw unavailable()
      }
      return await this.#connection.send(command)
    } catch (error) {
      throw ownFailure(error, command[2])
    }
  }
}
