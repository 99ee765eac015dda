/** All that sign-in keeps: in Valkey only, so that any replica can go on where another has stopped. */
import { errors, type Adapter } from 'oidc-provider'
import { UnavailableError } from '@gateway/common/errors.ts'
import type { StateClient } from '@gateway/common/state.ts'
import { openAccounts, type Accounts } from './accounts.ts'
import { openAdapter } from './adapter.ts'
import { openClients, type Clients } from './clients.ts'
import { openGrants, type Grants } from './grants.ts'
import { isModel } from './names.ts'
import { openRoom } from './room.ts'
import { openSignIns, type SignIns } from './sign-ins.ts'

export { gidOf } from './names.ts'
export type { Connection, Grants } from './grants.ts'
export type { Accounts } from './accounts.ts'
export type { Clients, MachineClient, NewMachineClient } from './clients.ts'
export type { SignIns } from './sign-ins.ts'

export interface Store {
  /** oidc-provider's adapter for a model. @throws TypeError for a model of a feature that is not offered */
  adapter: (model: string) => Adapter
  grants: Grants
  accounts: Accounts
  signIns: SignIns
  clients: Clients
}

export interface StoreOptions {
  issuer: string
  /** CLIENT_UNUSED_S. */
  clientUnusedSeconds: number
  /** ACCESS_TOKEN_TTL_S. */
  accessTokenSeconds: number
  /** REFRESH_REUSE_GRACE_S. */
  reuseGraceSeconds: number
  /** CLIENTS_MAX. */
  clientsMax: number
}

/** @param client each call fails at once while it has no connection */
export function openStore (client: StateClient, options: StoreOptions): Store {
  const grants = openGrants(client, options)
  const room = openRoom(client)
  const { clients, adapter: clientAdapter } = openClients(client, grants, room, options)
  return {
    adapter: model => {
      if (model === 'Client') return adapterInItsWords(clientAdapter)
      if (isModel(model)) return adapterInItsWords(openAdapter(model, { client, grants, room, reuseGraceSeconds: options.reuseGraceSeconds }))
      throw new TypeError(`${model} belongs to a feature that is not offered`)
    },
    grants,
    accounts: openAccounts(client),
    signIns: openSignIns(client),
    clients
  }
}

/** A store that is away is `temporarily_unavailable` with 503 to a client, which keeps its tokens and tries again. */
export function inTheProvidersWords<Args extends unknown[], Answer> (work: (...args: Args) => Promise<Answer>): (...args: Args) => Promise<Answer> {
  return async (...args) => {
    try {
      return await work(...args)
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error
      throw Object.assign(new errors.TemporarilyUnavailable(error.message, { cause: error }), { status: 503, statusCode: 503 })
    }
  }
}

function adapterInItsWords (adapter: Adapter): Adapter {
  return {
    upsert: inTheProvidersWords(adapter.upsert),
    find: inTheProvidersWords(adapter.find),
    findByUid: inTheProvidersWords(adapter.findByUid),
    findByUserCode: inTheProvidersWords(adapter.findByUserCode),
    consume: inTheProvidersWords(adapter.consume),
    destroy: inTheProvidersWords(adapter.destroy),
    revokeByGrantId: inTheProvidersWords(adapter.revokeByGrantId)
  }
}
