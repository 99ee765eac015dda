/** Through a real oidc-provider and HTTP: by registration and metadata document, then by the authorization endpoint. */
import { createServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Provider, type Configuration } from 'oidc-provider'
import { pino } from 'pino'
import t from 'tap'
import { makePair } from '@gateway/common/test-certificate.ts'
import { clientViewOf, extraClientMetadata } from './client-rules.ts'
import { clientIdMetadataDocument, createGuardedFetch } from './metadata-documents.ts'

const pair = await makePair()
const documents = new Map<string, string>()
const documentServer = createHttpsServer(pair, (request, response) => { response.setHeader('content-type', 'application/json').end(documents.get(request.url!) ?? '') }).listen(0, '127.0.0.1')
await once(documentServer, 'listening')
const documentHost = `localhost:${(documentServer.address() as AddressInfo).port}`
const guarded = await createGuardedFetch({ trustedHosts: [documentHost], caFile: join(t.testdir({ 'ca.pem': pair.cert }), 'ca.pem'), logger: pino({ level: 'silent' }) })

const machine = { client_id: 'machine', client_secret: 'a-secret-of-the-operator', grant_types: ['client_credentials'], response_types: [], redirect_uris: [], scope: 'graph:read', token_endpoint_auth_method: 'client_secret_basic', gateway_machine: true, gateway_tenant: 'acme' }
const server = createServer((request, response) => provider.callback()(request, response)).listen(0, '127.0.0.1')
await once(server, 'listening')
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
const provider = new Provider(url, {
  clients: [machine],
  cookies: { keys: ['a-cookie-key-for-tests'] },
  routes: { registration: '/register', authorization: '/authorize' },
  scopes: ['openid', 'offline_access', 'graph:read', 'graph:write', 'graph:admin'],
  responseTypes: ['code', 'none'],
  clientDefaults: { grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'], token_endpoint_auth_method: 'none' },
  clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'],
  extraClientMetadata,
  fetch: guarded.fetch as never,
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    registration: { enabled: true },
    registrationManagement: { enabled: true },
    clientIdMetadataDocument: clientIdMetadataDocument({ trustedHosts: [documentHost], limit: async () => {} })
  }
} as unknown as Configuration)
t.teardown(async () => {
  await guarded.close()
  for (const listening of [server, documentServer]) {
    listening.closeAllConnections()
    listening.close()
  }
})

const send = async (method: string, path: string, body: object, headers: Record<string, string> = {}) => {
  const response = await fetch(path.startsWith('http') ? path : `${url}${path}`, { method, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) })
  return { status: response.status, body: await response.json() as Record<string, any> }
}
const register = (metadata: object) => send('POST', '/register', { client_name: 'A client', redirect_uris: ['https://app.example/callback'], token_endpoint_auth_method: 'none', ...metadata })

let published = 0
/** A metadata document at the trusted host. @returns its client id */
function publish (metadata: object): string {
  const path = `/client-${published++}.json`
  const id = `https://${documentHost}${path}`
  documents.set(path, JSON.stringify({ client_id: id, client_name: 'A client', redirect_uris: ['https://app.example/callback'], ...metadata }))
  return id
}

/** Begins a sign-in. @returns where the browser goes: '' for an error page that goes nowhere */
async function authorize (clientId: string, redirectUri: string, scope = 'graph:read'): Promise<string> {
  const query = new URLSearchParams({ client_id: clientId, redirect_uri: redirectUri, scope, response_type: 'code', code_challenge: 'x'.repeat(43), code_challenge_method: 'S256' })
  const response = await fetch(`${url}/authorize?${query}`, { redirect: 'manual' })
  const location = response.headers.get('location') ?? ''
  await response.text()
  return location
}
const signIn = /^\/interaction\//

