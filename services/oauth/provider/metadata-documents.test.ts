import type { lookup } from 'node:dns'
import { once } from 'node:events'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { Client } from 'oidc-provider'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { Agent } from 'undici'
import { makePair } from '@gateway/common/test-certificate.ts'
import { clientIdMetadataDocument, createGuardedFetch } from './metadata-documents.ts'

const pair = await makePair()
const caFile = join(t.testdir({ 'ca.pem': pair.cert }), 'ca.pem')

/** An HTTPS server of this machine that counts who comes. */
async function startServer (t: Test) {
  let connections = 0
  const server: Server = createServer(pair, (request, response) => {
    if (request.url === '/redirect') response.writeHead(302, { location: '/document' }).end()
    else if (request.url === '/large') response.end('x'.repeat(70_000))
    else if (request.url === '/packed') response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('x'.repeat(10_000_000)))
    else if (request.url?.startsWith('/keys/')) response.end(JSON.stringify({ keys: Array.from({ length: Number(request.url.slice(6)) }, () => ({ kty: 'EC' })) }))
    else if (request.url === '/silent') response.flushHeaders()
    else response.end(JSON.stringify({ agent: request.headers['user-agent'] ?? '' }))
  }).on('connection', () => { connections++ }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { port, host: `localhost:${port}`, connections: () => connections }
}

async function open (t: Test, trustedHosts: string[] = [], options: { lookup?: typeof lookup, caFile?: string } = {}) {
  const lines: string[] = []
  const guarded = await createGuardedFetch({ trustedHosts, caFile: trustedHosts.length > 0 ? caFile : '', logger: pino({}, { write: (line: string) => { lines.push(line) } }), ...options })
  t.teardown(guarded.close)
  return { ...guarded, lines }
}

/** What the innermost cause of a failed fetch says. */
const whyNot = (failing: Promise<unknown>) => failing.then(() => 'it was fetched', (error: Error) => ((error.cause ?? error) as Error).message)
/** Answers every name with these addresses, and localhost as the system does. */
const answering = (...addresses: string[]) => ((name: string, _options: object, callback: (error: null, found: object[]) => void) => {
  callback(null, (name === 'localhost' ? ['127.0.0.1'] : addresses).map(address => ({ address, family: address.includes(':') ? 6 : 4 })))
}) as unknown as typeof lookup

t.test('8: an address of this machine or network is refused before anything is sent', async t => {
  const server = await startServer(t)
  const { fetch } = await open(t)
  for (const host of ['127.0.0.1', 'localhost', '127.1', '0x7f.0.0.1', '2130706433', '0', '[::1]', '[::]', '[::ffff:127.0.0.1]', '[64:ff9b::7f00:1]', '[2002:7f00:1::]', '10.0.0.1', '192.168.0.1', '169.254.169.254', '[fe80::1]', '[fd00::1]', '224.0.0.1']) {
    t.match(await whyNot(fetch(`https://${host}/latest/meta-data`)), /address that is not public/, host)
    t.match(await whyNot(fetch(`https://${host}:${server.port}/document`)), /port is not 443/, host)
  }
  t.equal(server.connections(), 0)
})

t.test('a set of many keys, and what is large once it is unpacked, count as not fetched', async t => {
  const { host } = await startServer(t)
  const { fetch } = await open(t, [host])
  const few = await fetch(`https://${host}/keys/10`)
  t.equal(few.status, 200)
  t.equal((await few.json() as { keys: unknown[] }).keys.length, 10)
  t.match(await whyNot(fetch(`https://${host}/keys/11`)), 'there are more than 10 keys')
  t.match(await whyNot(fetch(`https://${host}/packed`)), 'the answer has more than 65536 bytes')
})

t.test('8: a name is judged by every address that it leads to', async t => {
  for (const addresses of [['10.0.0.1'], ['127.0.0.1'], ['169.254.169.254'], ['::1'], ['::ffff:10.0.0.1'], ['93.184.215.14', '10.0.0.1'], ['2606:4700::1111', 'fd00::1']]) {
    const { fetch } = await open(t, [], { lookup: answering(...addresses) })
    t.match(await whyNot(fetch('https://client.example/document')), /address that is not public/, addresses.join())
  }
})

t.test('8: nothing but https, not even at a trusted host', async t => {
  const { host } = await startServer(t)
  const { fetch } = await open(t, [host])
  for (const url of [`http://${host}/document`, 'http://client.example/document', 'file:///etc/passwd', 'data:application/json,{}', 'ftp://client.example/document']) t.match(await whyNot(fetch(url)), /not https/, url)
})

t.test('8: a dispatcher of the caller is no way round the guard', async t => {
  const server = await startServer(t)
  const { fetch } = await open(t)
  const dispatcher = new Agent({ connect: { rejectUnauthorized: false } })
  t.teardown(() => dispatcher.close())
  t.match(await whyNot(fetch('https://127.0.0.1/document', { dispatcher } as never)), /not public/)
  t.equal(server.connections(), 0)
})

