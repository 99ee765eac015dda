import t from 'tap'
import { Lane } from './lane.ts'

const turn = () => new Promise(resolve => setImmediate(resolve))

t.test('the first is done at once, then one in each turn of the event loop, in order', async t => {
  const lane = new Lane()
  const done: number[] = []
  t.equal(lane.run(() => { done.push(0); return 'at once' }), 'at once')
  const waiting = [1, 2, 3].map(n => lane.run(() => { done.push(n); return n }))
  t.strictSame(done, [0])
  for (let n = 1; n <= 3; n++) {
    await turn()
    t.strictSame(done, [0, 1, 2, 3].slice(0, n + 1))
  }
  t.strictSame(await Promise.all(waiting), [1, 2, 3])
  await turn()
  t.equal(lane.run(() => 'free again'), 'free again')
})

t.test('work that fails fails its own caller alone', async t => {
  const lane = new Lane()
  t.throws(() => lane.run(() => { throw new Error('mine') }), { message: 'mine' })
  const failing = Promise.resolve(lane.run(() => { throw new Error('later') }))
  const next = lane.run(() => 'well')
  await t.rejects(failing, { message: 'later' })
  t.equal(await next, 'well')
})

t.test('beyond 1,000 that wait the next is told to come again, and the others are still served', async t => {
  const lane = new Lane()
  lane.run(() => {})
  const waiting = Array.from({ length: 1_000 }, (_, n) => lane.run(() => n))
  t.throws(() => lane.run(() => {}), { type: 'UnavailableError', status: 503, code: 'busy', retryAfter: 1 })
  t.equal((await Promise.all(waiting)).length, 1_000)
})
