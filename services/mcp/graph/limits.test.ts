import t from 'tap'
import { createClient } from '@redis/client'
import { applyLimits, wantedLimits, type Limits } from './limits.ts'
import { openAdmin, openFalkordb } from './test-database.ts'

const wanted: Limits = wantedLimits({ maxRows: 100, timeoutDefaultMs: 3_000, timeoutMaxMs: 9_000, queryMemoryBytes: 64 * 2 ** 20 })

/** As limits.ts sends: one command as a list. */
async function sender (t: Parameters<typeof openAdmin>[0], url: string) {
  const ask = await openAdmin(t, url)
  return { ask, send: (command: readonly string[]) => ask(...command) }
}

t.test('23: the limits are set and read back, with the settings that only a start of FalkorDB changes', async t => {
  const { url } = await openFalkordb(t, { args: { THREAD_COUNT: 5, CACHE_SIZE: 11, OMP_THREAD_COUNT: 1, TIMEOUT_DEFAULT: 50, TIMEOUT_MAX: 60 } })
  const { ask, send } = await sender(t, url)
  await ask('CONFIG', 'SET', 'maxmemory', '1gb')
  t.strictSame(await applyLimits(send, wanted), { limits: { ...wanted, THREAD_COUNT: 5, CACHE_SIZE: 11, OMP_THREAD_COUNT: 1 }, warnings: [], missing: [] })
  t.match(await ask('GRAPH.CONFIG', 'GET', 'TIMEOUT_MAX'), ['TIMEOUT_MAX', 9_000])
  // Down again: FalkorDB refuses a default above the maximum at every moment.
  const lower = { ...wanted, TIMEOUT_DEFAULT: 20, TIMEOUT_MAX: 30 }
  t.match(await applyLimits(send, lower), { limits: lower, missing: [] })

  await t.test('a database without a memory limit, or one that throws graphs away, is complained of', async t => {
    await ask('CONFIG', 'SET', 'maxmemory', '0')
    await ask('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru')
    const { warnings, missing } = await applyLimits(send, wanted)
    t.strictSame(missing, [])
    t.match(warnings, [/no maxmemory, so one query may take the machine's memory: start it with --maxmemory/, /maxmemory-policy is allkeys-lru, by which it may throw graphs away: set it to noeviction/])
    t.equal(warnings.length, 2)
    await ask('CONFIG', 'SET', 'maxmemory', '1gb')
    await ask('CONFIG', 'SET', 'maxmemory-policy', 'noeviction')
  })

  await t.test('where the gateway may neither read nor set them it says so of each, and works', async t => {
    await ask('ACL', 'SETUSER', 'guest', 'on', '>guest', '~*', '+@all', '-graph.config', '-config')
    const guest = await sender(t, url.replace('redis://', 'redis://guest:guest@'))
    const { limits, warnings, missing } = await applyLimits(guest.send, wanted)
    t.strictSame(limits, {})
    t.strictSame(missing, Object.keys(wanted))
    for (const name of [...missing, 'THREAD_COUNT', 'maxmemory']) t.match(warnings.join('\n'), new RegExp(`${name} cannot be read.*(?:Set it|allow)`))
    t.equal(warnings.length, missing.length + 2)
  })

  await t.test('where it may read and not set, what differs is told with what is wanted', async t => {
    await ask('GRAPH.CONFIG', 'SET', 'RESULTSET_SIZE', '7')
    await ask('ACL', 'SETUSER', 'reader', 'on', '>reader', '~*', '+@all', '-graph.config', '+graph.config|get')
    const reader = await sender(t, url.replace('redis://', 'redis://reader:reader@'))
    const { warnings, missing } = await applyLimits(reader.send, wanted)
    t.strictSame(missing, ['RESULTSET_SIZE'])
    t.strictSame(warnings, ["FalkorDB's RESULTSET_SIZE is 7; the gateway wants 101. Set it in FalkorDB's own configuration or allow GRAPH.CONFIG SET."])
  })
})

t.test('23: too few workers are complained of with what to do', async t => {
  const { url } = await openFalkordb(t, { args: { THREAD_COUNT: 1 } })
  const { ask, send } = await sender(t, url)
  await ask('CONFIG', 'SET', 'maxmemory', '1gb')
  const { limits, warnings, missing } = await applyLimits(send, wanted)
  t.equal(limits.THREAD_COUNT, 1)
  t.strictSame(missing, [])
  t.strictSame(warnings, ['FalkorDB has only 1 worker thread; start it with THREAD_COUNT 16.'])
})

t.test('a lost connection is no refusal: the limits are not taken for unreadable', async t => {
  const { url, stop } = await openFalkordb(t)
  const client = await createClient({ url, socket: { reconnectStrategy: false } }).on('error', () => {}).connect()
  await stop()
  await t.rejects(applyLimits(command => client.sendCommand([...command]), wanted))
})
