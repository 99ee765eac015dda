import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { clientAddress, trustProxies } from './client-address.ts'

const traefik = '10.0.0.2'

/** Asks an app behind Traefik who the client is. */
function behind (t: Test, proxies: string) {
  const app = Fastify({ trustProxy: trustProxies(proxies) })
  app.get('/', async request => clientAddress(request))
  t.teardown(() => app.close())
  return async (forwarded?: string) => (await app.inject({ url: '/', remoteAddress: traefik, headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded } })).body
}

t.test('the client is whom Traefik names', async t => {
  const ask = behind(t, '')
  t.equal(await ask('198.51.100.7'), '198.51.100.7')
  t.equal(await ask('2001:db8::7'), '2001:db8::7')
  t.equal(await ask(), traefik, 'without a header it is the peer')
})

t.test('16: an address that a client puts before its own counts for nothing', async t => {
  t.equal(await behind(t, '')('192.0.2.1, 198.51.100.7'), '198.51.100.7')
  t.equal(await behind(t, '203.0.113.0/24')('192.0.2.1, 198.51.100.7, 203.0.113.9'), '198.51.100.7', 'behind a trusted proxy as well')
})

t.test('behind proxies that are trusted the client is the last address that none of them has', async t => {
  const ask = behind(t, '203.0.113.0/24, 2001:db8:cafe::/48')
  t.equal(await ask('198.51.100.7, 203.0.113.9'), '198.51.100.7')
  t.equal(await ask('198.51.100.7, 2001:db8:cafe::1, 203.0.113.9'), '198.51.100.7')
  t.equal(await ask('198.51.100.7, 192.0.2.1'), '192.0.2.1', 'one that nobody trusts is the client itself')
})
