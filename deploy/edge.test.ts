/** What traefik/ must agree on with the services, read from its files: no Traefik runs here. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseEnv } from 'node:util'
import t from 'tap'
import { identityHeaders, requestIdHeader } from '@gateway/common/identity.ts'

const folder = resolve(import.meta.dirname, '../traefik')
const middlewares = readFileSync(resolve(folder, 'dynamic/middlewares.yml'), 'utf8')
const settings = parseEnv(readFileSync(resolve(folder, 'static.env'), 'utf8'))
const headers = [...Object.values(identityHeaders), requestIdHeader].sort()

/** The lines of one middleware, without those of the next. */
const middleware = (name: string) => middlewares.split(/^ {4}(?=[\w-]+:$)/m).find(part => part.startsWith(`${name}:`)) ?? ''

t.test('14: each identity header is removed at the public door, on every router of it', async t => {
  const removed = [...middleware('remove-identity').matchAll(/^ +([\w-]+): ""$/gm)].map(([, name = '']) => name.toLowerCase())
  t.strictSame(removed.filter(name => !/forwarded/.test(name) && name !== 'connection').sort(), headers)
  t.ok(settings.TRAEFIK_ENTRYPOINTS_WEBSECURE_HTTP_MIDDLEWARES?.split(',').includes('remove-identity@file'))
  t.equal(settings.TRAEFIK_ENTRYPOINTS_WEBSECURE_HTTP_ALIASHEADERSSTRATEGY, 'reject')
})

t.test('14: each identity header comes from the decision of verify', async t => {
  const [, list = ''] = /authResponseHeaders: \[(.*)\]/.exec(middleware('who-is-calling')) ?? []
  t.strictSame(list.split(', ').map(name => name.toLowerCase()).sort(), headers)
})

t.test('15: the decision gets no body, and of the headers only those that it judges by', async t => {
  t.match(middleware('who-is-calling'), 'forwardBody: false')
  t.match(middleware('who-is-calling'), 'authRequestHeaders: [Authorization, X-API-Key, X-Requested-Tenant, Origin]')
})

t.test('what a proxy forwards of the request is not believed: the decision is asked about the request as it came', async t => {
  for (const name of ['Forwarded', 'X-Forwarded-Host', 'X-Forwarded-Method', 'X-Forwarded-Uri']) t.match(middleware('remove-identity'), `${name}: ""`)
})

t.test('the words of a 429 are asked for with no more headers than they are found by', async t => {
  const [, list = ''] = /errorRequestHeaders: \[(.*)\]/.exec(middleware('in-words')) ?? []
  t.strictSame(list.split(', ').map(name => name.toLowerCase()).sort(), [...headers, 'authorization', 'x-api-key', 'x-forwarded-for', 'x-real-ip', 'x-requested-tenant'].sort())
})

const routers = readFileSync(resolve(folder, 'dynamic/routers.yml'), 'utf8').split(/^ {4}(?=[\w-]+:$)/m).slice(1)
const nameOf = (router: string) => /^[\w-]+/.exec(router)?.[0]

t.test('no route is reached but through a door, and each door has its words for a 429', async t => {
  const doors = routers.filter(router => router.includes('entryPoints: [websecure]') && !router.startsWith('sign-in-'))
  t.strictSame(doors.map(nameOf), ['from-shared-addresses', 'from-trusted-proxies', 'from-unnamed-clients', 'from-anybody'])
  for (const router of doors) t.match(router, /middlewares: \[in-words/)
  t.ok(routers.filter(router => router.includes('parentRefs: {{ $doors | toJson }}')).length >= 5)
})

t.test('29: at each door a sign-in has a route of its own, above that door, of which Traefik logs nothing', async t => {
  const priority = (router = '') => Number(/priority: (\d+)/.exec(router)?.[1])
  const named = (name: string) => routers.find(router => nameOf(router) === name)
  const doors = ['from-shared-addresses', 'from-trusted-proxies', 'from-unnamed-clients', 'from-anybody']
  t.strictSame(routers.map(nameOf).filter(name => name?.startsWith('sign-in-')), doors.map(door => `sign-in-${door}`))
  for (const door of doors) {
    const route = named(`sign-in-${door}`) ?? ''
    t.match(route, '{{- template "signs-in"')
    t.match(route, '{{ template "sign-in" }}')
    t.ok(doors.every(door => priority(route) > priority(named(door))), `${door}: before every door`)
  }
  const [definition = ''] = /define "signs-in"[^]*?define|define "signs-in"[^]*?\{\{- end \}\}/.exec(readFileSync(resolve(folder, 'dynamic/routers.yml'), 'utf8')) ?? []
  t.match(definition, 'accessLogs: false')
})

t.test('credentials end at the door', async t => {
  for (const name of ['Authorization', 'X-API-Key', 'Cookie']) t.match(middleware('remove-credentials'), `${name}: ""`)
})

t.test('29: the access log has neither query strings nor headers', async t => {
  t.equal(settings.TRAEFIK_ACCESSLOG_FIELDS_QUERYPARAMETERS_DEFAULTMODE, 'drop')
  t.equal(settings.TRAEFIK_ACCESSLOG_FIELDS_HEADERS_DEFAULTMODE, 'drop')
  t.strictSame(Object.keys(settings).filter(name => name.startsWith('TRAEFIK_ACCESSLOG_FIELDS_HEADERS_NAMES_')), ['TRAEFIK_ACCESSLOG_FIELDS_HEADERS_NAMES_X-Request-Id'])
})
