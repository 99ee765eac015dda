import fc from 'fast-check'
import t from 'tap'
import { encodeTenant, isTenantId, normalizeGraphName, tenantAllowed, tenantPrefix } from './tenants.ts'

const tenantId = fc.string({ unit: 'binary', minLength: 1, maxLength: 32 }).filter(isTenantId)

t.test('25: the first underscore of a key always ends the tenant', async t => {
  t.equal(tenantPrefix('tenant123'), 'tenant123_')
  t.equal(tenantPrefix('a_b'), 'a=5Fb_')
  t.equal(encodeTenant('café*'), 'caf=C3=A9=2A')
  fc.assert(fc.property(tenantId, tenant => !encodeTenant(tenant).includes('_') && /^[\x21-\x7e]+$/.test(encodeTenant(tenant))))
})

t.test('25: no two tenants share an encoding', async () => {
  const decoded = (encoded: string) => Buffer.from(encoded.replace(/=(..)/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))), 'latin1').toString()
  fc.assert(fc.property(tenantId, tenant => decoded(encodeTenant(tenant)) === tenant))
})

t.test('a tenant id has 1 to 128 bytes of well-formed text', async t => {
  t.ok(isTenantId('a'.repeat(128)))
  for (const id of ['', 'a'.repeat(129), 'é'.repeat(65), '\ud800', 7, null, undefined, ['a']]) t.notOk(isTenantId(id))
})

t.test('a graph name is 1 to 128 code points of letters, marks, numbers and _.:-', async t => {
  t.equal(normalizeGraphName('films'), 'films')
  t.equal(normalizeGraphName('cafe\u0301'), 'café', 'NFC')
  t.equal(normalizeGraphName('𝒜'.repeat(128)), '𝒜'.repeat(128))
  for (const name of ['', 'a b', 'a*', 'a/b', 'a\0', '../x', 'a'.repeat(129), 'x'.repeat(10_240), '\ud800', "a'"]) t.equal(normalizeGraphName(name), undefined, JSON.stringify(name.slice(0, 12)))
})

t.test('an issuer names only the tenants that its patterns allow', async t => {
  t.ok(tenantAllowed('acme', ['acme']))
  t.ok(tenantAllowed('acme-eu', ['other', 'acme-*']))
  t.ok(tenantAllowed('anything', ['*']))
  t.ok(tenantAllowed('a-mid-z', ['a*mid*z']))
  for (const [tenant, pattern] of [['acme', 'acm'], ['acme', 'acme-*'], ['xacme', 'acme*'], ['ab', 'ab*b'], ['acme', ''], ['a.c', 'a?c'], ['aXc', 'a.c']] as const) {
    t.notOk(tenantAllowed(tenant, [pattern]), `${tenant} against ${pattern}`)
  }
  t.notOk(tenantAllowed('acme', []))
})
