import t from 'tap'
import { withoutSecrets } from './redact.ts'

t.test('what holds no secret stays the same object', async t => {
  const record = { method: 'GET', nested: { list: [1, { a: 'b' }] }, nothing: null, when: new Date(0) }
  t.equal(withoutSecrets(record), record)
})

t.test('a secret goes, wherever it stands and however its name is written, and the record itself keeps it', async t => {
  const record = { headers: { Authorization: 's1', 'X-API-Key': ['s2'], host: 'h' }, list: [{ token: 's3' }, 'kept'], a: { b: { c: { password: { is: 's4' } } } } }
  t.strictSame(withoutSecrets(record), {
    headers: { Authorization: '[redacted]', 'X-API-Key': '[redacted]', host: 'h' }, list: [{ token: '[redacted]' }, 'kept'], a: { b: { c: { password: '[redacted]' } } }
  })
  t.equal(record.headers.Authorization, 's1')
})

t.test('a record without end has one in the log', async t => {
  const endless: Record<string, unknown> = { name: 'x' }
  endless.self = endless
  t.match(JSON.stringify(withoutSecrets(endless)), 'too deep')
})