const refusedRedirects: Record<string, string> = {
  'plain http off this device': 'http://app.example/callback',
  'a host that begins like this device': 'http://localhost.evil.example/callback',
  'a user that looks like this device': 'http://localhost:80@evil.example/callback',
  'a short form of 127.0.0.1': 'http://127.1/callback',
  'a number for 127.0.0.1': 'http://2130706433/callback',
  'all addresses of this device': 'http://0.0.0.0/callback',
  'another address of this device': 'http://127.0.0.2/callback',
  'IPv4 in IPv6': 'http://[::ffff:127.0.0.1]/callback',
  'a fragment': 'https://app.example/callback#x',
  'an empty fragment': 'https://app.example/callback#',
  'a user': 'https://me@app.example/callback',
  'a user and password': 'https://app.example:secret@evil.example/callback',
  'an empty user': 'https://@app.example/callback',
  'dots in the path': 'https://app.example/callback/../open-redirect',
  'one dot': 'https://app.example/./callback',
  'encoded dots': 'https://app.example/callback/%2e%2E/open-redirect',
  'half encoded dots': 'https://app.example/callback/.%2e/open-redirect',
  'an encoded slash': 'https://app.example/callback%2f..%2fopen-redirect',
  'an encoded backslash': 'https://app.example/callback%5c',
  'encoded line end': 'https://app.example/%0d%0aSet-Cookie:x',
  'a pattern for hosts': 'https://*.app.example/callback',
  'a pattern for paths': 'https://app.example/*',
  'a space': 'https://app.example/call back',
  'a tab': 'https://app.example/\tcallback',
  'a line end': 'https://app.example/\ncallback',
  'a space before it': ' https://app.example/callback',
  'a backslash': 'https://app.example\\@evil.example/callback',
  'letters beyond ASCII': 'https://\u0430pp.example/callback',
  'a percent sign alone': 'https://app.example/%zz',
  'an encoded letter in the host': 'https://%61pp.example/callback',
  'a host in capitals': 'https://APP.example/callback',
  'a dot behind the host': 'https://app.example./callback',
  'no slashes': 'https:app.example/callback',
  'one slash': 'https:/app.example/callback',
  'three slashes': 'https:///app.example/callback',
  'the scheme in capitals': 'HTTPS://app.example/callback',
  'a relative one': '/callback',
  'a host alone': 'app.example/callback',
  'too long a one': `https://app.example/${'x'.repeat(2_100)}`,
  javascript: 'javascript:alert(1)',
  'javascript with slashes': 'javascript://app.example/%0aalert(1)',
  'javascript in capitals': 'JavaScript:/alert(1)',
  data: 'data:text/html,<script>alert(1)</script>',
  'data with a slash': 'data:/text/html,x',
  file: 'file:///etc/passwd',
  vbscript: 'vbscript:/x',
  blob: 'blob:https://app.example/x',
  about: 'about:blank',
  'about with a slash': 'about:/blank',
  'a web socket': 'wss://app.example/callback',
  'view-source': 'view-source:/https://app.example/',
  intent: 'intent://app.example/callback',
  'Windows diagnostics': 'ms-msdt:/id',
  'http-ish': 'httpss://app.example/callback',
  'an extension': 'chrome-extension://abcdef/callback',
  mail: 'mailto:/me@app.example',
  'a name and no place': 'urn:ietf:wg:oauth:2.0:oob',
  'a scheme without a slash': 'com.example.app:callback',
  'a scheme alone': 'cursor://'
}

t.test('4: a redirect URI that could lead elsewhere is refused at registration', async t => {
  for (const [why, uri] of Object.entries(refusedRedirects)) {
    const { status, body } = await register({ redirect_uris: ['https://app.example/callback', uri] })
    t.equal(status, 400, why)
    t.equal(body.error, 'invalid_redirect_uri', `${why}: ${body.error_description}`)
  }
  for (const uris of [[5], [null], [['https://app.example/']], [], 'https://app.example/', {}, null, undefined, Array.from({ length: 11 }, (_, index) => `https://app.example/${index}`)]) {
    const { status, body } = await register({ redirect_uris: uris })
    t.equal(status, 400, JSON.stringify(uris))
    t.equal(body.error, 'invalid_redirect_uri', JSON.stringify(uris))
  }
})

