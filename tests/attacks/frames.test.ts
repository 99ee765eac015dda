/**
 * Frames that no HTTP/2 library would send, to the real Traefik. What is at fault with a request ends its stream, what is at fault with the
 * connection ends that; the tool service sees a request only where a good one was sent, and then its caller's own identity.
 */
import t, { type Test } from 'tap'
import { isOwn, readArrivals } from '../support/arrivals.ts'
import { openGateway, unique } from '../support/gateway.ts'
import { tellingParts } from '../support/tokens.ts'
import { block, data, flags, frame, headers, number, openHttp2, reset, settings, types, windowUpdate, type Field, type Http2Connection } from '../support/http2-connection.ts'

t.setTimeout(120_000)

const gateway = openGateway()
const ada = await gateway.person({ scope: 'graph:read' })
const { host, hostname, port } = new URL(gateway.url)
const bob = unique('bob')
const path = '/api/mcp/metadata'
/** Stands where no log may have taken it from. */
const sentinel = unique('sentinel')

interface Row {
  name: string
  /** @param mark the field that makes the request known to the tool service's log */
  frames: (mark: Field) => Buffer[]
  /** How the stream ends. After a GOAWAY nothing more is answered; after all else the connection goes on. */
  outcome: string
  /** Which stream; 1 where absent. */
  stream?: number
  /** How many requests the tool service sees. None where absent; `perhaps` one where the head was good and may be on its way before the fault comes. */
  reaches?: number | 'perhaps'
  check?: (t: Test, connection: Http2Connection) => void
}

const [protocol, compression, size, flow] = ['PROTOCOL_ERROR', 'COMPRESSION_ERROR', 'FRAME_SIZE_ERROR', 'FLOW_CONTROL_ERROR'].map(error => `GOAWAY ${error}`) as [string, string, string, string]
const malformed = 'RST_STREAM PROTOCOL_ERROR'
const auth: Field = ['authorization', ada.headers.authorization]
const pseudo = (changes: Record<string, string | undefined> = {}): Field[] =>
  Object.entries({ ':method': 'GET', ':scheme': 'https', ':authority': host, ':path': path, ...changes }).filter((field): field is [string, string] => field[1] !== undefined)
const good = (mark: Field, ...more: Field[]): Field[] => [...pseudo(), auth, mark, ...more]
const post = (mark: Field, ...more: Field[]): Field[] => [...pseudo({ ':method': 'POST', ':path': '/tools/falkordb_health' }), auth, ['content-type', 'application/json'], mark, ...more]
/** What a smuggler hides in a body: a call that says it is somebody. */
const hidden = ([, marker]: Field) => `GET ${path}?marker=${marker} HTTP/1.1\r\nHost: ${host}\r\nX-Tenant-Id: ${bob}\r\n\r\n`

/** A good call with these fields behind its own. */
const added = (name: string, outcome: string, ...fields: Field[]): Row => ({ name, outcome, frames: mark => [headers(1, good(mark, ...fields))], ...(outcome === '200' && { reaches: 1 }) })
/** A good call with other pseudo-header fields. */
const other = (name: string, outcome: string, changes: Record<string, string | undefined>, reaches = outcome === '200' ? 1 : 0): Row => ({ name, outcome, reaches, frames: mark => [headers(1, [...pseudo(changes), auth, mark])] })
/** These frames alone. */
const sent = (name: string, outcome: string, ...frames: Buffer[]): Row => ({ name, outcome, frames: () => frames })
/** A good POST with these fields, then its body. */
const posted = (name: string, outcome: string, fields: Field[], body: string | ((mark: Field) => string) = '{}'): Row =>
  ({ name, outcome, reaches: outcome === malformed ? 'perhaps' : 1, frames: mark => [headers(1, post(mark, ...fields), false), data(1, typeof body === 'string' ? body : body(mark))] })
/** A header block in pieces. */
const pieces = (fields: readonly Field[], length: number): Buffer[] => {
  const whole = block(fields)
  return Array.from({ length: Math.ceil(whole.length / length) }, (_, index) => {
    const last = (index + 1) * length >= whole.length ? flags.endHeaders : 0
    return frame(index === 0 ? types.headers : types.continuation, last | (index === 0 ? flags.endStream : 0), 1, whole.subarray(index * length, (index + 1) * length))
  })
}

