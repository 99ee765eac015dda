import { freePort } from '../../dev/free-port.ts'
import { startStateStore, type StateStoreOptions } from '../../dev/programs/state-store.ts'

/** A Valkey of its own for a test, stopped with it. */
export async function startValkey (t: { teardown: (end: () => unknown) => void }, options: Partial<StateStoreOptions> = {}) {
  const valkey = await startStateStore({ port: await freePort(), say: () => {}, ...options })
  t.teardown(() => valkey.stop())
  return valkey
}
