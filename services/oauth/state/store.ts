/** All that sign-in keeps: in Valkey only, so that any replica can go on where another has stopped. */
import { errors, type Adapter } from 'oidc-provider'
import { UnavailableError } from '@gateway/common/errors.ts'
import type { StateClient } from '@gateway/common/state.ts'
import { openAccounts, type Accounts } from './accounts.ts'
import { openAdapter } from './adapter.ts'
import { openClients, type Clients } from './clients.ts'
import { openGrants, type Grants } from './grants.ts'
import { isModel } from './names.ts'
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
  const { clients, adapter: clientAdapter } = openClients(client, grants, options)
  return {
    adapter: model => {
      if (model === 'Client') return inTheProvidersWords(clientAdapter)
      if (isModel(model)) return inTheProvidersWords(openAdapter(model, { client, grants, reuseGraceSeconds: options.reuseGraceSeconds }))
      throw new TypeError(`${model} belongs to a feature that is not offered`)
    },
    grants,
    accounts: openAccounts(client),
    signIns: openSignIns(client),
    clients
  }
}

/** A store that is away is `temporarily_unavailable` with 503 to a client, which keeps its tokens and tries again. */
function inTheProvidersWords (adapter: Adapter): Adapter {
  const told = <Args extends unknown[], Answer>(method: (...args: Args) => Promise<Answer>) => async (...args: Args): Promise<Answer> => {
    try {
      return await method(...args)
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error
      throw Object.assign(new errors.TemporarilyUnavailable(error.message, { cause: error }), { status: 503, statusCode: 503 })
    }
  }
  return {
    upsert: told(adapter.upsert),
    find: told(adapter.find),
    findByUid: told(adapter.findByUid),
    findByUserCode: told(adapter.findByUserCode),
    consume: told(adapter.consume),
    destroy: told(adapter.destroy),
    revokeByGrantId: told(adapter.revokeByGrantId)
  }
}
