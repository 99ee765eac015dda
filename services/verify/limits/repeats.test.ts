import t from 'tap'
import { Repeats } from './repeats.ts'
import { windowStart } from './test-support.ts'

const rule = { reason: 'subject_limited', status: 429 }

function open () {
  const clock = { ms: windowStart }
  const told: Array<object> = []
  const repeats = new Repeats((facts, times) => told.push({ ...facts, times }), () => clock.ms)
  t.teardown(() => repeats.flush())
  return { clock, told, repeats }
}

t.test('the first of like refusals is told at once, the others as a number when the window ends', async t => {
  const { clock, told, repeats } = open()
  t.ok(repeats.isFirst(rule, { subject: 'ada' }))
  for (let n = 0; n < 7; n++) t.notOk(repeats.isFirst(rule, { subject: 'ada' }))
  t.ok(repeats.isFirst(rule, { subject: 'bob' }))
  t.ok(repeats.isFirst({ ...rule, reason: 'tenant_limited' }, { subject: 'ada' }))
  t.strictSame(told, [])
  clock.ms += 10_000
  t.ok(repeats.isFirst(rule, { subject: 'ada' }), 'a new window')
  t.strictSame(told, [{ ...rule, subject: 'ada', times: 7 }], 'what came once is told once')
})

t.test('the number is told at the window\'s end even if nobody calls again', async t => {
  const { clock, told, repeats } = open()
  clock.ms += 9_500
  repeats.isFirst(rule, { subject: 'ada' })
  repeats.isFirst(rule, { subject: 'ada' })
  for (const end = Date.now() + 20_000; told.length === 0 && Date.now() < end;) await new Promise(resolve => setTimeout(resolve, 20))
  t.strictSame(told, [{ ...rule, subject: 'ada', times: 1 }])
})

t.test('memory is bounded: of more than 500 kinds in one window the number alone is told, and none is lost', async t => {
  const { told, repeats } = open()
  let first = 0
  for (let n = 0; n < 2_000; n++) if (repeats.isFirst(rule, { address: n })) first++
  t.equal(first, 500)
  t.notOk(repeats.isFirst(rule, { address: 0 }))
  repeats.flush()
  t.strictSame(told, [{ ...rule, address: 0, times: 1 }, { ...rule, times: 1_500 }])
})
