/** FALKORDB_TENANT_URLS. */
import t from 'tap'
import { configOf } from '../test-support.ts'
import { databaseUrlFault, parseTenantUrls } from './tenant-urls.ts'

t.test('the servers of tenants are read by tenant', async t => {
  t.strictSame([...parseTenantUrls('{"acme":"rediss://u:p%40ss@acme.example:7000","größer & co":"redis://[::1]:6379/"}').urls], [['acme', 'rediss://u:p%40ss@acme.example:7000'], ['größer & co', 'redis://[::1]:6379/']])
  t.strictSame(parseTenantUrls('  '), { urls: new Map(), faults: [] })
})

t.test('every fault is told at once, and none shows a password', async t => {
  const urls = JSON.stringify({ a: 'http://u:sesame@h', b: 'redis://u:sesame@h/3', c: 7, d: 'redis://u:sesame%@h', '': 'redis://u:sesame@h', e: 'redis://fine' })
  const { faults } = parseTenantUrls(urls)
  t.match(faults, [/"a" is no URL/, /"b" names a database by number/, /"c" is no URL/, /"d" has a %/, /"" is under a name that no tenant can have/])
  t.equal(faults.length, 5)
  t.notMatch(faults.join(), /sesame/)
  for (const text of ['acme=redis://u:sesame@h', '["redis://u:sesame@h"]', 'null', '"x"']) {
    t.match(parseTenantUrls(text).faults, [/is no JSON object/])
    t.notMatch(parseTenantUrls(text).faults.join(), /sesame/)
  }
})

t.test('a service with such a fault does not start, nor one without tenants that has servers for them', async t => {
  t.throws(() => configOf({ FALKORDB_TENANT_URLS: '{"a":"redis://u:sesame@h/2"}' }), /"a" names a database by number/)
  t.throws(() => configOf({ FALKORDB_TENANT_URLS: '{"a":"redis://h"}', ENABLE_MULTI_TENANCY: 'false' }), /ENABLE_MULTI_TENANCY=false has none/)
  t.throws(() => configOf({ FALKORDB_URL: 'redis://u:sesame@h/1' }), /FALKORDB_URL names a database by number/)
  t.equal(databaseUrlFault('redis://h/0'), undefined)
})