async function runFrames (t: Test, rows: readonly Row[]) {
  const ran: Array<{ row: Row, marker: string }> = []
  for (const row of rows) {
    const marker = unique('attack')
    const connection = await openHttp2(gateway)
    connection.send(...row.frames(['x-attack-marker', marker]))
    t.equal(await connection.outcome(row.stream ?? 1), row.outcome, row.name)
    // Traefik closes what it has said goodbye to; a stream of its own shows that the rest is unharmed.
    connection.send(headers(20_001, pseudo({ ':path': '/health' })))
    t.equal(await connection.outcome(20_001), row.outcome.startsWith('GOAWAY') ? row.outcome : '200', `${row.name}: the connection afterwards`)
    row.check?.(t, connection)
    connection.close()
    ran.push({ row, marker })
  }
  const arrivals = await readArrivals(gateway, ada)
  for (const { row, marker } of ran) {
    const arrived = arrivals.get(marker) ?? []
    if (row.reaches === 'perhaps') t.ok(arrived.length <= 1, `${row.name}: the tool service saw one request at most`)
    else t.equal(arrived.length, row.reaches ?? 0, `${row.name}: what the tool service saw of it`)
    for (const arrival of arrived) isOwn(t, arrival, ada, 'graph:read', row.name)
  }
}

const own: Row['check'] = (t, connection) => t.match(JSON.parse(connection.body(1)), { tenant: ada.tenant, scopes: ['graph:read'] })

t.test('14: header fields that HTTP/2 does not know, or that spell an identity, change nothing', t => runFrames(t, [
  { ...added('a good call (control)', '200'), check: own },
  { name: 'no credential', outcome: '401', frames: mark => [headers(1, [...pseudo(), mark])] },
  { name: 'identity headers in place of a credential', outcome: '401', frames: mark => [headers(1, [...pseudo(), mark, ['x-tenant-id', ada.tenant], ['x-user-id', 'ada'], ['x-auth-scopes', 'graph:admin'], ['x-identity-assertion', ada.token]])] },
  { ...added('identity headers, twice', '200', ['x-tenant-id', bob], ['x-tenant-id', bob], ['x-user-id', 'bob'], ['x-auth-scopes', 'graph:admin'], ['x-identity-assertion', 'x']), check: own },
  added('an identity header in upper case', malformed, ['X-Tenant-Id', bob]),
  { name: 'the credential in upper case', outcome: malformed, frames: mark => [headers(1, [...pseudo(), ['Authorization', ada.headers.authorization], mark])] },
  added('an underscore for a hyphen', '400', ['x_tenant_id', bob]),
  added('a dot for a hyphen', '400', ['x.tenant.id', bob]),
  added('a space in a name', malformed, ['x-tenant-id ', bob]),
  added('a colon in a name', malformed, ['x-tenant-id:', bob]),
  added('a line end in a name', malformed, ['x-a: 1\r\nx-tenant-id', bob]),
  added('a line end in a value', malformed, ['x-a', `1\r\nx-tenant-id: ${bob}`]),
  added('an LF in a value', malformed, ['x-a', `1\nx-tenant-id: ${bob}`]),
  added('a NUL in a value', malformed, ['x-a', '1\0']),
  added('an empty name', malformed, ['', bob]),
  added('a name beyond ASCII', malformed, ['x-t\xe9nant-id', bob]),
  added('the Connection header', '400', ['connection', 'x-identity-assertion']),
  added('the Keep-Alive header', '400', ['keep-alive', 'timeout=5']),
  added('the Proxy-Connection header', '400', ['proxy-connection', 'x-identity-assertion']),
  added('the Transfer-Encoding header', '400', ['transfer-encoding', 'chunked']),
  added('the Upgrade header', '400', ['upgrade', 'websocket']),
  added('TE: gzip', '400', ['te', 'gzip']),
  added('TE: trailers', '200', ['te', 'trailers']),
  added('two credentials', '400', ['authorization', 'Bearer x']),
  added('a token and a key', '400', ['x-api-key', 'x']),
  { ...added('a cookie in crumbs', '200', ['cookie', 'a=1'], ['cookie', 'b=2']), check: own },
  added('1,000 fields', '431', ...Array.from({ length: 1_000 }, (_, index): Field => [`x-field-${index}`, '1'])),
  { name: 'a credential in the query', outcome: '400', frames: mark => [headers(1, [...pseudo({ ':path': `${path}?access_token=${sentinel}` }), auth, mark])] }
]))