t.test('4: nor is it taken from a metadata document, and nobody is sent anywhere', async t => {
  for (const [why, uri] of Object.entries(refusedRedirects)) t.equal(await authorize(publish({ redirect_uris: [uri] }), uri), '', why)
})

t.test('redirect URIs of real clients are taken, by registration and by document', async t => {
  const uris = [
    'https://claude.ai/api/mcp/auth_callback', 'https://app.example', 'https://app.example:8443/callback?tenant=a%20b', 'https://localhost:8443/callback', 'http://localhost:3334/oauth/callback', 'http://127.0.0.1/callback', 'http://[::1]:1/callback', 'http://localhost',
    'cursor://anysphere.cursor-mcp/oauth/callback', 'vscode://ms-vscode.mcp/callback', 'com.example.app:/oauth2redirect', 'com.raycast:/oauth?package_name=Extension', 'warp://mcp/oauth2callback'
  ]
  for (const uri of uris) {
    const { status, body } = await register({ redirect_uris: [uri] })
    t.equal(status, 201, uri)
    t.equal(body.application_type, uri.startsWith('https://') ? 'web' : 'native', uri)
    t.match(await authorize(body.client_id, uri), signIn, uri)
    t.match(await authorize(publish({ redirect_uris: [uri] }), uri), signIn, `${uri} by document`)
  }
})

t.test('4: redirects are compared exactly, but for the port of an app on this device', async t => {
  const { client_id: id } = (await register({ redirect_uris: ['http://127.0.0.1:3334/callback', 'http://localhost/other', 'https://app.example/callback'] })).body
  for (const uri of ['http://127.0.0.1:3334/callback', 'http://127.0.0.1:50000/callback', 'http://127.0.0.1/callback', 'http://localhost:7/other', 'https://app.example/callback']) t.match(await authorize(id, uri), signIn, uri)
  for (const uri of [
    'http://localhost:3334/callback', 'http://[::1]:3334/callback', 'http://127.0.0.1:7/other', 'http://127.0.0.1:3334/callback/', 'http://127.0.0.1:3334/callback/../x', 'http://127.0.0.1:3334/Callback', 'http://127.0.0.1:3334/callback?x=y', 'http://127.0.0.1:3334/callback#x',
    'http://127.0.0.1:3334@evil.example/callback', 'http://me@127.0.0.1:3334/callback', 'http://127.0.0.1:99999/callback', 'http://127.1:3334/callback', 'HTTP://127.0.0.1:3334/callback', 'https://127.0.0.1:3334/callback', 'http://localhost.evil.example/other', 'http://localhost:1\\@evil.example/other',
    'https://app.example:8443/callback', 'https://app.example/callback/', 'https://app.example/callback?x', 'https://evil.example/callback', 'https://app.example.evil.example/callback', 'http://app.example/callback', 'https://APP.example/callback', 'javascript:alert(1)', ''
  ]) t.equal(await authorize(id, uri), '', uri)
  const scheme = (await register({ redirect_uris: ['cursor://mcp/callback'] })).body.client_id
  for (const uri of ['cursor://mcp:80/callback', 'cursor://other/callback', 'cursor:/mcp/callback', 'vscode://mcp/callback']) t.equal(await authorize(scheme, uri), '', uri)
})

