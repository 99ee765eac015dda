import t from 'tap'
import { openGateway } from '../support/gateway.ts'
import { runTable, type Row, type Scene } from '../support/arrivals.ts'

const gateway = openGateway()
const ada = await gateway.person({ scope: 'graph:read' })
const path = '/api/mcp/metadata'

/** What a smuggler hides: a call that says it is somebody. Wherever it is read as a request it must be its own caller's, who has no credential. */
const hidden = ({ host, mark }: Scene) => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${mark}X-Tenant-Id: ${ada.tenant}\r\nX-User-Id: ada\r\nX-Auth-Scopes: graph:admin\r\nConnection: close\r\n\r\n`
/** A good call that ends its connection. */
const good = ({ host, mark, auth }: Scene) => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${mark}${auth}Connection: close\r\n\r\n`
/** A signed-in POST with these framing lines and this body; the hidden request is behind it. Only the hidden one is marked. */
const framed = (lines: string[], body = '0\r\n\r\n') => (scene: Scene) => `POST /tools/test_headers HTTP/1.1\r\nHost: ${scene.host}\r\n${scene.auth}Content-Type: application/json\r\n${lines.map(line => `${line}\r\n`).join('')}\r\n${body}${hidden(scene)}`
/** One answer, and the connection ends: what follows is never read as a request. */
const refused = (name: string, lines: string[], status: number | number[] = 400, body?: string): Row => ({ name, bytes: framed(lines, body), status: [status] })

t.test('a request of which two servers could read different lengths is refused, and what is behind it is never read', t => runTable(t, gateway, ada, [
  { name: 'a good call (control)', bytes: good, status: [200], reaches: 1 },
  { name: 'a good chunked call, then the hidden one (control)', bytes: framed(['Transfer-Encoding: chunked'], '2\r\n{}\r\n0\r\n\r\n'), status: [200, 401] },
  { name: 'a good call with a length, then the hidden one (control)', bytes: framed(['Content-Length: 2'], '{}'), status: [200, 401] },
  // Go takes the chunks and drops the length (RFC 9112 section 6.1 allows it); what is behind them is a request of its own, without a credential.
  { name: 'CL.TE: a length within the chunks', bytes: framed(['Content-Length: 5', 'Transfer-Encoding: chunked'], '2\r\n{}\r\n0\r\n\r\n'), status: [200, 401] },
  { name: 'TE.CL: the other order', bytes: framed(['Transfer-Encoding: chunked', 'Content-Length: 2'], '2\r\n{}\r\n0\r\n\r\n'), status: [200, 401] },
  { name: 'CL.TE: a length that covers the hidden request', bytes: framed(['Content-Length: 5000', 'Transfer-Encoding: chunked'], '2\r\n{}\r\n0\r\n\r\n'), status: [200, 401] },
  refused('two codings: chunked, identity', ['Transfer-Encoding: chunked, identity'], [400, 501]),
  refused('two codings: identity, chunked', ['Transfer-Encoding: identity, chunked'], [400, 501]),
  refused('chunked twice in a list', ['Transfer-Encoding: chunked, chunked'], [400, 501]),
  refused('chunked in two headers', ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], [400, 501]),
  refused('chunked, then an unknown coding', ['Transfer-Encoding: chunked', 'Transfer-Encoding: x'], [400, 501]),
  refused('an unknown coding', ['Transfer-Encoding: xchunked'], [400, 501]),
  refused('identity', ['Transfer-Encoding: identity', 'Content-Length: 2'], [400, 501]),
  refused('gzip, chunked', ['Transfer-Encoding: gzip, chunked'], [400, 501]),
  refused('an empty coding', ['Transfer-Encoding:', 'Content-Length: 2'], [400, 501]),
  refused('quoted', ['Transfer-Encoding: "chunked"'], [400, 501]),
  refused('a vertical tab before chunked', ['Transfer-Encoding: \x0bchunked'], [400, 501]),
  refused('a NUL behind chunked', ['Transfer-Encoding: chunked\0'], [400, 501]),
  refused('a parameter', ['Transfer-Encoding: chunked;q=1'], [400, 501]),
  refused('a comma behind', ['Transfer-Encoding: chunked,'], [400, 501]),
  refused('a space before the colon', ['Transfer-Encoding : chunked']),
  // Without a length that counts there is no body: what stands there is a request, and a bad one.
  { name: 'an underscore in the coding', bytes: framed(['Transfer_Encoding: chunked', 'Content-Length: 0']), status: [400, 400] },
  refused('behind a bare CR', ['X: y\rTransfer-Encoding: chunked']),
  refused('two lengths', ['Content-Length: 0', 'Content-Length: 2']),
  refused('a list of lengths', ['Content-Length: 0, 2']),
  refused('a length with a plus', ['Content-Length: +0']),
  refused('a length below zero', ['Content-Length: -1']),
  refused('a length with a space inside', ['Content-Length: 1 0']),
  refused('a length in hex', ['Content-Length: 0x0']),
  refused('a length with a point', ['Content-Length: 0.0']),
  refused('a length of letters', ['Content-Length: zero']),
  refused('an empty length', ['Content-Length:']),
  refused('a length beyond 64 bits', ['Content-Length: 18446744073709551616']),
  { name: 'an underscore in the length', bytes: framed(['Content_Length: 5']), status: [400, 400] },
  refused('a length with a NUL', ['Content-Length: 0\0']),
  refused('a length with an underscore between its digits', ['Content-Length: 1_0'])
]))