t.test('pseudo-header fields that are missing, doubled, out of place or full of something else', t => runFrames(t, [
  other('no :path', malformed, { ':path': undefined }),
  other('no :method', malformed, { ':method': undefined }),
  other('no :scheme', malformed, { ':scheme': undefined }),
  other('an unknown one', malformed, { ':x-tenant-id': bob }),
  other('one of answers', malformed, { ':status': '200' }),
  added(':path twice', malformed, [':path', '/health']),
  { name: ':path twice, before all else', outcome: malformed, frames: mark => [headers(1, [[':path', '/health'], ...good(mark)])] },
  { name: ':method twice', outcome: malformed, frames: mark => [headers(1, [...pseudo(), [':method', 'POST'], auth, mark])] },
  { name: ':authority twice', outcome: malformed, frames: mark => [headers(1, [...pseudo(), [':authority', 'evil.example'], auth, mark])] },
  { name: 'all of them at the end', outcome: malformed, frames: mark => [headers(1, [auth, mark, ...pseudo()])] },
  { name: 'one of them at the end', outcome: malformed, frames: mark => [headers(1, [...pseudo({ ':path': undefined }), auth, mark, [':path', path]])] },
  other('an empty :path', malformed, { ':path': '' }),
  other('a :path without a slash', malformed, { ':path': 'mcp' }),
  other('a :path of a query alone', malformed, { ':path': `?${sentinel}` }),
  other('a query with a line end', malformed, { ':path': `${path}?${sentinel}\r\n` }),
  other('a :path with a version and a line end', malformed, { ':path': `${path} HTTP/1.1\r\nX-Tenant-Id: ${bob}` }),
  other('a :path with a line end', malformed, { ':path': `${path}\r\n` }),
  other('a :path with a NUL', malformed, { ':path': `${path}\0` }),
  other('a :path with a tab', malformed, { ':path': `${path}\t` }),
  other('a :path with a space', '404', { ':path': '/mcp /x' }),
  other('a :path with a fragment', '400', { ':path': `${path}#x` }),
  other('a :path with an encoded slash', '400', { ':path': '/mcp%2f' }),
  other('a :path with a parameter', '404', { ':path': `${path};x` }),
  other('a :path that begins with another host', '404', { ':path': `//evil.example${path}` }),
  // Its host is dropped: :authority is what everybody behind goes by.
  other('a :path with a scheme and another host', '200', { ':path': `https://${sentinel}.example${path}` }),
  other('the same, and a foreign :authority', '403', { ':path': `https://${host}${path}`, ':authority': 'evil.example' }),
  other('an asterisk for a :path', '404', { ':path': '*' }),
  other('a :path of what only Traefik may ask', '404', { ':path': '/decision' }),
  { name: 'a :path of 100 KB', outcome: compression, frames: mark => pieces([...pseudo({ ':path': `/${'x'.repeat(100_000)}` }), auth, mark], 16_000) },
  other('a :scheme with more in it', malformed, { ':scheme': 'https://evil.example/?' }),
  other('another :scheme', malformed, { ':scheme': 'ftp' }),
  // TLS is what Traefik goes by.
  other('http for a :scheme', '200', { ':scheme': 'http' }),
  other('13: a foreign :authority', '403', { ':authority': 'evil.example' }),
  other('13: an empty :authority', '403', { ':authority': '' }),
  other('13: no :authority', '403', { ':authority': undefined }),
  other('13: a list of authorities', '403', { ':authority': `${host}, evil.example` }),
  other('13: an :authority with a path', '403', { ':authority': `${host}/x` }),
  other('13: an :authority with another port', '403', { ':authority': `${hostname}:1` }),
  other('13: an :authority with a trailing dot', '403', { ':authority': `${hostname}.:${port}` }),
  other('13: an :authority with userinfo', malformed, { ':authority': `evil.example@${host}` }),
  other('13: an :authority with a line end', malformed, { ':authority': `${host}\r\nX-Tenant-Id: ${bob}` }),
  { name: '13: a foreign :authority, our Host', outcome: '403', frames: mark => [headers(1, [...pseudo({ ':authority': 'evil.example' }), auth, mark, ['host', host]])] },
  { name: '13: our :authority, a foreign Host', outcome: '200', reaches: 1, check: own, frames: mark => [headers(1, good(mark, ['host', 'evil.example']))] },
  { name: '13: a foreign Host alone', outcome: '403', frames: mark => [headers(1, [...pseudo({ ':authority': undefined }), auth, mark, ['host', 'evil.example']])] },
  other('CONNECT with a path', malformed, { ':method': 'CONNECT' }),
  other('CONNECT to another host', '405', { ':method': 'CONNECT', ':scheme': undefined, ':path': undefined, ':authority': 'evil.example:443' }),
  other('a websocket by extended CONNECT', malformed, { ':method': 'CONNECT', ':protocol': 'websocket' }),
  { ...other('TRACE', '405', { ':method': 'TRACE' }, 1), check: (t, connection) => t.notMatch(connection.body(1), ada.token, 'nothing is echoed') },
  other('an empty method', malformed, { ':method': '' }),
  other('a method with a line end', malformed, { ':method': 'GET\r\n' }),
  other('a method in lower case', '400', { ':method': 'get' }),
  other('the method of the preface', '400', { ':method': 'PRI' })
]))

