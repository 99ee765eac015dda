import t from 'tap'
import { isIP } from 'node:net'
import { openGateway, unique } from '../support/gateway.ts'
import { runTable, type Row, type Scene } from '../support/arrivals.ts'
import { exchange } from '../support/raw.ts'
import { until } from '../support/until.ts'

const gateway = openGateway()
const ada = await gateway.person({ scope: 'graph:read' })
const bob = unique('bob')

/** A good call of ada's with more lines in its head. */
const get = (lines: string, path = '/api/mcp/metadata') => ({ host, mark, auth }: Scene) => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${mark}${auth}${lines}Connection: close\r\n\r\n`
/** The same with nothing but these lines about the connection. */
const bare = (lines: string) => ({ host, mark, auth }: Scene) => `GET /api/mcp/metadata HTTP/1.1\r\nHost: ${host}\r\n${mark}${auth}${lines}\r\n`

const own: Row['check'] = (t, { answers }) => {
  const body = JSON.parse(answers[0]?.body ?? '{}')
  t.match(body, { tenant: ada.tenant, scopes: ['graph:read'] })
}
const passes = (name: string, lines: string): Row => ({ name, bytes: get(lines), status: [200], reaches: 1, check: own })
const refused = (name: string, lines: string): Row => ({ name, bytes: get(lines), status: [400] })

t.test('14: identity headers in every spelling change nothing, or are refused before the tool service', t => runTable(t, gateway, ada, [
  passes('a good call (control)', ''),
  passes('X-Tenant-Id plainly', `X-Tenant-Id: ${bob}\r\n`),
  passes('in alternating case', `x-TeNaNt-iD: ${bob}\r\n`),
  passes('three times', `X-Tenant-Id: ${bob}\r\nx-tenant-id: ${bob}\r\nX-TENANT-ID: ${bob}\r\n`),
  passes('without a space after the colon', `X-Tenant-Id:${bob}\r\n`),
  passes('with a tab after the colon', `X-Tenant-Id:\t${bob}\r\n`),
  passes('with an empty value', 'X-Tenant-Id:\r\n'),
  passes('folded over two lines', `X-Tenant-Id:\r\n ${bob}\r\n`),
  passes('folded under another header', `X-Other: a\r\n X-Tenant-Id: ${bob}\r\n`),
  passes('with high bytes in the value', 'X-Tenant-Id: \xff\xfe\r\n'),
  passes('all identity headers', `X-Tenant-Id: ${bob}\r\nX-User-Id: bob\r\nX-Client-Id: bob\r\nX-Auth-Scopes: graph:admin\r\nX-Identity-Assertion: ${ada.token}\r\nX-Request-Id: forged-request-id\r\n`),
  refused('with a percent-encoded name', `X%2DTenant%2DId: ${bob}\r\n`),
  refused('with an underscore', `X_Tenant-Id: ${bob}\r\n`),
  refused('with underscores', `X_TENANT_ID: ${bob}\r\n`),
  refused('with dots', `X.Tenant.Id: ${bob}\r\n`),
  refused('with a space before the colon', `X-Tenant-Id : ${bob}\r\n`),
  refused('with a tab before the colon', `X-Tenant-Id\t: ${bob}\r\n`),
  refused('with a NUL in the value', `X-Tenant-Id: ${bob}\0\r\n`),
  refused('with a NUL in the name', `X-Tenant\0-Id: ${bob}\r\n`),
  refused('behind a bare CR', `X-Other: a\rX-Tenant-Id: ${bob}\r\n`),
  refused('with a unicode hyphen in the name', `X\xe2\x80\x90Tenant\xe2\x80\x90Id: ${bob}\r\n`),
  refused('with a leading space in the first header', ` X-Tenant-Id: ${bob}\r\n`.replace(/^ /, '\x0b')),
  refused('without a name', `: ${bob}\r\n`),
  refused('without a colon', `X-Tenant-Id ${bob}\r\n`),
  { name: 'as an announced trailer', bytes: ({ host, mark, auth }) => `POST /tools/test_headers HTTP/1.1\r\nHost: ${host}\r\n${mark}${auth}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nTrailer: X-Tenant-Id\r\nConnection: close\r\n\r\n2\r\n{}\r\n0\r\nX-Tenant-Id: ${bob}\r\n\r\n`, status: [200], reaches: 1 },
  { name: 'as an unannounced trailer', bytes: ({ host, mark, auth }) => `POST /tools/test_headers HTTP/1.1\r\nHost: ${host}\r\n${mark}${auth}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\n{}\r\n0\r\nX-Tenant-Id: ${bob}\r\nX-Identity-Assertion: x\r\n\r\n`, status: [200], reaches: 1 },
  { name: 'a credential as a trailer', bytes: ({ host, mark, auth }) => `POST /tools/test_headers HTTP/1.1\r\nHost: ${host}\r\n${mark}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nTrailer: Authorization\r\nConnection: close\r\n\r\n2\r\n{}\r\n0\r\n${auth}\r\n`, status: [401] },
  { name: 'identity headers without a credential', bytes: ({ host, mark }) => `GET /api/mcp/metadata HTTP/1.1\r\nHost: ${host}\r\n${mark}X-Tenant-Id: ${ada.tenant}\r\nX-User-Id: ada\r\nX-Client-Id: c\r\nX-Auth-Scopes: graph:admin\r\nX-Identity-Assertion: ${ada.token}\r\nConnection: close\r\n\r\n`, status: [401] }
]))

t.test('14: hop-by-hop tricks take no identity header away, and let no credential through', t => runTable(t, gateway, ada, [
  ...['X-Identity-Assertion', 'X-Tenant-Id', 'X-User-Id', 'X-Auth-Scopes', 'X-Request-Id', 'X-Forwarded-For', 'X-Forwarded-Uri, X-Forwarded-Method', 'Cookie', 'Host', 'Content-Length'].map((listed): Row =>
    ({ name: `Connection lists ${listed}`, bytes: bare(`Cookie: a=b\r\nConnection: close, ${listed}\r\n`), status: [200], reaches: 1, check: own })),
  // As if it had not been sent, or as if it had not been listed; RFC 9110 section 7.6.1 asks for the first.
  { name: 'Connection lists the credential', bytes: ({ host, auth }) => `GET /api/mcp/metadata HTTP/1.1\r\nHost: ${host}\r\n${auth}Connection: close, Authorization\r\n\r\n`, status: [[200, 401]] },
  { name: 'Connection lists a second credential', bytes: bare('X-API-Key: x\r\nConnection: close, X-API-Key\r\n'), status: [400] },
  { name: 'Connection lists a tenant that is not ada\'s', bytes: bare(`X-Requested-Tenant: ${bob}\r\nConnection: close, X-Requested-Tenant\r\n`), status: [403] },
  { name: 'Connection twice, the second lists the assertion', bytes: bare('Connection: close\r\nConnection: X-Identity-Assertion\r\n'), status: [200], reaches: 1, check: own },
  passes('Keep-Alive lists the assertion', 'Keep-Alive: X-Identity-Assertion\r\n'),
  passes('Proxy-Connection lists the assertion', 'Proxy-Connection: X-Identity-Assertion\r\n'),
  passes('TE lists an identity header', 'TE: trailers, X-Identity-Assertion\r\n'),
  passes('a Trailer header without a body', 'Trailer: X-Identity-Assertion\r\n'),
  passes('Proxy-Authorization of its own', 'Proxy-Authorization: Basic x\r\nProxy-Authenticate: Basic\r\n')
]))

const forwarded = ['X-Forwarded-For: 203.0.113.9', 'X-Forwarded-Host: evil.example', 'X-Forwarded-Uri: /health', 'X-Forwarded-Method: OPTIONS', 'X-Forwarded-Proto: http', 'X-Forwarded-Port: 1', 'X-Forwarded-Prefix: /evil', 'X-Forwarded-Server: evil',
  'X-Forwarded-Tls-Client-Cert: evil', 'X-Forwarded-Tls-Client-Cert-Info: evil', 'X-Real-Ip: 203.0.113.9', 'True-Client-Ip: 203.0.113.9', 'CF-Connecting-IP: 203.0.113.9', 'X-Client-IP: 203.0.113.9', 'X-Cluster-Client-Ip: 203.0.113.9', 'Forwarded: for=203.0.113.9;host=evil.example',
  'X-Original-URL: /health', 'X-Rewrite-URL: /health', 'X-HTTP-Method-Override: DELETE', 'X-HTTP-Method: DELETE', 'X-Method-Override: DELETE', 'X-Original-Host: evil.example', 'X-Host: evil.example', 'Via: 1.1 evil']

t.test('what a client says that others forwarded changes no decision', t => runTable(t, gateway, ada, forwarded.flatMap((line): Row[] => [
  {
    ...passes(line, `${line}\r\n`),
    check: async (t, exchange, arrivals) => {
      await own(t, exchange, arrivals)
      const headers = arrivals[0]?.headers ?? {}
      for (const name of ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-uri', 'x-forwarded-method', 'x-forwarded-prefix', 'x-forwarded-server', 'x-real-ip', 'x-forwarded-tls-client-cert', 'x-forwarded-tls-client-cert-info']) t.notMatch(String(headers[name]), /evil|203\.0\.113|health|OPTIONS/, `${line}: ${name} is Traefik's own`)
      t.match(headers['x-forwarded-proto'], ['https'])
    }
  },
  { name: `${line}, with a credential in the query`, bytes: get(`${line}\r\n`, '/api/mcp/metadata?token=x'), status: [400] },
  { name: `${line}, without a credential`, bytes: ({ host, mark }) => `GET /api/mcp/metadata HTTP/1.1\r\nHost: ${host}\r\n${mark}${line}\r\nConnection: close\r\n\r\n`, status: [401], check: (t, { answers }) => t.notMatch(`${JSON.stringify(answers[0]?.headers)}${answers[0]?.body}`, /evil|203\.0\.113/, `${line} is in no challenge`) }
])))