const chunked = (name: string, body: string, status: number | number[] = 400): Row => refused(name, ['Transfer-Encoding: chunked'], status, body)

t.test('chunks that two servers could read differently end the connection', t => runTable(t, gateway, ada, [
  chunked('a chunk size below zero', '-1\r\n{}\r\n0\r\n\r\n', [400, 499, 502, 500]),
  chunked('a chunk size with 0x', '0x2\r\n{}\r\n0\r\n\r\n', [400, 499, 502, 500]),
  chunked('a chunk size with a plus', '+2\r\n{}\r\n0\r\n\r\n', [400, 499, 502, 500]),
  chunked('a chunk size of 17 digits', '10000000000000002\r\n{}\r\n0\r\n\r\n', [400, 499, 502, 500]),
  chunked('a chunk size beyond 64 bits', 'ffffffffffffffffff\r\n{}\r\n0\r\n\r\n', [400, 499, 502, 500]),
  chunked('an empty chunk size', '\r\n{}\r\n0\r\n\r\n', [400, 499, 502, 500]),
  chunked('a chunk size with an underscore', '1_0\r\n{}\r\n0\r\n\r\n', [400, 499, 502, 500]),
  chunked('a chunk longer than it says', '1\r\n{}\r\n0\r\n\r\n', [400, 499, 502, 500]),
  chunked('a chunk without its end', '2\r\n{}0\r\n\r\n', [400, 499, 502, 500]),
  chunked('a chunk ended by CR alone', '2\r\n{}\r0\r\n\r\n', [400, 499, 502, 500]),
  chunked('a trailer that is none', '2\r\n{}\r\n0\r\nbad trailer\r\n\r\n', [200, 400, 499, 502, 500]),
  { name: 'a chunk extension: read as one chunk', bytes: framed(['Transfer-Encoding: chunked'], '2;a=b\r\n{}\r\n0\r\n\r\n'), status: [200, 401] },
  chunked('a chunk extension of 20 KB', `2;a=${'b'.repeat(20_000)}\r\n{}\r\n0\r\n\r\n`, [400, 499, 502, 500]),
  chunked('a chunk extension with a bare LF', '2;a\n{}\r\n0\r\n\r\n', [400, 499, 502, 500]),
  { name: 'a good first of two, the second spoofed', bytes: scene => `GET /health HTTP/1.1\r\nHost: ${scene.host}\r\n\r\n${hidden(scene)}`, status: [200, 401] },
  { name: 'ada first, then somebody without a credential', bytes: scene => `GET ${path} HTTP/1.1\r\nHost: ${scene.host}\r\n${scene.auth}\r\n${hidden(scene)}`, status: [200, 401] },
  { name: 'refused, then ada: each its own', bytes: scene => `GET ${path} HTTP/1.1\r\nHost: ${scene.host}\r\n\r\n${good(scene)}`, status: [401, 200], reaches: 1 },
  { name: 'a GET with a body that is a request', bytes: scene => `GET ${path} HTTP/1.1\r\nHost: ${scene.host}\r\n${scene.auth}Content-Length: ${hidden(scene).length}\r\nConnection: close\r\n\r\n${hidden(scene)}`, status: [[200, 400]] },
  { name: 'a refused POST whose body is a request', bytes: scene => `POST /mcp HTTP/1.1\r\nHost: ${scene.host}\r\nContent-Length: ${hidden(scene).length}\r\nConnection: close\r\n\r\n${hidden(scene)}`, status: [401] },
  { name: 'Expect: 100-continue, the body a request', bytes: scene => `POST /mcp HTTP/1.1\r\nHost: ${scene.host}\r\nExpect: 100-continue\r\nContent-Length: ${hidden(scene).length}\r\nConnection: close\r\n\r\n${hidden(scene)}`, status: [401] },
  { name: 'an unknown Expect', bytes: scene => `GET ${path} HTTP/1.1\r\nHost: ${scene.host}\r\n${scene.mark}${scene.auth}Expect: evil\r\nConnection: close\r\n\r\n`, status: [417] },
  { name: 'more pipelined requests than a page has: each answered in turn', bytes: scene => `${`GET ${path} HTTP/1.1\r\nHost: ${scene.host}\r\n\r\n`.repeat(20)}${good(scene)}`, status: [...Array(20).fill(401), 200], reaches: 1 }
]))