t.test('bodies that do not fit what was said of them, and what trails them', t => runFrames(t, [
  posted('a good body (control)', '200', []),
  posted('a length that fits (control)', '200', [['content-length', '2']]),
  posted('a length below the body', malformed, [['content-length', '1']]),
  posted('a length of 0 and a body', malformed, [['content-length', '0']]),
  posted('a length below zero', malformed, [['content-length', '-1']]),
  posted('a length with a plus', malformed, [['content-length', '+2']]),
  posted('a list of lengths', malformed, [['content-length', '2, 2']]),
  // The first counts, for the tool service too; a body that does not fit it is cut off above.
  posted('two lengths', '200', [['content-length', '2'], ['content-length', '90']]),
  // Traefik's own words for a body that stops early; the tool service never gets the whole of it.
  { ...posted('a length beyond the body', '502', [['content-length', '90']]), reaches: 'perhaps' },
  posted('a request behind the body', '400', [], mark => `{}${hidden(mark)}`),
  posted('a request behind the length', malformed, [['content-length', '2']], mark => `{}${hidden(mark)}`),
  { ...posted('a request behind chunks that HTTP/2 does not have', '400', [['transfer-encoding', 'chunked']], mark => `0\r\n\r\n${hidden(mark)}`), reaches: 0 },
  posted('chunks for a body', '400', [], mark => `0\r\n\r\n${hidden(mark)}`),
  { name: 'a length without a body', outcome: '400', reaches: 1, frames: mark => [headers(1, post(mark, ['content-length', '5']))] },
  { name: 'identity and credential as trailers', outcome: '200', reaches: 1, frames: mark => [headers(1, post(mark), false), data(1, '{}', false), headers(1, [['x-tenant-id', bob], ['x-identity-assertion', 'x'], ['authorization', 'Bearer x']])] },
  { name: 'the same, announced', outcome: '200', reaches: 1, frames: mark => [headers(1, post(mark, ['trailer', 'x-tenant-id, x-identity-assertion']), false), data(1, '{}', false), headers(1, [['x-tenant-id', bob], ['x-identity-assertion', 'x']])] },
  { name: 'the credential as a trailer alone', outcome: malformed, frames: mark => [headers(1, [...pseudo({ ':method': 'POST', ':path': '/tools/falkordb_health' }), mark, ['trailer', 'authorization']], false), data(1, '{}', false), headers(1, [auth])] },
  { name: 'pseudo-header fields as trailers', outcome: malformed, reaches: 'perhaps', frames: mark => [headers(1, post(mark), false), data(1, '{}', false), headers(1, [[':path', '/health']])] },
  { name: 'trailers in upper case', outcome: malformed, reaches: 'perhaps', frames: mark => [headers(1, post(mark), false), data(1, '{}', false), headers(1, [['X-Tenant-Id', bob]])] },
  { name: 'trailers that do not end the stream', outcome: malformed, reaches: 'perhaps', frames: mark => [headers(1, post(mark), false), data(1, '{}', false), headers(1, [['x-a', 'b']], false)] }
]))