t.test('16, 5: forged addresses are not in the audit log, and forged hosts in no public document', async t => {
  const { host } = new URL(gateway.url)
  const spoof = `${forwarded.join('\r\n')}\r\nConnection: close\r\n\r\n`
  const metadata = await exchange(gateway, `GET /.well-known/oauth-protected-resource HTTP/1.1\r\nHost: ${host}\r\n${spoof}`)
  t.equal(metadata.answers[0]?.status, 200)
  t.match(JSON.parse(String(metadata.answers[0]?.body)), { resource: gateway.mcpUrl })
  t.notMatch(metadata.answers[0]?.body, 'evil')

  const ids: string[] = []
  for (const path of ['/api/mcp/metadata', '/verify', '/mcp']) {
    const { answers } = await exchange(gateway, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${spoof}`)
    t.equal(answers[0]?.status, 401, path)
    ids.push(String(answers[0]?.headers['x-request-id']))
  }
  for (const id of ids) await until(`refusal ${id} in the log of verify`, async () => (await gateway.logs('verify')).includes(id), 15)
  const lines = (await gateway.logs('verify')).split('\n').filter(line => line.includes('"audit":"refused"')).map(line => JSON.parse(line))
  for (const id of ids) {
    const line = lines.find(({ requestId }) => requestId === id)
    t.ok(isIP(line?.address), 'the refusal is in the audit log with an address')
    t.not(line?.address, '203.0.113.9')
    t.match(line?.method, 'GET')
    t.not(line?.route, '/health')
    if (gateway.mode === 'process') t.match(line?.address, /^(127\.0\.0\.1|::1)$/)
  }
})
