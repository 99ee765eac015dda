import fc from 'fast-check'
import t from 'tap'
import { claimed, claimedText, readable } from './readable.ts'

const rows: Array<[promise: string, name: string, shown: string]> = [
  ['an ordinary name stays', 'Claude Code (graphs)', 'Claude Code (graphs)'],
  ['a name in another script stays', 'مساعد می‌خواهم', 'مساعد می‌خواهم'],
  ['an emoji of several parts stays', 'Team 👩‍💻', 'Team 👩‍💻'],
  ['directions are not turned', '\u{202e}moc.rekcatta\u{2066} app', 'moc.rekcatta app'],
  ['nothing hides in it', 'Cla\u{200b}u\u{ad}de\u{feff}\u{2060}\u{3164}', 'Claude'],
  ['it stays in its line', 'Claude\n\r\tVerified\u{2028}by us', 'Claude Verified by us'],
  ['it does not end its quotation marks', 'Claude” (verified: “Bank', 'Claude’ (verified: ’Bank'],
  ['accents do not pile up over the neighbours', `Z${'\u{301}'.repeat(40)}algo`, 'Ź\u{301}\u{301}\u{301}algo']
]
for (const [promise, name, shown] of rows) t.test(promise, async t => { t.equal(readable(name), shown) })

t.test('a long name is cut between characters, never within one', async t => {
  t.equal(readable('🦉'.repeat(200)), `${'🦉'.repeat(100)}…`)
})

t.test('a name that shows nothing is said to be none', async t => {
  for (const name of ['', '   ', '\u{200b}\u{202e}', '\u{200d}\u{200c}', '\u{301}']) {
    t.equal(claimed(name).toString(), 'nothing at all')
    t.equal(claimedText(name), 'nothing at all')
  }
})

t.test('whatever somebody calls themselves, no control of direction or line is left in it', async () => {
  const hostile = fc.string({ unit: fc.oneof(fc.constantFrom('\u{202e}', '\u{2067}', '\u{200f}', '\u{200b}', '\n', '\u{85}', '”', '\u{e0041}'), fc.string({ unit: 'binary', maxLength: 1 })) })
  fc.assert(fc.property(hostile, name => !/[\u{200b}\u{200e}\u{200f}\u{202a}-\u{202e}\u{2066}-\u{2069}\p{Cc}\u{2028}\u{2029}“”"]/u.test(readable(name))))
})