t.test('frames against their own rules end the connection', t => runFrames(t, [
  { name: 'a header block in pieces of seven bytes (control)', outcome: '200', reaches: 1, frames: mark => pieces(good(mark, ['x-tenant-id', bob]), 7) },
  { name: 'a header block of 80 KB in pieces', outcome: compression, frames: mark => pieces(good(mark, ['x-a', 'a'.repeat(80_000)]), 16_000) },
  { name: 'a flood of CONTINUATION', outcome: protocol, frames: mark => [frame(types.headers, flags.endStream, 1, block(good(mark))), ...Array.from({ length: 2_000 }, () => frame(types.continuation, 0, 1, block([['x-a', 'a'.repeat(1_000)]])))] },
  { name: 'a body between the pieces of a header block', outcome: protocol, frames: mark => [frame(types.headers, 0, 1, block(good(mark))), data(1, 'x'), frame(types.continuation, flags.endHeaders, 1)] },
  { name: 'a piece for another stream', outcome: protocol, frames: mark => [frame(types.headers, 0, 1, block(good(mark))), frame(types.continuation, flags.endHeaders, 3)] },
  { name: 'a piece of nothing', outcome: protocol, frames: mark => [frame(types.continuation, flags.endHeaders, 1, block(good(mark)))] },
  sent('a header block of bytes at random', compression, frame(types.headers, flags.endHeaders | flags.endStream, 1, Buffer.from('ffffffffffffffff', 'hex'))),
  sent('a field without an index', compression, frame(types.headers, flags.endHeaders | flags.endStream, 1, Buffer.of(0x80))),
  sent('a field that no table holds', compression, frame(types.headers, flags.endHeaders | flags.endStream, 1, Buffer.of(0xbe))),
  sent('a table of a gigabyte', compression, frame(types.headers, flags.endHeaders | flags.endStream, 1, Buffer.of(0x3f, 0xff, 0xff, 0xff, 0x7f))),
  sent('a name of a gigabyte', compression, frame(types.headers, flags.endHeaders | flags.endStream, 1, Buffer.of(0, 0x7f, 0xff, 0xff, 0xff, 0x7f))),
  sent('a Huffman code that is none', compression, frame(types.headers, flags.endHeaders | flags.endStream, 1, Buffer.of(0, 0x84, 0xff, 0xff, 0xff, 0xff, 1, 0x61))),
  { name: 'a request on stream 0', outcome: protocol, frames: mark => [headers(0, good(mark))] },
  { name: 'a request on a stream of the server', outcome: protocol, stream: 2, frames: mark => [headers(2, good(mark))] },
  { name: 'a request on an older stream', outcome: protocol, stream: 3, frames: mark => [headers(5, pseudo({ ':path': '/health' })), headers(3, good(mark))] },
  sent('a body without a request', protocol, data(1, 'x')),
  sent('a body on stream 0', protocol, frame(types.data, flags.endStream, 0, Buffer.from('x'))),
  sent('a promise by a client', protocol, frame(types.pushPromise, flags.endHeaders, 1, Buffer.concat([number(2), block(pseudo())]))),
  sent('settings of five bytes', size, frame(types.settings, 0, 0, Buffer.alloc(5))),
  sent('settings of a stream', protocol, frame(types.settings, 0, 1)),
  sent('settings in an acknowledgement', size, frame(types.settings, flags.ack, 0, Buffer.alloc(6))),
  sent('settings: push is 2', protocol, settings([2, 2])),
  sent('settings: a window of 2 GiB', flow, settings([4, 0x80000000])),
  sent('settings: frames of one byte', protocol, settings([5, 1])),
  sent('a window that grows by nothing', protocol, windowUpdate(0, 0)),
  sent('a window beyond 2 GiB', flow, windowUpdate(0, 0x7fffffff)),
  sent('a window of a stream that is not there', protocol, windowUpdate(7, 1)),
  { name: 'a window of a stream beyond 2 GiB', outcome: 'RST_STREAM FLOW_CONTROL_ERROR', reaches: 'perhaps', frames: mark => [headers(1, post(mark), false), windowUpdate(1, 0x7fffffff)] },
  sent('a ping of seven bytes', size, frame(types.ping, 0, 0, Buffer.alloc(7))),
  sent('a ping on a stream', protocol, frame(types.ping, 0, 1, Buffer.alloc(8))),
  sent('the end of a stream that is not there', protocol, reset(1)),
  sent('a frame that says it is 16 MiB', size, frame(types.headers, flags.endHeaders, 1, block(pseudo()), 0xffffff)),
  sent('padding beyond the frame', malformed, frame(types.headers, flags.endHeaders | flags.endStream | flags.padded, 1, Buffer.of(255, 0))),
  sent('HTTP/1.1', size, Buffer.from(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)),
  { name: 'a frame of an unknown type', outcome: '200', reaches: 1, frames: mark => [frame(99, 0, 0, Buffer.from('x')), headers(1, good(mark))] }
]))