t.test('8: the service does not start where the guard cannot be shown to refuse this machine', async t => {
  const nameless = ((_name: string, _options: object, callback: (error: Error) => void) => callback(new Error('ENOTFOUND'))) as unknown as typeof lookup
  await t.rejects(open(t, [], { lookup: nameless }), { message: /the guard .* does not refuse localhost/ })
})

t.test('a trusted host is asked wherever it lies, by its own authority', async t => {
  const { host, port } = await startServer(t)
  const { fetch } = await open(t, [host])
  const response = await fetch(`https://${host}/document`, { headers: new Headers({ 'user-agent': 'document-reader' }) })
  t.equal(response.status, 200)
  t.strictSame(await response.json(), { agent: 'document-reader' })
  t.match(await whyNot(fetch(`https://127.0.0.1:${port}/document`)), /port is not 443/, 'another name of the same place is not trusted')
  const stranger = await open(t, [host], { caFile: '' })
  t.match(await whyNot(stranger.fetch(`https://${host}/document`)), /self-signed/)
})

t.test('8: a redirect is not followed', async t => {
  const { host } = await startServer(t)
  const { fetch } = await open(t, [host])
  for (const redirect of [undefined, 'follow', 'manual'] as const) t.equal((await fetch(`https://${host}/redirect`, redirect && { redirect })).status, 302, String(redirect))
})

t.test('8: what is too large or does not end is given up', async t => {
  const { host } = await startServer(t)
  const { fetch } = await open(t, [host])
  await t.rejects(fetch(`https://${host}/large`).then(response => response.text()))
  await t.rejects(fetch(`https://${host}/silent`, { signal: AbortSignal.timeout(100) }).then(response => response.text()), { name: 'TimeoutError' }, 'by the caller\'s time')
  await t.rejects(fetch(`https://${host}/silent`).then(response => response.text()), { name: 'TimeoutError' }, 'by our own')
})

t.test('what could not be fetched is logged by its host alone', async t => {
  const { fetch, lines } = await open(t)
  await whyNot(fetch('https://127.0.0.1/secret-path?token=secret'))
  t.match(JSON.parse(lines[0]!), { host: '127.0.0.1', reason: /not public/ })
  t.notMatch(lines.join(), 'secret')
})

t.test('a file that holds no certificate stops the start', async t => {
  const path = join(t.testdir({ 'ca.pem': 'no certificate' }), 'ca.pem')
  await t.rejects(open(t, ['localhost:1'], { caFile: path }), { name: 'ConfigurationError', message: /CIMD_CA_FILE: .* holds no certificate/ })
})

t.test('8: a document is fetched for an id in its one form, with a path, at port 443 or a trusted host', async t => {
  const { allowFetch } = clientIdMetadataDocument({ trustedHosts: ['localhost:8444'], limit: async () => {} })
  for (const id of ['https://client.example/client.json', 'https://client.example/oauth?v=2', 'https://localhost:8444/client.json']) t.ok(await allowFetch(undefined, id), id)
  for (const id of [
    'https://client.example', 'https://client.example/', 'https://client.example/?x', 'https://client.example./c', 'https://me@client.example/c', 'https://me:secret@client.example/c', 'https://client.example:8443/c', 'https://localhost:8445/c',
    'https://client.example:443/c', 'https://CLIENT.example/c', 'HTTPS://client.example/c', 'https://client.example/a/../c', 'https://client.example/%2e%2e/c', 'https://client.example/c#x', 'https://client.example\\c', 'https://2130706433/c', 'https://cli%65nt.example/c',
    'http://client.example/c', 'https://', 'https:///client.example/c', ' https://client.example/c', `https://client.example/${'x'.repeat(500)}`
  ]) t.notOk(await allowFetch(undefined, id), id)
})

t.test('documents are counted by the address that asks for them', async t => {
  const counted: string[] = []
  const { allowFetch } = clientIdMetadataDocument({
    trustedHosts: [],
    limit: async address => {
      counted.push(address)
      if (counted.length > 1) throw new Error('too many')
    }
  })
  const ctx = { ip: '203.0.113.9' } as never
  t.ok(await allowFetch(ctx, 'https://client.example/a'))
  t.notOk(await allowFetch(ctx, 'https://client.example/'), 'one that is refused anyway costs nothing')
  await t.rejects(allowFetch(ctx, 'https://client.example/b'), { message: 'too many' })
  t.strictSame(counted, ['203.0.113.9', '203.0.113.9'])
})

t.test('4: a client of a document is used no further than its redirect URIs are good', async t => {
  const { allowClient } = clientIdMetadataDocument({ trustedHosts: [], limit: async () => {} })
  const client = (facts: object) => ({ redirectUris: ['https://client.example/callback'], grantTypes: ['authorization_code'], ...facts }) as unknown as Client
  t.ok(allowClient(undefined, client({})))
  for (const facts of [{ redirectUris: [] }, { redirectUris: undefined }, { redirectUris: ['javascript:alert(1)'] }, { redirectUris: ['https://client.example/callback', 'http://client.example/'] }, { grantTypes: ['client_credentials'] }]) {
    t.notOk(allowClient(undefined, client(facts)), JSON.stringify(facts))
  }
})
