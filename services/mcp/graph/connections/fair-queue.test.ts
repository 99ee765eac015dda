import { setImmediate as settled } from 'node:timers/promises'
import t from 'tap'
import fc from 'fast-check'
import { FairQueue } from './fair-queue.ts'

const patient = { ms: 60_000 }

/** Enters in the background; `order` gets the tenant's name when it is let in. */
function line (queue: FairQueue, order: string[] = []) {
  const left: AbortController[] = []
  return {
    order,
    join: (tenant: string) => {
      const { signal } = left[left.push(new AbortController()) - 1] as AbortController
      queue.enter(tenant, { ...patient, signal }).then(() => order.push(tenant), () => {})
    },
    /** Whoever still waits goes, so that no timer is left. */
    disperse: () => { for (const one of left) one.abort() }
  }
}

t.test('one tenant with a thousand waiting calls does not hold up the first call of another', async t => {
  const queue = new FairQueue({ places: 4, placesPerTenant: 4, waitingPerTenant: 1_000 })
  const { order, join, disperse } = line(queue)
  t.teardown(disperse)
  for (let call = 0; call < 1_000; call++) join('busy')
  join('other')
  await settled()
  t.strictSame(order, ['busy', 'busy', 'busy', 'busy'])
  queue.leave('busy')
  queue.leave('busy')
  await settled()
  t.same(order.slice(4).toSorted(), ['busy', 'other'], 'of the next two places the other has one')
})

t.test('who waits is let in tenant by tenant, each in its own order of arrival', async t => {
  const queue = new FairQueue({ places: 1, placesPerTenant: 1, waitingPerTenant: 10 })
  const { order, join } = line(queue)
  for (const tenant of ['a', 'a', 'a', 'b', 'c', 'c']) join(tenant)
  for (let left = 0; left < 6; left++) {
    await settled()
    t.equal(order.length, left + 1, 'one at a time')
    queue.leave(order[left] as string)
  }
  t.strictSame(order, ['a', 'b', 'c', 'a', 'c', 'a'])
  t.equal(queue.tenants, 0)
})

t.test('a tenant at its own limit waits while places are free, and takes nobody\'s turn', async t => {
  const queue = new FairQueue({ places: 3, placesPerTenant: 1, waitingPerTenant: 10 })
  const { order, join } = line(queue)
  for (const tenant of ['a', 'a', 'b', 'c', 'd']) join(tenant)
  await settled()
  t.strictSame(order, ['a', 'b', 'c'], 'a\'s second call waits for its first')
  queue.leave('b')
  await settled()
  t.strictSame(order, ['a', 'b', 'c', 'd'])
  queue.leave('c')
  queue.leave('d')
  await settled()
  t.equal(order.length, 4, 'two places are free, a still has its one')
  queue.leave('a')
  await settled()
  t.strictSame(order.slice(4), ['a'])
  queue.leave('a')
  t.equal(queue.tenants, 0)
})

t.test('a tenant with too many waiting is refused at once, and the others are not', async t => {
  const queue = new FairQueue({ places: 2, placesPerTenant: 1, waitingPerTenant: 1 })
  await queue.enter('a', patient)
  const second = queue.enter('a', patient)
  await t.rejects(queue.enter('a', patient), { type: 'RateLimitError', code: 'queue_full', status: 429, retryAfter: 1 })
  await queue.enter('b', patient)
  queue.leave('a')
  await second
  queue.leave('a')
  queue.leave('b')
  t.equal(queue.tenants, 0)
})

t.test('a wait that takes too long ends with queue_full and leaves nothing behind', async t => {
  const queue = new FairQueue({ places: 1, placesPerTenant: 1, waitingPerTenant: 5 })
  await queue.enter('a', patient)
  await t.rejects(queue.enter('b', { ms: 1 }), { code: 'queue_full' })
  await t.rejects(queue.enter('b', { ms: -5 }), { code: 'queue_full' }, 'time that is over already is no time')
  t.equal(queue.tenants, 1)
  queue.leave('a')
  await queue.enter('c', patient)
  queue.leave('c')
  t.equal(queue.tenants, 0)
})

t.test('a caller who goes away while it waits takes no place', async t => {
  const queue = new FairQueue({ places: 1, placesPerTenant: 1, waitingPerTenant: 5 })
  await queue.enter('a', patient)
  const gone = new AbortController()
  const waiting = queue.enter('b', { ...patient, signal: gone.signal })
  const behind = queue.enter('b', patient)
  gone.abort(new Error('the client left'))
  await t.rejects(waiting, { message: 'the client left' })
  queue.leave('a')
  await behind
  queue.leave('b')
  await t.rejects(queue.enter('c', { ...patient, signal: AbortSignal.abort(new Error('gone before')) }), { message: 'gone before' })
  t.equal(queue.tenants, 0)
  await queue.enter('d', patient)
  gone.abort()
  queue.leave('d')
})