const many = (count: number, make: (index: number) => Buffer | Buffer[]) => Array.from({ length: count }, (_, index) => make(index)).flat()

t.test('floods of frames neither end the gateway nor keep a good call waiting', async t => {
  await runFrames(t, [
    { name: '2,000 settings', outcome: '200', reaches: 1, frames: mark => [...many(2_000, () => settings([4, 65_535])), headers(1, good(mark))] },
    { name: '2,000 pings', outcome: '200', reaches: 1, frames: mark => [...many(2_000, () => frame(types.ping, 0, 0, Buffer.alloc(8))), headers(1, good(mark))] },
    { name: '5,000 priorities', outcome: '200', reaches: 1, stream: 10_003, frames: mark => [...many(5_000, index => frame(types.priority, 0, 2 * index + 1, Buffer.concat([number(0), Buffer.of(1)]))), headers(10_003, good(mark))] },
    { name: '5,000 empty frames of a body', outcome: '200', reaches: 1, frames: mark => [headers(1, post(mark), false), ...many(5_000, () => data(1, '', false)), data(1, '{}')] },
    { name: '10,000 empty pieces of a header block', outcome: '200', reaches: 1, frames: mark => [frame(types.headers, flags.endStream, 1, block(good(mark))), ...many(10_000, () => frame(types.continuation, 0, 1)), frame(types.continuation, flags.endHeaders, 1)] },
    { name: '200 requests that are taken back at once', outcome: '200', reaches: 1, stream: 401, frames: mark => [...many(200, index => [headers(2 * index + 1, [...pseudo(), mark]), reset(2 * index + 1)]), headers(401, good(mark))] }
  ])
  t.equal((await ada.send({ path })).status, 200, 'and others are served')
})

t.test('no connection holds more than 100 streams', async t => {
  const marker = unique('attack')
  const connection = await openHttp2(gateway)
  connection.send(...many(300, index => headers(2 * index + 1, post(['x-attack-marker', marker]), false)))
  // RFC 9113 section 5.1.2: the one before our acknowledgement of the limit has arrived, the other after.
  t.match(await connection.outcome(599), /^RST_STREAM (REFUSED_STREAM|PROTOCOL_ERROR)$/)
  t.equal((await ada.send({ path })).status, 200, 'others are served meanwhile')
  const arrived = (await readArrivals(gateway, ada)).get(marker) ?? []
  t.ok(arrived.length <= 100, `the tool service has seen ${arrived.length} of 300`)
  connection.close()
  t.equal((await ada.send({ path })).status, 200, 'and afterwards')
})

t.test('29: of none of it a token or a query is in a log', async t => {
  await readArrivals(gateway, ada)
  for (const part of ['traefik', 'verify', 'mcp'] as const) {
    const log = await gateway.logs(part)
    t.notOk(log.includes(sentinel), `${part}: the query`)
    for (const [index, text] of tellingParts(ada.token).entries()) t.notOk(log.includes(text), `${part}: part ${index} of the token`)
  }
})
