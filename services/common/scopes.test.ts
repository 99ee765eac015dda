import t from 'tap'
import { expandScopes, grantedScopes, isScope } from './scopes.ts'

t.test('a scope includes those below it', async t => {
  t.strictSame(expandScopes(['graph:admin']), ['graph:read', 'graph:write', 'graph:admin'])
  t.strictSame(expandScopes(['graph:write']), ['graph:read', 'graph:write'])
  t.strictSame(expandScopes(['graph:read']), ['graph:read'])
  t.strictSame(expandScopes([]), [])
})

t.test('an issuer\'s own names grant what the mapping says, and unknown names grant nothing', async t => {
  t.strictSame(grantedScopes(['openid', 'write'], { write: 'graph:write' }), ['graph:read', 'graph:write'])
  t.strictSame(grantedScopes(['constructor', '__proto__', 'toString'], {}), [])
  t.strictSame(grantedScopes(['GRAPH:READ', 'graph:*'], {}), [])
  t.notOk(isScope('graph'))
})
