import { createSigner } from 'fast-jwt'
import t from 'tap'
import { AuthenticationError } from './errors.ts'
import { createIdentityReader, createIdentityWriter, type Identity } from './identity.ts'
import { deriveKeys } from './secrets.ts'

const current = 'c0ffee'.repeat(8)
const former = 'facade'.repeat(8)
const ada: Identity = { tenantId: 'a_b', userId: 'ada@example.com', clientId: 'Claude / Desktop', scopes: ['graph:read', 'graph:write'], issuer: 'https://id.example.com' }

t.test('what verify writes is what mcp reads', async t => {
  const headers = createIdentityWriter([current])(ada)
  t.equal(headers['x-tenant-id'], 'a=5Fb')
  t.equal(headers['x-client-id'], 'Claude%20%2F%20Desktop')
  t.strictSame(createIdentityReader([current])(headers), ada)
})

t.test('while GATEWAY_SECRET rotates, both secrets are believed', async t => {
  const read = createIdentityReader([current, former])
  t.strictSame(read(createIdentityWriter([former])(ada)), ada)
  t.strictSame(read(createIdentityWriter([current, former])(ada)), ada)
  t.throws(() => createIdentityReader([current])(createIdentityWriter([former])(ada)), AuthenticationError)
})

t.test('14: headers that the assertion does not bear out are refused', async t => {
  const read = createIdentityReader([current])
  const good = createIdentityWriter([current])(ada)
  for (const [name, value] of [
    ['x-tenant-id', 'bob'], ['x-tenant-id', ''], ['x-tenant-id', 'a=5Fb, a=5Fb'], ['x-tenant-id', undefined], ['x-tenant-id', 'a_b'],
    ['x-user-id', 'eve'], ['x-client-id', ''], ['x-auth-scopes', 'graph:read graph:write graph:admin'],
    ['x-identity-assertion', undefined], ['x-identity-assertion', ''], ['x-identity-assertion', 'a.b.c'], ['x-identity-assertion', `${good['x-identity-assertion']}x`]
  ] as const) {
    t.throws(() => read({ ...good, [name]: value }), AuthenticationError, `${name}: ${value}`)
  }
  t.throws(() => read({}), AuthenticationError)
  t.throws(() => read({ ...good, 'x-tenant-id': ['a=5Fb'] }), AuthenticationError)
})

t.test('an assertion that was read before is refused once it has expired, and with headers that it does not bear out', async t => {
  const [key] = deriveKeys([current], 'identity-assertion')
  const read = createIdentityReader([current])
  const issued = Date.now() - 34_000
  const claims = { sub: ada.userId, tenant: ada.tenantId, client_id: ada.clientId, scope: ada.scopes.join(' '), idp: ada.issuer }
  const old = createSigner({ key, algorithm: 'HS256', aud: 'falkordb-mcp-gateway/mcp', iss: 'falkordb-mcp-gateway/verify', expiresIn: 30_000, clockTimestamp: issued })(claims)
  const headers = { ...createIdentityWriter([current])(ada), 'x-identity-assertion': old }
  t.strictSame(read(headers), ada, 'two clocks may differ a little')
  t.throws(() => read({ ...headers, 'x-tenant-id': 'bob' }), AuthenticationError)
  const now = Date.now
  t.teardown(() => { Date.now = now })
  Date.now = () => now() + 5_000
  t.throws(() => read(headers), AuthenticationError)
})

t.test('an assertion counts only from verify, for mcp, in its time, and with a tenant', async t => {
  const [key] = deriveKeys([current], 'identity-assertion')
  const good = createIdentityWriter([current])(ada)
  const read = createIdentityReader([current])
  const claims = { sub: ada.userId, tenant: ada.tenantId, client_id: ada.clientId, scope: ada.scopes.join(' '), idp: ada.issuer }
  const right = { key, algorithm: 'HS256', aud: 'falkordb-mcp-gateway/mcp', iss: 'falkordb-mcp-gateway/verify', expiresIn: 30_000 } as const
  const assertion = (options: object, change: object = {}) => ({ ...good, 'x-identity-assertion': createSigner({ ...right, ...options })({ ...claims, ...change }) })
  t.strictSame(read(assertion({})), ada, 'the right one is read')
  t.throws(() => read(assertion({ aud: 'another' })), AuthenticationError, 'audience')
  t.throws(() => read(assertion({ iss: 'another' })), AuthenticationError, 'issuer')
  t.throws(() => read(assertion({ key: Buffer.alloc(32, 7) })), AuthenticationError, 'key')
  t.throws(() => read(assertion({ clockTimestamp: Date.now() - 120_000 })), AuthenticationError, 'expired')
  t.throws(() => read(assertion({ expiresIn: 3_600_000, clockTimestamp: Date.now() - 120_000 })), AuthenticationError, 'older than the contract allows')
  t.throws(() => read(assertion({}, { tenant: '' })), AuthenticationError, 'empty tenant')
  t.throws(() => read(assertion({}, { tenant: undefined })), AuthenticationError, 'no tenant')
  t.throws(() => read(assertion({}, { scope: 'graph:root' })), AuthenticationError, 'unknown scope')
  const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${good['x-identity-assertion']?.split('.')[1]}.`
  t.throws(() => read({ ...good, 'x-identity-assertion': unsigned }), AuthenticationError, 'alg none')
})
