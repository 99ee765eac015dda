import t from 'tap'
import fc from 'fast-check'
import { isTenantId, normalizeGraphName } from '@gateway/common/tenants.ts'
import { graphKey, graphNameOf } from './name.ts'

const tenant = fc.oneof(
  fc.string({ unit: fc.constantFrom('a', 'b', '_', '=', '5', 'F', '-', '.', 'ä', '/'), minLength: 1, maxLength: 6 }),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
).filter(isTenantId)
const graph = fc.oneof(
  fc.string({ unit: fc.constantFrom('a', 'b', '_', '5', 'F', '-', '.', ':'), minLength: 1, maxLength: 6 }),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
).filter(name => normalizeGraphName(name) !== undefined)

t.test('25: no two pairs of tenant and graph share a key', async t => {
  fc.assert(fc.property(tenant, graph, tenant, graph, (tenantA, graphA, tenantB, graphB) => {
    const a = graphKey(tenantA, graphA, true)
    const b = graphKey(tenantB, graphB, true)
    return (a.key === b.key) === (tenantA === tenantB && a.graphName === b.graphName)
  }), { numRuns: 5_000 })
  t.pass()
})

t.test('25: tenants a and a_b never collide on any graph name', async t => {
  fc.assert(fc.property(graph, graph, (one, other) => {
    const key = graphKey('a', one, true).key
    return key !== graphKey('a_b', other, true).key && graphNameOf('a_b', key, true) === undefined
  }), { numRuns: 5_000 })
  t.equal(graphKey('a', 'b_c', true).key, 'a_b_c')
  t.equal(graphKey('a_b', 'c', true).key, 'a=5Fb_c')
})

t.test('a key gives its name back to its own tenant, and to nobody else', async t => {
  fc.assert(fc.property(tenant, tenant, graph, (mine, other, name) => {
    const { key, graphName } = graphKey(mine, name, true)
    return graphNameOf(mine, key, true) === graphName && (mine === other || graphNameOf(other, key, true) === undefined)
  }), { numRuns: 5_000 })
  t.equal(graphNameOf('acme', 'acme_', true), undefined)
  t.equal(graphNameOf('acme', 'acme_bad name', true), undefined, 'a key that no gateway made')
})

t.test('the contract’s example, and one without tenants', async t => {
  t.strictSame(graphKey('tenant123', 'memories', true), { graphName: 'memories', key: 'tenant123_memories' })
  t.strictSame(graphKey('tenant123', 'memories', false), { graphName: 'memories', key: 'memories' })
  t.equal(graphNameOf('anybody', 'memories', false), 'memories')
})

t.test('a name is the same in NFC and NFD', async t => {
  t.strictSame(graphKey('a', 'Cafe\u0301', true), graphKey('a', 'Caf\u00e9', true))
})

t.test('names that are none are refused with what a name is', async t => {
  for (const name of ['', 'a\0', '*', 'a/b', 'a b', 'a*', '?', '[a]', 'x'.repeat(10_240), 'a\n', '\ud800', '🦊', 'a=b', '%2e', undefined, 7]) {
    t.throws(() => graphKey('acme', name as string, true), { type: 'ValidationError', code: 'invalid_graph_name', message: /1 to 128/ }, JSON.stringify(name))
  }
  t.ok(graphKey('acme', 'x'.repeat(128), true))
  t.throws(() => graphKey('acme', 'x'.repeat(129), true))
})