const line = (first: string, ends = '\r\n') => ({ host, mark, auth }: Scene) => `${first}\r\nHost: ${host}\r\n${mark}${auth}Connection: close\r\n\r\n`.replaceAll('\r\n', ends)

t.test('a request line or a line end of another age is read as it stands, or refused', t => runTable(t, gateway, ada, [
  { name: 'HTTP/0.9', bytes: () => `GET ${path}\r\n\r\n`, status: [400] },
  { name: 'HTTP/1.0', bytes: line(`GET ${path} HTTP/1.0`), status: [200], reaches: 1 },
  { name: 'HTTP/1.0 without a Host', bytes: ({ mark, auth }) => `GET ${path} HTTP/1.0\r\n${mark}${auth}\r\n`, status: [[400, 403]] },
  { name: 'HTTP/1.0 with chunks', bytes: scene => `POST /tools/test_headers HTTP/1.0\r\nHost: ${scene.host}\r\n${scene.auth}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n2\r\n{}\r\n0\r\n\r\n${hidden(scene)}`, status: [400, 400] },
  // RFC 9110 section 2.5: a minor version that nobody knows is read as the newest that is known.
  { name: 'HTTP/1.9', bytes: line(`GET ${path} HTTP/1.9`), status: [200], reaches: 1 },
  { name: 'HTTP/2.0 as text', bytes: line(`GET ${path} HTTP/2.0`), status: [505] },
  { name: 'HTTP/3', bytes: line(`GET ${path} HTTP/3.0`), status: [505] },
  { name: 'a version with more digits', bytes: line(`GET ${path} HTTP/1.10`), status: [400] },
  { name: 'a version in lower case', bytes: line(`GET ${path} http/1.1`), status: [400] },
  { name: 'line ends of LF alone', bytes: line(`GET ${path} HTTP/1.1`, '\n'), status: [200], reaches: 1 },
  { name: 'line ends of CR alone', bytes: scene => `${line(`GET ${path} HTTP/1.1`, '\r')(scene)}\r\n\r\n`, status: [400] },
  { name: 'two spaces behind the method', bytes: line(`GET  ${path} HTTP/1.1`), status: [400] },
  { name: 'a tab behind the method', bytes: line(`GET\t${path} HTTP/1.1`), status: [400] },
  { name: 'a space before the method', bytes: line(` GET ${path} HTTP/1.1`), status: [400] },
  { name: 'an empty line before the request', bytes: line(`\r\nGET ${path} HTTP/1.1`), status: [[200, 400]], reaches: 0 },
  { name: 'a space behind the version', bytes: line(`GET ${path} HTTP/1.1 `), status: [400] },
  { name: 'a space before the first header', bytes: ({ host, mark, auth }) => `GET ${path} HTTP/1.1\r\n X: y\r\nHost: ${host}\r\n${mark}${auth}Connection: close\r\n\r\n`, status: [400] },
  { name: 'garbage', bytes: () => '\x16\x03\x01\x02\x00\x01\r\n\r\n', status: [400] }
]))