t.test('a caller who goes away once it is in keeps its place until it leaves', async t => {
  const queue = new FairQueue({ places: 1, placesPerTenant: 1, waitingPerTenant: 5 })
  const gone = new AbortController()
  await queue.enter('a', { ...patient, signal: gone.signal })
  const waiting = queue.enter('b', { ...patient, signal: gone.signal })
  queue.leave('a')
  gone.abort()
  await waiting
  await t.rejects(queue.enter('c', { ms: 1 }), { code: 'queue_full' })
  queue.leave('b')
  t.equal(queue.tenants, 0)
})

t.test('leaving without having entered is a fault that shows', async t => {
  const queue = new FairQueue({ places: 1, placesPerTenant: 1, waitingPerTenant: 1 })
  t.throws(() => queue.leave('a'), /more have left than entered/)
  await queue.enter('a', patient)
  const waiting = queue.enter('b', { ms: 1 })
  t.throws(() => queue.leave('b'), /more have left than entered/, 'who waits is not in')
  await t.rejects(waiting, { code: 'queue_full' })
  queue.leave('a')
  t.throws(() => queue.leave('a'), /more have left than entered/)
})

type Step = { act: 'enter' | 'short' | 'leave' | 'abort' | 'timers', tenant: number, pick: number }
const step: fc.Arbitrary<Step> = fc.record({
  act: fc.constantFrom('enter' as const, 'enter' as const, 'enter' as const, 'short' as const, 'leave' as const, 'leave' as const, 'leave' as const, 'abort' as const, 'timers' as const),
  tenant: fc.nat(5),
  pick: fc.nat(1_000)
})

t.test('no place is ever given twice or lost, and nobody waits beside a free place, whatever comes in which order', async t => {
  let steps = 0
  await fc.assert(fc.asyncProperty(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 4 }), fc.array(step, { minLength: 20, maxLength: 120 }), async (places, placesPerTenant, script) => {
    const waitingPerTenant = 5
    const queue = new FairQueue({ places, placesPerTenant, waitingPerTenant })
    const inside: string[] = []
    const waiting = new Map<AbortController, string>()
    const of = (tenant: string) => inside.filter(one => one === tenant).length
    const check = () => {
      if (inside.length > places) throw new Error(`${inside.length} are inside of ${places} places`)
      const known = new Set([...inside, ...waiting.values()])
      for (const tenant of known) {
        if (of(tenant) > placesPerTenant) throw new Error('a tenant has more places than it may')
        if ([...waiting.values()].filter(one => one === tenant).length > waitingPerTenant) throw new Error('more wait than may')
      }
      for (const tenant of waiting.values()) if (inside.length < places && of(tenant) < placesPerTenant) throw new Error('somebody waits beside a free place')
      if (queue.tenants !== known.size) throw new Error(`it knows ${queue.tenants} tenants of ${known.size}`)
    }
    const enter = (tenant: string, ms: number) => {
      const call = new AbortController()
      waiting.set(call, tenant)
      queue.enter(tenant, { ms, signal: call.signal }).then(() => inside.push(tenant), () => {}).finally(() => waiting.delete(call))
    }
    for (const { act, tenant, pick } of script) {
      if (act === 'enter') enter(`t${tenant}`, 60_000)
      else if (act === 'short') enter(`t${tenant}`, 0)
      else if (act === 'leave' && inside.length > 0) queue.leave(inside.splice(pick % inside.length, 1)[0] as string)
      else if (act === 'abort' && waiting.size > 0) [...waiting.keys()][pick % waiting.size]?.abort()
      else if (act === 'timers') await new Promise(resolve => setTimeout(resolve, 1))
      await settled()
      check()
      steps++
    }
    for (const call of waiting.keys()) call.abort()
    await settled()
    while (inside.length > 0) {
      queue.leave(inside.pop() as string)
      await settled()
    }
    if (queue.tenants !== 0 || waiting.size !== 0) throw new Error('somebody is left')
  }), { numRuns: 200, seed: 20_261_121 })
  t.ok(steps > 4_000, `${steps} steps`)
})

t.test('with ten thousand tenants waiting at their own limit, a place goes round without looking at each of them', async t => {
  const tenants = 10_000
  const queue = new FairQueue({ places: tenants + 1, placesPerTenant: 1, waitingPerTenant: 2 })
  const { order, join, disperse } = line(queue)
  t.teardown(disperse)
  for (let tenant = 0; tenant < tenants; tenant++) {
    join(`t${tenant}`)
    join(`t${tenant}`)
  }
  await settled()
  t.equal(order.length, tenants)
  // The steps of every walk through a map, counted where the language takes them.
  const walk = Object.getPrototypeOf(new Map().entries()) as { next: () => unknown }
  const { next } = walk
  let steps = 0
  walk.next = function (this: unknown) {
    steps++
    return next.call(this)
  }
  // The last first: the others stand before it.
  for (let call = tenants; call-- > 0;) queue.leave(`t${call}`)
  walk.next = next
  await settled()
  t.strictSame(order.slice(tenants), order.slice(0, tenants).reverse(), 'each when its first call has left')
  t.ok(steps <= 2 * tenants, `${steps} steps for ${tenants} places`)
})