t.test('11: nobody who registers, changes a registration or publishes a document gives themselves what is the operator\'s', async t => {
  for (const metadata of [{ gateway_tenant: 'acme' }, { gateway_machine: true }, { gateway_tenant: '' }, { gateway_machine: false }, { gateway_anything: 1 }, { gateway_tenant: null }]) {
    const { status, body } = await register(metadata)
    t.equal(status, 400, JSON.stringify(metadata))
    t.match(body, { error: 'invalid_client_metadata', error_description: /the operator's alone/ })
  }
  for (const metadata of [{ gateway_tenant: 'acme' }, { gateway_machine: false }]) t.equal(await authorize(publish(metadata), 'https://app.example/callback'), '', 'by document')
  const { client_id: id, registration_client_uri: place, registration_access_token: token } = (await register({})).body
  const changed = await send('PUT', place, { client_id: id, redirect_uris: ['https://app.example/callback'], token_endpoint_auth_method: 'none', gateway_tenant: 'acme' }, { authorization: `Bearer ${token}` })
  t.match(changed, { status: 400, body: { error: 'invalid_client_metadata' } })
  const evil = await send('PUT', place, { client_id: id, redirect_uris: ['javascript:alert(1)'], token_endpoint_auth_method: 'none' }, { authorization: `Bearer ${token}` })
  t.match(evil, { status: 400, body: { error: 'invalid_redirect_uri' } })
  t.match(await authorize(id, 'https://app.example/callback'), signIn, 'and the client is as it was')
  for (const name of ['client_id', 'client_id_issued_at', 'client_secret']) t.not((await register({ [name]: 'mine-0123456789' })).body[name], 'mine-0123456789', name)
})

t.test('11: a client of the operator keeps its tenant and scope', async t => {
  t.match(await provider.Client.find('machine'), { gateway_tenant: 'acme', gateway_machine: true, scope: 'graph:read' })
})

t.test('open registration is for clients with a person', async t => {
  for (const metadata of [
    { grant_types: ['client_credentials'] }, { grant_types: ['authorization_code', 'client_credentials'] }, { grant_types: ['client_credentials'], response_types: [], redirect_uris: [] }, { grant_types: ['implicit'] }, { grant_types: ['password'] }, { grant_types: ['refresh_token'] }, { grant_types: [] }, { grant_types: 'authorization_code' },
    { response_types: ['none'] }, { response_types: ['token'] }, { response_types: ['code', 'none'] }, { response_types: [] }, { response_types: 'code' },
    { token_endpoint_auth_method: 'client_secret_jwt' }, { token_endpoint_auth_method: 'tls_client_auth' }, { token_endpoint_auth_method: 5 }, { token_endpoint_auth_method: 'private_key_jwt' },
    { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: Array.from({ length: 11 }, (_, index) => ({ kty: 'OKP', crv: 'Ed25519', kid: String(index), x: Buffer.alloc(32, index).toString('base64url') })) } },
    { jwks_uri: 'http://app.example/keys' }, { jwks_uri: 'file:///keys' }, { jwks_uri: 5 }, { logo_uri: 'javascript:alert(1)' }
  ]) {
    const { status, body } = await register(metadata)
    t.equal(status, 400, JSON.stringify(metadata))
    t.equal(body.error, 'invalid_client_metadata', JSON.stringify(metadata))
  }
  t.match((await register({ grant_types: ['authorization_code'], response_types: ['code'], jwks_uri: 'https://app.example/keys', token_endpoint_auth_method: 'private_key_jwt', logo_uri: 'https://app.example/logo.png' })).body, { grant_types: ['authorization_code'], logo_uri: 'https://app.example/logo.png' })
})

t.test('a document is one for all servers: what it offers beyond ours is left aside', async t => {
  const callback = 'https://app.example/callback'
  t.match(await authorize(publish({ grant_types: ['authorization_code', 'urn:ietf:params:oauth:grant-type:device_code', 'client_credentials'], response_types: ['code', 'token'] }), callback), signIn)
  for (const metadata of [{ grant_types: ['client_credentials'] }, { response_types: ['none'] }, { grant_types: 'authorization_code' }, { token_endpoint_auth_method: 'client_secret_post' }, { redirect_uris: undefined }, { client_name: 'A\u202eB' }]) t.equal(await authorize(publish(metadata), callback), '', JSON.stringify(metadata))
  const found = await provider.Client.find(publish({}))
  t.equal(found?.tokenEndpointAuthMethod, 'none')
  t.strictSame(found?.grantTypes, ['authorization_code', 'refresh_token'])
})

t.test('8: a document of more than 5 KiB, or about another client, is refused', async t => {
  t.equal(await authorize(publish({ tos_uri: `https://app.example/${'x'.repeat(5_200)}` }), 'https://app.example/callback'), '')
  t.equal(await authorize(publish({ client_id: `https://${documentHost}/other.json` }), 'https://app.example/callback'), '')
})

t.test('a scope at registration binds nobody: more can be asked for later', async t => {
  for (const scope of ['graph:read', 'claudeai profile', '', 5]) {
    const { status, body } = await register({ scope })
    t.equal(status, 201, String(scope))
    t.notOk('scope' in body)
    t.match(await authorize(body.client_id, 'https://app.example/callback', 'graph:write'), signIn)
  }
  t.match(await authorize(publish({ scope: 'claudeai' }), 'https://app.example/callback', 'graph:admin'), signIn)
})

t.test('nothing that a registration names is fetched', async t => {
  const { status, body } = await register({ sector_identifier_uri: `https://${documentHost}/sector.json`, logo_uri: `https://${documentHost}/logo.png`, id_token_signed_response_alg: 'ES256' })
  t.equal(status, 201)
  t.notOk('sector_identifier_uri' in body)
})

t.test('RFC 7591: without an authentication method a client gets a secret, and is told to show it', async t => {
  const { body } = await register({ token_endpoint_auth_method: undefined })
  t.match(body, { token_endpoint_auth_method: 'client_secret_basic', client_secret: String })
  t.notOk('client_secret' in (await register({})).body, 'a public client gets none')
  t.match((await register({ token_endpoint_auth_method: 'client_secret_post' })).body, { client_secret: String })
})

t.test('a name that a page could not show as it is, and whatever is too large, is refused', async t => {
  for (const [index, name] of ['Claude\u202eedualC', 'Claude\u2066', 'Claude\u200b', 'Claude\u061c', '\u200fClaude', 'Claude\nverified', 'Claude\u0000', 'Claude\u2028x', 'x'.repeat(101), '😀'.repeat(101), '  ', '', 5, null, { toString: 'x' }, '\ud800'].entries()) {
    t.match(await register({ client_name: name }), { status: 400, body: { error: 'invalid_client_metadata' } }, `name ${index}`)
  }
  for (const name of ['Claude', 'x'.repeat(100), '😀'.repeat(100), 'نمی\u200cخواهم', '👩\u200d💻', 'Zoë’s app & <b>']) t.equal((await register({ client_name: name })).body.client_name, name)
  t.equal((await register({ client_name: undefined })).status, 201)
  t.match(await register({ contacts: Array.from({ length: 1_000 }, (_, index) => `somebody-${index}@app.example`) }), { status: 400, body: { error: 'invalid_client_metadata', error_description: /larger than 16384 bytes/ } })
})

t.test('a page says verified only where the host of the document is where the person returns to', async t => {
  const id = 'https://app.example/client.json'
  t.strictSame(clientViewOf({ clientId: id, clientName: 'App' }, 'https://app.example/callback'), { name: 'App', redirectHost: 'app.example', verified: true, clientHost: 'app.example' })
  for (const [why, redirect] of Object.entries({
    'another host': 'https://evil.example/callback',
    'a subdomain': 'https://sub.app.example/callback',
    'another port': 'https://app.example:8443/callback',
    'any program on this device': 'http://localhost:3334/callback',
    'any app that takes the scheme': 'app.example://app.example/callback'
  })) t.match(clientViewOf({ clientId: id, clientName: 'App' }, redirect), { verified: false, clientHost: 'app.example' }, why)
  t.strictSame(clientViewOf({ clientId: 'abc', clientName: 'app.example' }, 'https://app.example/callback'), { name: 'app.example', redirectHost: 'app.example', verified: false, clientHost: undefined }, 'whoever registers')
  t.match(clientViewOf({ clientId: 'https://localhost:8444/c.json' }, 'https://localhost:8444/callback'), { verified: false }, 'a document of this device proves nothing')
  t.equal(clientViewOf({ clientId: id }, 'http://127.0.0.1/callback').name, 'app.example', 'who has no name is called by their host')
  t.equal(clientViewOf({ clientId: 'abc' }, 'https://evil.example/callback').name, 'evil.example')
})
